//! Integration tests: the built binary in a temporary project and store, a module per command.
//!
//! Hermetic: nothing but loopback, served by `upstream`. The same commands against the real
//! registries and real services are in `tests/real/`.

mod support;
#[allow(dead_code, reason = "each test uses a part of it")]
mod upstream;

mod bad_input;
mod commands;
mod crashes;
mod integrity;
mod sameness;
#[allow(dead_code, reason = "each test uses a part of it")]
mod world;
