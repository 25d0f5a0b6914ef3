//! Adding objects: staged, hashed, compared, sealed, renamed, registered.
//!
//! Refuses a tree whose hash or name is not the expected one. Invariant: the registration is
//! written last, after everything that it vouches for is on the disk.

use std::collections::BTreeSet;
use std::path::Path;

use super::registration::{Origin, Registration};
use super::stamp::Stamp;
use super::{Addition, Error, ObjectPath, Result, Stack, Store, Verified, copy, fs, links, seal};
use crate::archive::{Archive, Options, Part};
use crate::base::{ObjectName, Quiet, RelPath, Task, TreeHash, interrupt};
use crate::nar;

/// How the names of staging directories begin; they exist only under a [`GcPause`].
pub(super) const STAGING: &str = "add";

/// Keeps the garbage collector from running, in any process, until it is dropped.
#[derive(Debug)]
pub struct GcPause {
    _lock: fs::FileLock,
}

/// A tree in `tmp` whose hash is known.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) dir: fs::StagingDir,
    pub(super) tree: TreeHash,
    pub(super) nar_size: u64,
}

impl Store {
    /// Keeps the garbage collector out while several steps belong together, such as adding
    /// objects and then making the root that keeps them. Waits for a collector that is at work.
    pub fn pause_gc(&self, task: &dyn Task) -> Result<GcPause> {
        self.layout.create()?;
        let on_wait = |holder: &str| task.waiting(holder);
        let lock = fs::FileLock::shared(&self.layout.gc_lock(), self.lock_timeout, on_wait)
            .map_err(|e| Error::writing(self.root(), e))?;
        Ok(GcPause { _lock: lock })
    }

    /// Unpacks a verified artifact, compares the tree hash and registers the object.
    pub fn add_archive(
        &self,
        artifact: &Verified,
        addition: &Addition<'_>,
        task: &dyn Task,
    ) -> Result<ObjectPath> {
        let Addition { object, tree, options, executables, shown } = *addition;
        let parts = [(artifact.clone(), options.clone())];
        let stack = Stack { object, tree, parts: &parts, is_linked: false, executables, shown };
        self.add_stack(&stack, task)
    }

    /// Unpacks verified artifacts over each other, compares the tree hash and registers the object.
    pub fn add_stack(&self, stack: &Stack<'_>, task: &dyn Task) -> Result<ObjectPath> {
        let Stack { object, tree, parts, is_linked, executables, shown } = *stack;
        named_by(object, tree, &BTreeSet::new(), shown)?;
        let _pause = self.pause_gc(task)?;
        let _lock = self.lock_object(object, task)?;
        if let Some(found) = self.get(object)? {
            return Ok(found);
        }
        task.stage("unpacking");
        let dir = self.stage()?;
        let open = |(artifact, options): &(Verified, Options)| {
            Ok::<_, Error>(Part { file: fs::open(artifact.path())?, options: options.clone() })
        };
        let files = parts.iter().map(open).collect::<Result<_>>()?;
        let mut archive = Archive::open_stack(files, shown).map_err(Error::Archive)?;
        if is_linked {
            archive.link().map_err(Error::Archive)?;
        }
        archive.set_executable(executables).map_err(Error::Archive)?;
        let (actual, nar_size) = archive.unpack(dir.path()).map_err(Error::Archive)?;
        same_tree(tree, &actual, shown, "the unpacked artifact")?;
        let shown_origin = shown.to_owned();
        let origin = match parts.first() {
            Some((first, _)) => {
                Origin::Artifact { integrity: first.integrity().clone(), shown: shown_origin }
            }
            None => Origin::Built,
        };
        let staged = Staged { dir, tree: actual, nar_size };
        self.publish(staged, object.clone(), BTreeSet::new(), origin, shown)
    }

    /// Adds a copy of a directory; `expected` is compared when given.
    pub fn add_directory(
        &self,
        from: &Path,
        name: &str,
        executables: &BTreeSet<RelPath>,
        expected: Option<&TreeHash>,
        shown: &str,
    ) -> Result<ObjectPath> {
        let _pause = self.pause_gc(&Quiet)?;
        let source = fs::canonicalize(from)?;
        if !fs::lstat(&source)?.is_dir() {
            return Err(Error::NotADirectory { shown: shown.to_owned(), from: from.to_owned() });
        }
        if fs::canonicalize(self.root())?.starts_with(&source) {
            let (from, root) = (from.to_owned(), self.root().to_owned());
            return Err(Error::ContainsStore { shown: shown.to_owned(), from, root });
        }
        let dir = self.stage()?;
        copy::copy_tree(&source, dir.path(), shown)?;
        copy::set_executable(dir.path(), executables, shown)?;
        links::check(dir.path(), &BTreeSet::new(), shown)?;
        let (tree, nar_size) = nar::hash_path(dir.path())?;
        if let Some(expected) = expected {
            same_tree(expected, &tree, shown, &format!("`{}`", from.display()))?;
        }
        let origin = Origin::Directory { shown: shown.to_owned() };
        let staged = Staged { dir, tree, nar_size };
        self.publish_named(staged, name, &BTreeSet::new(), origin, shown)
    }

