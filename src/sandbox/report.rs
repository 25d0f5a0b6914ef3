//! What is said of a service's sandbox.
//!
//! Plain data of the status, made from what the probe saw. Invariant: `full` is said only when every
//! attempt of the level was seen to work without the rules, or to be impossible here, and to be
//! refused under them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Level;

/// How far a level is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Every known way around was refused.
    Full,
    /// Some were not; the reasons say which.
    Partial,
    /// It is not held: there is no sandbox, or the plainest way was open.
    None,
    /// The probe has not answered yet.
    Unknown,
}

impl Grade {
    /// The word in status and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is said of a service's sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The level its rules are made for.
    pub level: Level,
    /// How far that level is held, as probed.
    pub grade: Grade,
    /// Why it is not `full`.
    pub why: Vec<String>,
    /// What was limited, and what could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

impl Report {
    /// Not probed yet.
    pub fn unknown(level: Level) -> Self {
        Self { level, grade: Grade::Unknown, why: Vec::new(), limits: Vec::new() }
    }

    /// No rules.
    pub fn none(level: Level, why: Vec<String>) -> Self {
        Self { level, grade: Grade::None, why, limits: Vec::new() }
    }

    /// What findings of a probe come to; `known` opened the rules on purpose.
    pub fn from_findings(level: Level, findings: &[Finding], known: &[String]) -> Self {
        let mut why: Vec<String> = known.to_vec();
        let open = findings.iter().filter(|f| f.outcome == Seen::Open);
        why.extend(open.map(|f| f.attempt.says().to_owned()));
        let plain = |f: &&Finding| f.attempt == Attempt::Direct;
        let none = findings.iter().find(plain).is_none_or(|f| f.outcome == Seen::Open);
        let grade = match (none, why.is_empty()) {
            (true, _) => Grade::None,
            (false, true) => Grade::Full,
            (false, false) => Grade::Partial,
        };
        Self { level, grade, why, limits: Vec::new() }
    }
}

impl fmt::Display for Report {
    /// `exec: full`, `strict: partial (why; why)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level, self.grade)?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why.join("; "))?;
        }
        Ok(())
    }
}

/// A way around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attempt {
    /// `execve` of a file that is not of the environment.
    Direct,
    /// `ld.so FILE`, which maps the file instead of executing it; `LD_PRELOAD` is the same.
    Loader,
    /// `memfd_create` and `execveat`.
    Memfd,
    /// The same through another system call table (x32).
    OtherAbi,
    /// A script for a shell that is not of the environment, and that shell itself.
    Script,
    /// A file through `/proc/self/root` and `/proc/self/fd`.
    ProcPath,
    /// A file that the service itself wrote.
    Written,
    /// A hard link to such a file, and moving one into the environment.
    Link,
    /// Writing to a file in the store.
    Store,
    /// A directory of the environment covered by another one.
    Mount,
    /// Shared memory through `/proc/self/map_files`.
    SharedMemory,
    /// `strict`: writing outside its own directories.
    WriteOutside,
    /// `strict`: reading what is not listed.
    ReadOutside,
    /// `strict`: connecting to a port that is not listed.
    Connect,
    /// `strict`: listening on a port that is not listed.
    Bind,
    /// `strict`: a signal to a process outside.
    Signal,
    /// `strict`: an abstract Unix socket of a process outside.
    AbstractSocket,
}

impl Attempt {
    /// What it means when it works, in a few words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Direct => "any file can be executed",
            Self::Loader => "its program loader starts and preloads any file it can read",
            Self::Memfd => "memory files can be executed",
            Self::OtherAbi => "memory files can be executed through another system call table",
            Self::Script => "a shell of this host can be started",
            Self::ProcPath => "files can be executed through /proc",
            Self::Written => "a file that it wrote can be executed",
            Self::Link => "a linked or moved file can be executed",
            Self::Store => "the store can be written",
            Self::Mount => "the environment can be covered by a mount",
            Self::SharedMemory => "shared memory can be executed through /proc",
            Self::WriteOutside => "files outside its directories can be written",
            Self::ReadOutside => "files that are not listed can be read",
            Self::Connect => "ports that are not listed can be connected to",
            Self::Bind => "ports that are not listed can be listened on",
            Self::Signal => "processes outside can be signalled",
            Self::AbstractSocket => "abstract sockets outside can be connected to",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// It works without the rules and was refused under them.
    Refused,
    /// It worked under the rules.
    Open,
    /// It does not work here even without the rules.
    Impossible,
}

/// One attempt and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was tried.
    pub attempt: Attempt,
    /// What became of it.
    pub outcome: Seen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_open_way_is_partial_and_the_plainest_is_none() {
        let finding = |attempt, outcome| Finding { attempt, outcome };
        let report = |findings: &[Finding]| Report::from_findings(Level::Exec, findings, &[]);
        let refused = finding(Attempt::Direct, Seen::Refused);
        assert_eq!(report(&[refused]).grade, Grade::Full);
        let impossible = finding(Attempt::OtherAbi, Seen::Impossible);
        assert_eq!(report(&[refused, impossible]).to_string(), "exec: full");
        let partial = report(&[refused, finding(Attempt::Memfd, Seen::Open)]);
        assert_eq!(partial.to_string(), "exec: partial (memory files can be executed)");
        assert_eq!(report(&[finding(Attempt::Direct, Seen::Open)]).grade, Grade::None);
        // Nobody looked: nothing is claimed.
        assert_eq!(report(&[]).grade, Grade::None);
        let known = Report::from_findings(Level::Exec, &[refused], &["x is allowed".into()]);
        assert_eq!(known.to_string(), "exec: partial (x is allowed)");
    }
}
