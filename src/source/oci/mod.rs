//! The files of container images, by the digests of their layers.
//!
//! Owns which tags are versions and which image of an index a platform gets: Linux on `amd64` and
//! `arm64`, nothing elsewhere. An index knows no libc, so that one image is offered to glibc and
//! musl, and what its programs say decides. Refuses a registry's host in a reference: a lock names
//! none. Invariant: a locked file is `MANIFEST/LAYER`, both digests, so that any registry can serve
//! it and none needs to be asked for the manifest again.

use std::sync::Arc;

use async_trait::async_trait;

use super::access::Access;
use super::memo::Memo;
use super::url::exact;
use super::{
    ArtifactOffer, Candidate, Commands, Error, Layer, Location, Offer, Query, Result, Source,
    StackOffer,
};
use crate::archive::Format;
use crate::base::{Arch, Integrity, Os, Platform, SourceKind, Version};
use crate::config::ecosystem::docker::Login;
use crate::config::ecosystem::oci as configured;
use crate::lock::model::Proof;
use crate::oci::{self, Document, Image, LayerKind, Registry, image};

/// What stands for the version in `tag`.
const WORD: &str = "${version}";
/// Longest all-digit tag that is a version; longer ones are dates and build numbers.
const MAX_LONE: usize = 6;
/// How deep indexes may nest.
const MAX_DEPTH: usize = 3;

/// The source.
pub(super) struct Oci {
    access: Arc<Access>,
    /// By repository, since credentials may be.
    registries: Memo<String, Vec<Registry>>,
    /// By repository.
    tags: Memo<String, Vec<String>>,
    /// By repository and tag or digest; `None` when no registry has it.
    manifests: Memo<(String, String), Option<Found>>,
}

/// A document and the registry that served it.
#[derive(Clone)]
struct Found {
    at: usize,
    digest: Integrity,
    document: Document,
}

impl Oci {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, registries: Memo::new(), tags: Memo::new(), manifests: Memo::new() }
    }

    async fn registries(&self, query: &Query<'_>) -> Result<Arc<Vec<Registry>>> {
        let repository = query.package();
        if !oci::is_repository(repository) || names_a_host(repository) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let find = async {
            let chosen = self.access.overrides.get(&SourceKind::Oci).and_then(|o| o.url.clone());
            let (environ, project) = (self.access.environ.clone(), self.access.project.clone());
            let name = repository.to_owned();
            // It may ask a helper for credentials, and that blocks.
            let task = tokio::task::spawn_blocking(move || {
                configured::registries(chosen.as_deref(), &name, &environ, &project)
            });
            let found = super::access::joined(task).await;
            let found = found
                .map_err(|e| Error::Endpoint { subject: query.subject(), source: Box::new(e) })?;
            for note in &found.notes {
                self.access.warn_once(&format!("{note}; asking without it"));
            }
            let registry = |one: configured::Registry| {
                let login = one.login.map(|login| match login {
                    Login::Header(secret) => oci::Login::Header(secret),
                    Login::Refresh(token) => oci::Login::Refresh(token),
                });
                let client = self.access.client.clone();
                Registry::new(client, &one.endpoint.base.value, login)
            };
            Ok(found.all.into_iter().map(registry).collect())
        };
        self.registries.get(repository.to_owned(), find).await
    }

    /// Every tag, of the first registry that knows the repository.
    async fn tags(&self, query: &Query<'_>) -> Result<Arc<Vec<String>>> {
        let registries = self.registries(query).await?;
        let fetch = async {
            for registry in registries.iter() {
                match registry.tags(query.package()).await {
                    Err(e) if e.is_not_found() => {}
                    other => return other.map_err(|e| failed(query, e)),
                }
            }
            Err(unknown(query, &registries))
        };
        self.tags.get(query.package().to_owned(), fetch).await
    }

    /// What a tag or digest leads to, in the first registry that has it.
    async fn manifest(&self, query: &Query<'_>, reference: &str) -> Result<Arc<Option<Found>>> {
        let registries = self.registries(query).await?;
        let fetch = async {
            for (at, registry) in registries.iter().enumerate() {
                match registry.manifest(query.package(), reference).await {
                    Ok(served) => {
                        let (digest, document) = (served.digest, served.document);
                        return Ok(Some(Found { at, digest, document }));
                    }
                    Err(e) if e.is_not_found() => {}
                    Err(e) => return Err(failed(query, e)),
                }
            }
            Ok(None)
        };
        self.manifests.get((query.package().to_owned(), reference.to_owned()), fetch).await
    }

    /// The image for a machine, with its manifest's digest, or why there is none.
    async fn image(
        &self,
        query: &Query<'_>,
        version: &Version,
        architecture: &str,
    ) -> Result<std::result::Result<(Found, Image), String>> {
        let mut reference = tag_of(query, version);
        for _ in 0..MAX_DEPTH {
            let found = self.manifest(query, &reference).await?;
            let Some(found) = found.as_ref() else {
                return Err(query.version_gone(version));
            };
            match &found.document {
                Document::Image(image) => {
                    let registries = self.registries(query).await?;
                    let platform = registries[found.at]
                        .platform(query.package(), &image.config)
                        .await
                        .map_err(|e| failed(query, e))?;
                    if !image::fits(&platform, architecture) {
                        return Ok(Err(format!("the image is for {platform}")));
                    }
                    return Ok(Ok((found.clone(), image.clone())));
                }
                Document::Index(index) => match image::choose(index, architecture) {
                    Some(chosen) => reference = oci::digest(&chosen.digest),
                    None => {
                        let mut all: Vec<String> = index
                            .iter()
                            .filter_map(|d| d.platform.as_ref())
                            .filter(|p| p.os != "unknown")
                            .map(ToString::to_string)
                            .collect();
                        all.sort();
                        all.dedup();
                        return Ok(Err(format!("the image is for {}", all.join(", "))));
                    }
                },
            }
        }
        Ok(Err("its indexes lead nowhere".to_owned()))
    }
}

