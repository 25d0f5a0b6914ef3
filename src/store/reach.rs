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
        let digests: Vec<_> =
            names.iter().filter_map(|(n, _)| registration::digest_of(n)).collect();
        let all = Mutex::new((Vec::with_capacity(digests.len()), Vec::new()));
        // By the hundred: each is small, and taking the lock for each would make them wait.
        let shares: Vec<_> = digests.chunks(SHARE).collect();
        parallel::each(&shares, |digests| {
            let (mut good, mut bad, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
            for digest in digests.iter().copied() {
                match Registration::load_from(&dir, digest, &mut buffer) {
                    Ok(Some(registration)) => good.push((digest, registration)),
                    Ok(None) => {}
                    Err(e @ Error::BadRegistration { .. }) => bad.push((digest, e)),
                    Err(e) => return Err(e),
                }
            }
            let mut all = all.lock().unwrap_or_else(|e| e.into_inner());
            all.0.append(&mut good);
            all.1.append(&mut bad);
            Ok(())
        })?;
        // Made at once: adding share after share to a map would move what is there each time.
        let (good, bad) = all.into_inner().unwrap_or_else(|e| e.into_inner());
        Ok(Known { good: good.into_iter().collect(), bad: bad.into_iter().collect() })
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
