//! A project's profiles, read together or one alone.
//!
//! Owns finding the files and following `extends`. Invariant: what [`Profiles`] hands out was
//! checked as a whole, and every error points into a file that was read for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::Layer;
use super::model::{Caches, Policy, Profile, Requirement, SourceOverride};
use super::node::unknown_name;
use super::spot::{Source, Spanned, Spot};
use super::{check, locate as places, read};
use crate::base::suggest::nearest;
use crate::base::{DepName, EnvName, Excerpt, Platform, SourceKind};
use crate::fs;

/// The directory of a project's profiles.
pub const DIRECTORY: &str = "profiles";

/// Every profile of a project.
#[derive(Debug)]
pub struct Profiles {
    loaded: BTreeMap<EnvName, Loaded>,
}

/// What all profiles together ask of the lock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Union {
    /// Platforms of any profile.
    pub platforms: BTreeSet<Platform>,
    /// Deps of any profile.
    pub requirements: BTreeMap<DepName, Requirement>,
    /// Source overrides of any profile.
    pub sources: BTreeMap<SourceKind, SourceOverride>,
    /// What may be locked.
    pub policy: Policy,
    /// A profile that says so, for [`Profiles::locate`].
    pub policy_of: Option<EnvName>,
    /// Caches and keys of all profiles, each once, in the order of the profiles' names; `push` of
    /// the first that has one.
    pub cache: Caches,
}

/// A profile and the places of what profiles may disagree about.
#[derive(Debug)]
struct Loaded {
    profile: Profile,
    chain: Vec<Arc<Source>>,
    deps: BTreeMap<DepName, Spot>,
    sources: BTreeMap<SourceKind, Spot>,
    policy: Option<Spot>,
}

impl Profiles {
    /// Reads every `profiles/*.toml` of a project.
    pub fn load(project: &Path) -> Result<Self> {
        let mut files = Files::new(project);
        let names = files.names()?;
        if names.is_empty() {
            return Err(Error::NoProfiles { dir: files.dir });
        }
        let mut loaded = BTreeMap::new();
        for name in names {
            loaded.insert(name.clone(), files.load(&name)?);
        }
        Ok(Self { loaded })
    }

    /// Reads one profile and what it extends, and nothing else.
    pub fn load_one(project: &Path, name: &EnvName) -> Result<Profile> {
        Ok(Files::new(project).load(name)?.profile)
    }

    /// The profiles' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &EnvName> {
        self.loaded.keys()
    }

    /// The profiles, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.loaded.values().map(|l| &l.profile)
    }

    /// A profile by name.
    pub fn get(&self, name: &EnvName) -> Result<&Profile> {
        match self.loaded.get(name) {
            Some(loaded) => Ok(&loaded.profile),
            None => Err(unknown_profile(name.as_str(), self.names().map(AsRef::as_ref))),
        }
    }

    /// What the lock must serve; profiles that contradict each other are an error.
    pub fn union(&self) -> Result<Union> {
        let mut union = Union::default();
        let mut dep_from = BTreeMap::new();
        let mut source_from = BTreeMap::new();
        let mut policy_from = BTreeMap::new();
        for loaded in self.loaded.values() {
            let profile = &loaded.profile;
            union.platforms.extend(&profile.platforms);
            for (name, wish) in &profile.deps {
                let Some(spot) = loaded.deps.get(name) else { continue };
                let here = Said { profile: &profile.name, says: wish.canonical(), spot };
                if let Some(said) = disagreement(&mut dep_from, name.clone(), here) {
                    return Err(disagree("dep", name.as_str(), said));
                }
                union.requirements.insert(name.clone(), wish.clone());
            }
            let add = |all: &mut Vec<String>, more: &[String]| {
                let new: Vec<_> = more.iter().filter(|one| !all.contains(one)).cloned().collect();
                all.extend(new);
            };
            add(&mut union.cache.url, &profile.cache.url);
            add(&mut union.cache.keys, &profile.cache.keys);
            if union.cache.push.is_none() {
                union.cache.push.clone_from(&profile.cache.push);
            }
            for (kind, setting) in &profile.sources {
                let Some(spot) = loaded.sources.get(kind) else { continue };
                let says = setting.canonical();
                let here = Said { profile: &profile.name, says, spot };
                if let Some(said) = disagreement(&mut source_from, *kind, here) {
                    return Err(disagree("source", kind.name(), said));
                }
                union.sources.insert(*kind, setting.clone());
            }
            if let Some(spot) = &loaded.policy {
                let says = profile.policy.canonical();
                let here = Said { profile: &profile.name, says, spot };
                if let Some(said) = disagreement(&mut policy_from, (), here) {
                    return Err(disagree("table", "policy", said));
                }
                union.policy = profile.policy.clone();
                union.policy_of = Some(profile.name.clone());
            }
        }
        Ok(union)
    }

    /// Where a profile's value is written, in the file that has the last word on it:
    /// `["service", "nats", "command"]`, `["service", "nats", "command", "0"]`.
    pub fn locate(&self, profile: &EnvName, path: &[&str]) -> Option<Excerpt> {
        places::find(&self.loaded.get(profile)?.chain, path)
    }
}

/// [`Profiles::locate`] for a profile that was read alone; reads its files again.
pub fn locate(project: &Path, name: &EnvName, path: &[&str]) -> Option<Excerpt> {
    let chain = Files::new(project).chain(name).ok()?;
    let sources: Vec<_> = chain.into_iter().map(|(source, _)| source).collect();
    places::find(&sources, path)
}