/// Whether the first component is what container tools take for a host.
fn names_a_host(repository: &str) -> bool {
    let first = repository.split_once('/').map(|(first, _)| first);
    first.is_some_and(|first| first.contains(['.', ':']) || first == "localhost")
}

fn failed(query: &Query<'_>, source: oci::Error) -> Error {
    Error::Image { subject: query.subject(), source: Box::new(source) }
}

fn unknown(query: &Query<'_>, registries: &[Registry]) -> Error {
    let shown: Vec<_> = registries.iter().map(Registry::shown).collect();
    Error::UnknownPackage { subject: query.subject(), url: shown.join("`, `") }
}

/// The tag of a version.
fn tag_of(query: &Query<'_>, version: &Version) -> String {
    match &query.requirement.tag {
        Some(template) => template.replace(WORD, version.as_str()),
        None => version.as_str().to_owned(),
    }
}

/// The version that a tag is, if it is one.
fn version_of(tag: &str, template: Option<&str>) -> Option<Version> {
    let text = match template.and_then(|t| t.split_once(WORD)) {
        Some((before, after)) => tag.strip_prefix(before)?.strip_suffix(after)?,
        None => tag,
    };
    let plain = text.strip_prefix('v').unwrap_or(text);
    let lone = plain.bytes().all(|b| b.is_ascii_digit());
    if !plain.starts_with(|c: char| c.is_ascii_digit()) || (lone && plain.len() > MAX_LONE) {
        return None;
    }
    Version::of(SourceKind::Oci, text).ok()
}

/// Docker's word for a machine, where images run.
fn architecture(platform: Platform) -> Option<&'static str> {
    match (platform.os(), platform.arch()) {
        (Os::Linux, Arch::X86_64) => Some("amd64"),
        (Os::Linux, Arch::Aarch64) => Some("arm64"),
        _ => None,
    }
}

fn format(kind: LayerKind) -> Format {
    match kind {
        LayerKind::Plain => Format::Layer,
        LayerKind::Gzip => Format::LayerGz,
        LayerKind::Zstd => Format::LayerZst,
    }
}

