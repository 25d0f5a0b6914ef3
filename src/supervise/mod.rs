//! The supervised run of a stack.

pub mod backoff;
pub mod fleet;
pub mod order;
pub mod spec;
pub mod state;
pub mod status;
