//! Why an object stays: the chains of references that lead from roots to it.
//!
//! Reads registrations and roots, writes nothing. Invariant: every chain that is given begins at
//! what a root names and follows references that are registered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Error, Result, Root, Store, reach};
use crate::base::{Digest, ObjectName};

/// A root, and the shortest way from it to the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What keeps it.
    pub root: Root,
    /// From what the root names to the object, both included.
    pub chain: Vec<ObjectName>,
}

impl Store {
    /// The roots that keep an object, each with one shortest chain; empty when the next collection
    /// takes it.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not registered.
    pub fn why(&self, object: &ObjectName) -> Result<Vec<Kept>> {
        let mut known = self.known()?;
        if !known.good.contains_key(&object.digest()) {
            return Err(Error::NoObject { text: object.to_string() });
        }
        let live = self.scan_roots()?.live;
        // As the collector does: what cannot be read makes the answer unknown.
        reach::reachable(&mut known, &live)?;
        let mut found = Vec::new();
        for root in live {
            if let Some(chain) = chain(&known, &root.objects, object.digest()) {
                found.push(Kept { root, chain });
            }
        }
        Ok(found)
    }

    /// The registered object that a name or a digest (or enough of its beginning) means.
    ///
    /// # Errors
    /// [`Error::NoObject`] when there is none, [`Error::Ambiguous`] when there are several.
    pub fn find(&self, text: &str) -> Result<ObjectName> {
        let none = || Error::NoObject { text: text.to_owned() };
        let mut found = self.known()?.good.into_values().map(|r| r.object).filter(|object| {
            let name = object.to_string();
            object.name() == text || (!text.is_empty() && name.starts_with(text))
        });
        let first = found.next().ok_or_else(none)?;
        let others: Vec<_> = found.collect();
        if others.is_empty() {
            return Ok(first);
        }
        let objects = std::iter::once(first).chain(others).collect();
        Err(Error::Ambiguous { text: text.to_owned(), objects })
    }
}

/// Breadth first, so that the chain is a shortest one.
fn chain(known: &reach::Known, from: &BTreeSet<ObjectName>, to: Digest) -> Option<Vec<ObjectName>> {
    let mut before: BTreeMap<Digest, Option<&ObjectName>> = BTreeMap::new();
    let mut ahead: VecDeque<&ObjectName> = VecDeque::new();
    for object in from {
        before.insert(object.digest(), None);
        ahead.push_back(object);
    }
    while let Some(object) = ahead.pop_front() {
        if object.digest() == to {
            let mut chain = vec![object.clone()];
            let mut at = object;
            while let Some(Some(previous)) = before.get(&at.digest()) {
                chain.push((*previous).clone());
                at = previous;
            }
            chain.reverse();
            return Some(chain);
        }
        let Some(registration) = known.good.get(&object.digest()) else { continue };
        for next in &registration.references {
            before.entry(next.digest()).or_insert_with(|| {
                ahead.push_back(next);
                Some(object)
            });
        }
    }
    None
}
