//! A registry of images on the fake upstream: tags, manifests, blobs, and a token service.

use infra::base::Integrity;
use serde_json::{Value, json};

use super::archives::{Tree, tar_gz};
use super::server::FakeUpstream;

/// What the token service hands out.
pub(crate) const OCI_TOKEN: &str = "a-token-for-one-repository";

/// `sha256:…` of bytes.
pub(crate) fn oci_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Integrity::sha256_of(bytes).hex())
}

/// An image for one platform: its layers, lowest first.
#[derive(Clone, Debug)]
pub(crate) struct OciImage {
    architecture: &'static str,
    layers: Vec<(String, Vec<u8>)>,
}

impl OciImage {
    /// One without layers.
    pub(crate) fn new(architecture: &'static str) -> Self {
        Self { architecture, layers: Vec::new() }
    }

    /// With a layer of this media type.
    pub(crate) fn layer(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.layers.push((media_type.to_owned(), bytes.into()));
        self
    }

    /// With a gzipped layer.
    pub(crate) fn tree(self, tree: &Tree) -> Self {
        self.layer("application/vnd.oci.image.layer.v1.tar+gzip", tar_gz(tree))
    }
}

impl FakeUpstream {
    /// Path below a repository.
    pub(crate) fn oci_path(repository: &str, path: &str) -> String {
        format!("/v2/{repository}/{path}")
    }

    /// Publishes a tag, with an index where there are several images. Gives the digests of the
    /// layers of the first.
    pub(crate) fn oci(&self, repository: &str, tag: &str, images: &[OciImage]) -> Vec<String> {
        self.file("/v2/", "{}");
        let at = |path: &str| Self::oci_path(repository, path);
        let descriptor = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": oci_digest(bytes), "size": bytes.len()});
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let mut entries: Vec<Value> = Vec::new();
        let mut last = Vec::new();
        let mut digests = Vec::new();
        for image in images {
            let config = json!({"os": "linux", "architecture": image.architecture}).to_string();
            let mut layers = Vec::new();
            for (kind, bytes) in &image.layers {
                self.file(&at(&format!("blobs/{}", oci_digest(bytes))), bytes.clone());
                layers.push(descriptor(kind, bytes));
                if entries.is_empty() {
                    digests.push(oci_digest(bytes));
                }
            }
            let config = config.into_bytes();
            self.file(&at(&format!("blobs/{}", oci_digest(&config))), config.clone());
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
                "layers": layers,
            });
            last = manifest.to_string().into_bytes();
            self.file(&at(&format!("manifests/{}", oci_digest(&last))), last.clone());
            let mut entry = descriptor(MANIFEST, &last);
            entry["platform"] = json!({"os": "linux", "architecture": image.architecture});
            entries.push(entry);
        }
        if images.len() > 1 {
            last = json!({"schemaVersion": 2, "manifests": entries}).to_string().into_bytes();
        }
        self.file(&at(&format!("manifests/{tag}")), last);
        digests
    }

    /// Publishes the list of tags, in pages of this many.
    pub(crate) fn oci_tags(&self, repository: &str, tags: &[&str], per_page: usize) -> &Self {
        let list = Self::oci_path(repository, "tags/list");
        let path = |n: usize| if n == 0 { list.clone() } else { format!("{list}-{n}") };
        let pages: Vec<_> = tags.chunks(per_page).collect();
        for (n, tags) in pages.iter().enumerate() {
            self.file(&path(n), json!({"name": repository, "tags": tags}).to_string());
            if n + 1 < pages.len() {
                self.link(&path(n), format!("<{}?last=x>; rel=\"next\"", path(n + 1)));
            }
        }
        self
    }

    /// Wants a token for everything below `/v2/`, which `/token` gives to whom `basic` names.
    pub(crate) fn oci_wants_token(&self, basic: Option<&str>) -> &Self {
        let realm = self.url("/token");
        let challenge = format!("Bearer realm=\"{realm}\",service=\"registry.test\"");
        self.guard("/v2/", &format!("Bearer {OCI_TOKEN}"), &challenge);
        if let Some(basic) = basic {
            self.guard("/token", basic, "Basic realm=\"tokens\"");
        }
        self.file("/token", json!({"token": OCI_TOKEN, "expires_in": 300}).to_string())
    }
}
