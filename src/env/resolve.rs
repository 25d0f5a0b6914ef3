//! Profile + lock + platform → what the environment is. Pure: no file is read here.
//!
//! Refuses a wanted dep without a pin, two deps for one command, a service that would run
//! something else than a command of the environment, and variables that are ours. Invariant: a
//! [`Resolved`] names only what it has: every command's dep is in `deps`, every `${dep.X}` too.

use std::collections::BTreeMap;

use super::declare::{declare, probe_template};
use super::error::{Error, Result};
use super::manifest::{Dep, Manifest, VERSION};
use super::values::why_not_settable;
use crate::base::{CommandName, DepName, Excerpt, Platform, RelPath};
use crate::lock::model::{Lock, Pin, Row};
use crate::profile::model::{self, Profile};
use crate::profile::template::{Reference, Template};

/// Finds the place of a key in the profile's files, e.g. `["service", "nats", "command"]`.
pub type Locate<'a> = &'a dyn Fn(&[&str]) -> Option<Excerpt>;

/// An environment, and the pins it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What `env.json` will say.
    pub manifest: Manifest,
    /// The lock's pin of each dep; the same keys as `manifest.deps`.
    pub pins: BTreeMap<DepName, Pin>,
}

impl Resolved {
    /// Where a command lies in its dep's tree.
    pub fn command(&self, name: &str) -> Option<(&DepName, &RelPath)> {
        let (command, dep) = self.manifest.commands.get_key_value(name)?;
        Some((dep, self.pins.get(dep)?.bin.get(command)?))
    }
}

/// Resolves a profile for a platform.
pub fn resolve(
    profile: &Profile,
    lock: &Lock,
    platform: Platform,
    locate: Locate<'_>,
) -> Result<Resolved> {
    let find = |path: &[&str]| locate(path).map(Box::new);
    let pins = pins(profile, lock, platform, &find)?;
    let commands = commands(profile, &pins, &find)?;
    check_variables(profile, &find)?;
    check_dep_references(profile, platform, &pins, &find)?;
    check_files(profile, &find)?;

    let mut services = BTreeMap::new();
    for (name, service) in &profile.services {
        for (key, words) in service.commands() {
            let at = ["service", name.as_str(), key];
            let Some(first) = words.first() else {
                return Err(Error::EmptyCommand { service: name.clone(), excerpt: find(&at) });
            };
            let program = first.as_str();
            if !commands.contains_key(program) {
                return Err(Error::UnknownProgram {
                    service: name.clone(),
                    program: program.to_owned(),
                    env: profile.name.clone(),
                    commands: commands.keys().cloned().collect(),
                    excerpt: find(&at),
                });
            }
        }
        services.insert(name.clone(), declare(service));
    }

    let deps = pins.iter().map(|(name, pin)| {
        let version = lock.deps[name].version.clone();
        (name.clone(), Dep { version, object: pin.object.clone(), tree: pin.tree })
    });
    let data = profile
        .data
        .to_str()
        .ok_or_else(|| Error::NotText { what: "data directory", path: profile.data.clone() })?;
    let manifest = Manifest {
        version: VERSION,
        name: profile.name.clone(),
        platform,
        deps: deps.collect(),
        commands,
        env: profile.env.clone(),
        ports: profile.ports.iter().map(|(name, port)| (name.clone(), number(*port))).collect(),
        files: profile.etc.keys().cloned().collect(),
        data: data.to_owned(),
        stop_within_ms: profile.run.stop_within.map(super::declare::millis),
        services,
    };
    Ok(Resolved { manifest, pins })
}

type Find<'a> = &'a dyn Fn(&[&str]) -> Option<Box<Excerpt>>;

fn number(port: model::Port) -> Option<u16> {
    match port {
        model::Port::Fixed(number) => Some(number),
        model::Port::Auto => None,
    }
}

/// The pin of every dep that the profile wants on this platform.
fn pins(
    profile: &Profile,
    lock: &Lock,
    platform: Platform,
    find: Find<'_>,
) -> Result<BTreeMap<DepName, Pin>> {
    let mut pins = BTreeMap::new();
    for (dep, requirement) in &profile.deps {
        if requirement.platforms.as_ref().is_some_and(|only| !only.contains(&platform)) {
            continue;
        }
        let locked = lock
            .deps
            .get(dep)
            .ok_or_else(|| Error::NotLocked { dep: dep.clone(), env: profile.name.clone() })?;
        match locked.platforms.get(&platform) {
            Some(Row::Pinned(pin)) => {
                pins.insert(dep.clone(), (**pin).clone());
            }
            Some(Row::Unavailable { reason }) => {
                return Err(Error::Unavailable {
                    dep: dep.clone(),
                    platform,
                    reason: reason.clone(),
                    excerpt: find(&["dep", dep.as_str()]),
                });
            }
            None => return Err(Error::NoRow { dep: dep.clone(), platform }),
        }
    }
    Ok(pins)
}

