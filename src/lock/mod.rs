//! `dep.lock.json`: exactly what every platform gets.
//!
//! Owns the file at the project's root: its form ([`v1`]), reading it ([`read`]), writing it
//! ([`write`]), saying why it no longer fits the profiles ([`freshness`]), what changed between two
//! of them ([`diff`]), who vouches for what ([`proofs`]), putting two together ([`merge`](mod@merge)) and the key that a CI cache
//! needs ([`key`]). Refuses a file it cannot trust as a whole: unknown fields, names listed twice,
//! conflict markers, object names that do not follow from their tree. Invariant: the same [`Lock`]
//! is always the same bytes.

pub mod diff;
pub mod error;
pub mod freshness;
pub mod key;
pub mod markers;
pub mod merge;
pub mod model;
pub mod object;
pub mod policy;
pub mod proofs;
pub mod read;
pub mod requirements;
pub mod v1;
pub mod write;

pub use diff::{Change, diff};
pub use error::{Error, Result};
pub use freshness::{StaleReason, stale};
pub use key::cache_key;
pub use merge::{Entries, Merged, merge};
pub use model::{Artifact, Lock, LockedDep, Pin, Proof, Row};
pub use object::{object_name, object_suffix};
pub use policy::{Violation, forbidden, required, violations};
pub use proofs::{Shift, regressions};
pub use read::{parse, read, read_if_exists};
pub use requirements::Requirements;
pub use write::{to_bytes, write};

/// The file's name, at the project's root.
pub const FILE: &str = "dep.lock.json";

#[cfg(test)]
pub(crate) mod fixture;
