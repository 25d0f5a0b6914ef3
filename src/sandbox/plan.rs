//! What one service may do, with every path and port resolved.
//!
//! Plain data that goes to the probe as JSON. Invariant: paths are absolute; the store is never
//! below a path that may be written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Level, Limits};

/// How a service is confined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The rules; a level of [`Level::Off`] has none.
    pub plan: Plan,
    /// What it is started by.
    pub start: Start,
    /// Resource limits.
    pub limits: Limits,
    /// Whom it runs as; the supervisor's own user when `None`.
    pub person: Option<Person>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Niceness.
    pub nice: Option<i32>,
    /// Directories of its own, made before it starts and given to its user.
    pub own: Vec<PathBuf>,
    /// Why the level is lower than it would be by default, or what opens it.
    pub why: Vec<String>,
}

impl Spec {
    /// No rules, no limits: only the executable is held.
    pub fn off(why: Vec<String>) -> Self {
        Self {
            plan: Plan::off(),
            start: Start::Itself,
            limits: Limits::default(),
            person: None,
            umask: None,
            nice: None,
            own: Vec::new(),
            why,
        }
    }
}

/// What the kernel is handed to start a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Its program, by descriptor.
    Itself,
    /// Its program is a script: this interpreter, by descriptor, and its argument.
    Interpreter(PathBuf, Option<String>),
    /// Its program is a script for an interpreter that the kernel finds, by path.
    ByPath,
}

/// A user and its groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// Rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How much is forbidden.
    pub level: Level,
    /// The store's directory; nothing in it is written.
    pub store: PathBuf,
    /// Objects, and what else may be executed: files and directories.
    pub execute: BTreeSet<PathBuf>,
    /// Program loaders (`ld.so`) that may be executed.
    pub loaders: BTreeSet<PathBuf>,
    /// What may be read beside that, at `strict`.
    pub read: BTreeSet<PathBuf>,
    /// What may be written beside the usual, or alone at `strict`.
    pub write: BTreeSet<PathBuf>,
    /// TCP ports to listen on, at `strict`.
    pub bind: BTreeSet<u16>,
    /// TCP ports to connect to, at `strict`.
    pub connect: BTreeSet<u16>,
    /// Whether processes outside may be signalled, at `strict`: for a command that stops or reloads a
    /// service beside it.
    #[serde(default)]
    pub signals: bool,
}

impl Plan {
    /// No rules.
    pub fn off() -> Self {
        Self {
            level: Level::Off,
            store: PathBuf::new(),
            execute: BTreeSet::new(),
            loaders: BTreeSet::new(),
            read: BTreeSet::new(),
            write: BTreeSet::new(),
            bind: BTreeSet::new(),
            connect: BTreeSet::new(),
            signals: false,
        }
    }

    /// Whether a path lies in something that may be executed.
    pub fn may_execute(&self, path: &Path) -> bool {
        self.execute.iter().any(|allowed| path.starts_with(allowed))
    }
}

/// Directories of a tree where a program loader lies, if there is one.
const LOADER_DIRS: &[&str] = &[
    "lib",
    "lib64",
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib",
    "usr/lib64",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
];

/// Program loaders in a tree, at the places where they are looked for.
pub fn loaders_in(tree: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for dir in LOADER_DIRS.iter().map(|d| tree.join(d)) {
        let names = crate::fs::read_dir_names_if_exists(&dir).unwrap_or_default();
        let is_loader = |name: &str| {
            (name.starts_with("ld-") || name.starts_with("ld64")) && name.contains(".so")
        };
        let loaders = names.iter().filter(|n| n.to_str().is_some_and(is_loader));
        found.extend(loaders.filter_map(|n| crate::fs::canonicalize(&dir.join(n)).ok()));
    }
    found
}

/// What of a variable's value, or all of it, may decide which code a program loads: gone unless
/// every path in it lies in what may be executed.
pub fn is_scrubbed(name: &str, value: &str, plan: &Plan) -> bool {
    if plan.level == Level::Off || !(name.starts_with("LD_") || name == "GLIBC_TUNABLES") {
        return false;
    }
    let names_paths = matches!(name, "LD_LIBRARY_PATH" | "LD_PRELOAD" | "LD_AUDIT");
    let inside = |path: &str| {
        let path = Path::new(path);
        let climbs = path.components().any(|c| c == std::path::Component::ParentDir);
        path.is_absolute() && !climbs && plan.may_execute(path)
    };
    !names_paths || !value.split([':', ' ']).all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_variables_stay_only_for_the_environment() {
        let plan = Plan {
            level: Level::Exec,
            execute: BTreeSet::from(["/store/a".into(), "/store/b".into()]),
            ..Plan::off()
        };
        let gone = |name, value| is_scrubbed(name, value, &plan);
        assert!(!gone("LD_LIBRARY_PATH", "/store/a/lib:/store/b/lib"));
        for (name, value) in [
            ("LD_LIBRARY_PATH", "/store/a/lib:/tmp"),
            ("LD_LIBRARY_PATH", "/store/a/lib:"),
            ("LD_PRELOAD", "/store/a/../../tmp/x.so"),
            ("LD_PRELOAD", "x.so"),
            ("LD_DEBUG", "all"),
            ("GLIBC_TUNABLES", "glibc.malloc.check=3"),
        ] {
            assert!(gone(name, value), "{name}={value}");
        }
        assert!(!gone("LDFLAGS", "-L/tmp"));
        assert!(!is_scrubbed("LD_PRELOAD", "/tmp/x.so", &Plan::off()));
    }
}
