//! Artifact attestations that the forge keeps, by an artifact's hash.
//!
//! One attestation usually names every file of a release, and the API's limit is small: so what a
//! repository answered for one file is looked at before it is asked for another, and only one
//! question at a time is under way for each repository. Verifies nothing.

use tokio::sync::Mutex;

use super::{Document, Forge, JSON, Repo};
use crate::base::Integrity;
use crate::provenance::{self, Evidence};
use crate::source::{Error, Location, Query, Result, signed};

impl Forge {
    /// Attestations of an artifact that was built from a repository, by its SHA-256.
    pub(in crate::source) async fn attestations(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        digest: &Integrity,
    ) -> Result<Vec<Evidence>> {
        let make = async { Ok::<_, Error>(Mutex::new(Vec::new())) };
        let known = self.attested.get(repo.key(), make).await?;
        let mut known = known.lock().await;
        let about = |evidence: &&Evidence| evidence.names(digest);
        let found: Vec<Evidence> = known.iter().filter(about).cloned().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let name = format!("sha256:{}", digest.hex());
        let path = ["attestations", &name];
        let read = |at: &Location, body: &[u8]| {
            let found = provenance::github(body, &repo.key());
            found.map(Some).map_err(|e| signed::refused(query, at, e))
        };
        let Some((_, found)) = self.ask(query, Document::new(repo, &path, JSON), read).await?
        else {
            return Ok(Vec::new());
        };
        known.extend(found.iter().cloned());
        Ok(found)
    }
}
