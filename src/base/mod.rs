//! The domain's words, and no I/O: hashes, names, versions, platforms, progress and problems.
//!
//! Owns the newtypes that every other room speaks in. Each parses once, at the border, and cannot
//! hold a value that breaks its rule; nothing here reads a file, the environment or the clock.

mod debian;
pub mod digest;
pub mod hash;
pub mod interrupt;
pub mod name;
pub mod nix32;
pub mod object_name;
pub mod platform;
pub mod problem;
mod proof;
pub mod rel_path;
pub mod report;
pub mod secret;
mod size;
pub mod source_ref;
pub mod suggest;
pub mod vars;
pub mod version;

pub use digest::Digest;
pub use hash::{Algorithm, Hasher, Integrity, TreeHash};
pub use name::{CommandName, DepName, EnvName, ServiceName};
pub use object_name::ObjectName;
pub use platform::{Arch, Libc, Os, Platform};
pub use problem::{Diagnose, Excerpt, Hint, Kind, Problem, chain};
pub use proof::{Proof, UnknownProof};
pub use rel_path::RelPath;
pub use report::{Quiet, Reporter, Task};
pub use secret::Secret;
pub use size::bytes;
pub use source_ref::{SourceKind, SourceRef};
pub use version::{Version, VersionReq};
