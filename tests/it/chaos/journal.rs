//! The journal, read again from its beginning: every change must follow from the one before, with a
//! cause that leads there, and every process must end once before the next one starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// What the journal says of one service in one run.
#[derive(Clone, Debug)]
struct Service {
    /// `None` where the beginning of the journal was rotated away.
    state: Option<String>,
    start: u64,
    pid: Option<u64>,
    ended: bool,
}

impl Service {
    fn fresh() -> Self {
        Self { state: Some("stopped".to_owned()), start: 0, pid: None, ended: false }
    }

    fn unknown() -> Self {
        Self { state: None, ..Self::fresh() }
    }

    fn runs(&self) -> bool {
        self.pid.is_some() && !self.ended
    }
}

/// A journal that was read.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Marks of runs, oldest first.
    pub(super) runs: Vec<String>,
    /// Ends of processes: run, service and pid.
    pub(super) ends: BTreeSet<(String, String, u64)>,
    /// Starts and changes, for figures.
    pub(super) starts: u64,
    pub(super) changes: u64,
    services: BTreeMap<String, Service>,
    known: BTreeSet<String>,
    last_seq: Option<u64>,
    /// The last run ended in order.
    ended: bool,
    /// The current run has to say that the one before did not end in order.
    owes: bool,
    /// A line that does not parse: a crash may have cut the last one of a run.
    torn: bool,
    asked: BTreeSet<String>,
}

/// Reads a data directory's journal; the error says what does not follow.
pub(super) fn read(data: &Path) -> Result<Told, String> {
    let mut told = Told::default();
    for file in ["journal.jsonl.1", "journal.jsonl"] {
        let bytes = std::fs::read(data.join("run").join(file)).unwrap_or_default();
        let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        // What follows the last newline is being written, or was cut off.
        let rest = lines.pop().unwrap_or_default();
        for line in lines.into_iter().filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line);
            match serde_json::from_slice::<Value>(line) {
                Ok(record) => told.take(&record).map_err(|why| format!("{why}: {text}"))?,
                Err(_) if told.torn => return Err(format!("two torn lines in a row: {text}")),
                Err(_) => told.torn = true,
            }
        }
        if file == "journal.jsonl" && !rest.is_empty() {
            told.torn = true;
        }
    }
    Ok(told)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

