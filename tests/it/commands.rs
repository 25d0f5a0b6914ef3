//! Every command as a user has it: what it prints, what it leaves behind, how it ends.
//!
//! Against the fake upstream, with one dep of each source (`world`).

mod api;
mod control;
mod dep;
mod env_file;
mod environments;
mod help;
mod host;
mod init;
mod lock;
mod screen;
mod shells;
pub(crate) mod stack;
mod store;
