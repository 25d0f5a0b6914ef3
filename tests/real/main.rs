//! The same commands against the real registries, real services and real Nix.
//!
//! What is fetched comes through whatever pip and npm are configured to use on this machine; no
//! host is named here. Every test has a project of its own; all share one store, filled once.

#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the machine from outside, not through the house's owners"
)]
#![allow(unreachable_pub, reason = "a test binary has no callers")]

#[path = "../it/support/mod.rs"]
mod support;

mod http;
mod nats;
mod nix;
mod processes;
mod running;
mod trees;
mod world;

mod commands;
mod conformance;
mod failures;
mod registries;
mod stack;