impl Told {
    fn take(&mut self, record: &Value) -> Result<(), String> {
        let event = text(record, "event");
        let seq = record["seq"].as_u64().ok_or("a record without a number")?;
        let first = self.last_seq.is_none();
        check(self.last_seq.is_none_or(|last| last + 1 == seq), || {
            format!("{seq} follows {:?}", self.last_seq)
        })?;
        let late = event == "note" && text(record, "text").contains("did not end in order");
        check(!self.torn || event == "begin" || late, || "a torn line within a run".to_owned())?;
        self.torn = false;
        self.last_seq = Some(seq);
        let run = text(record, "run").to_owned();
        if event == "begin" {
            check(!self.runs.contains(&run), || "a run begins twice".to_owned())?;
            self.owes = !first && !self.ended;
            self.ended = false;
            self.runs.push(run);
            self.services.clear();
            self.known.clear();
            self.asked.clear();
            return self.stack(record);
        }
        if late && !self.owes {
            // Somebody else cleaned up after the run.
            self.ended = true;
            return check(self.runs.last() == Some(&run), || "a note on another run".to_owned());
        }
        if first {
            // Its beginning was rotated away.
            self.runs.push(run.clone());
        }
        check(self.runs.last() == Some(&run), || "a record of another run".to_owned())?;
        check(!self.ended, || "something happened after the end".to_owned())?;
        if self.owes {
            let says = text(record, "text").contains("did not end in order");
            check(event == "note" && says, || "the crash before is not mentioned".to_owned())?;
            self.owes = false;
        }
        match event {
            "change" => self.stack(record)?,
            "asked" => _ = self.asked.insert(text(record, "action").to_owned()),
            "state" => self.change(&run, record)?,
            "end" => {
                self.ended = true;
                let left: Vec<_> = self.services.iter().filter(|(_, s)| s.runs()).collect();
                check(left.is_empty(), || format!("the run ended before {left:?}"))?;
            }
            "missed" => return Err("records are missing".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn stack(&mut self, record: &Value) -> Result<(), String> {
        let names = record["services"].as_object().ok_or("a stack without services")?;
        let names: BTreeSet<String> = names.keys().cloned().collect();
        for name in names.difference(&self.known) {
            self.services.insert(name.clone(), Service::fresh());
        }
        self.known = names;
        Ok(())
    }

    fn change(&mut self, run: &str, record: &Value) -> Result<(), String> {
        let name = text(record, "service");
        let (from, to) = (text(record, "from"), text(record, "to"));
        let cause = text(&record["why"], "cause");
        let service = self.services.entry(name.to_owned()).or_insert_with(Service::unknown);
        self.changes += 1;

        if let Some(state) = &service.state {
            check(state == from, || format!("{name} was {state}"))?;
        }
        let exit = record["exit"].is_object();
        let start = record["start"].as_u64().ok_or("a change without a start")?;
        if start != service.start && service.state.is_some() {
            let next = service.start + 1;
            check(start == next, || format!("start {start}, and {next} is the next one"))?;
            check(to == "starting", || format!("a start begins with {to}"))?;
            // The end of one is told with the start of the next where nothing came between.
            if exit && service.runs() {
                service.ended = true;
                let pid = service.pid.unwrap_or_default();
                self.ends.insert((run.to_owned(), name.to_owned(), pid));
            }
            check(!service.runs(), || format!("start {} has no end", service.start))?;
            self.starts += 1;
        }
        let next = start != service.start;
        if next {
            (service.pid, service.ended) = (None, false);
        }
        service.start = start;

        if let Some(pid) = record["pid"].as_u64() {
            check(service.pid.is_none_or(|known| known == pid), || {
                format!("start {start} had pid {:?}", service.pid)
            })?;
            service.pid = Some(pid);
        }
        let reload = to == "ready" && matches!(cause, "reload_asked" | "reload_after");
        let anew = to == "starting" || record["pid"].is_u64();
        check(from != to || reload || anew, || "nothing changed".to_owned())?;
        check(leads(cause, to, service.pid.is_some()), || format!("{cause} leads to {to}"))?;
        for (what, action) in [("restart_asked", "restart"), ("start_asked", "start")] {
            let asked = self.asked.contains(action) || self.asked.contains("apply");
            check(cause != what || asked, || "nobody asked for that".to_owned())?;
        }

        if exit && !next {
            let pid = service.pid.ok_or("an end of a process that never started")?;
            check(!service.ended, || format!("pid {pid} ended twice"))?;
            service.ended = true;
            self.ends.insert((run.to_owned(), name.to_owned(), pid));
        }
        let rests =
            matches!(to, "stopped" | "waiting" | "blocked" | "completed" | "backoff" | "failed");
        check(!rests || !service.runs(), || format!("{to}, and pid {:?} has no end", service.pid))?;
        check(to != "ready" || service.runs(), || "ready without a process".to_owned())?;
        service.state = Some(to.to_owned());
        Ok(())
    }
}

/// Whether a cause can lead to a state.
fn leads(cause: &str, to: &str, started: bool) -> bool {
    let again = ["restart_asked", "restart_after", "start_asked"];
    let failed = ["exited", "not_ready", "not_alive", "watchdog"];
    match to {
        "starting" if started => cause == "spawned",
        "waiting" | "starting" => {
            again.contains(&cause)
                || failed.contains(&cause)
                || matches!(cause, "boot" | "due" | "retry" | "pre_start" | "cannot_start")
        }
        "ready" => matches!(cause, "ready" | "reload_asked" | "reload_after"),
        "stopping" => again.contains(&cause) || failed.contains(&cause) || cause == "stop_asked",
        "stopped" => failed.contains(&cause) || cause == "stop_asked",
        "backoff" | "failed" => {
            failed.contains(&cause) || matches!(cause, "pre_start" | "cannot_start")
        }
        "blocked" => matches!(cause, "gate_refused" | "port_taken" | "cannot_start"),
        "completed" => cause == "exited",
        _ => false,
    }
}

/// A journal of one service, for showing what is not accepted.
fn of(records: &[(&str, &str)]) -> Result<Told, String> {
    let mut told = Told::default();
    let begin = r#""event":"begin","services":{"s":[]}"#;
    for (n, (run, event)) in [("1", begin)].iter().chain(records).enumerate() {
        let line = format!("{{\"seq\":{n},\"run\":\"{run}\",{event}}}");
        told.take(&serde_json::from_str(&line).expect("JSON"))?;
    }
    Ok(told)
}

/// A change of that service: the states, the cause, the start, the pid, and whether it ended.
fn state(from: &str, to: &str, cause: &str, start: u64, pid: u64, ended: bool) -> String {
    let pid = if pid == 0 { "null".to_owned() } else { pid.to_string() };
    let exit = if ended { "{\"code\":1}" } else { "null" };
    format!(
        "\"event\":\"state\",\"service\":\"s\",\"from\":\"{from}\",\"to\":\"{to}\",\
         \"why\":{{\"cause\":\"{cause}\"}},\"start\":{start},\"pid\":{pid},\"exit\":{exit}"
    )
}

#[test]
fn what_does_not_follow_is_found() {
    let begun = state("stopped", "starting", "boot", 1, 0, false);
    let spawned = state("starting", "starting", "spawned", 1, 7, false);
    let ready = state("starting", "ready", "ready", 1, 7, false);
    let life = [("1", begun.as_str()), ("1", &spawned), ("1", &ready)];
    let crash = state("ready", "backoff", "exited", 1, 7, true);
    let again = state("backoff", "starting", "retry", 2, 0, false);
    let good = of(&[&life[..], &[("1", &crash), ("1", &again)]].concat()).expect("it follows");
    assert_eq!((good.starts, good.ends.len()), (2, 1));

    let end = "\"event\":\"end\",\"asked\":true";
    let other = "\"event\":\"begin\",\"services\":{\"s\":[]}";
    for (what, last) in [
        ("s was ready", ("1", state("waiting", "backoff", "exited", 1, 7, true))),
        ("has no end", ("1", state("ready", "backoff", "exited", 1, 7, false))),
        ("has no end", ("1", state("ready", "starting", "retry", 2, 0, false))),
        ("is the next one", ("1", state("ready", "starting", "retry", 3, 0, true))),
        ("a start begins with", ("1", state("ready", "ready", "ready", 2, 8, true))),
        ("had pid", ("1", state("ready", "stopping", "stop_asked", 1, 8, false))),
        ("leads to", ("1", state("ready", "stopping", "boot", 1, 7, false))),
        ("nobody asked", ("1", state("ready", "stopping", "restart_asked", 1, 7, false))),
        ("the run ended before", ("1", end.to_owned())),
        ("another run", ("2", end.to_owned())),
        ("a run begins twice", ("1", other.to_owned())),
        ("records are missing", ("1", "\"event\":\"missed\"".to_owned())),
    ] {
        let told = of(&[&life[..], &[(last.0, last.1.as_str())]].concat());
        let why = told.expect_err(what);
        assert!(why.contains(what), "{what}: {why}");
    }
    let silent = of(&[("2", other), ("2", &begun)]).expect_err("a crash that nobody mentions");
    assert!(silent.contains("not mentioned"), "{silent}");
}
