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
//! Owns these files. Refuses to switch to what is no registered object. Invariant: `NAME` is always
//! absent or leads to a complete generation; one rename moves it, and a switch that was cut short is
//! finished by repeating it, under the same number.
//!
//! Rolling back is that rename, to an older number. As in Nix, numbers only grow and the next build
//! makes or reuses the newest one. But building is automatic here, so a roll-back would be undone
//! by the very next `run`: it therefore stands while the project's inputs stay what they were when
//! it was done ([`super::sidecar::Held`]), and ends with the first change of profile or lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::error::{Error, Result};
use super::inputs::Inputs;
use super::manifest::Manifest;
use super::sidecar::{Held, Sidecar};
use crate::base::{EnvName, ObjectName, Platform, Quiet, Reporter, TreeHash, interrupt};
use crate::fs::{self, FileLock};
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

/// Who changes what a name points at, and how long they wait for others who do.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// What the project's files are now.
    pub inputs: &'a Inputs,
    /// The time to record.
    pub now: Timestamp,
    /// How long to wait for another process.
    pub wait: Duration,
    /// Told when there is somebody to wait for.
    pub reporter: &'a dyn Reporter,
}

/// The outcome of [`Generations::switch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// What is current now.
    pub generation: Generation,
    /// What was current before; `None` for the first.
    pub previous: Option<u64>,
}

impl Switched {
    /// Whether the name points at another generation than before.
    pub fn changed(&self) -> bool {
        self.previous != Some(self.generation.number)
    }
}

/// What a switch does to the world beside links: registers a root, passes interruption points.
/// Handed in so that the tests can cut a switch at each step.
struct Effects<'a> {
    root: &'a dyn Fn(&Path) -> Result<()>,
    point: &'a dyn Fn(&'static str) -> Result<()>,
}

fn pass(name: &'static str) -> Result<()> {
    interrupt::point(name);
    Ok(())
}

impl Generations {
    /// Names them; touches nothing on disk.
    pub fn new(project: &Path, name: &EnvName) -> Self {
        let infra = project.join(".infra");
        Self { infra, project: project.to_owned(), name: name.clone() }
    }

    /// The link that leads to the current generation.
    pub fn link(&self) -> PathBuf {
        self.dir().join(self.name.as_str())
    }

    fn dir(&self) -> PathBuf {
        self.infra.join("env")
    }

    fn file_name(&self, number: u64) -> String {
        format!("{}@{number}", self.name)
    }

    fn generation_link(&self, number: u64) -> PathBuf {
        self.dir().join(self.file_name(number))
    }

    fn record_path(&self, number: u64) -> PathBuf {
        self.dir().join(format!("{}.json", self.file_name(number)))
    }

    fn number(&self, file_name: &str) -> Option<u64> {
        let number = file_name.strip_prefix(self.name.as_str())?.strip_prefix('@')?;
        number.parse().ok().filter(|n: &u64| n.to_string() == number)
    }

    /// The number that the name points at.
    fn current_number(&self) -> Result<Option<u64>> {
        let link = self.link();
        let Some(target) = fs::missing_is_none(fs::read_link(&link))? else { return Ok(None) };
        let number = target.to_str().and_then(|name| self.number(name));
        let why = || format!("it points at `{}`, which is no generation", target.display());
        number.map(Some).ok_or_else(|| Error::Damaged { path: link, why: why() })
    }

