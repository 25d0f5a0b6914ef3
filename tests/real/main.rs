//! The same commands against the real registries, real services and real Nix.

#[path = "../it/support/mod.rs"]
mod support;

mod conformance;
mod stack;
