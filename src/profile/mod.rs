//! `profiles/*.toml`: what a project wants.
//!
//! Owns reading, `extends`, checking and `${…}`. Refuses unknown keys and names, with file, line
//! and the nearest right name. Invariant: a [`model::Profile`] that exists is consistent.

pub mod model;
pub mod template;
