//! The documents of an image: index, manifest, configuration. Pure.
//!
//! Reads OCI image-spec 1.1 and Docker's schema 2; they differ in the names of media types alone.
//! Refuses schema 1 (whose signature vouches for nothing), artifacts that are no images, and layers
//! that may not be distributed. Invariant: every digest in an [`Image`] is SHA-256 or SHA-512.

use serde::Deserialize;

use super::name::parse_digest;
use crate::base::Integrity;

/// What a registry is asked for when a tag or digest is looked up.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What refers to a document or blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Hash of its bytes.
    pub digest: Integrity,
    /// Its bytes.
    pub size: u64,
    /// Whom it is for, in an index.
    pub platform: Option<Platform>,
}

/// A system as images name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`
    #[serde(default)]
    pub architecture: String,
    /// `v8`
    #[serde(default)]
    pub variant: Option<String>,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_deref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// What a tag or digest leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Several images, for one platform each.
    Index(Vec<Descriptor>),
    /// One image.
    Image(Image),
}

/// An image's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<(Descriptor, LayerKind)>,
}

/// How a layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Not compressed.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    manifests: Option<Vec<RawDescriptor>>,
    #[serde(default)]
    config: Option<RawDescriptor>,
    #[serde(default)]
    layers: Option<Vec<RawDescriptor>>,
}

/// Why a document is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not what the specification says.
    Malformed(String),
    /// It is something that is not read.
    Unsupported(String),
}

/// Reads an index or a manifest.
pub fn read(bytes: &[u8]) -> Result<Document, Flaw> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| Flaw::Malformed(e.to_string()))?;
    if raw.schema_version != 2 {
        let what = format!("it is in version {} of the format, not 2", raw.schema_version);
        return Err(Flaw::Unsupported(what));
    }
    match (raw.manifests, raw.config, raw.layers) {
        (Some(manifests), None, None) => {
            // What is no image and in no known hash concerns nobody who asks for a platform.
            let known = manifests.into_iter().filter_map(|raw| descriptor(raw).ok());
            Ok(Document::Index(known.collect()))
        }
        (None, Some(config), Some(layers)) => {
            let config = descriptor(config)?;
            if !config.media_type.contains(".image.") {
                let what = format!("it is no image but an artifact of `{}`", config.media_type);
                return Err(Flaw::Unsupported(what));
            }
            let layers = layers.into_iter().map(|raw| layer(descriptor(raw)?));
            Ok(Document::Image(Image { config, layers: layers.collect::<Result<_, _>>()? }))
        }
        _ => Err(Flaw::Malformed("it is neither an index nor a manifest".to_owned())),
    }
}

fn descriptor(raw: RawDescriptor) -> Result<Descriptor, Flaw> {
    let RawDescriptor { media_type, digest, size, platform } = raw;
    let digest = parse_digest(&digest)
        .ok_or_else(|| Flaw::Malformed(format!("`{digest}` is no SHA-256 or SHA-512 digest")))?;
    Ok(Descriptor { media_type, digest, size, platform })
}

fn layer(descriptor: Descriptor) -> Result<(Descriptor, LayerKind), Flaw> {
    let kind = match descriptor.media_type.as_str() {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.docker.image.rootfs.diff.tar" => LayerKind::Plain,
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => LayerKind::Gzip,
        "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => LayerKind::Zstd,
        other if other.contains("foreign") || other.contains("nondistributable") => {
            let what = format!("a layer (`{other}`) is not served by registries");
            return Err(Flaw::Unsupported(what));
        }
        other => return Err(Flaw::Unsupported(format!("a layer is a `{other}`"))),
    };
    Ok((descriptor, kind))
}

/// Whom an image's configuration says that it is for.
pub fn platform_of(config: &[u8]) -> Result<Platform, Flaw> {
    serde_json::from_slice(config).map_err(|e| Flaw::Malformed(e.to_string()))
}

/// The image of an index for a Linux machine: the plain one before variants.
pub fn choose<'a>(index: &'a [Descriptor], architecture: &str) -> Option<&'a Descriptor> {
    let fits = |one: &&Descriptor| one.platform.as_ref().is_some_and(|p| fits(p, architecture));
    let plain = |one: &&Descriptor| one.platform.as_ref().is_some_and(|p| p.variant.is_none());
    index.iter().filter(fits).find(plain).or_else(|| index.iter().find(fits))
}

