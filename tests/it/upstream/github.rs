//! A forge on the fake upstream: releases in pages, by tag, and their assets.
//!
//! The API lies below `/github/api/`, what everybody may download below `/github/web/`. As on the
//! real one, a draft is listed to nobody else but its owner, and an asset's address in the API
//! serves its description or its bytes, by the `Accept` header.

use infra::base::Integrity;
use serde_json::{Value, json};

use super::server::FakeUpstream;

/// A release to publish.
#[derive(Clone, Debug)]
pub(crate) struct GithubRelease {
    tag: String,
    draft: bool,
    prerelease: bool,
    assets: Vec<(String, Vec<u8>, Option<String>)>,
}

impl GithubRelease {
    /// One without assets.
    pub(crate) fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), draft: false, prerelease: false, assets: Vec::new() }
    }

    /// Not published yet.
    pub(crate) fn draft(mut self) -> Self {
        self.draft = true;
        self
    }

    /// Marked as a pre-release.
    pub(crate) fn prerelease(mut self) -> Self {
        self.prerelease = true;
        self
    }

    /// With a file whose digest the forge recorded.
    pub(crate) fn asset(self, name: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let digest = format!("sha256:{}", Integrity::sha256_of(&body).hex());
        self.with(name, body, Some(digest))
    }

    /// With a file of the time before digests were recorded.
    pub(crate) fn old_asset(self, name: &str, body: impl Into<Vec<u8>>) -> Self {
        self.with(name, body.into(), None)
    }

    fn with(mut self, name: &str, body: Vec<u8>, digest: Option<String>) -> Self {
        self.assets.push((name.to_owned(), body, digest));
        self
    }
}

impl FakeUpstream {
    /// Base URL of the API.
    pub(crate) fn github_url(&self) -> String {
        self.url("/github/api")
    }

    /// Base URL of what everybody may download.
    pub(crate) fn github_web(&self) -> String {
        self.url("/github/web")
    }

    /// Path of the list of a repository's releases (its first page), for faults and counting.
    pub(crate) fn github_list(repository: &str) -> String {
        format!("/github/api/repos/{repository}/releases")
    }

    /// Path of a release by its tag.
    pub(crate) fn github_tag(repository: &str, tag: &str) -> String {
        format!("/github/api/repos/{repository}/releases/tags/{}", tag.replace('/', "%2F"))
    }

    /// Path of an asset for everybody.
    pub(crate) fn github_asset(repository: &str, tag: &str, name: &str) -> String {
        format!("/github/web/{repository}/releases/download/{}/{name}", tag.replace('/', "%2F"))
    }

    /// Path of an asset in the API: the `n`th of the release of that tag.
    pub(crate) fn github_api_asset(repository: &str, tag: &str, n: usize) -> String {
        format!("/github/api/repos/{repository}/releases/assets/{}-{n}", tag.replace('/', "-"))
    }

    /// Publishes all releases of a repository, newest first, `per_page` on each page of its list.
    pub(crate) fn github(
        &self,
        repository: &str,
        releases: &[GithubRelease],
        per_page: usize,
    ) -> &Self {
        let documents: Vec<Value> = releases
            .iter()
            .map(|release| {
                let document = self.release(repository, release);
                if !release.draft {
                    self.json(&Self::github_tag(repository, &release.tag), &document);
                }
                document
            })
            .collect();
        let list = Self::github_list(repository);
        // Further pages are found by the repository's number on the real one, too.
        let page = |n: usize| match n {
            0 => list.clone(),
            n => format!("/github/api/repositories/{}/releases-{n}", repository.replace('/', "-")),
        };
        let pages: Vec<&[Value]> = documents.chunks(per_page).collect();
        if pages.is_empty() {
            self.json(&list, &json!([]));
        }
        for (n, documents) in pages.iter().enumerate() {
            self.json(&page(n), &json!(documents));
            if n + 1 < pages.len() {
                let (next, last) = (self.url(&page(n + 1)), self.url(&page(pages.len() - 1)));
                self.link(
                    &page(n),
                    format!("<{next}?page=x>; rel=\"next\", <{last}>; rel=\"last\""),
                );
            }
        }
        self
    }

    fn release(&self, repository: &str, release: &GithubRelease) -> Value {
        let GithubRelease { tag, draft, prerelease, assets } = release;
        let assets: Vec<_> = assets
            .iter()
            .enumerate()
            .map(|(n, (name, body, digest))| {
                let (api, web) = (
                    Self::github_api_asset(repository, tag, n),
                    Self::github_asset(repository, tag, name),
                );
                self.file(&web, body.clone());
                let asset = json!({
                    "url": self.url(&api),
                    "browser_download_url": self.url(&web),
                    "name": name,
                    "size": body.len(),
                    "state": "uploaded",
                    "digest": digest,
                });
                let description = asset.to_string().into_bytes();
                let variants =
                    [("application/octet-stream", body.clone()), ("application/json", description)];
                self.route(&api, variants.into());
                asset
            })
            .collect();
        json!({"tag_name": tag, "name": tag, "draft": draft, "prerelease": prerelease, "assets": assets})
    }

    fn json(&self, path: &str, document: &Value) {
        let body = document.to_string().into_bytes();
        self.route(path, vec![("application/json", body)]);
    }
}
