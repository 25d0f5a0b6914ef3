//! Integration tests: the built binary in a temporary project and store, a module per command.
//!
//! Hermetic: nothing but loopback, served by `upstream`. The same commands against the real
//! registries and real services are in `tests/real/`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the house and look at it with the standard library"
)]
#![allow(clippy::print_stderr, reason = "a test that passes something over says so")]
#![allow(unreachable_pub, missing_docs, reason = "nothing here is a library")]

mod support;
#[allow(dead_code, reason = "each test uses a part of it")]
mod upstream;
#[path = "upstream/trials/mod.rs"]
mod upstream_trials;

mod action;
mod aqua;
mod bad_input;
mod cache;
#[cfg(target_os = "linux")]
mod chaos;
mod commands;
#[cfg(target_os = "linux")]
mod container;
mod crashes;
mod crates;
#[cfg(feature = "deb")]
mod deb;
mod exchange;
mod faults;
mod github;
mod go;
mod hostile;
mod importers;
mod integrity;
mod knowing;
mod lock_truth;
mod logs;
mod machine;
mod merge;
mod npm;
mod oci;
#[cfg(feature = "provenance")]
mod provenance;
mod sameness;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(target_os = "linux")]
mod upgrade;
#[allow(dead_code, reason = "each test uses a part of it")]
mod world;
