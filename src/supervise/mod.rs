//! The supervised run of a stack.

pub mod backoff;
mod contain;
mod error;
pub mod fleet;
pub mod guardian;
mod lease;
pub mod logs;
pub mod order;
mod ports;
mod process;
mod procfs;
mod reap;
pub mod spec;
pub mod state;
pub mod status;

pub use error::Error;
