//! Talking to a running supervisor: HTTP and JSON over a Unix socket.
//!
//! Owns `<data>/run/control.sock` ([`server`]), the table of routes ([`routes`]), the blocking
//! client ([`client`]) that every command uses, and the optional listeners on loopback ([`tcp`]).
//! `docs/technical/openapi.json` describes the same interface; a test makes it from the table and
//! the types, and compares. Refuses other users on the socket (mode 0600 in a directory of mode
//! 0700, and the peer's user is checked), and on loopback every change without a token, every
//! foreign `Host` and every foreign `Origin`. Invariant: whatever a client does, the event loop and
//! the services go on.

mod answer;
mod body;
mod client;
#[cfg(test)]
mod openapi;
mod query;
mod routes;
pub(super) mod server;
mod socket;
mod streams;
pub(super) mod tcp;
mod types;

pub use self::client::{Client, Events, Records};
pub use self::types::{Accepted, Asking, PlanRequest, Refusal, UpgradeRequest, Version};

/// The description of this interface, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../../docs/technical/openapi.json");
