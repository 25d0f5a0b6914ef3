//! Deps that are built here: which dep builds them, their modules, their trees.
//!
//! [`toolchain`] finds the dep with the toolchain, [`modules`] fetches what a lock's sums name,
//! [`lock`] makes rows and [`make`] the object of a row. Invariant: a toolchain is started with
//! modules whose sums were computed here, and what it makes enters the store under the hash that
//! the lock has for it, or, when locking, under the hash that the lock gets.

pub(super) mod lock;
pub(super) mod make;
pub(super) mod modules;
pub(super) mod toolchain;

use crate::base::{CommandName, DepName, RelPath};
use crate::build::{Flags, Line};
use crate::lock::model::Build;
use crate::profile::model::Requirement;

use super::commands::Refusal;
use super::error::{Error, Result};

/// The sums of an entry of the lock.
pub(super) fn lines(build: &Build, shown: &str) -> Result<Vec<Line>> {
    let read = |text: &String| {
        Line::read(text)
            .ok_or_else(|| Error::BadSum { shown: shown.to_owned(), line: text.clone() })
    };
    build.sums.iter().map(read).collect()
}

/// What the profile adds to a build. `version` has no `v`.
pub(super) fn flags(requirement: &Requirement, version: &str) -> Flags {
    Flags {
        tags: requirement.tags.iter().cloned().collect(),
        ldflags: requirement.ldflags.as_ref().map(|text| text.replace("${version}", version)),
    }
}

/// The commands of a tree with one executable: named as it is, unless the profile names it. The
/// profile's path may leave out `.exe`, so that one is right for every platform.
pub(super) fn commands(
    requirement: &Requirement,
    made: &RelPath,
) -> Result<std::collections::BTreeMap<CommandName, RelPath>, Refusal> {
    let plain = made.as_str().strip_suffix(".exe").unwrap_or(made.as_str());
    if requirement.bin.is_empty() {
        let name = plain.rsplit('/').next().unwrap_or(plain);
        let name = CommandName::new(name).ok();
        return Ok(name.map(|name| (name, made.clone())).into_iter().collect());
    }
    let mut out = std::collections::BTreeMap::new();
    for (command, path) in &requirement.bin {
        if path != made && path.as_str() != plain {
            let (command, path) = (command.clone(), path.clone());
            let nearest = Some(made.to_string());
            return Err(Refusal::NoSuchFile { command, path, nearest });
        }
        out.insert(command.clone(), made.clone());
    }
    Ok(out)
}

/// Dep and version, for messages about all of its platforms.
pub(super) fn shown(dep: &DepName, version: &str) -> String {
    format!("`{dep}` {version}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::fixture::requirement;

    #[test]
    fn commands_are_named_as_they_are_or_as_the_profile_says() {
        let path = |text: &str| RelPath::new(text).expect("path");
        let name = |text: &str| CommandName::new(text).expect("name");
        let mut wish = requirement("go:example.com/cli/nats", "*");
        let made = path("bin/nats.exe");
        assert_eq!(commands(&wish, &made).expect("ok"), [(name("nats"), made.clone())].into());
        wish.bin = [(name("natscli"), path("bin/nats"))].into();
        assert_eq!(commands(&wish, &made).expect("ok"), [(name("natscli"), made.clone())].into());
        let made = path("bin/nats");
        assert_eq!(commands(&wish, &made).expect("ok"), [(name("natscli"), made.clone())].into());
        wish.bin = [(name("natscli"), path("bin/other"))].into();
        assert!(commands(&wish, &made).is_err());
    }

    #[test]
    fn a_version_stands_in_linker_flags() {
        let mut wish = requirement("go:example.com/cli/nats", "*");
        wish.ldflags = Some("-X main.version=v${version}".to_owned());
        wish.tags = ["b".to_owned(), "a".to_owned()].into();
        let flags = flags(&wish, "1.2.3");
        assert_eq!(flags.ldflags.as_deref(), Some("-X main.version=v1.2.3"));
        assert_eq!(flags.tags, ["a", "b"]);
    }
}
