//! Interrupted anywhere: killed at named points and at random moments, out of space, offline, and many at
//! once. Whatever happened, the store, the lock and the environments are whole, and the same
//! command finishes the work.

pub(crate) mod fixture;
pub(crate) mod kills;
pub(crate) mod many;
mod moments;
pub(crate) mod points;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod space;
pub(crate) mod survival;
