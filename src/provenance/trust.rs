//! Whom certificates and logs must lead to.
//!
//! Owns the public Sigstore instance's trust root, which is part of the program, and the one that
//! a project may put in its place. What a root lists is asked for: one without certificate logs
//! asks for no certificate timestamp, one without signature logs for no log entry. Invariant: two
//! roots that trust differently have different [`Trust::mark`]s.

use crate::base::Integrity;

use super::Result;

/// A trust root.
#[derive(Debug, Default)]
pub struct Trust {
    /// The project's own root and its hash; the public instance's when `None`.
    custom: Option<(String, Integrity)>,
    #[cfg(feature = "provenance")]
    made: std::sync::OnceLock<super::sigstore::Roots>,
}

impl Trust {
    /// The public instance.
    pub fn public() -> Self {
        Self::default()
    }

    /// A root of the project, in the JSON that `cosign` and `gh` read.
    ///
    /// # Errors
    /// When it is no trust root.
    pub fn custom(json: String) -> Result<Self> {
        let digest = Integrity::sha256_of(json.as_bytes());
        let trust = Self { custom: Some((json, digest)), ..Self::default() };
        #[cfg(feature = "provenance")]
        trust.roots()?;
        Ok(trust)
    }

    /// What a signer's name is followed by: the hash of a root that is the project's own, so that
    /// whoever changes the root changes every signer.
    pub fn mark(&self) -> Option<&Integrity> {
        self.custom.as_ref().map(|(_, digest)| digest)
    }

    /// Where its signature logs are asked, in the root's order.
    pub fn logs(&self) -> Vec<String> {
        #[derive(serde::Deserialize)]
        struct Root {
            #[serde(default)]
            tlogs: Vec<Log>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Log {
            #[serde(default)]
            base_url: String,
        }
        #[cfg(feature = "provenance")]
        let public = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
        #[cfg(not(feature = "provenance"))]
        let public = "{}";
        let json = self.custom.as_ref().map_or(public, |(json, _)| json.as_str());
        let root = serde_json::from_str::<Root>(json).map(|root| root.tlogs).unwrap_or_default();
        root.into_iter().map(|log| log.base_url).filter(|url| !url.is_empty()).collect()
    }

    #[cfg(feature = "provenance")]
    pub(super) fn roots(&self) -> Result<&super::sigstore::Roots> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = super::sigstore::Roots::of(self.custom.as_ref().map(|(json, _)| json.as_str()))?;
        Ok(self.made.get_or_init(|| made))
    }
}
