//! The same commands against the real registries, real services and real Nix.

#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the house and look at it with the standard library"
)]
#![allow(unreachable_pub, missing_docs, reason = "nothing here is a library")]

#[path = "../it/support/mod.rs"]
mod support;

mod conformance;
mod stack;
