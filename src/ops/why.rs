//! Why a dep is there: who asks for it, and what would break without it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Context, Result};
use crate::base::{CommandName, DepName, EnvName, Excerpt};
use crate::lock::{self, Lock, LockedDep, Row};
use crate::profile::Profiles;
use crate::profile::model::{Probe, Profile};
use crate::profile::template::{Reference, Template};

/// A place that asks for the dep or uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    /// What is said there, in words.
    pub what: String,
    /// The file, relative to the project; absent when the place is not written out.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The profiles that it holds for.
    pub profiles: BTreeSet<EnvName>,
}

/// Everything about one dep.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The dep.
    pub name: DepName,
    /// Commands it offers, on any platform.
    pub commands: BTreeSet<CommandName>,
    /// Who asks for it and who uses it, by file and line.
    pub uses: Vec<Use>,
}

/// Finds every place.
pub fn why(context: &Context, name: &DepName) -> Result<Why> {
    let profiles = context.profiles()?;
    let union = profiles.union()?;
    super::lock::known(name, union.requirements.keys())?;
    let lock = lock::read_if_exists(&context.lock_path())?.unwrap_or_default();
    let mut offers: BTreeMap<CommandName, BTreeSet<DepName>> = BTreeMap::new();
    for (dep, locked) in &lock.deps {
        for command in locked.platforms.values().filter_map(Row::pin).flat_map(|p| p.bin.keys()) {
            offers.entry(command.clone()).or_default().insert(dep.clone());
        }
    }
    for (dep, requirement) in &union.requirements {
        for command in requirement.bin.keys() {
            offers.entry(command.clone()).or_default().insert(dep.clone());
        }
    }
    let commands =
        offers.iter().filter(|(_, deps)| deps.contains(name)).map(|(c, _)| c.clone()).collect();
    let mut places = Places { profiles: &profiles, found: BTreeMap::new() };
    for profile in profiles.iter().filter(|p| p.deps.contains_key(name)) {
        of_profile(&mut places, profile, name, &offers);
    }
    let mut uses: Vec<Use> = built_with(name, &lock, &profiles);
    uses.extend(places.found.into_iter().map(|((file, line, what), profiles)| Use {
        what,
        file: (!file.is_empty()).then_some(file),
        line: (line > 0).then_some(line),
        profiles,
    }));
    Ok(Why { name: name.clone(), commands, uses })
}

/// The deps that it builds.
fn built_with(name: &DepName, lock: &Lock, profiles: &Profiles) -> Vec<Use> {
    let builds = |locked: &LockedDep| locked.build.as_ref().is_some_and(|b| b.toolchain == *name);
    let all = lock.deps.iter().filter(|(_, locked)| builds(locked));
    all.map(|(dep, _)| Use {
        what: format!("builds `{dep}`"),
        file: None,
        line: None,
        profiles: profiles
            .iter()
            .filter(|profile| profile.deps.contains_key(dep))
            .map(|profile| profile.name.clone())
            .collect(),
    })
    .collect()
}

/// Places found, each once: profiles share what they extend.
struct Places<'a> {
    profiles: &'a Profiles,
    found: BTreeMap<(String, usize, String), BTreeSet<EnvName>>,
}

impl Places<'_> {
    /// Notes a place; the first of `paths` that is written out says where.
    fn note(&mut self, profile: &Profile, paths: &[&[&str]], what: String) {
        let at = paths.iter().find_map(|path| self.profiles.locate(&profile.name, path));
        let (file, line) = at.map_or((String::new(), 0), |at| (shown(&at), line(&at)));
        self.found.entry((file, line, what)).or_default().insert(profile.name.clone());
    }
}

fn shown(at: &Excerpt) -> String {
    at.file.display().to_string()
}

fn line(at: &Excerpt) -> usize {
    at.text[..at.span.start.min(at.text.len())].matches('\n').count() + 1
}

