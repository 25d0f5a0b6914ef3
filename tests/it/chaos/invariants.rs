//! What must hold whatever happened, as soon as things have settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::processes::{self, Process};
use super::stage::Stage;
use super::{journal, socket};
use crate::support::wait_for;

/// How long until everything holds; much longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// Descriptors that a supervisor may have more than when it was first looked at: pipes and pidfds of
/// services that did not run then, and connections.
const MORE_DESCRIPTORS: usize = 100;

/// Waits until everything holds.
pub(super) fn settle(stage: &mut Stage) {
    stage.join();
    let end = Instant::now() + PATIENCE;
    loop {
        match look(stage) {
            Ok(()) => return,
            Err(why) if Instant::now() > end => panic!("{why}\n{}", scene(stage)),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// What can be seen when something does not hold.
fn scene(stage: &Stage) -> String {
    let all = processes::all();
    let ours = processes::of_services(&all, stage.world.env.root(), &stage.runs);
    let journal = std::fs::read_to_string(stage.run().join("journal.jsonl")).unwrap_or_default();
    let lines: Vec<&str> = journal.lines().collect();
    let tail = lines[lines.len().saturating_sub(60)..].join("\n");
    format!("{:#?}\n{ours:#?}\n{tail}", stage.status())
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// What is looked at of each service: state and pid.
type View = BTreeMap<String, (String, Option<u32>)>;

fn view(status: &Value) -> View {
    let one = |s: &Value| {
        let pid = s["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let text = |key: &str| s[key].as_str().unwrap_or_default().to_owned();
        (text("name"), (text("state"), pid))
    };
    status["services"].as_array().into_iter().flatten().map(one).collect()
}

fn look(stage: &mut Stage) -> Result<(), String> {
    stage.counts.looks += 1;
    let status = stage.status().ok_or("no supervisor answers")?;
    let told = journal::read(&stage.data())?;
    stage.runs.extend(told.runs.iter().cloned());
    let all = processes::all();
    let before = view(&status);
    let after = view(&stage.status().ok_or("no supervisor answers")?);

    let supervisor = status["supervisor"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    let supervisor = supervisor.ok_or("a status without a supervisor")?;
    one_supervisor(stage, &all, supervisor)?;
    let run = told.runs.last().ok_or("an empty journal")?;
    let ours = processes::of_services(&all, stage.world.env.root(), &stage.runs);
    for process in &ours {
        let mark = process.mark.as_ref().ok_or_else(|| format!("without a mark: {process:?}"))?;
        check(mark.1 == *run, || format!("of an earlier run: {process:?}"))?;
        check(before.contains_key(service_of(process)), || format!("of no service: {process:?}"))?;
    }
    for (name, seen) in &before {
        // What changed meanwhile cannot be compared.
        check(after.get(name) == Some(seen), || format!("{name} does not settle"))?;
        of_service(stage, supervisor, name, seen, &ours)?;
    }
    let ends = |(of, service, pid): &(u32, String, u64)| {
        *of != supervisor || told.ends.contains(&(run.clone(), service.clone(), *pid))
    };
    let missing = stage.killed.iter().find(|killed| !ends(killed));
    check(missing.is_none(), || format!("killed, and not in the journal: {missing:?}"))?;
    let now = processes::descriptors(supervisor);
    let first = match stage.descriptors {
        Some((pid, first)) if pid == supervisor => first,
        _ => stage.descriptors.insert((supervisor, now)).1,
    };
    check(now <= first + MORE_DESCRIPTORS, || format!("{now} descriptors, at first {first}"))
}

/// The service of a process, or of a helper of one.
fn service_of(process: &Process) -> &str {
    let name = process.mark.as_ref().map_or("", |(service, _)| service);
    name.strip_suffix("~helper").unwrap_or(name)
}

fn one_supervisor(stage: &Stage, all: &[Process], supervisor: u32) -> Result<(), String> {
    let found = processes::supervisors(all, stage.world.env.root());
    let alone = found.len() == 1 && found[0].pid == supervisor;
    check(alone, || format!("pid {supervisor} answers, and there are {found:?}"))?;
    let guardians = processes::guardians(all, supervisor);
    check(guardians.len() == 1, || format!("guardians: {guardians:?}"))?;
    let zombies: Vec<_> = all.iter().filter(|p| p.zombie && p.parent == supervisor).collect();
    check(zombies.is_empty(), || format!("zombies of the supervisor: {zombies:?}"))?;
    gone(&stage.dead)?;
    gone(&stage.dying)
}

fn gone(dead: &[Process]) -> Result<(), String> {
    let alive = dead.iter().find(|p| p.lives());
    check(alive.is_none(), || format!("killed and alive: {alive:?}"))
}

/// At most one instance of it, and it is the one that the status names.
fn of_service(
    stage: &Stage,
    supervisor: u32,
    name: &str,
    (state, pid): &(String, Option<u32>),
    ours: &[Process],
) -> Result<(), String> {
    let mine: Vec<&Process> = ours.iter().filter(|p| service_of(p) == name).collect();
    let leaders: BTreeSet<u32> = mine.iter().map(|p| p.leader()).collect();
    match pid {
        Some(pid) => {
            let leader = mine.iter().find(|p| p.pid == *pid);
            let leader =
                leader.ok_or_else(|| format!("{name} has pid {pid}, which is not there"))?;
            let leads = leader.session == *pid && leader.parent == supervisor;
            check(leads, || format!("{name} does not lead a session of ours: {leader:?}"))?;
            check(in_its_group(stage, *pid, name), || format!("{name} is in no group of its own"))?;
            check(leaders.len() == 1, || format!("instances of {name}: {mine:?}"))?;
            let runs =
                matches!(state.as_str(), "starting" | "ready" | "stopping" | "backoff" | "failed");
            check(runs, || format!("{name} is {state}, with pid {pid}"))?;
        }
        None => {
            check(mine.is_empty(), || format!("{name} is {state}, and there are {mine:?}"))?;
            check(state != "ready", || format!("{name} is ready without a process"))?;
        }
    }
    let path = format!("/v1/services/{name}/why");
    let (code, why) = socket::ask(&stage.run(), "GET", &path, "").ok_or("no answer to `why`")?;
    check(code == 200, || format!("why {name}: {code} {why}"))?;
    let says = why["because"].as_array().is_some_and(|b| !b.is_empty());
    let agrees =
        why["state"].as_str() == Some(state) || why["state"].is_null() && state == "stopped";
    check(says && agrees, || format!("{name} is {state}, and why says {why}"))
}

/// Whether a leader is in its service's control group, where the run has one.
fn in_its_group(stage: &Stage, pid: u32, name: &str) -> bool {
    let lease = std::fs::read_to_string(stage.run().join("lease.json")).unwrap_or_default();
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    !lease.contains("\"group\"") || own.contains("/infra-") && own.ends_with(&format!("/{name}"))
}

/// Right after a command that started another supervisor: what the old one left is gone.
pub(super) fn nothing_old(stage: &mut Stage) {
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        let told = journal::read(&stage.data()).unwrap_or_else(|why| panic!("{why}"));
        stage.runs.extend(told.runs.iter().cloned());
        let now = told.runs.last().expect("a run").clone();
        let all = processes::all();
        let mut old = processes::of_services(&all, stage.world.env.root(), &stage.runs);
        old.retain(|p| p.mark.as_ref().is_none_or(|(_, run)| *run != now));
        let dead = gone(&stage.dead);
        if old.is_empty() && dead.is_ok() {
            return;
        }
        assert!(Instant::now() < end, "{old:#?} {dead:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Right after `down`: no process, and no file but those that stay.
pub(super) fn nothing_left(stage: &mut Stage) {
    let told = journal::read(&stage.data()).unwrap_or_else(|why| panic!("{why}"));
    stage.runs.extend(told.runs.iter().cloned());
    let all = processes::all();
    let root = stage.world.env.root();
    let left = processes::of_services(&all, root, &stage.runs);
    assert!(left.is_empty(), "{left:#?}");
    let left = processes::supervisors(&all, root);
    assert!(left.is_empty(), "{left:#?}");
    gone(&stage.dead).unwrap_or_else(|why| panic!("{why}"));
    let stays = ["lock", "desired.json", "journal.jsonl", "journal.jsonl.1"];
    for name in names(&stage.run()) {
        assert!(stays.contains(&name.as_str()), "{name} is left of the run");
    }
    for name in names(&stage.data()) {
        let stays = ["run", "logs", "ports.json", "ports.lock", "starts"];
        assert!(stays.contains(&name.as_str()), "{name} is left in the data directory");
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("list");
    entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect()
}

/// What has no bad end by itself is up again when it is asked for.
pub(super) fn recovers(stage: &mut Stage) {
    stage.join();
    stage.ask("start", "{}");
    stage.ask("restart", "{}");
    let good = ["escapes", "deaf", "mute", "storm", "late", "flood", "regroups", "zombies", "slow"];
    wait_for("everything to be up again", || {
        let now = view(&stage.status()?);
        good.iter()
            .all(|name| now.get(*name).is_some_and(|(state, _)| state == "ready"))
            .then_some(())
    });
}
