//! Who signed an asset: the forge's artifact attestations, and signature files among the assets.
//!
//! One attestation usually names every file of a release, and the API's limit is small: so what a
//! repository answered for one file is looked at before it is asked for another, and only one
//! question at a time is under way for each repository.

use tokio::sync::Mutex;

use super::{Github, names};
use crate::base::Algorithm;
use crate::provenance::{self, Evidence};
use crate::source::{Asked, Error, Result, signed};

impl Github {
    /// Attestations of an asset.
    pub(super) async fn attestations(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, .. } = *asked;
        // The API knows artifacts by this hash alone.
        let Some(digest) = asked.digest(Algorithm::Sha256) else { return Ok(Vec::new()) };
        let (owner, repository) = names(query)?;
        let make = async { Ok::<_, Error>(Mutex::new(Vec::new())) };
        let known = self.attested.get(query.package().to_owned(), make).await?;
        let mut known = known.lock().await;
        let about = |all: &[Evidence]| -> Vec<Evidence> {
            all.iter().filter(|evidence| evidence.names(digest)).cloned().collect()
        };
        let found = about(&known);
        if !found.is_empty() {
            return Ok(found);
        }
        let name = format!("sha256:{}", digest.hex());
        let endpoint = self.access.endpoint(query, None).await?;
        let at = self.address(query, &endpoint, &["attestations", &name])?;
        let Some(page) = self.page(query, true, &at).await? else { return Ok(Vec::new()) };
        let found = provenance::github(&page.body, &format!("{owner}/{repository}"))
            .map_err(|e| signed::refused(query, &at, e))?;
        known.extend(found.iter().cloned());
        Ok(found)
    }

    /// Signature files beside an asset that the profile names a signer for.
    pub(super) async fn beside(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, version, file, .. } = *asked;
        let wanted = signed::wanted(query, &self.access)?;
        let Some((tag, asset)) = file.rsplit_once('/').filter(|_| !wanted.is_empty()) else {
            return Ok(Vec::new());
        };
        let release = self.by_tag(query, tag).await?;
        let Some(super::Found { release, .. }) = release.as_ref() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for one in wanted {
            let name = match &one.place {
                Some(place) => {
                    place.replace("${file}", asset).replace("${version}", version.as_str())
                }
                None => format!("{asset}{}", one.ending),
            };
            let Some(signature) = release.assets.iter().find(|a| a.name == name) else { continue };
            let mut body = None;
            for at in self.locations(query, signature).await? {
                if let Some(bytes) = self.access.get(query, &at, at.accept).await? {
                    body = Some((at, bytes));
                    break;
                }
            }
            let (at, bytes) = match body {
                Some(found) => found,
                None => {
                    let at = self.access.direct(query, signature.web.clone())?;
                    return Err(self.malformed(
                        query,
                        &at,
                        "it is listed and not there".to_owned(),
                    ));
                }
            };
            found.push(one.of(query, &at, &bytes)?);
        }
        Ok(found)
    }
}
