//! Which dep of a lock builds the others. Pure.
//!
//! Refuses to guess between several.

use super::super::error::{Error, Result};
use crate::base::{CommandName, DepName, RelPath, suggest};
use crate::lock::model::{Lock, LockedDep, Pin, Row};

/// The command that a toolchain is known by.
const GO: &str = "go";

/// The dep that builds `dep`: the one that is named, else the only one with a `go` command.
pub(in crate::sync) fn find<'a>(
    dep: &DepName,
    named: Option<&DepName>,
    lock: &'a Lock,
) -> Result<(&'a DepName, &'a LockedDep)> {
    if let Some(named) = named {
        let found = lock.deps.get_key_value(named).filter(|(_, locked)| is_toolchain(locked));
        return found.ok_or_else(|| {
            let known = lock.deps.keys().map(DepName::as_str);
            let nearest = suggest::nearest(named.as_str(), known).map(str::to_owned);
            let is_there = lock.deps.contains_key(named);
            Error::NotAToolchain { dep: dep.clone(), named: named.clone(), is_there, nearest }
        });
    }
    let mut found = lock.deps.iter().filter(|(_, locked)| is_toolchain(locked));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::NoToolchain { dep: dep.clone() }),
        (Some((first, _)), Some((second, _))) => {
            let rest = found.map(|(name, _)| name);
            let all = [first, second].into_iter().chain(rest).cloned().collect();
            Err(Error::Toolchains { dep: dep.clone(), all })
        }
    }
}

fn is_toolchain(locked: &LockedDep) -> bool {
    // One that is built here cannot build itself.
    locked.build.is_none()
        && locked.platforms.values().filter_map(Row::pin).any(|pin| command(pin).is_some())
}

/// Where the `go` command lies in a toolchain's tree.
pub(in crate::sync) fn command(pin: &Pin) -> Option<&RelPath> {
    pin.bin.get(&CommandName::new(GO).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Diagnose as _, Platform};
    use crate::lock::fixture;

    fn lock(names: &[(&str, &str)]) -> Lock {
        let mut out = fixture::lock();
        for (name, command) in names {
            let mut pin = fixture::pin(name, "1.26.6", 9, Some(fixture::artifact("go.zip")));
            pin.bin = [(
                CommandName::new(*command).expect("command"),
                RelPath::new("go/bin/go").expect("path"),
            )]
            .into();
            let mut locked = out.deps.values().next().expect("dep").clone();
            locked.platforms = [(Platform::X86_64Linux, Row::Pinned(Box::new(pin)))].into();
            out.deps.insert(DepName::new(*name).expect("name"), locked);
        }
        out
    }

    #[test]
    fn the_only_one_or_the_named_one() {
        let dep = DepName::new("nats").expect("name");
        let name = |text: &str| DepName::new(text).expect("name");
        let find = |lock: &Lock, named: Option<&str>| {
            let named = named.map(name);
            find(&dep, named.as_ref(), lock).map(|(name, _)| name.to_string())
        };
        let one = lock(&[("golang", "go"), ("gofmt", "gofmt")]);
        assert_eq!(find(&one, None).expect("found"), "golang");
        assert_eq!(find(&one, Some("golang")).expect("found"), "golang");
        let error = find(&one, Some("gofmt")).expect_err("no go in it");
        assert!(error.to_string().contains("has no `go` command"), "{error}");
        let error = find(&one, Some("golan")).expect_err("none of that name");
        assert!(error.hints()[0].0.contains("golang"), "{:?}", error.hints());
        let error = find(&lock(&[]), None).expect_err("none");
        assert!(error.hints()[0].0.contains("go = {"), "{:?}", error.hints());
        let error = find(&lock(&[("go-old", "go"), ("go", "go")]), None).expect_err("two");
        assert_eq!(error.details(), ["toolchain  go", "toolchain  go-old"]);
    }
}
