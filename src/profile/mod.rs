//! `profiles/*.toml`: what a project wants.
//!
//! Owns reading, `extends`, checking, `${…}`, editing and the set to start from. Refuses unknown
//! keys and names, with file, line and the nearest right name. Invariant: a [`model::Profile`] that
//! exists is consistent.
//!
//! ```text
//! text ──read──▶ Layer ──layer: extends──▶ Layer ──check, ports──▶ Profile
//!       node: places and types              values with their places
//! ```

mod check;
mod circles;
pub mod confine;
mod duration;
pub mod edit;
pub mod error;
pub mod flaw;
mod layer;
mod locate;
pub mod model;
mod node;
mod policy;
mod ports;
mod profiles;
mod read;
mod read_cache;
mod read_confine;
mod read_dep;
mod read_logs;
mod read_policy;
mod read_run;
mod read_service;
mod read_source;
mod schedule;
mod service_rules;
pub mod spot;
pub mod starter;
pub mod template;

#[cfg(test)]
mod flaws;
#[cfg(test)]
mod reads;

pub use check::DEFAULT_PLATFORMS;
pub use duration::parse as duration;
pub use error::{Error, Result};
pub use flaw::Flaw;
pub use profiles::{DIRECTORY, Profiles, Union, locate, source_files};
pub use starter::init_files;
