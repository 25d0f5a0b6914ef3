//! What the roots reach.
//!
//! Refuses to go on at a reachable object whose registration cannot be read: its references are
//! unknown. Invariant: an object that is not in the result is named by no root, directly or
//! through references.

use std::collections::{BTreeMap, BTreeSet};

use super::registration::{self, Registration};
use super::{Error, Result, Root, Store};
use crate::base::{Digest, ObjectName};

/// Every registration in the store.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) good: BTreeMap<Digest, Registration>,
    pub(super) bad: BTreeMap<Digest, Error>,
}

impl Store {
    pub(super) fn known(&self) -> Result<Known> {
        let mut known = Known::default();
        for digest in registration::digests(&self.layout.meta())? {
            match Registration::load(&self.layout, digest) {
                Ok(Some(registration)) => drop(known.good.insert(digest, registration)),
                Ok(None) => {}
                Err(e @ Error::BadRegistration { .. }) => drop(known.bad.insert(digest, e)),
                Err(e) => return Err(e),
            }
        }
        Ok(known)
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
