//! Who signed an asset: the forge's artifact attestations, and signature files among the assets.

use super::{Github, repo};
use crate::base::Algorithm;
use crate::provenance::Evidence;
use crate::source::forge::malformed;
use crate::source::{Asked, Result, signed};

impl Github {
    /// Attestations of an asset.
    pub(super) async fn attestations(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        // The API knows artifacts by this hash alone.
        match asked.digest(Algorithm::Sha256) {
            Some(digest) => self.forge.attestations(asked.query, repo(asked.query)?, digest).await,
            None => Ok(Vec::new()),
        }
    }

    /// Signature files beside an asset that the profile names a signer for.
    pub(super) async fn beside(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, version, file, .. } = *asked;
        let wanted = signed::wanted(query, &self.access)?;
        let Some((tag, asset)) = file.rsplit_once('/').filter(|_| !wanted.is_empty()) else {
            return Ok(Vec::new());
        };
        let release = self.forge.by_tag(query, repo(query)?, tag).await?;
        let Some(there) = release.as_ref() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for one in wanted {
            let name = match &one.place {
                Some(place) => {
                    place.replace("${file}", asset).replace("${version}", version.as_str())
                }
                None => format!("{asset}{}", one.ending),
            };
            let Some(signature) = there.release.asset(&name) else { continue };
            let Some((at, bytes)) = self.forge.bytes(query, signature).await? else {
                let at = self.access.direct(query, signature.web.clone())?;
                return Err(malformed(query, &at, "it is listed and not there".to_owned()));
            };
            found.push(one.of(query, &at, &bytes)?);
        }
        Ok(found)
    }
}
