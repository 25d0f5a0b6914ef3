//! What the kernel shows of the processes of one project.

use std::collections::BTreeSet;
use std::path::Path;

/// A process that exists now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) session: u32,
    pub(super) zombie: bool,
    /// Clock ticks from boot to its start: with the pid it is known exactly.
    pub(super) start: u64,
    /// The service and the run that it was started for.
    pub(super) mark: Option<(String, String)>,
    /// The leader that it is a child of, as it says itself.
    pub(super) child_of: Option<u32>,
    pub(super) line: String,
}

impl Process {
    pub(super) fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            start: fields.get(19)?.parse().ok()?,
            mark: mark(pid),
            child_of: name.strip_prefix("of ").and_then(|text| text.parse().ok()),
            line: String::from_utf8_lossy(&line).replace('\0', " "),
        })
    }

    /// Whether it exists still, and is no zombie.
    pub(super) fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.start == self.start && !now.zombie)
    }

    /// The pid of the leader that it belongs to.
    pub(super) fn leader(&self) -> u32 {
        self.child_of.unwrap_or(self.pid)
    }
}

/// `INFRA_RUN=SERVICE@MARK` in the environment that a process was started with.
fn mark(pid: u32) -> Option<(String, String)> {
    let raw = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let text = raw.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(b"INFRA_RUN="))?;
    let (service, run) = std::str::from_utf8(text).ok()?.rsplit_once('@')?;
    Some((service.to_owned(), run.to_owned()))
}

/// Every process there is.
pub(super) fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::read).collect()
}

/// Services' processes of a project: those of one of its runs, and those that were started from its
/// store, whatever they dropped since.
pub(super) fn of_services(all: &[Process], root: &Path, runs: &BTreeSet<String>) -> Vec<Process> {
    let root = root.to_string_lossy();
    let ours = |p: &&Process| {
        let marked = p.mark.as_ref().is_some_and(|(_, run)| runs.contains(run));
        marked || p.line.contains(&*root) && p.line.contains("/bin/habit")
    };
    all.iter().filter(|p| !p.zombie).filter(ours).cloned().collect()
}

/// Background supervisors of a project.
pub(super) fn supervisors(all: &[Process], root: &Path) -> Vec<Process> {
    let root = root.to_string_lossy();
    let ours = |p: &&Process| p.line.contains("__supervise") && p.line.contains(&*root);
    all.iter().filter(|p| !p.zombie).filter(ours).cloned().collect()
}

/// Guardians of a supervisor.
pub(super) fn guardians(all: &[Process], supervisor: u32) -> Vec<Process> {
    let ours = |p: &&Process| p.line.contains("__guardian") && p.parent == supervisor;
    all.iter().filter(|p| !p.zombie).filter(ours).cloned().collect()
}

/// How many descriptors a process has open.
pub(super) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}