/// Whether an image runs on a Linux machine, as far as it says so.
pub fn fits(platform: &Platform, architecture: &str) -> bool {
    // The oldest of each is what every machine of the kind runs.
    let oldest = if architecture == "arm64" { "v8" } else { "v1" };
    platform.os == "linux"
        && platform.architecture == architecture
        && platform.variant.as_deref().is_none_or(|v| v.is_empty() || v == oldest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn raw(kind: &str, seed: &str) -> serde_json::Value {
        let digest = format!("sha256:{}", Integrity::sha256_of(seed.as_bytes()).hex());
        json!({"mediaType": kind, "digest": digest, "size": 3})
    }

    fn manifest(layers: &[&str]) -> Vec<u8> {
        let layers: Vec<_> = layers.iter().map(|kind| raw(kind, kind)).collect();
        let config = raw("application/vnd.oci.image.config.v1+json", "config");
        json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string().into_bytes()
    }

    #[test]
    fn layers_of_both_families() {
        let read = |layers: &[&str]| match read(&manifest(layers)) {
            Ok(Document::Image(image)) => {
                Ok(image.layers.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>())
            }
            Ok(other) => panic!("{other:?}"),
            Err(flaw) => Err(flaw),
        };
        let all = [
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.oci.image.layer.v1.tar",
        ];
        use LayerKind::{Gzip, Plain, Zstd};
        assert_eq!(read(&all), Ok(vec![Gzip, Gzip, Zstd, Plain]));
        for refused in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        ] {
            let flaw = read(&[refused]).expect_err(refused);
            assert!(matches!(&flaw, Flaw::Unsupported(what) if what.contains(refused)), "{flaw:?}");
        }
    }

    #[test]
    fn platforms_of_an_index() {
        let entry = |os: &str, architecture: &str, variant: Option<&str>| {
            let mut one =
                raw("application/vnd.oci.image.manifest.v1+json", &format!("{os}{variant:?}"));
            one["platform"] = json!({"os": os, "architecture": architecture});
            if let Some(variant) = variant {
                one["platform"]["variant"] = json!(variant);
            }
            one
        };
        let index = |entries: &[serde_json::Value]| {
            let text = json!({"schemaVersion": 2, "manifests": entries}).to_string();
            match read(text.as_bytes()) {
                Ok(Document::Index(index)) => index,
                other => panic!("{other:?}"),
            }
        };
        let all = index(&[
            entry("unknown", "unknown", None),
            entry("windows", "amd64", None),
            entry("linux", "amd64", Some("v3")),
            entry("linux", "amd64", Some("v1")),
            entry("linux", "amd64", None),
            entry("linux", "arm64", Some("v8")),
            entry("linux", "arm", Some("v7")),
        ]);
        let chosen = |index: &[Descriptor], architecture| {
            choose(index, architecture).and_then(|d| d.platform.clone()).map(|p| p.to_string())
        };
        assert_eq!(chosen(&all, "amd64").as_deref(), Some("linux/amd64"));
        assert_eq!(chosen(&all, "arm64").as_deref(), Some("linux/arm64/v8"));
        assert_eq!(chosen(&all[..4], "amd64").as_deref(), Some("linux/amd64/v1"));
        assert_eq!(chosen(&all[..3], "amd64"), None, "not every machine is a v3");
    }

    #[test]
    fn what_is_no_image() {
        for (text, why) in [
            ("{}", "version 0"),
            ("{\"schemaVersion\":1}", "version 1"),
            ("{\"schemaVersion\":2}", "neither"),
            ("[", "EOF"),
        ] {
            let flaw = format!("{:?}", read(text.as_bytes()).expect_err(text));
            assert!(flaw.contains(why), "{flaw}");
        }
        let mut artifact: serde_json::Value = serde_json::from_slice(&manifest(&[])).expect("json");
        artifact["config"]["mediaType"] = json!("application/vnd.oci.empty.v1+json");
        assert!(matches!(read(artifact.to_string().as_bytes()), Err(Flaw::Unsupported(_))));
        artifact["config"]["digest"] = json!("md5:00");
        assert!(matches!(read(artifact.to_string().as_bytes()), Err(Flaw::Malformed(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (read(&bytes), platform_of(&bytes));
        }
    }
}
