//! Every source, made once for a command.
//!
//! Invariant: making them reads nothing and connects to nothing; an ecosystem that no dep uses is
//! never looked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::access::Access;
use super::forge::Forge;
use super::memo::Memo;
use super::{Source, aqua, crates, deb, github, go, npm, oci, path, pypi, url};
use crate::base::{Quiet, Reporter, SourceKind};
use crate::config::Environ;
use crate::http;
use crate::profile::model::SourceOverride;

/// What the sources need to know of this machine and project.
pub struct Setup {
    /// The client that every request goes through.
    pub client: http::Client,
    /// The process environment, for the ecosystems' own variables.
    pub environ: Environ,
    /// The project's directory, absolute.
    pub project: PathBuf,
    /// `[source.*]` of the profiles.
    pub overrides: BTreeMap<SourceKind, SourceOverride>,
    /// The file that remembers what installed clients answered.
    pub cache: Option<PathBuf>,
}

/// All sources. Each index document is fetched at most once in their life.
pub struct Sources {
    pypi: pypi::Pypi,
    npm: npm::Npm,
    github: github::Github,
    aqua: aqua::Aqua,
    deb: deb::Deb,
    go: go::Go,
    crates: crates::Crates,
    oci: oci::Oci,
    url: url::UrlSource,
    path: path::PathSource,
}

impl Sources {
    /// Makes them; endpoints are found when they are first needed.
    pub fn new(setup: Setup) -> Self {
        Self::reporting(setup, Arc::new(Quiet))
    }

    /// Like [`Self::new`]; a place that is passed over is warned of.
    pub fn reporting(setup: Setup, reporter: Arc<dyn Reporter>) -> Self {
        let Setup { client, environ, project, overrides, cache } = setup;
        let path = path::PathSource::new(project.clone());
        let (endpoints, warned) = (Memo::new(), Mutex::default());
        let access = Arc::new(Access {
            client,
            environ,
            project,
            overrides,
            cache,
            endpoints,
            reporter,
            warned,
        });
        let forge = Arc::new(Forge::new(Arc::clone(&access)));
        Self {
            pypi: pypi::Pypi::new(Arc::clone(&access)),
            npm: npm::Npm::new(Arc::clone(&access)),
            github: github::Github::new(Arc::clone(&access), Arc::clone(&forge)),
            aqua: aqua::Aqua::new(Arc::clone(&access), Arc::clone(&forge)),
            deb: deb::Deb::new(Arc::clone(&access)),
            go: go::Go::new(Arc::clone(&access)),
            crates: crates::Crates::new(Arc::clone(&access), forge),
            oci: oci::Oci::new(Arc::clone(&access)),
            url: url::UrlSource::new(access),
            path,
        }
    }

    /// The source of a kind.
    pub fn get(&self, kind: SourceKind) -> &dyn Source {
        match kind {
            SourceKind::Pypi => &self.pypi,
            SourceKind::Npm => &self.npm,
            SourceKind::Github => &self.github,
            SourceKind::Aqua => &self.aqua,
            SourceKind::Deb => &self.deb,
            SourceKind::Go => &self.go,
            SourceKind::Crate => &self.crates,
            SourceKind::Oci => &self.oci,
            SourceKind::Url => &self.url,
            SourceKind::Path => &self.path,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::profile::model::Requirement;

    /// A requirement of nothing but source and version.
    pub(in crate::source) fn requirement(from: &str, version: &str) -> Requirement {
        Requirement::new(from.parse().expect("source"), version.parse().expect("requirement"))
    }
}
