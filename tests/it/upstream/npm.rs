//! A package registry on the fake upstream, with abbreviated and full documents.
//!
//! Everything lies below `/npm/`. As on real registries, the abbreviated document leaves `libc`
//! out.

use std::collections::BTreeMap;

use infra::base::{Algorithm, Hasher};
use serde_json::{Map, Value, json};

use super::server::FakeUpstream;

/// Documents' versions by package.
pub(super) type Packages = BTreeMap<String, Map<String, Value>>;

/// One version of a package to publish.
#[derive(Clone, Debug)]
pub(crate) struct NpmPackage {
    name: String,
    version: String,
    manifest: Value,
    tarball: Vec<u8>,
    host: Option<String>,
    dist: Vec<(String, Value)>,
}

impl NpmPackage {
    /// A version with its tarball.
    pub(crate) fn new(name: &str, version: &str, tarball: Vec<u8>) -> Self {
        let manifest = json!({"name": name, "version": version});
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, manifest, tarball, host: None, dist: Vec::new() }
    }

    /// Sets a key of its manifest, e.g. `bin`.
    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        self.manifest[key] = value;
        self
    }

    /// Makes it a platform package; `libc` may be empty.
    pub(crate) fn on(self, os: &str, cpu: &str, libc: &str) -> Self {
        let package = self.set("os", json!([os])).set("cpu", json!([cpu]));
        if libc.is_empty() { package } else { package.set("libc", json!([libc])) }
    }

    /// Names exact versions of optional dependencies.
    pub(crate) fn optional(self, packages: &[(&str, &str)]) -> Self {
        let map: Map<_, _> =
            packages.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        self.set("optionalDependencies", Value::Object(map))
    }

    /// Sets a key of its `dist`, e.g. `signatures`.
    pub(crate) fn dist(mut self, key: &str, value: Value) -> Self {
        self.dist.push((key.to_owned(), value));
        self
    }

    /// Lets the document name another base for the tarball than the one that serves it, as mirrors
    /// do that pass documents on.
    pub(crate) fn tarball_at(mut self, base: &str) -> Self {
        self.host = Some(base.trim_end_matches('/').to_owned());
        self
    }
}

impl FakeUpstream {
    /// Base URL of the registry.
    pub(crate) fn npm_url(&self) -> String {
        self.url("/npm/")
    }

    /// Path of a package's document, for faults and counting.
    pub(crate) fn npm_document(name: &str) -> String {
        format!("/npm/{name}")
    }

    /// Path of a tarball, for faults and counting.
    pub(crate) fn npm_tarball(name: &str, version: &str) -> String {
        format!("/npm/{}", file(name, version))
    }

    /// Publishes a version.
    pub(crate) fn npm(&self, package: NpmPackage) -> &Self {
        let NpmPackage { name, version, mut manifest, tarball, host, dist } = package;
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(&tarball);
        let base = host.unwrap_or_else(|| self.url("/npm"));
        if manifest.get("dist").is_none() {
            manifest["dist"] = json!({
                "tarball": format!("{base}/{}", file(&name, &version)),
                "integrity": hasher.finish().to_string(),
                "shasum": "0".repeat(40),
            });
        }
        for (key, value) in dist {
            manifest["dist"][key] = value;
        }
        self.file(&Self::npm_tarball(&name, &version), tarball);
        let mut state = self.shared.state();
        let versions = state.npm.entry(name.clone()).or_default();
        versions.insert(version, manifest);
        let full = document(&name, versions);
        let mut short = versions.clone();
        for manifest in short.values_mut().filter_map(Value::as_object_mut) {
            manifest.remove("libc");
        }
        let short = document(&name, &short);
        drop(state);
        let kinds = [("application/vnd.npm.install-v1+json", short), ("application/json", full)];
        self.route(&Self::npm_document(&name), kinds.into());
        self
    }
}

fn file(name: &str, version: &str) -> String {
    let bare = name.rsplit('/').next().unwrap_or(name);
    format!("{name}/-/{bare}-{version}.tgz")
}

fn document(name: &str, versions: &Map<String, Value>) -> Vec<u8> {
    // Every version is as old as this.
    let time: Map<_, _> =
        versions.keys().map(|v| (v.clone(), json!("2024-05-01T10:00:00.000Z"))).collect();
    json!({"name": name, "versions": versions, "time": time}).to_string().into_bytes()
}
