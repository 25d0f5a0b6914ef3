//! Moving a name from one generation to another.
//!
//! Owns every write below `<project>/.infra/`; [`super::generations`] says what is there and only
//! reads it. Invariant: the name moves last, by one rename, to a generation that is complete and a
//! root of its store.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::error::{Error, Result};
use super::generations::{Generation, Generations};
use super::inputs::Inputs;
use super::sidecar::{Held, Sidecar};
use crate::base::{ObjectName, Quiet, Reporter, TreeHash, interrupt};
use crate::fs::{self, FileLock};
use crate::store::{ObjectPath, Store};

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
    /// Makes an object the current generation. Nothing is written when it already is, except what
    /// changed in the record.
    ///
    /// 1. Keeps the collector away and sees that the object is still there.
    /// 2. Waits for other processes that switch in this project.
    /// 3. Takes the next number, or the newest one when that is this object already.
    /// 4. Writes the record.
    /// 5. Makes the generation's link and registers it as a root.
    /// 6. Moves the name.
    ///
    /// A caller that builds the object holds [`Store::pause_gc`] from before the build until this
    /// returns.
    pub fn switch(
        &self,
        store: &Store,
        object: &ObjectPath,
        change: &Change<'_>,
    ) -> Result<Switched> {
        let _pause = store.pause_gc(&Quiet).map_err(Error::Store)?;
        if store.get(object.name()).map_err(Error::Store)?.is_none() {
            let (env, object) = (self.name().clone(), object.name().clone());
            return Err(Error::Collected { env, object });
        }
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
        let _lock = self.lock(change.wait, change.reporter)?;
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
        let _pause = store.pause_gc(&Quiet).map_err(Error::Store)?;
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
        let _lock = self.lock(change.wait, change.reporter)?;
        let current = self.current_number()?.ok_or_else(|| Error::NotBuilt(self.name().clone()))?;
        let numbers = self.numbers()?;
        let number = match to {
            Some(number) if numbers.contains(&number) => number,
            Some(number) => {
                return Err(Error::NoGeneration {
                    env: self.name().clone(),
                    number,
                    have: numbers,
                });
            }
            None => numbers
                .iter()
                .rev()
                .copied()
                .find(|n| *n < current)
                .ok_or_else(|| Error::NothingBefore { env: self.name().clone(), current })?,
        };
        let target = self.read(number, number == current)?;
        let Some(digest) = registered(&target.object)? else {
            return Err(Error::GenerationGone {
                env: self.name().clone(),
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
    pub fn prune(&self, keep: usize, wait: Duration, reporter: &dyn Reporter) -> Result<Vec<u64>> {
        let _lock = self.lock(wait, reporter)?;
        let old = self.old(keep)?;
        for &number in &old {
            fs::remove_file_if_exists(&self.generation_link(number))?;
            fs::remove_file_if_exists(&self.record_path(number))?;
        }
        Ok(old)
    }

    /// What [`Generations::prune`] would forget.
    pub fn old(&self, keep: usize) -> Result<Vec<u64>> {
        let current = self.current_number()?;
        let numbers = self.numbers()?;
        // The newest stays in any case, so that a number is never given twice.
        let cut = numbers.len().saturating_sub(keep.max(1));
        Ok(numbers[..cut].iter().copied().filter(|n| Some(*n) != current).collect())
    }

    fn lock(&self, wait: Duration, reporter: &dyn Reporter) -> Result<FileLock> {
        let dir = self.dir();
        fs::create_dir_all_synced(&dir)?;
        let ignore = self.infra().join(".gitignore");
        if !fs::exists(&ignore)? {
            fs::place_if_absent(&ignore, b"*\n")?;
        }
        let purpose = format!("switching the environment {}", self.name());
        let lock = FileLock::exclusive(&self.infra().join("env.lock"), &purpose, wait, |holder| {
            reporter.begin(self.name().as_str(), None).waiting(holder);
        })?;
        fs::sweep_siblings(&ignore);
        // Temporary names are made under this lock alone: what is there now, a dead process left.
        for name in fs::read_dir_names(&dir)? {
            let text = name.to_string_lossy();
            if text.starts_with('.') && text.ends_with(".tmp") {
                fs::remove_file_if_exists(&dir.join(&name))?;
            }
        }
        Ok(lock)
    }
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
