//! What the roots reach.
//!
//! Refuses to go on at a reachable object whose registration cannot be read: its references are
//! unknown. Invariant: an object that is not in the result is named by no root, directly or
//! through references.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::registration::{self, Registration};
use super::{Error, Result, Root, Store, fs, parallel};
use crate::base::{Digest, ObjectName};

/// Registrations that one core reads in a row.
const SHARE: usize = 128;

/// Every registration in the store.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) good: BTreeMap<Digest, Registration>,
    pub(super) bad: BTreeMap<Digest, Error>,
}

impl Store {
    /// Reads every registration, on every core.
    pub(super) fn known(&self) -> Result<Known> {
        let Some(dir) = fs::Dir::open_if_exists(&self.layout.meta())? else {
            return Ok(Known::default());
        };
        let names = dir.entries()?;
        let digests: Vec<_> = names.iter().filter_map(|(n, _)| registration::digest_of(n)).collect();
        let known = Mutex::new(Known::default());
        // By the hundred: each is small, and taking the lock for each would make them wait.
        let shares: Vec<_> = digests.chunks(SHARE).collect();
        parallel::each(&shares, |digests| {
            let (mut share, mut buffer) = (Known::default(), Vec::new());
            for digest in digests.iter().copied() {
                match Registration::load_from(&dir, digest, &mut buffer) {
                    Ok(Some(registration)) => drop(share.good.insert(digest, registration)),
                    Ok(None) => {}
                    Err(e @ Error::BadRegistration { .. }) => drop(share.bad.insert(digest, e)),
                    Err(e) => return Err(e),
                }
            }
            let mut known = known.lock().unwrap_or_else(|e| e.into_inner());
            known.good.append(&mut share.good);
            known.bad.append(&mut share.bad);
            Ok(())
        })?;
        Ok(known.into_inner().unwrap_or_else(|e| e.into_inner()))
    }
}

/// The digests that `roots` reach. Takes the error of a bad registration it meets.
pub(super) fn reachable(known: &mut Known, roots: &[Root]) -> Result<BTreeSet<Digest>> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<&ObjectName> = roots.iter().flat_map(|root| &root.objects).collect();
    while let Some(object) = ahead.pop() {
        let digest = object.digest();
        if let Some(error) = known.bad.remove(&digest) {
            return Err(error);
        }
        if reached.insert(digest)
            && let Some(registration) = known.good.get(&digest)
        {
            ahead.extend(&registration.references);
        }
    }
    Ok(reached)
}
