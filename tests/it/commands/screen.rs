//! The live screen on a terminal: `infra run`, `infra runtime attach`
//!
//! The terminal is one of `script`'s, which every Debian-like system has.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::stack::{pid, ready, service};
use crate::support::{alive, finish, wait_for};
use crate::world::World;

/// What is written into a pipe, as it comes.
fn gather(mut pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    std::thread::spawn(move || {
        let mut chunk = [0u8; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut chunk) {
            into.lock().expect("lock").push_str(&String::from_utf8_lossy(&chunk[..n]));
        }
    });
    text
}

/// A command of ours on a terminal.
struct Screen {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
}

impl Screen {
    fn open(world: &World, words: &str) -> Self {
        let ours = world.env.command(["--version"]);
        let mut command = Command::new("script");
        // A terminal that nobody drew has no size.
        let line = format!("stty rows 30 cols 120; exec {} {words}", env!("CARGO_BIN_EXE_infra"));
        command.args(["-qec", &line, "/dev/null"]);
        command.current_dir(world.env.project()).env_clear().env("TERM", "xterm");
        command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("start script");
        let keys = child.stdin.take().expect("stdin");
        let shown = gather(child.stdout.take().expect("stdout"));
        Self { child, keys, shown }
    }

    /// Waits until a text was drawn since the last call.
    fn until(&self, text: &str) {
        wait_for(&format!("the screen to show {text:?}"), || {
            let mut shown = self.shown.lock().expect("lock");
            let end = shown.find(text)? + text.len();
            *shown = shown.split_off(end);
            Some(())
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("press");
    }

    fn end(self) {
        let (child, keys) = (self.child, self.keys);
        let code = finish(child).code;
        drop(keys);
        assert_eq!(code, Some(0), "{}", self.shown.lock().expect("lock"));
    }
}

#[test]
fn a_run_on_a_terminal_is_a_screen_and_q_ends_it_in_order() {
    let world = ready();
    let mut screen = Screen::open(&world, "run");
    screen.until("\u{1b}[?1049h");
    screen.until("second");
    let status = wait_for("the stack", || {
        let now = world.env.infra(["runtime", "status", "--json"]);
        (now.code == Some(0)).then(|| serde_json::from_str::<Value>(&now.stdout).expect("JSON"))
    });
    screen.press("q");
    screen.until("\u{1b}[?1049l");
    screen.end();
    assert!(!alive(pid(&status, "first")) && !alive(pid(&status, "second")));
}

#[test]
fn attaching_shows_a_stack_and_leaving_stops_nothing() {
    let world = ready();
    let refused = world.env.infra(["runtime", "attach"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("infra runtime up"), "{}", refused.stderr);

    world.env.ok(["runtime", "up", "-q"]);
    let before = world.json(["runtime", "status", "--json"]);
    let mut screen = Screen::open(&world, "runtime attach");
    screen.until("\u{1b}[?1049h");
    // Lines may come before the rows do.
    screen.until("2/2");
    screen.press("r");
    let after = wait_for("the restart of the first", || {
        let now = world.env.infra(["runtime", "status", "--json"]);
        let now: Value = serde_json::from_str(&now.stdout).ok()?;
        let first = service(&now, "first");
        let anew = first["state"] == "ready" && first["pid"] != pid(&before, "first");
        anew.then_some(now)
    });
    screen.press("q");
    screen.until("\u{1b}[?1049l");
    screen.until("goes on");
    screen.end();
    assert!(alive(pid(&after, "first")), "it went on");

    let screen = Screen::open(&world, "runtime attach");
    screen.until("second");
    // In a pipe it is lines.
    let mut lines = world.env.command(["runtime", "attach", "-n", "3"]).spawn().expect("start");
    let written = gather(lines.stdout.take().expect("stdout"));
    let ready = || written.lock().expect("lock").matches("second: ready").count();
    wait_for("the lines so far", || (ready() == 1).then_some(()));
    // Another program serves the lines from here on.
    world.env.ok(["runtime", "upgrade"]);
    wait_for("lines after the upgrade", || {
        world.env.ok(["runtime", "restart", "second", "-q"]);
        (ready() > 1).then_some(())
    });
    world.env.ok(["runtime", "down"]);
    let lines = finish(lines);
    assert!(lines.stderr.contains("dev is stopped"), "{}", lines.stderr);
    screen.until("is stopped");
    screen.end();
}
