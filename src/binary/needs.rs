//! What executables expect of the host.

use serde::{Deserialize, Serialize};

/// What a dep's executables expect of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// `glibc` or `musl`, for Linux executables that are linked dynamically.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<String>,
    /// Lowest version of that libc whose symbols it uses, e.g. `2.17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc_version: Option<String>,
    /// The ELF interpreter, e.g. `/lib64/ld-linux-x86-64.so.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Libraries looked up on the host, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// Programs that its scripts start in, as their first lines name them, sorted:
    /// `/usr/bin/env node`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
}
