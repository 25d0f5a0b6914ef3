//! Releases as the REST API writes them.
//!
//! Reference: GitHub's REST API, "Releases" and "Release assets". Invariant: drafts and uploads
//! that are not finished never leave this file.

use ::url::Url;
use serde::Deserialize;

use crate::base::{Algorithm, Integrity};

/// A published release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Release {
    /// Its tag in the repository.
    pub(in crate::source) tag: String,
    /// Marked as a pre-release by its publisher.
    pub(in crate::source) prerelease: bool,
    /// When it was published.
    pub(in crate::source) published: Option<jiff::Timestamp>,
    /// Its files.
    pub(in crate::source) assets: Vec<Asset>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Asset {
    /// Its name.
    pub(in crate::source) name: String,
    /// Bytes.
    pub(in crate::source) size: Option<u64>,
    /// The digest that the forge recorded when it was uploaded.
    pub(in crate::source) digest: Option<Integrity>,
    /// Where the API serves it, to those who may read the repository.
    pub(in crate::source) api: Option<Url>,
    /// Where everybody gets it.
    pub(in crate::source) web: Url,
}

impl Release {
    /// The file of a name.
    pub(in crate::source) fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }
}

#[derive(Deserialize)]
struct Raw {
    tag_name: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
    #[serde(default)]
    published_at: Option<String>,
    #[serde(default)]
    assets: Vec<RawAsset>,
}

#[derive(Deserialize)]
struct RawAsset {
    name: String,
    browser_download_url: Url,
    #[serde(default)]
    url: Option<Url>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    state: Option<String>,
}

/// One page of a repository's releases.
pub(super) fn page(body: &[u8]) -> Result<Vec<Release>, String> {
    let raw: Vec<Raw> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    Ok(raw.into_iter().filter_map(published).collect())
}

/// One release; `None` when it is a draft.
pub(super) fn one(body: &[u8]) -> Result<Option<Release>, String> {
    let raw: Raw = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    Ok(published(raw))
}

fn published(raw: Raw) -> Option<Release> {
    let Raw { tag_name, draft, prerelease, published_at, assets } = raw;
    let published = published_at.and_then(|text| text.parse().ok());
    let assets = assets.into_iter().filter_map(uploaded).collect();
    (!draft).then_some(Release { tag: tag_name, prerelease, published, assets })
}

fn uploaded(raw: RawAsset) -> Option<Asset> {
    let RawAsset { name, browser_download_url, url, size, digest, state } = raw;
    // A name becomes part of a path in the lock.
    let is_name = !name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control);
    let is_there = state.is_none_or(|state| state == "uploaded");
    let digest = digest.as_deref().and_then(digest_of);
    (is_name && is_there).then_some(Asset {
        name,
        size,
        digest,
        api: url,
        web: browser_download_url,
    })
}

/// `sha256:HEX`
fn digest_of(text: &str) -> Option<Integrity> {
    let (algorithm, hex) = text.split_once(':')?;
    match algorithm {
        "sha256" => Integrity::from_hex(Algorithm::Sha256, hex),
        "sha512" => Integrity::from_hex(Algorithm::Sha512, hex),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_is_published() {
        let hash = Integrity::sha256_of(b"x");
        let body = format!(
            r#"[{{"tag_name": "v1", "draft": true, "assets": []}},
                {{"tag_name": "v0.9", "prerelease": true, "id": 7, "assets": [
                    {{"name": "a.zip", "size": 3, "digest": "sha256:{}", "state": "uploaded",
                      "url": "http://api.invalid/assets/1", "browser_download_url": "http://web.invalid/a.zip"}},
                    {{"name": "b.zip", "digest": null, "browser_download_url": "http://web.invalid/b.zip"}},
                    {{"name": "c.zip", "digest": "md5:00", "browser_download_url": "http://web.invalid/c.zip"}},
                    {{"name": "../d", "browser_download_url": "http://web.invalid/d"}},
                    {{"name": "e", "state": "open", "browser_download_url": "http://web.invalid/e"}}
                ]}},
                {{"tag_name": "v0.8"}}]"#,
            hash.hex()
        );
        let found = page(body.as_bytes()).expect("releases");
        let tags: Vec<_> = found.iter().map(|r| (r.tag.as_str(), r.prerelease)).collect();
        assert_eq!(tags, [("v0.9", true), ("v0.8", false)]);
        let assets = &found[0].assets;
        let names: Vec<_> = assets.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["a.zip", "b.zip", "c.zip"]);
        assert_eq!((&assets[0].digest, assets[0].size), (&Some(hash), Some(3)));
        assert_eq!((&assets[1].digest, &assets[2].digest), (&None, &None));
        assert!(assets[0].api.is_some() && assets[1].api.is_none());
    }

    #[test]
    fn other_documents_are_none() {
        for body in ["{}", "<html>", r#"{"message": "Not Found"}"#, r#"[{"name": "x"}]"#, ""] {
            assert!(page(body.as_bytes()).is_err(), "{body}");
            assert!(one(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(one(br#"{"tag_name": "v1", "draft": true}"#), Ok(None));
    }

    proptest! {
        #[test]
        fn digests_never_panic(s in "\\PC{0,20}", t in "(sha256|sha512|:|[0-9a-f]{64}){0,4}") {
            let _ = (digest_of(&s), digest_of(&t));
        }
    }
}
