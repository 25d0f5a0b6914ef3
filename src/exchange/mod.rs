//! Formats of other tools: what they wrote is read here, what they read is written here.
//!
//! One file per format, each a pure function between bytes and plain data. Owns no network, no
//! profile and no lock: those who call decide what to do with what was read. Refuses nothing
//! silently: what a format says and we have no place for is handed back with its reason.
//! Invariant: any bytes give a value or an [`Error`], never a panic.
//!
//! | read | written |
//! |---|---|
//! | [`osv`], [`licence`] | [`cyclonedx`], [`spdx`] |
//! | [`import`]: mise, asdf, aqua, devbox, DotSlash, multitool, `dep.json` | [`export`]: DotSlash, multitool, variables |

mod aqua;
mod artifacts;
pub mod bom;
mod cvss;
pub mod cyclonedx;
mod dep_json;
mod devbox;
mod dotslash;
pub mod draft;
pub mod error;
pub mod export;
pub mod import;
mod jsonc;
pub mod licence;
mod licence_names;
mod mise;
mod multitool;
pub mod osv;
pub mod purl;
pub mod spdx;
mod template;
mod tool_versions;

pub use error::{Error, Result};
