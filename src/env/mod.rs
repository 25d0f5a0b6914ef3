//! Environments: a profile resolved against the lock, as a store object.

pub mod manifest;