fn of_profile(
    places: &mut Places<'_>,
    profile: &Profile,
    name: &DepName,
    offers: &BTreeMap<CommandName, BTreeSet<DepName>>,
) {
    let dep = name.as_str();
    if let Some(requirement) = profile.deps.get(name) {
        let what = format!("asks for {}", requirement.canonical());
        places.note(profile, &[&["dep", dep]], what);
    }
    for (command, provider) in &profile.prefer {
        if provider == name {
            let what = format!("prefers its command `{command}`");
            places.note(profile, &[&["command", command.as_str()]], what);
        }
    }
    let variables = variables(profile, name);
    let uses = |template: &Template| -> Option<String> {
        template.references().find_map(|reference| match reference {
            Reference::Dep(dep) if dep == name.as_str() => Some(format!("`${{{reference}}}`")),
            Reference::Env(variable) if variables.contains(variable) => {
                Some(format!("`${{{reference}}}`, which names it"))
            }
            _ => None,
        })
    };
    for (variable, template) in &profile.env {
        if let Some(how) = uses(template) {
            let what = format!("variable `{variable}` uses {how}");
            places.note(profile, &[&["env", variable]], what);
        }
    }
    for (service, spec) in &profile.services {
        let s = service.as_str();
        let whole: &[&str] = &["service", s];
        if let Some(command) = spec.program().and_then(|p| CommandName::new(p).ok())
            && provides(profile, name, &command, offers)
        {
            let what = format!("service `{service}` starts its command `{command}`");
            let (first, all) = (["service", s, "command", "0"], ["service", s, "command"]);
            places.note(profile, &[&first, &all, whole], what);
        }
        for (key, words) in spec.commands().into_iter().skip(1) {
            if let Some(how) = words.iter().find_map(&uses) {
                let what = format!("service `{service}`, in its `{key}`: {how}");
                places.note(profile, &[&["service", s, key], whole], what);
            }
        }
        for (n, argument) in spec.command.iter().enumerate() {
            if let Some(how) = uses(argument) {
                let n = n.to_string();
                let (one, all) = (["service", s, "command", &n], ["service", s, "command"]);
                let what = format!("service `{service}`, in its command: {how}");
                places.note(profile, &[&one, &all, whole], what);
            }
        }
        for (variable, template) in &spec.env {
            if let Some(how) = uses(template) {
                let what = format!("service `{service}`, in its variable `{variable}`: {how}");
                places.note(profile, &[&["service", s, "env", variable], whole], what);
            }
        }
        let ready = spec.ready.as_ref().and_then(|ready| match &ready.probe {
            Probe::Http(template) | Probe::Tcp(template) => Some(template),
            Probe::Log(_) | Probe::Exec(_) | Probe::Notify | Probe::Watchdog(_) => None,
        });
        for (key, template) in [("cwd", spec.cwd.as_ref()), ("ready", ready)] {
            if let Some(how) = template.and_then(&uses) {
                let what = format!("service `{service}`, in `{key}`: {how}");
                places.note(profile, &[&["service", s, key], whole], what);
            }
        }
    }
}

/// Whether a command of the environment is this dep's.
fn provides(
    profile: &Profile,
    name: &DepName,
    command: &CommandName,
    offers: &BTreeMap<CommandName, BTreeSet<DepName>>,
) -> bool {
    match profile.prefer.get(command) {
        Some(preferred) => preferred == name,
        None => offers.get(command).is_some_and(|deps| deps.contains(name)),
    }
}

/// Variables of `[env]` that name the dep, directly or through others.
fn variables(profile: &Profile, name: &DepName) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = out.len();
        for (variable, template) in &profile.env {
            let names_it = template.references().any(|reference| match reference {
                Reference::Dep(dep) => dep == name.as_str(),
                Reference::Env(other) => out.contains(other),
                _ => false,
            });
            if names_it {
                out.insert(variable.clone());
            }
        }
        if out.len() == before {
            return out;
        }
    }
}
