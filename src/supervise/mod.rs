//! The supervised run of a stack.

pub mod backoff;
mod contain;
pub mod control;
pub mod detach;
mod error;
pub mod fleet;
pub mod guardian;
pub mod hand_over;
mod lease;
pub mod logs;
mod manager;
pub mod order;
pub mod ports;
mod probe;
mod process;
mod procfs;
mod reap;
pub mod spec;
pub mod state;
pub mod status;

pub use error::Error;
pub use manager::{Options, Outcome, run, run_blocking};
pub use ports::Holder;
pub use process::StartError;
