//! Bad input: one clear error, the next step, the right exit code, nothing changed.
//!
//! Each case is a snapshot of what the program says, and a comparison of project and store before
//! and after. Exit codes: 1 the user can act, 2 the command line or a profile is wrong, 3 bytes are
//! not what the lock says.

mod lockfile;
mod names;
mod network;
mod profile;
mod project;
mod settings;
mod store;
