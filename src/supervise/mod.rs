//! The supervised run of a stack.

pub mod spec;
