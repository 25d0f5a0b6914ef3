//! Who signed a tarball: the registry, over name, version and hash; and the builder, in a
//! provenance statement.
//!
//! Both are asked of the registry that serves the package. Mirrors that pass documents on often
//! have neither keys nor statements: then there is no proof, and none is claimed.

use super::Npm;
use super::file::package;
use super::packument::Manifest;
use crate::config::ecosystem::Endpoint;
use crate::provenance::{self, Evidence, NpmKey};
use crate::source::{Asked, Query, Result, access, signed};

/// Where statements lie below a registry.
const STATEMENTS: &str = "/-/npm/v1/attestations/";
/// Where keys lie below a registry.
const KEYS: &str = "-/npm/v1/keys";

impl Npm {
    /// All there is about a locked tarball.
    pub(super) async fn signed(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, file, .. } = *asked;
        let Some(package) = package(file) else { return Ok(Vec::new()) };
        let short = self.packument(query, package, false).await?;
        let Some(mut manifest) = short.iter().find_map(|found| found.packument.manifest_of(file))
        else {
            return Ok(Vec::new());
        };
        if manifest.dist.signatures.is_empty() && manifest.dist.attestations.is_none() {
            // Some registries leave both out of abbreviated documents.
            let version = manifest.version.clone();
            if let Some(full) = self.manifest(query, package, &version, true).await? {
                manifest = full;
            }
        }
        let mut found = self.signatures(query, &manifest).await?;
        found.extend(self.statements(query, &manifest).await?);
        Ok(found)
    }

    async fn signatures(&self, query: &Query<'_>, manifest: &Manifest) -> Result<Vec<Evidence>> {
        let (Some(integrity), false) =
            (&manifest.dist.integrity, manifest.dist.signatures.is_empty())
        else {
            return Ok(Vec::new());
        };
        let keys = self.keys(query, &manifest.name).await?;
        let Some(keys) = keys.as_ref() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for signature in &manifest.dist.signatures {
            // A key that is not published is for the verification to refuse.
            let key = keys.iter().find(|key| key.keyid == signature.keyid).cloned();
            let key = key.unwrap_or_else(|| NpmKey {
                keyid: signature.keyid.clone(),
                key: String::new(),
                expires: None,
            });
            let published = match key.expires {
                Some(_) => {
                    let full = self.packument(query, &manifest.name, true).await?;
                    let published =
                        full.iter().find_map(|f| f.packument.published(&manifest.version));
                    published.map(str::to_owned)
                }
                None => None,
            };
            out.push(Evidence::NpmSignature {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                integrity: integrity.clone(),
                signature: signature.sig.clone(),
                key,
                published,
            });
        }
        Ok(out)
    }

    /// The registry that serves a package.
    async fn serving(&self, query: &Query<'_>, package: &str) -> Result<Endpoint> {
        let found = self.packument(query, package, false).await?;
        match found.as_ref() {
            Some(found) => Ok(found.endpoint.clone()),
            None => {
                let scope = package.split_once('/').map(|(scope, _)| scope);
                Ok(self.access.endpoint(query, scope).await?.as_ref().clone())
            }
        }
    }

    async fn keys(
        &self,
        query: &Query<'_>,
        package: &str,
    ) -> Result<std::sync::Arc<Option<Vec<NpmKey>>>> {
        let endpoint = self.serving(query, package).await?;
        let at = access::located(&endpoint, access::below(&endpoint.base.value, KEYS));
        let fetch = async {
            let Some(body) = self.access.get(query, &at, None).await? else { return Ok(None) };
            provenance::npm_keys(&body).map(Some).map_err(|e| signed::refused(query, &at, e))
        };
        self.keys.get(at.url.to_string(), fetch).await
    }

    async fn statements(&self, query: &Query<'_>, manifest: &Manifest) -> Result<Vec<Evidence>> {
        let Some(there) = &manifest.dist.attestations else { return Ok(Vec::new()) };
        let Manifest { name, version, .. } = manifest;
        // As with tarballs, a mirror may pass on the address of the registry that it mirrors.
        let tail = match there.url.split_once(STATEMENTS) {
            Some((_, tail)) => tail.to_owned(),
            None => format!("{}@{version}", name.replace('/', "%2f")),
        };
        let endpoint = self.serving(query, name).await?;
        let url = access::below(&endpoint.base.value, &format!("{STATEMENTS}{tail}"));
        let at = access::located(&endpoint, url);
        let Some(body) = self.access.get(query, &at, None).await? else { return Ok(Vec::new()) };
        provenance::npm_provenance(&body, name, version).map_err(|e| signed::refused(query, &at, e))
    }
}
