//! A package's document, abbreviated or full.
//!
//! Reference: the npm registry's "package-metadata" document. Only the shape of the whole is
//! checked when it is read; a version is read when it is asked for, since old versions in a
//! document break rules that newer ones keep. Invariant: a [`Manifest`]'s name and version are
//! those it is listed under.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::file::Tarball;
use crate::base::{CommandName, Integrity, RelPath};

/// What a registry says of a package.
#[derive(Debug)]
pub(super) struct Packument {
    name: String,
    versions: BTreeMap<String, Value>,
    /// When each version was published; only in the full document.
    times: BTreeMap<String, Value>,
}

impl Packument {
    /// Reads a document that was asked for under a name.
    pub(super) fn parse(body: &[u8], name: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            name: Option<String>,
            versions: BTreeMap<String, Value>,
            #[serde(default)]
            time: BTreeMap<String, Value>,
        }
        let document = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let Document { name: own, versions, time } = document;
        if let Some(own) = own.filter(|own| own != name) {
            return Err(format!("it is of `{own}`"));
        }
        Ok(Self { name: name.to_owned(), versions, times: time })
    }

    /// Its versions, as spelled.
    pub(super) fn versions(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// One version; `None` when there is no such.
    pub(super) fn manifest(&self, version: &str) -> Result<Option<Manifest>, String> {
        let Some(value) = self.versions.get(version) else { return Ok(None) };
        let mut manifest: Manifest =
            serde_json::from_value(value.clone()).map_err(|e| format!("version {version}: {e}"))?;
        manifest.name.clone_from(&self.name);
        version.clone_into(&mut manifest.version);
        Ok(Some(manifest))
    }

    /// When a version was published, as written.
    pub(super) fn published(&self, version: &str) -> Option<&str> {
        self.times.get(version)?.as_str()
    }

    /// The version whose tarball is locked under a file name.
    pub(super) fn manifest_of(&self, file: &str) -> Option<Manifest> {
        let matching = |version: &str| {
            let manifest = self.manifest(version).ok()??;
            (Tarball::of(&manifest).ok()?.file == file).then_some(manifest)
        };
        // Documents hold thousands of versions; the name nearly always has the right one in it.
        let (named, other): (Vec<_>, Vec<_>) = self.versions().partition(|v| file.contains(v));
        named.into_iter().chain(other).find_map(matching)
    }

    /// The tarball that is locked under a file name, whatever its version.
    pub(super) fn tarball_of(&self, file: &str) -> Option<Tarball> {
        Tarball::of(&self.manifest_of(file)?).ok()
    }
}

/// One version of a package.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Manifest {
    #[serde(skip)]
    pub(super) name: String,
    #[serde(skip)]
    pub(super) version: String,
    /// Operating systems it is for; `!x` excludes one; any when empty.
    #[serde(default, deserialize_with = "words")]
    pub(super) os: Vec<String>,
    /// Processors it is for.
    #[serde(default, deserialize_with = "words")]
    pub(super) cpu: Vec<String>,
    /// C libraries it is for.
    #[serde(default, deserialize_with = "words")]
    pub(super) libc: Vec<String>,
    /// Packages that npm installs where they fit, with their version.
    #[serde(default, rename = "optionalDependencies", deserialize_with = "map")]
    pub(super) optional: BTreeMap<String, String>,
    #[serde(default)]
    bin: Value,
    #[serde(default)]
    pub(super) dist: Dist,
}

/// Where a version's tarball is, and its hash.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Dist {
    #[serde(default)]
    pub(super) tarball: String,
    pub(super) integrity: Option<String>,
    /// The registry's signatures over name, version and hash.
    #[serde(default)]
    pub(super) signatures: Vec<DistSignature>,
    /// Where attestations lie, if there are any.
    #[serde(default)]
    pub(super) attestations: Option<Attestations>,
}

/// One of the registry's signatures.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DistSignature {
    pub(super) keyid: String,
    pub(super) sig: String,
}

/// Where a version's attestations lie.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Attestations {
    pub(super) url: String,
}

impl Manifest {
    /// Whether it is one package of a family, made for one kind of machine. Both fields are asked
    /// for, because helpers such as a file watcher for one system name only `os`.
    pub(super) fn is_for_a_platform(&self) -> bool {
        !self.os.is_empty() && !self.cpu.is_empty()
    }

    /// The strongest accepted hash of its SRI value, which may hold several (W3C SRI, 3.3.3).
    pub(super) fn integrity(&self) -> Option<Integrity> {
        let all = self.dist.integrity.as_deref().unwrap_or_default().split_ascii_whitespace();
        all.filter_map(|one| one.split('?').next()?.parse::<Integrity>().ok())
            .max_by_key(Integrity::algorithm)
    }

