//! The same commands against the real registries, real services and real Nix.
//!
//! What is fetched comes through whatever pip and npm are configured to use on this machine; no
//! host is named here. Every test has a project of its own; all share one store, filled once.

#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the house and look at it with the standard library"
)]
#![allow(unreachable_pub, missing_docs, reason = "nothing here is a library")]

#[path = "../it/support/mod.rs"]
mod support;
#[allow(dead_code, unused_imports, reason = "the test of every source uses a part of it")]
#[path = "../it/upstream/mod.rs"]
mod upstream;

mod closure;
mod http;
mod images;
mod nats;
mod nix;
mod processes;
mod python;
mod running;
mod trees;
mod world;

mod cache;
mod commands;
mod conformance;
mod crates;
mod everything;
mod failures;
mod go;
mod go_commands;
mod hub;
mod metrics;
mod registries;
mod s3;
#[cfg(target_os = "linux")]
mod sandbox;
mod sbom;
mod stack;
#[cfg(feature = "provenance")]
mod vectors;