#[async_trait]
impl Source for Oci {
    fn kind(&self) -> SourceKind {
        SourceKind::Oci
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let requirement = query.requirement;
        let pinned = exact(&requirement.version);
        let template = requirement.tag.as_deref();
        if template.is_some_and(|tag| !tag.contains(WORD)) {
            // A tag that is no version: what the profile says is its version, else 0.
            let version = match pinned {
                Some(version) => Some(version),
                None => Version::of(SourceKind::Oci, "0").ok(),
            };
            return Ok(version.into_iter().map(Candidate::new).collect());
        }
        if let Some(version) = pinned {
            let found = self.manifest(query, &tag_of(query, &version)).await?;
            if found.is_some() {
                return Ok(vec![Candidate::new(version)]);
            }
        }
        let tags = self.tags(query).await?;
        Ok(tags.iter().filter_map(|tag| version_of(tag, template)).map(Candidate::new).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let Some(architecture) = architecture(platform) else {
            return Ok(Offer::Unavailable { reason: "images are for Linux".to_owned() });
        };
        let (found, image) = match self.image(query, version, architecture).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Offer::Unavailable { reason }),
        };
        let registries = self.registries(query).await?;
        let registry = &registries[found.at];
        let manifest = oci::digest(&found.digest);
        let strip = query.strip(0);
        let mut layers = Vec::new();
        for (descriptor, kind) in &image.layers {
            let location = location(query, registry, &descriptor.digest).await?;
            layers.push(Layer {
                file: format!("{manifest}/{}", oci::digest(&descriptor.digest)),
                location,
                integrity: descriptor.digest.clone(),
                size: Some(descriptor.size),
                format: format(*kind),
                strip,
            });
        }
        if layers.is_empty() {
            return Ok(Offer::Unavailable { reason: "the image has no layers".to_owned() });
        }
        let Layer { file, location, integrity, size, format, strip } = layers.remove(0);
        let first = ArtifactOffer {
            file,
            location,
            integrity: Some(integrity),
            size,
            format,
            strip,
            commands: query.commands(Commands::Image),
            proofs: vec![Proof::ManifestDigest],
        };
        let stack = StackOffer { first, with: layers, linking: None, promised: false };
        Ok(Offer::Stack(Box::new(stack)))
    }

    /// In every registry: a blob's name is its hash.
    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let layer = file.rsplit_once('/').and_then(|(_, layer)| oci::parse_digest(layer));
        let Some(layer) = layer else {
            return Err(query.file_gone(version, file));
        };
        let registries = self.registries(query).await?;
        let mut out = Vec::new();
        let mut last = None;
        for registry in registries.iter() {
            match location(query, registry, &layer).await {
                Ok(location) => out.push(location),
                Err(e) => last = Some(e),
            }
        }
        match last {
            Some(error) if out.is_empty() => Err(error),
            _ => Ok(out),
        }
    }
}

async fn location(query: &Query<'_>, registry: &Registry, digest: &Integrity) -> Result<Location> {
    let blob = registry.blob(query.package(), digest).await.map_err(|e| failed(query, e))?;
    Ok(Location { url: blob.url, authorization: blob.authorization, accept: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_versions() {
        let read = |tag: &str, template| version_of(tag, template).map(|v| v.as_str().to_owned());
        for (tag, version) in [
            ("3.19.1", Some("3.19.1")),
            ("v1.2", Some("v1.2")),
            ("3", Some("3")),
            ("1.25-alpine", Some("1.25-alpine")),
            ("latest", None),
            ("alpine", None),
            ("20240606", None),
            ("deadbeef", None),
            ("vendor", None),
        ] {
            assert_eq!(read(tag, None).as_deref(), version, "{tag}");
        }
        let template = Some("${version}-alpine");
        assert_eq!(read("1.25-alpine", template).as_deref(), Some("1.25"));
        assert_eq!(read("1.25", template), None);
    }

    #[test]
    fn hosts_are_no_repositories() {
        for (name, host) in [
            ("library/tool", false),
            ("tool", false),
            ("hub.invalid/tool", true),
            ("localhost/tool", true),
            ("tool.x", false),
        ] {
            assert_eq!(names_a_host(name), host, "{name}");
        }
        let words = Platform::ALL.map(|p| architecture(p).unwrap_or("-"));
        assert_eq!(words, ["-", "arm64", "arm64", "-", "-", "amd64", "amd64", "-"]);
    }
}
