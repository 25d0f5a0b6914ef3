//! What the machine does wrong, and what the built binary makes of it.
//!
//! [`injected`] lets single system calls fail, [`shortened`] does only a part of each, [`taken`]
//! takes permissions away in the middle, [`scale`] counts calls in stores of two sizes,
//! [`filesystems`] takes away inodes, writing and
//! permissions, [`clock`] sets the clock a year off, [`locks`] breaks or holds locks, [`powercut`]
//! throws away what was not synced. Invariants of all: a command that fails says what, where and
//! what to do, store and lock stay valid, and the same command succeeds when the fault is gone.

mod clock;
mod filesystems;
mod injected;
mod leftovers;
mod locks;
mod powercut;
mod scale;
mod shortened;
mod taken;
pub(crate) mod tools;
