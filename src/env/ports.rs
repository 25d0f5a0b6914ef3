//! `"auto"` ports: chosen once, then remembered in `<data>/ports.json`.
//!
//! Owns that file, so that `env print`, `exec` and `run` name the same numbers. Refuses nothing; a
//! remembered port that somebody else has taken is replaced only when the caller says that nothing
//! of ours runs. Invariant: no two names have one number, and no auto port has a fixed one's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use crate::fs::{self, FileLock};

/// The file in the data directory.
pub const FILE: &str = "ports.json";

/// What to do with a remembered port that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InUse {
    /// Keep it: the service that has it may be ours.
    Keep,
    /// Take another: nothing of ours runs, so a stranger has it.
    Replace,
}

#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    ports: BTreeMap<String, u16>,
}

/// The number of every port that a manifest declares.
///
/// With [`InUse::Keep`] and nothing new, this is one small read (none without auto ports).
pub fn assign(
    data: &Path,
    declared: &BTreeMap<String, Option<u16>>,
    in_use: InUse,
    wait: Duration,
) -> Result<BTreeMap<String, u16>> {
    let fixed: BTreeMap<_, _> =
        declared.iter().filter_map(|(name, port)| Some((name.clone(), (*port)?))).collect();
    let auto: Vec<_> =
        declared.iter().filter(|(_, port)| port.is_none()).map(|(name, _)| name).collect();
    if auto.is_empty() {
        return Ok(fixed);
    }
    let path = data.join(FILE);
    let taken: BTreeSet<_> = fixed.values().copied().collect();
    let usable = |port: u16| !taken.contains(&port);
    let remembered = read(&path)?;
    let all_known = auto.iter().all(|name| remembered.get(*name).copied().is_some_and(usable));
    if in_use == InUse::Keep && all_known {
        let known = remembered.into_iter().filter(|(name, _)| auto.contains(&name));
        return Ok(fixed.into_iter().chain(known).collect());
    }

    fs::create_dir_all(data)?;
    let _lock = FileLock::exclusive(&data.join("ports.lock"), "choosing free ports", wait, |_| {})?;
    // Read again: another process may have chosen while we waited.
    let mut ports = read(&path)?;
    let before = ports.clone();
    // Held until all are chosen, so that the system does not offer one number twice.
    let mut held = Vec::new();
    for name in &auto {
        let keep = match ports.get(*name).copied().filter(|port| usable(*port)) {
            None => false,
            Some(_) if in_use == InUse::Keep => true,
            Some(port) => match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => {
                    held.push(listener);
                    true
                }
                Err(_) => false,
            },
        };
        if !keep {
            ports.remove(*name);
        }
    }
    for name in auto.iter().copied() {
        while !ports.contains_key(name) {
            let port =
                free(&mut held).map_err(|source| Error::NoPort { name: name.clone(), source })?;
            if usable(port) && !ports.values().any(|other| *other == port) {
                ports.insert(name.clone(), port);
            }
        }
    }
    if ports != before {
        let mut bytes = serde_json::to_vec_pretty(&Remembered { version: 1, ports: ports.clone() })
            .map_err(|e| Error::Damaged { path: path.clone(), why: e.to_string() })?;
        bytes.push(b'\n');
        fs::write_atomic(&path, &bytes)?;
    }
    ports.retain(|name, _| auto.contains(&name));
    Ok(fixed.into_iter().chain(ports).collect())
}

/// What is remembered; a file that says nothing usable is as none, since every number in it can be
/// chosen anew.
fn read(path: &Path) -> Result<BTreeMap<String, u16>> {
    let text = fs::missing_is_none(fs::read(path))?.unwrap_or_default();
    let mut ports = serde_json::from_slice::<Remembered>(&text).unwrap_or_default().ports;
    ports.retain(|_, port| *port != 0);
    Ok(ports)
}

/// A port that nobody listens on, from the system. It stays bound in `held`.
fn free(held: &mut Vec<TcpListener>) -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    held.push(listener);
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn declared(names: &[&str]) -> BTreeMap<String, Option<u16>> {
        names.iter().map(|name| ((*name).to_owned(), None)).collect()
    }

    #[test]
    fn are_remembered_and_differ() {
        let dir = tempfile::tempdir().expect("tempdir");
        let data = dir.path().join(".data");
        let mut wanted = declared(&["a", "b", "c"]);
        wanted.insert("fixed".to_owned(), Some(4222));
        let first = assign(&data, &wanted, InUse::Keep, WAIT).expect("assign");
        assert_eq!(first["fixed"], 4222);
        assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 4);
        assert_eq!(assign(&data, &wanted, InUse::Keep, WAIT).expect("again"), first);
        assert_eq!(assign(&data, &wanted, InUse::Replace, WAIT).expect("again"), first);
        let fewer = assign(&data, &declared(&["b"]), InUse::Keep, WAIT).expect("fewer");
        assert_eq!(fewer, BTreeMap::from([("b".to_owned(), first["b"])]));
        assert_eq!(assign(&data, &wanted, InUse::Keep, WAIT).expect("again"), first);
    }

    #[test]
    fn only_a_fixed_port_needs_no_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let wanted = BTreeMap::from([("x".to_owned(), Some(80))]);
        assign(dir.path(), &wanted, InUse::Replace, WAIT).expect("assign");
        assert!(fs::read_dir_names(dir.path()).expect("list").is_empty());
    }

    #[test]
    fn a_stranger_on_a_remembered_port_moves_it_when_we_are_down() {
        let dir = tempfile::tempdir().expect("tempdir");
        let wanted = declared(&["a", "b"]);
        let first = assign(dir.path(), &wanted, InUse::Keep, WAIT).expect("assign");
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, first["a"])).expect("bind");
        assert_eq!(assign(dir.path(), &wanted, InUse::Keep, WAIT).expect("keep"), first);
        let moved = assign(dir.path(), &wanted, InUse::Replace, WAIT).expect("replace");
        assert_ne!(moved["a"], first["a"]);
        assert_eq!(moved["b"], first["b"]);
        drop(stranger);
        assert_eq!(assign(dir.path(), &wanted, InUse::Replace, WAIT).expect("stays"), moved);
    }

    #[test]
    fn a_port_that_became_fixed_elsewhere_or_a_broken_file_is_chosen_anew() {
        let dir = tempfile::tempdir().expect("tempdir");
        let first = assign(dir.path(), &declared(&["a"]), InUse::Keep, WAIT).expect("assign");
        let mut wanted = declared(&["a"]);
        wanted.insert("b".to_owned(), Some(first["a"]));
        let second = assign(dir.path(), &wanted, InUse::Keep, WAIT).expect("assign");
        assert_ne!(second["a"], first["a"]);
        for broken in ["", "{", "[]", r#"{"version":1,"ports":{"a":0}}"#, "\0"] {
            fs::write_atomic(&dir.path().join(FILE), broken.as_bytes()).expect("write");
            let again = assign(dir.path(), &wanted, InUse::Keep, WAIT).expect("assign");
            assert_ne!(again["a"], 0, "{broken}");
        }
    }

    #[test]
    fn many_at_once_agree() {
        let dir = tempfile::tempdir().expect("tempdir");
        let wanted = declared(&["a", "b"]);
        let all: BTreeSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| assign(dir.path(), &wanted, InUse::Keep, WAIT)))
                .collect();
            threads.into_iter().map(|t| t.join().expect("join").expect("assign")).collect()
        });
        assert_eq!(all.len(), 1);
    }
}
