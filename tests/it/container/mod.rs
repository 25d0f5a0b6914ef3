//! `infra run` as the first process of a real pid namespace, as in a container.
//!
//! Each test needs a namespace of its own and fails where the machine permits none: what these tests
//! are about cannot be seen otherwise. Invariant: nothing of a container outlives its test.

mod ends;
mod image;
mod init;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;

use crate::support::{signal, wait_for};
use crate::world::World;

/// A container that runs, seen from outside.
struct Container {
    /// `unshare`, which waits for the first process and ends with its code.
    outer: Child,
    /// The first process, by its number out here.
    first: u32,
    /// Both of its streams, line by line.
    said: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

/// How a container ended.
struct End {
    code: Option<i32>,
    said: Vec<String>,
}

/// `unshare` with what makes a container of this machine's permissions.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    // Killed with whoever waits for it: no test leaves one behind.
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

impl Container {
    /// Starts `infra` with these arguments as the first process.
    fn start(world: &World, args: &[&str]) -> Self {
        Self::start_after(world, "", args)
    }

    /// The same after a shell has prepared the mounts of the namespace; the shell's place is taken.
    fn start_after(world: &World, prepare: &str, args: &[&str]) -> Self {
        let able = unshare().args(["sh", "-c", "test $$ = 1"]).output().expect("unshare");
        assert!(
            able.status.success(),
            "this machine permits no pid namespaces (root, or user namespaces, are needed): {}",
            String::from_utf8_lossy(&able.stderr)
        );
        let inner = world.env.command(args);
        let mut command = unshare();
        command.env_clear().current_dir(world.env.project());
        let vars = inner.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())));
        command.envs(vars);
        command.args(["sh", "-c", &format!("{prepare}\nexec \"$@\""), "sh"]);
        command.arg(inner.get_program()).args(inner.get_args());
        let mut outer = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare");
        let said = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            read(outer.stdout.take().expect("stdout"), &said),
            read(outer.stderr.take().expect("stderr"), &said),
        ];
        let id = outer.id();
        let first = wait_for("the first process", || {
            let path = format!("/proc/{id}/task/{id}/children");
            std::fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
        });
        Self { outer, first, said, readers }
    }

    /// Waits for a line that contains `text`.
    fn until(&self, text: &str) -> &Self {
        wait_for(&format!("`{text}` among {:?}", self.said.lock().expect("lines")), || {
            self.lines().iter().any(|line| line.contains(text)).then_some(())
        });
        self
    }

    fn lines(&self) -> Vec<String> {
        self.said.lock().expect("lines").clone()
    }

    fn send(&self, number: Signal) -> &Self {
        signal(self.first, number);
        self
    }

    /// Every process of the namespace, by its number out here.
    fn members(&self) -> Vec<u32> {
        let of = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let Some(namespace) = of(self.first) else { return Vec::new() };
        pids().into_iter().filter(|pid| of(*pid).as_ref() == Some(&namespace)).collect()
    }

    /// Children of the first process that have ended and were not collected.
    fn zombies(&self) -> usize {
        let is = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let rest = stat.rsplit(')').next().unwrap_or("").trim_start();
            let mut fields = rest.split(' ');
            let (state, parent) = (fields.next(), fields.next());
            state == Some("Z") && parent == Some(self.first.to_string().as_str())
        };
        pids().iter().filter(|pid| is(pid)).count()
    }

    /// Waits for its end.
    fn end(mut self) -> End {
        let code = self.outer.wait().expect("wait").code();
        for reader in self.readers.drain(..) {
            reader.join().expect("reader");
        }
        let said = self.lines();
        End { code, said }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // What ends first takes the rest along; after an ordered end there is nothing to do.
        if matches!(self.outer.try_wait(), Ok(None)) {
            signal(self.first, Signal::KILL);
            let _ = self.outer.wait();
        }
    }
}

fn read(
    stream: impl std::io::Read + Send + 'static,
    said: &Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    let said = said.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.lock().expect("lines").push(line);
        }
    })
}

fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("proc");
    entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Services of scripts: name, script and what else the profile says of it.
fn world(services: &[(&str, &str, &str)]) -> World {
    profile("", services)
}

/// The same, with more of a profile.
fn profile(more: &str, services: &[(&str, &str, &str)]) -> World {
    let world = World::stack();
    let mut text = format!("[dep]\ntools = \"path:tools\"\n\n{more}\n");
    for (name, script, keys) in services {
        world.script(&format!("tools/bin/run-{name}"), &format!("#!/bin/sh\n{script}\n"));
        text += &format!("[service.{name}]\ncommand = [\"run-{name}\"]\n{keys}\n\n");
    }
    world.profiles(&text);
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world
}

/// Ends when it is asked to, and says so.
const OBEYS: &str =
    "trap 'echo asked to end; exit 0' TERM\necho up\nwhile :; do /bin/sleep 0.1; done";

/// Does not end when it is asked to.
const STUBBORN: &str = "trap '' TERM INT\necho up\nwhile :; do /bin/sleep 0.1; done";

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
