//! A stack in the foreground, as a terminal would have it, and what `runtime status` says of one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use serde_json::Value;

use crate::processes;
use crate::support::{alive, signal, wait_for};
use crate::world::Project;

/// `infra run`, started.
pub struct Run {
    child: Child,
    notes: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

/// How a foreground stack ended.
pub struct Ended {
    pub code: Option<i32>,
    /// Lines of stderr: what became of each service.
    pub notes: Vec<String>,
}

impl Run {
    /// Starts `infra run` with these words and waits for a line that begins like `until`.
    pub fn start(project: &Project, words: &str, until: &str) -> Self {
        let mut child = project.env.command(words.split(' ')).spawn().expect("start infra");
        let notes = Arc::new(Mutex::new(Vec::new()));
        let out = collect(child.stdout.take().expect("stdout"), Arc::default());
        let err = collect(child.stderr.take().expect("stderr"), notes.clone());
        let run = Self { child, notes, readers: vec![out, err] };
        wait_for(until, || {
            let notes = run.notes();
            let found = notes.iter().any(|n| n.starts_with(until));
            assert!(found || alive(run.pid()), "infra ended early:\n{}", notes.join("\n"));
            found.then_some(())
        });
        run
    }

    /// Starts the whole `test` stack and waits until it is ready.
    pub fn ready(project: &Project) -> Self {
        Self::start(project, "run --env test", "ready after")
    }

    /// The supervisor's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lines of stderr so far.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("lines").clone()
    }

    /// Sends a signal to the supervisor and waits for its end.
    pub fn end(mut self, with: Signal) -> Ended {
        signal(self.pid(), with);
        let status = wait_for("infra to end", || self.child.try_wait().expect("wait"));
        for reader in self.readers.drain(..) {
            reader.join().expect("reader");
        }
        Ended { code: status.code(), notes: self.notes() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            into.lock().expect("lines").push(line);
        }
    })
}

impl Ended {
    /// The place of the first line that begins with a state and a name.
    pub fn place(&self, state: &str, service: &str) -> usize {
        let is = |line: &String| {
            let name = line.split_whitespace().nth(1).map(|w| w.trim_end_matches(':'));
            line.starts_with(state) && name == Some(service)
        };
        let found = self.notes.iter().position(is);
        found.unwrap_or_else(|| panic!("{state} {service}:\n{}", self.notes.join("\n")))
    }
}

/// What `runtime status --json` says.
#[derive(Clone, Debug)]
pub struct Status {
    pub supervisor: u32,
    pub pids: BTreeMap<String, Option<u32>>,
    pub states: BTreeMap<String, String>,
    pub restarts: BTreeMap<String, u64>,
    pub ports: BTreeMap<String, u16>,
    pub down: Vec<String>,
    pub digest: String,
}

impl Status {
    /// Of a stack that runs; with the exit code.
    pub fn of(project: &Project, env: &str) -> (Self, Option<i32>) {
        let outcome = project.infra(&format!("runtime status --env {env} --json"));
        let value: Value = serde_json::from_str(&outcome.stdout).expect(&outcome.stderr);
        assert_eq!(value["running"], true, "{value}");
        (Self::from(&value), outcome.code)
    }

    /// From the JSON of `status`, `up` or `restart`.
    pub fn from(value: &Value) -> Self {
        let services = value["services"].as_array().expect("services");
        fn by_name<T>(services: &[Value], what: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
            let name = |s: &Value| s["name"].as_str().expect("name").to_owned();
            services.iter().map(|s| (name(s), what(s))).collect()
        }
        let number = |v: &Value| v.as_u64().and_then(|n| n.try_into().ok());
        let ports = services.iter().filter_map(|s| s["ports"].as_object()).flatten();
        let down = value["down"].as_array().into_iter().flatten();
        Self {
            supervisor: number(&value["supervisor"]).expect("supervisor"),
            pids: by_name(services, |s| number(&s["pid"])),
            states: by_name(services, |s| s["state"].as_str().expect("state").to_owned()),
            restarts: by_name(services, |s| s["restarts"].as_u64().expect("restarts")),
            ports: ports
                .map(|(n, p)| {
                    (n.clone(), p.as_u64().and_then(|p| p.try_into().ok()).expect("port"))
                })
                .collect(),
            down: down.map(|d| d.as_str().expect("name").to_owned()).collect(),
            digest: value["digest"].as_str().expect("digest").to_owned(),
        }
    }

    /// Of the `test` stack, all of which is ready.
    pub fn ready(project: &Project) -> Self {
        let (status, code) = Self::of(project, "test");
        assert!(status.states.values().all(|s| s == "ready"), "{status:?}");
        assert_eq!((code, status.states.len()), (Some(0), 3), "{status:?}");
        status
    }

    pub fn pid(&self, service: &str) -> u32 {
        self.pids[service].unwrap_or_else(|| panic!("{service} has a pid: {self:?}"))
    }

    pub fn all_pids(&self) -> Vec<u32> {
        self.pids.values().flatten().copied().collect()
    }

    pub fn port(&self, name: &str) -> u16 {
        self.ports[name]
    }
}

/// Nothing of the project lives, and none of the ports answers.
pub fn assert_nothing_left(project: &Project, status: &Status) {
    let left = project.processes();
    assert!(left.is_empty(), "{left:?}");
    for pid in status.all_pids().into_iter().chain([status.supervisor]) {
        assert!(!alive(pid), "pid {pid} lives");
    }
    for (name, port) in &status.ports {
        assert!(!processes::listens(*port), "{name} ({port}) still answers");
    }
}