    fn read(&self, number: u64, current: bool) -> Result<Generation> {
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

    fn numbers(&self) -> Result<Vec<u64>> {
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

    /// Makes an object the current generation. Nothing is written when it already is, except what
    /// changed in the record.
    ///
    /// 1. keeps the collector away and sees that the object is still there; 2. waits for other
    /// processes; 3. takes the next number, or the newest one when that is this object already;
    /// 4. writes the record; 5. makes the generation's link and registers it as a root; 6. moves the
    /// name. A caller that built the object just now holds [`Store::pause_gc`] from before that.
    pub fn switch(
        &self,
        store: &Store,
        object: &ObjectPath,
        change: &Change<'_>,
    ) -> Result<Switched> {
        let effects =
            Effects { root: &|link| store.add_root(link).map_err(Error::Store), point: &pass };
        self.switch_to(object.path(), object.name(), object.tree(), change, &effects)
    }

    fn switch_to(
        &self,
        path: &Path,
        object: &ObjectName,
        digest: &TreeHash,
        change: &Change<'_>,
        effects: &Effects<'_>,
    ) -> Result<Switched> {
        let _lock = self.lock(change)?;
        // A name that leads nowhere is no reason not to point it somewhere.
        let current = match self.current() {
            Ok(current) => current,
            Err(Error::Damaged { .. }) => None,
            Err(e) => return Err(e),
        };
        let previous = current.as_ref().map(|generation| generation.number);
        let newest = self.numbers()?.last().copied();
        let same = |number: u64| {
            fs::missing_is_none(fs::read_link(&self.generation_link(number)))
                .map(|target| target.is_some_and(|target| target == path))
        };
        let number = match (previous, newest) {
            (Some(current), _) if same(current)? => current,
            (_, Some(newest)) if same(newest)? => newest,
            (_, newest) => newest.map_or(1, |n| n + 1),
        };

        let created = Sidecar::read(&self.record_path(number))?
            .filter(|record| record.object == *object)
            .map_or(change.now, |record| record.created);
        self.record(number, &Sidecar::new(object, digest, change.inputs, created))?;
        (effects.point)("env.staged")?;
        self.point_at(number, path, previous, effects)?;
        Ok(Switched { generation: self.read(number, true)?, previous })
    }

    /// Links a generation, roots it, and moves the name.
    fn point_at(
        &self,
        number: u64,
        path: &Path,
        previous: Option<u64>,
        effects: &Effects<'_>,
    ) -> Result<()> {
        let link = self.generation_link(number);
        if fs::missing_is_none(fs::read_link(&link))?.is_none_or(|target| target != path) {
            fs::replace_symlink(path, &link)?;
        }
        // Also for a link that was there: a switch may have been cut between the two.
        (effects.root)(&link)?;
        (effects.point)("env.linked")?;
        if previous != Some(number) {
            fs::replace_symlink(Path::new(&self.file_name(number)), &self.link())?;
            fs::sync_dir(&self.dir())?;
        }
        (effects.point)("env.switched")
    }

    fn record(&self, number: u64, record: &Sidecar) -> Result<()> {
        let path = self.record_path(number);
        if Sidecar::read(&path)?.as_ref() == Some(record) {
            return Ok(());
        }
        record.write(&path)
    }

    /// Points the name at an older generation: `to`, or the one before the current. The module's
    /// text says how long that stands.
    pub fn rollback(
        &self,
        store: &Store,
        to: Option<u64>,
        change: &Change<'_>,
    ) -> Result<Generation> {
        let effects =
            Effects { root: &|link| store.add_root(link).map_err(Error::Store), point: &pass };
        let registered = |object: &ObjectName| -> Result<Option<TreeHash>> {
            Ok(store.get(object).map_err(Error::Store)?.map(|object| *object.tree()))
        };
        self.roll_back_to(to, &registered, change, &effects)
    }

    fn roll_back_to(
        &self,
        to: Option<u64>,
        registered: &dyn Fn(&ObjectName) -> Result<Option<TreeHash>>,
        change: &Change<'_>,
        effects: &Effects<'_>,
    ) -> Result<Generation> {
        let _lock = self.lock(change)?;
        let current = self.current_number()?.ok_or_else(|| Error::NotBuilt(self.name.clone()))?;
        let numbers = self.numbers()?;
        let number = match to {
            Some(number) if numbers.contains(&number) => number,
            Some(number) => {
                return Err(Error::NoGeneration { env: self.name.clone(), number, have: numbers });
            }
            None => numbers
                .iter()
                .rev()
                .copied()
                .find(|n| *n < current)
                .ok_or_else(|| Error::NothingBefore { env: self.name.clone(), current })?,
        };
        let target = self.read(number, number == current)?;
        let Some(digest) = registered(&target.object)? else {
            return Err(Error::GenerationGone {
                env: self.name.clone(),
                number,
                object: target.object,
            });
        };
        let mut record = target
            .record
            .unwrap_or_else(|| Sidecar::new(&target.object, &digest, change.inputs, change.now));
        let Inputs { files, digest } = change.inputs.clone();
        record.held = (record.inputs != digest).then_some(Held { inputs: digest, files });
        self.record(number, &record)?;
        (effects.point)("env.staged")?;
        self.point_at(number, &target.path, Some(current), effects)?;
        self.read(number, true)
    }

    /// Forgets all but the `keep` newest generations and the current one; gives the numbers
    /// forgotten. Their objects stay until `store gc`.
    pub fn prune(&self, keep: usize, change: &Change<'_>) -> Result<Vec<u64>> {
        let _lock = self.lock(change)?;
        let current = self.current_number()?;
        let numbers = self.numbers()?;
        // The newest stays in any case, so that a number is never given twice.
        let cut = numbers.len().saturating_sub(keep.max(1));
        let old: Vec<_> = numbers[..cut].iter().copied().filter(|n| Some(*n) != current).collect();
        for &number in &old {
            fs::remove_file_if_exists(&self.generation_link(number))?;
            fs::remove_file_if_exists(&self.record_path(number))?;
        }
        Ok(old)
    }

    fn lock(&self, change: &Change<'_>) -> Result<FileLock> {
        let dir = self.dir();
        fs::create_dir_all(&dir)?;
        let ignore = self.infra.join(".gitignore");
        if !fs::exists(&ignore)? {
            fs::place_if_absent(&ignore, b"*\n")?;
        }
        let purpose = format!("switching the environment {}", self.name);
        let lock =
            FileLock::exclusive(&self.infra.join("env.lock"), &purpose, change.wait, |holder| {
                change.reporter.note(&format!("waiting for {holder}"))
            })?;
        // Temporary names are made under this lock alone: what is there now, a dead process left.
        for name in fs::read_dir_names(&dir)? {
            let text = name.to_string_lossy();
            if text.starts_with('.') && text.ends_with(".tmp") {
                fs::remove_file_if_exists(&dir.join(&name))?;
            }
        }
        Ok(lock)
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

#[cfg(test)]
#[path = "generations_tests.rs"]
mod tests;
