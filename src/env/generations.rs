//! The numbered environments that a name has pointed at in one project.
//!
//! ```text
//! <project>/.infra/.gitignore        `*`
//! <project>/.infra/env.lock          held while a name is switched
//! <project>/.infra/env/NAME          → NAME@N                        what is current
//! <project>/.infra/env/NAME@N        → <store>/store/<object>        a root of that store
//! <project>/.infra/env/NAME@N.json   its record, see [`super::sidecar`]
//! ```
//!
//! `@` is in no environment's name, so `dev`'s generations cannot be mistaken for another name.
//! Owns what these names mean and reads them; [`super::switch`] writes them. Refuses what leads
//! nowhere. Invariant: `NAME` is always
//! absent or leads to a complete generation; one rename moves it, and a switch that was cut short is
//! finished by repeating it, under the same number.
//!
//! Rolling back is that rename, to an older number. As in Nix, numbers only grow and the next build
//! makes or reuses the newest one. But building is automatic here, so a roll-back would be undone
//! by the very next `run`: it therefore stands while the project's inputs stay what they were when
//! it was done ([`super::sidecar::Held`]), and ends with the first change of profile or lock.

use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::inputs::Inputs;
use super::manifest::Manifest;
use super::sidecar::Sidecar;
use crate::base::{EnvName, ObjectName, Platform};
use crate::fs;
use crate::store::{ObjectPath, Store};

/// The generations of one environment in one project.
#[derive(Clone, Debug)]
pub struct Generations {
    infra: PathBuf,
    project: PathBuf,
    name: EnvName,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// Whether the name points at it.
    pub current: bool,
    /// Its link in the project.
    pub link: PathBuf,
    /// Its object's directory, absolute. May be gone from the store.
    pub path: PathBuf,
    /// Its object's name.
    pub object: ObjectName,
    /// What is recorded of it; `None` when that was lost.
    pub record: Option<Sidecar>,
}

impl Generations {
    /// Names them; touches nothing on disk.
    pub fn new(project: &Path, name: &EnvName) -> Self {
        let infra = project.join(".infra");
        Self { infra, project: project.to_owned(), name: name.clone() }
    }

    /// The project and the name that a generation's link (`<project>/.infra/env/NAME@N`) is of.
    pub fn of_link(link: &Path) -> Option<(Self, u64)> {
        let (name, number) = link.file_name()?.to_str()?.rsplit_once('@')?;
        let dir = link.parent()?;
        let project = dir.parent()?.parent()?;
        let it = Self::new(project, &EnvName::new(name).ok()?);
        let number = number.parse().ok()?;
        (it.dir() == dir && it.generation_link(number) == link).then_some((it, number))
    }

    /// The link that leads to the current generation.
    pub fn link(&self) -> PathBuf {
        self.dir().join(self.name.as_str())
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.infra.join("env")
    }

    pub(super) fn file_name(&self, number: u64) -> String {
        format!("{}@{number}", self.name)
    }

    /// The link of a generation, whether it is there or not.
    pub fn link_of(&self, number: u64) -> PathBuf {
        self.generation_link(number)
    }

    pub(super) fn generation_link(&self, number: u64) -> PathBuf {
        self.dir().join(self.file_name(number))
    }

    pub(super) fn record_path(&self, number: u64) -> PathBuf {
        self.dir().join(format!("{}.json", self.file_name(number)))
    }

    fn number(&self, file_name: &str) -> Option<u64> {
        let number = file_name.strip_prefix(self.name.as_str())?.strip_prefix('@')?;
        number.parse().ok().filter(|n: &u64| n.to_string() == number)
    }

    /// The number that the name points at.
    pub(super) fn current_number(&self) -> Result<Option<u64>> {
        let link = self.link();
        let Some(target) = fs::missing_is_none(fs::read_link(&link))? else { return Ok(None) };
        let number = target.to_str().and_then(|name| self.number(name));
        let why = || format!("it points at `{}`, which is no generation", target.display());
        number.map(Some).ok_or_else(|| Error::Damaged { path: link, why: why() })
    }

    pub(super) fn read(&self, number: u64, current: bool) -> Result<Generation> {
        let link = self.generation_link(number);
        let path = match fs::read_link(&link) {
            Ok(path) => path,
            Err(e) if e.is_not_found() => {
                return Err(Error::Damaged { path: link, why: "it is missing".to_owned() });
            }
            Err(e) => return Err(e.into()),
        };
        let object = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let Some(object) = object else {
            let why = format!("it points at `{}`, which is no store object", path.display());
            return Err(Error::Damaged { path: link, why });
        };
        let record = Sidecar::read(&self.record_path(number))?;
        // A switch that was cut before its link was made leaves a record of something else.
        let record = record.filter(|record| record.object == object);
        Ok(Generation { number, current, link, path, object, record })
    }

    /// The current generation; `None` when the environment was never built here.
    pub fn current(&self) -> Result<Option<Generation>> {
        match self.current_number()? {
            Some(number) => self.read(number, true).map(Some),
            None => Ok(None),
        }
    }

    /// Like [`Generations::current`], but an error that says how to build it.
    pub fn require(&self) -> Result<Generation> {
        self.current()?.ok_or_else(|| Error::NotBuilt(self.name.clone()))
    }

    /// The current generation, if nothing has to be done before it is used: it is what the project
    /// asks for, and its object is in this store. A few small reads and two `stat` calls.
    pub fn fresh(&self, store: &Store, platform: Platform) -> Result<Option<Generation>> {
        let current = match self.current() {
            Ok(Some(current)) => current,
            Ok(None) | Err(Error::Damaged { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        let fresh =
            current.is_current(&self.project, platform)? && current.registered(store)?.is_some();
        Ok(fresh.then_some(current))
    }

    pub(super) fn numbers(&self) -> Result<Vec<u64>> {
        let names = fs::read_dir_names_if_exists(&self.dir())?;
        let mut numbers: Vec<_> =
            names.iter().filter_map(|name| self.number(name.to_str()?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Every generation, oldest first.
    pub fn list(&self) -> Result<Vec<Generation>> {
        let current = self.current_number()?;
        self.numbers()?.into_iter().map(|n| self.read(n, Some(n) == current)).collect()
    }

    /// The environment's name.
    pub fn name(&self) -> &EnvName {
        &self.name
    }

    pub(super) fn infra(&self) -> &Path {
        &self.infra
    }

    /// The project's directory.
    pub fn project(&self) -> &Path {
        &self.project
    }
}

impl Generation {
    /// Whether this is what the project asks for now: its inputs are as recorded, or as they were
    /// when someone rolled back to it. Reads the recorded files, a few small ones.
    pub fn is_current(&self, project: &Path, platform: Platform) -> Result<bool> {
        let Some(record) = &self.record else { return Ok(false) };
        let made = record.inputs();
        let now = made.again(project, platform)?;
        if now == made.digest {
            return Ok(true);
        }
        let Some(held) = &record.held else { return Ok(false) };
        let held = Inputs { files: held.files.clone(), digest: held.inputs.clone() };
        Ok(held.again(project, platform)? == held.digest)
    }

    /// Whether a roll-back is why it is current.
    pub fn is_held(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.held.is_some())
    }

    /// What the environment is.
    pub fn manifest(&self) -> Result<Manifest> {
        Manifest::read(&self.path)
    }

    /// Its object in this store; `None` when it is not registered there.
    pub fn registered(&self, store: &Store) -> Result<Option<ObjectPath>> {
        let found = store.get(&self.object).map_err(Error::Store)?;
        Ok(found.filter(|object| object.path() == self.path))
    }
}
