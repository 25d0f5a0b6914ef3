//! Nothing of a run outlives SIGKILL of its supervisor, of its guardian, or of both.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::support::{alive, signal, wait_for};
use crate::world::World;

/// Two hundred processes that ignore SIGTERM; half left their session twice, without the variables
/// that mark a run's processes.
const STORM: &str = "#!/bin/sh\n\
    trap '' TERM HUP\n\
    n=0\n\
    while [ $n -lt 100 ]; do\n\
      /bin/sleep \"$1\" &\n\
      (/usr/bin/setsid /usr/bin/env -i /bin/sh -c \"trap '' TERM HUP; (/bin/sleep $1 & exit) & wait; exec /bin/sleep $1\" &)\n\
      n=$((n + 1))\n\
    done\n\
    echo \"all there\"\n\
    while :; do /bin/sleep \"$1\"; done\n";

/// The processes that sleep for this run alone.
fn sleepers(seconds: &str) -> BTreeSet<u32> {
    let names = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = names.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let line = format!("/bin/sleep\0{seconds}\0");
    pids.filter(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| text == line.as_bytes())
    })
    .collect()
}

fn supervisor(world: &World) -> u32 {
    let status = world.json(["runtime", "status", "--json"]);
    u32::try_from(status["supervisor"].as_u64().expect("a pid")).expect("a pid")
}

/// The guardian of a supervisor.
fn guardian(supervisor: u32) -> u32 {
    let children = format!("/proc/{supervisor}/task/{supervisor}/children");
    let text = std::fs::read_to_string(children).unwrap_or_default();
    let all = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let mut pids: Vec<u32> = text.split_whitespace().filter_map(|p| p.parse().ok()).collect();
    pids.extend(all.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()));
    let is_guardian = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        String::from_utf8_lossy(&line).contains("__guardian")
            && parent == Some(supervisor.to_string().as_str())
    };
    pids.into_iter().find(is_guardian).expect("the guardian")
}

/// `None` without control groups: then what dropped its variables and left its session escapes.
fn storm(seconds: &str) -> Option<World> {
    let world = World::stack();
    world.script("tools/bin/storm", STORM);
    world.profiles(&format!(
        "[dep]\ntools = \"path:tools\"\n\n\
         [service.storm]\ncommand = [\"storm\", \"{seconds}\"]\nready = {{ log = \"all there\" }}\n\
         stop = {{ grace = \"100ms\" }}\n"
    ));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["runtime", "up", "-q"]);
    wait_for("the storm", || (sleepers(seconds).len() >= 200).then_some(()));
    if world.env.read(".data/run/lease.json").contains("\"group\"") {
        return Some(world);
    }
    eprintln!("passed over: no control groups here");
    world.env.ok(["runtime", "down", "-q"]);
    assert_eq!(sleepers(seconds), BTreeSet::new());
    None
}

/// A number that no other test sleeps for.
fn own_number(which: u32) -> String {
    (1_000_000 + (std::process::id() % 100_000) * 10 + which).to_string()
}

#[test]
fn a_stop_ends_a_storm() {
    let seconds = own_number(1);
    let Some(world) = storm(&seconds) else { return };
    world.env.ok(["runtime", "down", "-q"]);
    // Not "soon": the command returns when nothing is left.
    assert_eq!(sleepers(&seconds), BTreeSet::new());
}

#[test]
fn the_supervisor_killed() {
    let seconds = own_number(2);
    let Some(world) = storm(&seconds) else { return };
    let pid = supervisor(&world);
    signal(pid, Signal::KILL);
    wait_for("its end", || (!alive(pid)).then_some(()));
    // Without any further command: the guardian does it.
    wait_for("the storm's end", || sleepers(&seconds).is_empty().then_some(()));
}

#[test]
fn the_guardian_killed() {
    let seconds = own_number(3);
    let Some(world) = storm(&seconds) else { return };
    let pid = supervisor(&world);
    signal(guardian(pid), Signal::KILL);
    wait_for("another guardian", || {
        let log = world.env.read(".data/logs/supervisor.log");
        log.contains("another one took its place").then_some(())
    });
    signal(pid, Signal::KILL);
    wait_for("the storm's end", || sleepers(&seconds).is_empty().then_some(()));
}

#[test]
fn supervisor_and_guardian_killed() {
    let seconds = own_number(4);
    let Some(world) = storm(&seconds) else { return };
    let pid = supervisor(&world);
    let guardian = guardian(pid);
    // Stopped first, so that neither sees the other go.
    signal(guardian, Signal::STOP);
    signal(pid, Signal::KILL);
    signal(guardian, Signal::KILL);
    wait_for("their end", || (!alive(pid) && !alive(guardian)).then_some(()));
    world.edit("profiles/base.toml", "command = [\"storm\"", "command = [\"serve\"");
    world.edit("profiles/base.toml", "all there", "ready");
    let lasting = sleepers(&seconds);
    let own = |pid: &u32| !lasting.contains(pid);
    world.env.ok(["runtime", "up", "-q"]);
    // The next command returns when the old run is gone.
    assert!(sleepers(&seconds).iter().all(own), "{:?}", sleepers(&seconds));
    world.env.ok(["runtime", "down", "-q"]);
}
