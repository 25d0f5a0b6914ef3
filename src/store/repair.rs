//! Repair: taking what is damaged out of the way, so that an ordinary sync brings it back.
//!
//! Refuses to remove an object that a full check finds right. Fetches nothing itself. Invariant:
//! what was removed does not exist any more for [`Store::get`], and so cannot be used half.

use std::path::PathBuf;

use super::registration::Registration;
use super::{CheckLevel, Damage, Error, Origin, Result, Store, VerifyReport, fs};
use crate::base::{Digest, Integrity, ObjectName, Quiet};

/// What a repair removed, and what brings it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Objects that are not there any more and must be added again.
    pub refetch: Vec<Refetch>,
    /// Artifacts that were removed.
    pub artifacts: Vec<PathBuf>,
    /// Damaged registrations that were removed; their names are not known.
    pub registrations: Vec<Digest>,
}

/// An object that must be added again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refetch {
    /// Its name.
    pub object: ObjectName,
    /// Where it came from.
    pub origin: Origin,
    /// Whether its artifact is cached and good, so that nothing has to be fetched.
    pub cached: bool,
}

impl Store {
    /// Removes everything that `report` lists as damaged and still is.
    pub fn repair(&self, report: &VerifyReport) -> Result<RepairReport> {
        let mut done = RepairReport::default();
        for damage in &report.damaged {
            if let Damage::Artifact { integrity, path, .. } = damage
                && self.remove_damaged_artifact(integrity, path)?
            {
                done.artifacts.push(path.clone());
            }
        }
        for damage in &report.damaged {
            match damage {
                Damage::Artifact { .. } => {}
                Damage::Registration { digest, .. } => {
                    if self.remove_bad_registration(*digest)? {
                        done.registrations.push(*digest);
                    }
                }
                Damage::Changed { registration, .. }
                | Damage::Missing { registration }
                | Damage::Unreadable { registration, .. } => {
                    if self.remove_damaged(&registration.object)? {
                        let origin = registration.origin.clone();
                        let cached = self.is_cached(&origin);
                        let object = registration.object.clone();
                        done.refetch.push(Refetch { object, origin, cached });
                    }
                }
            }
        }
        Ok(done)
    }

    /// Unregisters a damaged object and moves its files away; `false`, and nothing is done, when
    /// a full check finds it right or it is not registered.
    pub fn remove_damaged(&self, object: &ObjectName) -> Result<bool> {
        let _pause = self.pause_gc(&Quiet)?;
        let _lock = self.lock_object(object, &Quiet)?;
        let Some(known) = Registration::load(&self.layout, object.digest())? else {
            return Ok(false);
        };
        if self.check_registered(&known, CheckLevel::Full).is_ok() {
            return Ok(false);
        }
        fs::remove_file_if_exists(&self.layout.registration(object.digest()))?;
        fs::sync_dir(&self.layout.meta())?;
        self.discard(&self.layout.object(object))?;
        Ok(true)
    }

    fn remove_bad_registration(&self, digest: Digest) -> Result<bool> {
        let _pause = self.pause_gc(&Quiet)?;
        // The name is unknown, but the lock only needs the digest.
        let path = self.layout.locks().join(digest.to_string());
        let _lock =
            fs::FileLock::exclusive(&path, "infra store repair", self.lock_timeout, |_| {})?;
        match Registration::load(&self.layout, digest) {
            Err(Error::BadRegistration { path, .. }) => {
                fs::remove_file_if_exists(&path)?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn remove_damaged_artifact(
        &self,
        integrity: &Integrity,
        path: &std::path::Path,
    ) -> Result<bool> {
        let shown = "the artifact being repaired";
        let _lock = self.artifacts.lock(integrity, shown, &Quiet)?;
        match fs::hash_file(path, integrity.algorithm()) {
            Ok((actual, _)) if actual == *integrity => Ok(false),
            Err(e) if e.is_not_found() => Ok(false),
            _ => fs::remove_tree(path).map(|()| true).map_err(Error::Fs),
        }
    }

    fn is_cached(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Artifact { integrity, shown } => {
                matches!(self.artifacts.get(integrity, shown), Ok(Some(_)))
            }
            Origin::Directory { .. } | Origin::Substituted { .. } | Origin::Built => false,
        }
    }
}
