//! `infra`: a project's whole runtime, reproducible.
//!
//! ```text
//! profiles/*.toml ──lock──▶ dep.lock.json ──sync──▶ store ──build──▶ environment ──▶ enter · exec · run
//!    (wishes)               (pins, every platform)   (bits)           (a store object with a digest)
//! ```
//!
//! # Layers
//! A room imports only from rooms with a lower number; `tests/architecture.rs` holds this.
//!
//! | layer | rooms |
//! |---|---|
//! | 0 | [`base`] |
//! | 1 | [`fs`] |
//! | 2 | [`binary`], [`config`], [`http`], [`nar`], [`profile`], [`ui`] |
//! | 3 | [`archive`] |
//! | 4 | [`lock`], [`store`] |
//! | 5 | [`env`], [`exchange`], [`source`] |
//! | 6 | [`supervise`], [`sync`] |
//! | 7 | [`ops`] |
//! | 8 | [`cli`] |

pub mod archive;
pub mod base;
pub mod binary;
pub mod cli;
pub mod config;
pub mod env;
pub mod exchange;
pub mod fs;
pub mod http;
pub mod lock;
pub mod nar;
pub mod ops;
pub mod profile;
pub mod source;
pub mod store;
pub mod supervise;
pub mod sync;
pub mod ui;