/// The files that a profile is read from: its own first, then what it extends. The files that
/// `[file]` names are in [`Profile::inputs`].
pub fn source_files(project: &Path, name: &EnvName) -> Result<Vec<PathBuf>> {
    let chain = Files::new(project).chain(name)?;
    Ok(chain.into_iter().map(|(source, _)| source.path.clone()).collect())
}

/// What a profile says about something that all must agree on.
#[derive(Clone)]
struct Said<'a> {
    profile: &'a EnvName,
    says: String,
    spot: &'a Spot,
}

fn disagreement<'a, K: Ord>(
    before: &mut BTreeMap<K, Said<'a>>,
    key: K,
    here: Said<'a>,
) -> Option<(Said<'a>, Said<'a>)> {
    match before.get(&key) {
        Some(there) if there.says != here.says => Some((there.clone(), here)),
        Some(_) => None,
        None => {
            before.insert(key, here);
            None
        }
    }
}

fn disagree(what: &'static str, name: &str, (first, second): (Said<'_>, Said<'_>)) -> Error {
    let flaw = Flaw::Disagree {
        what,
        name: name.to_owned(),
        first: first.profile.to_string(),
        second: second.profile.to_string(),
        first_says: format!("{}  at {}", first.says, first.spot),
        second_says: format!("{}  at {}", second.says, second.spot),
    };
    Error::at(second.spot, flaw, format!("`{}` says something else", first.profile))
}

fn unknown_profile<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.collect();
    Error::UnknownProfile {
        name: name.to_owned(),
        near: nearest(name, known.iter().copied()).map(str::to_owned),
        known: known.into_iter().map(str::to_owned).collect(),
    }
}

/// The files of a project's profiles, each read once.
struct Files {
    project: PathBuf,
    dir: PathBuf,
    read: BTreeMap<EnvName, (Arc<Source>, Layer)>,
}

type Chain = Vec<(Arc<Source>, Layer)>;

impl Files {
    fn new(project: &Path) -> Self {
        Self { project: project.to_owned(), dir: project.join(DIRECTORY), read: BTreeMap::new() }
    }

    /// The stems of `profiles/*.toml`, without what editors leave behind.
    fn names(&self) -> Result<Vec<EnvName>> {
        let mut names = Vec::new();
        for file in fs::read_dir_names_if_exists(&self.dir)? {
            let text = file.to_string_lossy();
            let Some(stem) = text.strip_suffix(".toml").filter(|s| !s.starts_with('.')) else {
                continue;
            };
            let name = EnvName::new(stem).map_err(|e| Error::FileName {
                path: Path::new(DIRECTORY).join(&file),
                why: e.to_string(),
            })?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    fn file(&mut self, name: &EnvName) -> Result<Option<(Arc<Source>, Layer)>> {
        if let Some(known) = self.read.get(name) {
            return Ok(Some(known.clone()));
        }
        let file = format!("{name}.toml");
        let path = self.dir.join(&file);
        let Some(text) = fs::read_to_string_if_exists(&path)? else { return Ok(None) };
        let source = Arc::new(Source { shown: Path::new(DIRECTORY).join(file), path, text });
        let layer = read::layer(&source)?;
        self.read.insert(name.clone(), (Arc::clone(&source), layer.clone()));
        Ok(Some((source, layer)))
    }

    /// A profile's layers: its own first, then what it extends.
    fn chain(&mut self, name: &EnvName) -> Result<Chain> {
        let mut names = vec![name.clone()];
        let mut chain: Chain = Vec::new();
        let mut asked: Option<Spanned<EnvName>> = None;
        loop {
            let next = asked.as_ref().map_or(name, |a| &a.value);
            let Some((source, layer)) = self.file(next)? else {
                let known = self.names()?;
                if known.is_empty() {
                    return Err(Error::NoProfiles { dir: self.dir.clone() });
                }
                let known = known.iter().map(AsRef::as_ref);
                return Err(match &asked {
                    Some(at) => unknown_name(&at.spot, "profile", next.as_str(), known),
                    None => unknown_profile(next.as_str(), known),
                });
            };
            asked = layer.extends.clone();
            chain.push((source, layer));
            let Some(parent) = &asked else { return Ok(chain) };
            let seen = names.iter().position(|n| *n == parent.value);
            names.push(parent.value.clone());
            if let Some(start) = seen {
                let around: Vec<&str> = names[start..].iter().map(AsRef::as_ref).collect();
                let flaw = Flaw::Cycle { what: "`extends`", chain: around.join(" → ") };
                return Err(Error::at(&parent.spot, flaw, "the circle closes here"));
            }
        }
    }

    fn load(&mut self, name: &EnvName) -> Result<Loaded> {
        let chain = self.chain(name)?;
        let files: Vec<_> = chain.iter().map(|(source, _)| source.path.clone()).collect();
        let own = files[0].clone();
        let here = |e: Error| e.while_making(name, &own);
        let sources = chain.iter().map(|(source, _)| Arc::clone(source)).collect();
        let mut sum = Layer::default();
        for (_, layer) in chain.into_iter().rev() {
            sum = sum.overridden_by(layer).map_err(here)?;
        }
        let profile = check::profile(name, files, &self.project, &sum).map_err(here)?;
        Ok(Loaded {
            profile,
            chain: sources,
            deps: sum.deps.into_iter().map(|(k, e)| (k, e.spot)).collect(),
            sources: sum.sources.into_iter().map(|(k, s)| (k, s.spot)).collect(),
            policy: sum.policy.map(|p| p.spot),
        })
    }
}
