//! Looking objects up, and checking that they are what was registered.
//!
//! Writes nothing but a refreshed stamp, and does without that on a read-only store. Invariant: an
//! [`ObjectPath`] leaves this room only for an object whose registration was read.

use std::time::Duration;

use super::registration::{self, Registration};
use super::stamp::Stamp;
use super::{CheckLevel, Error, ObjectPath, Result, Store, fs, seal};
use crate::base::ObjectName;
use crate::nar;

impl Store {
    /// A registered object, `None` when there is none of that name. One `stat` call and one small
    /// file, no hashing. A registration that cannot be understood counts as none: adding the
    /// object again replaces it.
    pub fn get(&self, object: &ObjectName) -> Result<Option<ObjectPath>> {
        match Registration::load(&self.layout, object.digest()) {
            Ok(Some(found)) if found.object == *object => {
                let path = self.layout.object(object);
                let is_there = fs::lstat_if_exists(&path)?.is_some_and(|meta| meta.is_dir());
                Ok(is_there.then(|| ObjectPath { name: found.object, path, tree: found.tree }))
            }
            Ok(_) | Err(Error::BadRegistration { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Every registration, by digest. An unreadable one is an error in its place.
    pub fn objects(&self) -> Result<impl Iterator<Item = Result<Registration>>> {
        let digests = registration::digests(&self.layout.meta())?;
        // One that goes while we look was collected: it is no object any more.
        Ok(digests.into_iter().filter_map(|d| Registration::load(&self.layout, d).transpose()))
    }

    /// Checks a registered object against its registration.
    ///
    /// # Errors
    /// [`Error::Damaged`] names both tree hashes.
    pub fn check(&self, object: &ObjectPath, level: CheckLevel) -> Result<()> {
        match Registration::load(&self.layout, object.name.digest())? {
            Some(registration) => self.check_registered(&registration, level),
            None => Err(Error::Missing { object: object.name.clone() }),
        }
    }

    pub(super) fn check_registered(&self, known: &Registration, level: CheckLevel) -> Result<()> {
        let path = self.layout.object(&known.object);
        let missing = |e: fs::Error| match fs::exists(&path) {
            Ok(false) => Error::Missing { object: known.object.clone() },
            _ => Error::Fs(e),
        };
        let before = Stamp::of_tree(&path).map_err(missing)?;
        let unchanged = before == known.stamp;
        if unchanged && level == CheckLevel::Quick {
            return Ok(());
        }
        let (actual, _) = nar::hash_path(&path).map_err(missing)?;
        if actual != known.tree {
            let (object, expected) = (known.object.clone(), known.tree);
            return Err(Error::Damaged { object, expected, actual });
        }
        if !unchanged {
            self.refresh(known, &before);
        }
        Ok(())
    }

    /// Seals a tree whose bytes are right again and remembers its new stamp, so that the next
    /// check is quick. Best effort: what could not be refreshed is only hashed again next time.
    fn refresh(&self, known: &Registration, hashed: &Stamp) {
        // Never bring back the registration of what is being collected or replaced.
        let (collector, adder) = (self.layout.gc_lock(), self.layout.object_lock(&known.object));
        let Ok(_pause) = fs::FileLock::shared(&collector, Duration::ZERO, |_| {}) else { return };
        let Ok(Some(_lock)) = fs::FileLock::try_exclusive(&adder, "checking") else { return };
        let registered = Registration::load(&self.layout, known.object.digest());
        if !registered.is_ok_and(|now| now.as_ref() == Some(known)) {
            return;
        }
        let path = self.layout.object(&known.object);
        // What changed since before the hash was not hashed.
        if !Stamp::of_tree(&path).is_ok_and(|now| now == *hashed) {
            return;
        }
        let shown = known.object.to_string();
        let sealed = seal::seal_below(&path, &shown).is_ok() && seal::seal_root(&path).is_ok();
        if let (true, Ok(stamp)) = (sealed, Stamp::of_tree(&path)) {
            let _ = known.with_stamp(stamp).store(&self.layout);
        }
    }
}
