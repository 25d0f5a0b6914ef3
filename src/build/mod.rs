//! Building commands from Go modules, the same bytes on every host.
//!
//! Owns what the module system writes down (names and their escaping, `go.mod` directives, `h1:`
//! sums, directories in the layout of a module proxy) and how the toolchain is called: an
//! environment made from nothing, in directories of ours. Refuses to start a program itself: a
//! [`Runner`] does, and it is handed in. Knows no network, no store and no lock. Invariant: a build
//! sees only the toolchain, modules that a caller placed in a [`proxy`], and the variables of
//! [`environment`].
//!
//! References: <https://go.dev/ref/mod>, `cmd/go`'s help on environment variables.

pub mod environment;
pub mod error;
pub mod go;
pub mod gomod;
pub mod names;
pub mod proxy;
pub mod record;
pub mod run;
pub mod sum;

pub use error::{Error, Result};
pub use go::{Flags, Network, Site, Target};
pub use run::{Call, Ended, Runner, StartError};
pub use sum::Line;