    /// Adds a tree that `build` makes in an empty directory; `references` are the objects it links
    /// to with relative links (`../<reference>/…` from its top directory).
    pub fn add_built(
        &self,
        name: &str,
        references: &BTreeSet<ObjectName>,
        build: &mut dyn FnMut(&Path) -> Result<(), fs::Error>,
    ) -> Result<ObjectPath> {
        let _pause = self.pause_gc(&Quiet)?;
        for reference in references {
            if self.get(reference)?.is_none() {
                let (name, reference) = (name.to_owned(), reference.clone());
                return Err(Error::MissingReference { name, reference });
            }
        }
        let dir = self.stage()?;
        build(dir.path())?;
        links::check(dir.path(), references, name)?;
        let (tree, nar_size) = nar::hash_path(dir.path())?;
        let staged = Staged { dir, tree, nar_size };
        self.publish_named(staged, name, references, Origin::Built, name)
    }

    pub(super) fn stage(&self) -> Result<fs::StagingDir> {
        let dir = fs::StagingDir::new_in(&self.layout.tmp(), STAGING)?;
        fs::chmod(dir.path(), 0o755)?;
        Ok(dir)
    }

    pub(super) fn lock_object(&self, object: &ObjectName, task: &dyn Task) -> Result<fs::FileLock> {
        let path = self.layout.object_lock(object);
        let on_wait = |holder: &str| task.waiting(holder);
        let purpose = format!("infra adding {}", object.name());
        Ok(fs::FileLock::exclusive(&path, &purpose, self.lock_timeout, on_wait)?)
    }

    /// Publishes a tree whose name was not known before it was hashed.
    fn publish_named(
        &self,
        staged: Staged,
        name: &str,
        references: &BTreeSet<ObjectName>,
        origin: Origin,
        shown: &str,
    ) -> Result<ObjectPath> {
        let object = ObjectName::for_tree(&staged.tree, references, name);
        let object = object.map_err(Error::InvalidName)?;
        let _lock = self.lock_object(&object, &Quiet)?;
        if let Some(found) = self.get(&object)? {
            return Ok(found);
        }
        self.publish(staged, object, references.clone(), origin, shown)
    }

    /// The last steps. The caller holds the object's lock and saw that it is not registered.
    pub(super) fn publish(
        &self,
        staged: Staged,
        object: ObjectName,
        references: BTreeSet<ObjectName>,
        origin: Origin,
        shown: &str,
    ) -> Result<ObjectPath> {
        let Staged { dir, tree, nar_size } = staged;
        seal::seal_below(dir.path(), shown)?.sync()?;
        interrupt::point("object.staged");
        let path = self.layout.object(&object);
        // Nothing vouches for what a killed process left, and a damaged registration is no better.
        fs::remove_file_if_exists(&self.layout.registration(object.digest()))?;
        self.discard(&path)?;
        fs::rename(dir.path(), &path)?;
        dir.keep();
        interrupt::point("object.renamed");
        let register = || -> Result<()> {
            seal::seal_root(&path)?;
            fs::sync_dir(&self.layout.objects())?;
            let (name, stamp) = (object.clone(), Stamp::of_tree(&path)?);
            Registration::new(name, tree, nar_size, references, origin, stamp).store(&self.layout)
        };
        if let Err(e) = register() {
            // On a full disk a tree that is no object must not take what is left.
            let _ = fs::remove_file_if_exists(&self.layout.registration(object.digest()));
            let _ = self.discard(&path);
            return Err(e);
        }
        interrupt::point("object.registered");
        Ok(ObjectPath { name: object, path, tree })
    }

    /// Takes a tree that is not registered out of the way and removes it.
    pub(super) fn discard(&self, path: &Path) -> Result<(), fs::Error> {
        match self.set_aside(path)? {
            Some(aside) => fs::remove_tree(&aside),
            None => Ok(()),
        }
    }

    /// Moves a tree that is not registered into `tmp`, in one step; `None` when there is nothing.
    /// Where it cannot be moved (a full disk) it stays where it is, to be removed there.
    pub(super) fn set_aside(&self, path: &Path) -> Result<Option<std::path::PathBuf>, fs::Error> {
        let Some(meta) = fs::lstat_if_exists(path)? else { return Ok(None) };
        if meta.is_dir() {
            // Moving a directory writes its `..`.
            fs::chmod(path, 0o755)?;
        }
        let aside = self.layout.temp_path("gone");
        Ok(Some(match fs::rename(path, &aside) {
            Ok(()) => aside,
            Err(_) => path.to_owned(),
        }))
    }
}

fn same_tree(expected: &TreeHash, actual: &TreeHash, shown: &str, from: &str) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    let (shown, from) = (shown.to_owned(), from.to_owned());
    Err(Error::TreeMismatch { shown, from, expected: *expected, actual: *actual })
}

fn named_by(
    expected: &ObjectName,
    tree: &TreeHash,
    references: &BTreeSet<ObjectName>,
    shown: &str,
) -> Result<()> {
    let actual = ObjectName::for_tree(tree, references, expected.name());
    let actual = actual.map_err(Error::InvalidName)?;
    if *expected == actual {
        return Ok(());
    }
    Err(Error::NameMismatch { shown: shown.to_owned(), expected: expected.clone(), actual })
}
