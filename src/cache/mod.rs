//! Binary caches in Nix's form: objects that somebody else has unpacked or built already.
//!
//! ```text
//! nix-cache-info                 whose paths it holds
//! <digest>.narinfo               what it says of an object: archive, hashes, references, signatures
//! nar/<hash of the file>.nar.zst the object's archive
//! ```
//!
//! Theory of operation. A cache is a directory, a web server or a bucket behind [`Backend`]; what
//! it says is read as [`NarInfo`] and believed only as far as it is proven: against the lock's tree
//! hash ([`Substitutes`]), or a signature of a known key ([`pull`](mod@pull)). Pushing writes an
//! archive before the narinfo that names it, and an object after those it refers to, so that a
//! reader never meets half of one. [`serve`](mod@serve) is the other side.
//!
//! Refuses to register anything whose bytes do not prove it. Invariant: whatever a cache does, the
//! store holds what the lock (or the signer) says, or nothing.

mod backend;
mod cached;
mod compression;
mod directory;
mod error;
mod gc;
mod info;
mod location;
mod narinfo;
mod parts;
pub mod pull;
pub mod push;
mod s3;
pub mod serve;
mod sign;
mod signing;
mod substitutes;
mod verify;
mod web;

pub use backend::{Backend, Entry};
pub use cached::Cache;
pub use compression::Compression;
pub use error::{Error, Result};
pub use gc::{GcPlan, gc};
pub use info::CacheInfo;
pub use location::{Access, Location};
pub use narinfo::{Invalid, NarInfo, STORE_DIR};
pub use pull::{Pulled, pull};
pub use push::{Pushed, push};
pub use s3::Bucket;
pub use sign::{Signed, sign};
pub use signing::{InvalidKey, Keyring, PublicKey, SecretKey, Signature};
pub use substitutes::Substitutes;
pub use verify::{Flaw, Verified, verify};

/// Runs blocking work on its own thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::Worker(source)),
    }
}
