//! From lock to store, and from profiles to lock.
//!
//! [`plan()`] says, as data, what is missing on this machine; [`execute()`] fetches, verifies and
//! adds it. [`resolve()`] answers requirements with pins for every platform: it chooses versions
//! ([`resolve`](mod@resolve)), keeps rows that still hold ([`reuse`]), fetches the rest
//! ([`artifact`]) or builds it (`built`), chooses commands ([`commands`]) and reads executables ([`pin`]). Knows no
//! registry, no archive format and no terminal. Invariant: nothing enters the store whose bytes
//! did not match the lock, and nothing enters the lock whose executables contradict their row.

mod age;
pub mod artifact;
mod attest;
mod built;
pub mod commands;
pub mod context;
mod diagnose;
pub mod error;
pub mod execute;
pub mod listing;
pub mod needs;
pub mod pin;
pub mod plan;
mod relook;
pub mod resolve;
pub mod reuse;
mod rows;
mod tour;

pub use age::choose_version;
pub use attest::{Again, verify_again};
pub use context::{Accept, Context, Fetch, FetchError, Rules};
pub use error::{Error, Result};
pub use execute::{execute, objects};
pub use plan::{Plan, Presence, Step, plan};
pub use resolve::{Mode, resolve};

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod wire_tests;
