//! What servers do wrong, and what the built binary makes of it.
//!
//! [`table`] is the matrix: every fault, on index and file, for `dep lock` and `dep sync`, over
//! every source. [`mirrors`] has several places for one source, [`tls`] certificates, proxies and
//! redirects, [`secrets`] what must never be written anywhere. Invariants of all: a command that
//! fails leaves lock and store as they were, and the same command succeeds when the server is well
//! again.

mod mirrors;
mod offline;
mod secrets;
mod stage;
mod table;
mod tls;
