//! Integration tests: the built binary in a temporary project and store.

#[allow(dead_code, reason = "each test uses a part of it")]
mod upstream;
