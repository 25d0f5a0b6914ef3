//! `infra runtime upgrade`: the supervisor's program changes, its services do not notice.
//!
//! The new program is the same binary, a copy of it, or a copy that was made unable to read the
//! state. Nothing here asks how long anything takes.

mod falls_back;
mod foreground;
mod keeps;
mod refuses;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use crate::commands::stack::{pid, service};
use crate::support::{Outcome, wait_for};
use crate::world::World;

/// Writes numbered lines as fast as it can until it is told to end, or until a file is there.
const FLOOD: &str = "#!/bin/sh\n\
    i=0\n\
    while [ ! -e \"$1\" ]; do\n\
    n=0\n\
    while [ $n -lt 500 ]; do echo \"number $i\"; i=$((i+1)); n=$((n+1)); done\n\
    done\n\
    echo \"last $i\"\n\
    exec /bin/sleep 600\n";

/// Writes the beginning of a line, and the rest once a file is there.
const HALVES: &str = "#!/bin/sh\n\
    printf 'one half'\n\
    while [ ! -e \"$1\" ]; do /bin/sleep 0.02; done\n\
    echo ' and the other'\n\
    exec /bin/sleep 600\n";

/// Says `now` once a file is there.
const WAITS: &str = "#!/bin/sh\n\
    while [ ! -e \"$1\" ]; do /bin/sleep 0.02; done\n\
    echo now\n\
    exec /bin/sleep 600\n";

/// `first` and `second` with what else a test wants, up in the background.
fn up(more: &str) -> World {
    let world = World::stack();
    for (name, text) in [("flood", FLOOD), ("halves", HALVES), ("waits", WAITS)] {
        world.script(&format!("tools/bin/{name}"), text);
    }
    let base = world.env.read("profiles/base.toml");
    world.env.write("profiles/base.toml", format!("{base}\n{more}"));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world.env.ok(["runtime", "up", "-q"]);
    world
}

fn upgrade(world: &World) -> Value {
    world.json(["runtime", "upgrade", "--json"])
}

fn status(world: &World) -> Value {
    let outcome = world.env.infra(["runtime", "status", "--json"]);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// The supervisor and the services' processes.
fn pids(status: &Value) -> Vec<u64> {
    let services = status["services"].as_array().expect("services");
    let of = services.iter().map(|s| s["pid"].as_u64().expect("a pid"));
    status["supervisor"].as_u64().into_iter().chain(of).collect()
}

fn events(world: &World) -> Vec<Value> {
    let text = world.env.ok(["runtime", "events", "--json"]).stdout;
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

/// A program that takes over: the binary under another name.
fn copy(world: &World, name: &str) -> PathBuf {
    let path = world.env.root().join(name);
    crate::world::install(std::path::Path::new(env!("CARGO_BIN_EXE_infra")), &path);
    path
}

fn upgrade_to(world: &World, program: &std::path::Path) -> Outcome {
    let program = program.to_str().expect("text");
    world.env.infra(["runtime", "upgrade", "--program", program])
}

/// The log of a service, prefixes taken off; pieces of a line are put together.
fn lines(world: &World, name: &str) -> Vec<String> {
    let text = world.env.read(&format!(".data/logs/{name}.log"));
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        let (_, tag, text) = (words.next(), words.next(), words.next().unwrap_or_default());
        match (tag, lines.last_mut()) {
            (Some("out+"), Some(last)) => last.push_str(text),
            (Some("out"), _) => lines.push(text.to_owned()),
            _ => {}
        }
    }
    lines
}

/// The last line in the log of a service.
fn last_line(world: &World, name: &str) -> Option<String> {
    let path = world.env.project().join(format!(".data/logs/{name}.log"));
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(200))).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.lines().last()?.split_once(" out ").map(|(_, line)| line.to_owned())
}

/// Waits until a service is in a state as another process.
fn another(world: &World, name: &str, before: u32) -> Value {
    wait_for(&format!("another {name}"), || {
        let now = status(world);
        let ready = service(&now, name)["state"] == "ready" && pid(&now, name) != before;
        ready.then_some(now)
    })
}