/// Which dep provides each command.
fn commands(
    profile: &Profile,
    pins: &BTreeMap<DepName, Pin>,
    find: Find<'_>,
) -> Result<BTreeMap<CommandName, DepName>> {
    let mut offers: BTreeMap<&CommandName, Vec<&DepName>> = BTreeMap::new();
    for (dep, pin) in pins {
        for command in pin.bin.keys() {
            offers.entry(command).or_default().push(dep);
        }
    }
    // A pick of a dep that is not wanted on this platform says nothing about this platform.
    for (command, dep) in &profile.prefer {
        if let Some(pin) = pins.get(dep).filter(|pin| !pin.bin.contains_key(command)) {
            return Err(Error::WrongPick {
                command: command.clone(),
                dep: dep.clone(),
                offers: pin.bin.keys().cloned().collect(),
                excerpt: find(&["command", command.as_str()]),
            });
        }
    }
    let mut chosen = BTreeMap::new();
    for (command, deps) in offers {
        let pick = profile.prefer.get(command).filter(|dep| deps.contains(dep));
        let dep = match (pick, deps.as_slice()) {
            (Some(pick), _) => pick,
            (None, [only]) => only,
            (None, several) => {
                return Err(Error::CommandConflict {
                    command: command.clone(),
                    deps: several.iter().map(|dep| (*dep).clone()).collect(),
                    excerpt: several.last().and_then(|dep| find(&["dep", dep.as_str()])),
                });
            }
        };
        chosen.insert(command.clone(), dep.clone());
    }
    Ok(chosen)
}

/// `PATH` and `INFRA_ENV_*` are ours; the rest must be a name that every shell can set.
fn check_variables(profile: &Profile, find: Find<'_>) -> Result<()> {
    let refuse = |name: &str, path: &[&str]| match why_not_settable(name) {
        Some(why) => {
            Err(Error::ReservedVariable { name: name.to_owned(), why, excerpt: find(path) })
        }
        None => Ok(()),
    };
    for name in profile.env.keys() {
        refuse(name, &["env", name])?;
    }
    for (service, declared) in &profile.services {
        for name in declared.env.keys() {
            refuse(name, &["service", service.as_str(), "env", name])?;
        }
    }
    Ok(())
}

fn check_dep_references(
    profile: &Profile,
    platform: Platform,
    pins: &BTreeMap<DepName, Pin>,
    find: Find<'_>,
) -> Result<()> {
    let check = |template: &Template, path: &[&str]| -> Result<()> {
        for reference in template.references() {
            if let Reference::Dep(dep) = reference
                && !pins.contains_key(dep.as_str())
            {
                return Err(Error::DepNotHere {
                    place: path.join("."),
                    dep: dep.clone(),
                    platform,
                    excerpt: find(path),
                });
            }
        }
        Ok(())
    };
    for (name, template) in &profile.env {
        check(template, &["env", name])?;
    }
    for (name, service) in &profile.services {
        for (key, words) in service.commands() {
            for word in words {
                check(word, &["service", name.as_str(), key])?;
            }
        }
        for (variable, template) in &service.env {
            check(template, &["service", name.as_str(), "env", variable])?;
        }
        if let Some(cwd) = &service.cwd {
            check(cwd, &["service", name.as_str(), "cwd"])?;
        }
        if let Some(template) = service.ready.as_ref().and_then(probe_template) {
            check(template, &["service", name.as_str(), "ready"])?;
        }
    }
    Ok(())
}

fn check_files(profile: &Profile, find: Find<'_>) -> Result<()> {
    for inner in profile.etc.keys() {
        for (cut, _) in inner.as_str().match_indices('/') {
            let Ok(outer) = RelPath::new(&inner.as_str()[..cut]) else { continue };
            if profile.etc.contains_key(&outer) {
                let excerpt = find(&["file", outer.as_str()]);
                return Err(Error::FileClash { outer, inner: inner.clone(), excerpt });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
