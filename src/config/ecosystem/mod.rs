//! How an ecosystem is configured on this machine: its base URL and who may be trusted.
//!
//! Order: `[source.NAME] url` of a profile, the ecosystem's variables, its files, what its
//! installed client reports as default; else an error that names the variable to set. No host name
//! of a registry is written here.

use std::path::{Path, PathBuf};

use url::Url;

use super::{Environ, Error, Setting};
use crate::base::{Secret, SourceKind};

/// One ecosystem's configuration.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Base URL, without credentials.
    pub base: Setting<Url>,
    /// `Authorization` header for requests below the base.
    pub authorization: Option<Secret>,
    /// Additional root certificates (PEM).
    pub ca: Option<PathBuf>,
}

/// Finds an ecosystem's endpoint. `override_url` is the profile's `[source.NAME] url`; `cache`
/// remembers what clients reported; `scope` is npm's (`@types`), whose registry may differ.
pub fn endpoint(
    kind: SourceKind,
    override_url: Option<&str>,
    scope: Option<&str>,
    environ: &Environ,
    project: &Path,
    cache: Option<&Path>,
) -> Result<Endpoint, Error> {
    let _ = (kind, override_url, scope, environ, project, cache);
    todo!()
}