    /// Its commands, if it lists any: name → file. Entries that name no file of the package are
    /// left out, as npm does.
    pub(super) fn commands(&self) -> Option<BTreeMap<CommandName, RelPath>> {
        let entry = |name: &str, path: &str| {
            let name = CommandName::new(name).ok()?;
            let path = path.strip_prefix("./").unwrap_or(path);
            Some((name, RelPath::new(path).ok()?))
        };
        let found: BTreeMap<_, _> = match &self.bin {
            // A lone path is the command of the package's own name, without scope.
            Value::String(path) => {
                let name = self.name.rsplit('/').next().unwrap_or(&self.name);
                entry(name, path).into_iter().collect()
            }
            Value::Object(map) => {
                map.iter().filter_map(|(name, path)| entry(name, path.as_str()?)).collect()
            }
            _ => return None,
        };
        (!found.is_empty()).then_some(found)
    }
}

/// A list of words, one word, or something else that says nothing.
fn words<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Many(Vec<String>),
        One(String),
        Other(IgnoredAny),
    }
    Ok(match Words::deserialize(deserializer)? {
        Words::Many(words) => words,
        Words::One(word) => vec![word],
        Words::Other(_) => Vec::new(),
    })
}

/// A map of texts, or something else that says nothing (old documents hold arrays).
fn map<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Map {
        Map(BTreeMap<String, String>),
        Other(IgnoredAny),
    }
    Ok(match Map::deserialize(deserializer)? {
        Map::Map(map) => map,
        Map::Other(_) => BTreeMap::new(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A manifest as a registry would send it.
    pub(in crate::source::npm) fn manifest(name: &str, version: &str, json: &str) -> Manifest {
        let document = format!(r#"{{"versions":{{"{version}":{json}}}}}"#);
        let packument = Packument::parse(document.as_bytes(), name).expect("packument");
        packument.manifest(version).expect("manifest").expect("version")
    }

    #[test]
    fn tolerates_what_old_documents_hold() {
        let m = manifest(
            "@s/tool",
            "1.0.0",
            r#"{"os":"linux","cpu":null,"libc":false,"optionalDependencies":[],"bin":null,"dist":{"tarball":"x"}}"#,
        );
        assert_eq!((m.os.as_slice(), m.cpu.len(), m.libc.len()), (&["linux".to_owned()][..], 0, 0));
        assert!(m.optional.is_empty() && m.commands().is_none());
        let broken = Packument::parse(br#"{"versions":{"1.0.0":{"dist":7},"2.0.0":{}}}"#, "t");
        let broken = broken.expect("packument");
        assert!(broken.manifest("1.0.0").expect_err("dist").starts_with("version 1.0.0: "));
        assert!(broken.manifest("2.0.0").expect("read").is_some());
        assert!(broken.manifest("3.0.0").expect("read").is_none());
        assert!(Packument::parse(br#"{"error":"x"}"#, "t").is_err());
    }

    #[test]
    fn lists_commands() {
        let commands = |json: &str| {
            manifest("@s/tool", "1.0.0", &format!(r#"{{"bin":{json}}}"#)).commands().map(|found| {
                found.iter().map(|(n, p)| format!("{n}={p}")).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(commands(r#""./cli.js""#).as_deref(), Some("tool=cli.js"));
        assert_eq!(
            commands(r#"{"a":"bin/a","b":"./b","c":"../out"}"#).as_deref(),
            Some("a=bin/a b=b")
        );
        assert_eq!(commands("{}"), None);
    }

    #[test]
    fn takes_the_strongest_hash() {
        let sha256 = Integrity::sha256_of(b"x");
        let sha512 = crate::base::Hasher::new(crate::base::Algorithm::Sha512).finish();
        let of = |text: String| {
            manifest("t", "1.0.0", &format!(r#"{{"dist":{{"integrity":"{text}","shasum":"00"}}}}"#))
                .integrity()
        };
        assert_eq!(of(format!("sha1-AA== {sha256} {sha512}")), Some(sha512.clone()));
        assert_eq!(of(format!("{sha512}?opt")), Some(sha512));
        assert_eq!(of("sha1-AAAA".to_owned()), None);
        assert_eq!(of(String::new()), None);
    }

    proptest! {
        #[test]
        fn never_panics(
            s in "\\PC{0,60}",
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            value in "(null|7|\"\\PC{0,8}\"|\\[\"x\"\\]|\\{\"a\":\"b\"\\})",
        ) {
            let _ = Packument::parse(&bytes, &s);
            let json = format!(
                r#"{{"versions":{{"1":{{"os":{value},"bin":{value},"optionalDependencies":{value},"dist":{{"tarball":"x"}}}}}}}}"#
            );
            if let Ok(packument) = Packument::parse(json.as_bytes(), &s) {
                if let Ok(Some(manifest)) = packument.manifest("1") {
                    let _ = (manifest.commands(), manifest.integrity());
                }
                let _ = packument.tarball_of(&s);
            }
        }
    }
}
