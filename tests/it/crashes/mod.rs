//! Interrupted anywhere: killed at named points and at random, out of space, offline, and many at
//! once. Whatever happened, the store, the lock and the environments are whole, and the same
//! command finishes the work.

pub(crate) mod fixture;
mod kills;
pub(crate) mod many;
mod points;
mod space;
