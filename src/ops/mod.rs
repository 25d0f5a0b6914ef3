//! One file per thing a user does, without a face: the command line is one over these, others follow.
//!
//! Owns the order of steps and nothing else; every rule lives in a lower room. Refuses to print.
//! Invariant: an operation that fails leaves what the last complete one left.

pub mod add;
pub mod attach;
pub mod audit;
pub mod bundle;
pub mod cache;
pub mod config;
mod confine;
pub mod context;
pub mod control;
pub mod dep_diff;
pub mod doctor;
pub mod enter;
pub mod env_diff;
pub mod env_list;
pub mod environment;
pub mod error;
pub mod events;
pub mod exec;
pub mod export;
pub mod gc;
mod git;
mod host;
mod host_memory;
mod host_needs;
pub mod import;
pub mod init;
pub mod licenses;
pub mod list;
pub mod lock;
pub mod lock_merge;
pub mod logs;
pub mod merge_driver;
mod mirrors;
pub mod objects;
pub mod outdated;
pub mod plan;
mod policy;
pub mod print;
pub mod provenance;
pub mod purity;
pub mod remove;
pub mod rollback;
pub mod run;
pub mod sbom;
mod secrets;
pub mod select;
pub mod stack;
pub mod sync;
mod tools;
pub mod tree;
pub mod update_major;
pub mod verify;
mod versions;
pub mod watch;
pub mod why;

pub use context::Context;
pub use error::Error;

/// Result of an operation.
pub type Result<T> = std::result::Result<T, crate::base::Problem>;
