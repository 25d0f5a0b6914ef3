//! Environments: a profile resolved against the lock, as a store object.
//!
//! ```text
//! Profile + Lock ──resolve──▶ Manifest + pins ──build──▶ store object ──generations──▶ NAME → NAME@N
//!                                                             │
//!                     values (this host) ──activate──▶ print · enter        program (exec, run)
//! ```
//!
//! Owns `env.json`, `<project>/.infra/` and `<data>/ports.json`. Starts no process and asks no
//! network. Invariant: nothing of the host reaches the store object, so equal profiles and locks
//! give equal digests; everything of the host is added by [`values`].
//!
//! The warm path (`env print` with nothing to do) is [`Generations::fresh`],
//! [`Generation::manifest`], [`ports::assign`] and
//! [`activate::render`]: a dozen small reads.

pub mod activate;
pub mod build;
mod declare;
pub mod diff;
pub mod enter;
pub mod error;
pub mod generations;
pub mod inputs;
pub mod manifest;
pub mod ports;
pub mod program;
mod remedy;
pub mod replicas;
pub mod resolve;
pub mod service;
pub mod shell;
pub mod sidecar;
pub mod switch;
pub mod values;

pub use activate::Activation;
pub use error::{Error, Result};
pub use generations::{Generation, Generations};
pub use inputs::Inputs;
pub use manifest::Manifest;
pub use resolve::{Resolved, resolve};
pub use service::ServiceValues;
pub use switch::{Change, Switched};
pub use values::{Place, Values};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
