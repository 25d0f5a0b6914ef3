//! What the machine does wrong, and what the built binary makes of it.
//!
//! [`injected`] lets single system calls fail, [`filesystems`] takes away inodes, writing and
//! permissions, [`clock`] sets the clock a year off, [`locks`] breaks or holds locks, [`powercut`]
//! throws away what was not synced. Invariants of all: a command that fails says what, where and
//! what to do, store and lock stay valid, and the same command succeeds when the fault is gone.

mod clock;
mod filesystems;
mod injected;
mod leftovers;
mod locks;
mod powercut;
pub(crate) mod tools;
