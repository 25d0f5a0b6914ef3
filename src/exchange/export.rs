//! The lock as other tools read it: DotSlash files, `multitool.lock.json`, variables.
//!
//! Pure. Refuses to write what its reader could not verify: both formats with addresses know
//! SHA-256 alone, and neither drops leading directories. Invariant: what is left out is named.

use serde_json::{Map, Value, json};

use crate::archive::Format;
use crate::base::{Algorithm, Arch, CommandName, DepName, Libc, Os, Platform};
use crate::lock::{Artifact, Lock, Pin, Row};

/// A pinned file and where it lies now.
#[derive(Clone, Debug)]
pub struct Place {
    /// The dep.
    pub dep: DepName,
    /// The platform.
    pub platform: Platform,
    /// What the lock says.
    pub pin: Pin,
    /// Its address, without credentials.
    pub url: String,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files: name and text.
    pub files: Vec<(String, String)>,
    /// What was left out, and why.
    pub left: Vec<String>,
}

/// A DotSlash file for each command.
pub fn dotslash(places: &[Place]) -> Written {
    let mut out = Written::default();
    for (command, rows) in by_command(places, &mut out.left) {
        let mut platforms = Map::new();
        for (place, artifact) in rows {
            let os = match place.platform.os() {
                Os::Linux => "linux",
                Os::Darwin => "macos",
                Os::Windows => "windows",
            };
            let arch = match place.platform.arch() {
                Arch::X86_64 => "x86_64",
                Arch::Aarch64 => "aarch64",
            };
            let mut entry = json!({
                "size": artifact.size,
                "hash": "sha256",
                "digest": artifact.integrity.hex(),
            });
            if let Some(format) = format(artifact.format) {
                entry["format"] = json!(format);
            }
            entry["path"] = json!(path(place, artifact, command));
            entry["providers"] = json!([{"url": place.url}]);
            platforms.insert(format!("{os}-{arch}"), entry);
        }
        let document = json!({"name": command, "platforms": platforms});
        let text = format!("#!/usr/bin/env dotslash\n\n{}\n", pretty(&document));
        out.files.push((command.to_string(), text));
    }
    out
}

/// A `multitool.lock.json` of every command.
pub fn multitool(places: &[Place]) -> Written {
    let mut out = Written::default();
    let mut tools = Map::new();
    for (command, rows) in by_command(places, &mut out.left) {
        let binaries = rows.into_iter().map(|(place, artifact)| {
            let os = match place.platform.os() {
                Os::Linux => "linux",
                Os::Darwin => "macos",
                Os::Windows => "windows",
            };
            let cpu = match place.platform.arch() {
                Arch::X86_64 => "x86_64",
                Arch::Aarch64 => "arm64",
            };
            let mut binary = json!({
                "kind": if artifact.format == Format::File { "file" } else { "archive" },
                "url": place.url,
                "sha256": artifact.integrity.hex(),
                "os": os,
                "cpu": cpu,
            });
            if let Some(format) = format(artifact.format) {
                binary["file"] = json!(path(place, artifact, command));
                // A wheel is a zip archive by another name.
                binary["type"] = json!(format);
            }
            binary
        });
        tools.insert(command.to_string(), json!({"binaries": binaries.collect::<Vec<_>>()}));
    }
    let text = format!("{}\n", pretty(&Value::Object(tools)));
    out.files.push(("multitool.lock.json".to_owned(), text));
    out
}

/// `ARG` lines: version and, for each Linux platform, the hash of the artifact.
pub fn dockerfile_args(lock: &Lock) -> String {
    let mut out = String::new();
    for (dep, locked) in &lock.deps {
        let name = variable(dep);
        out.push_str(&format!("ARG {name}_VERSION={}\n", locked.version));
        for (platform, row) in &locked.platforms {
            let artifact = Row::pin(row).and_then(|pin| pin.artifact.as_ref());
            if Row::pin(row).is_some_and(|pin| !pin.with.is_empty()) {
                out.push_str(&format!(
                    "# {dep} ({platform}) is made of several files: no hash of one\n"
                ));
                continue;
            }
            if let Some(artifact) = artifact.filter(|_| platform.os() == Os::Linux) {
                let kind = artifact.integrity.algorithm().name().to_ascii_uppercase();
                // As `TARGETARCH` has it.
                let arch = match platform.arch() {
                    Arch::X86_64 => "AMD64",
                    Arch::Aarch64 => "ARM64",
                };
                let libc = if platform.libc() == Some(Libc::Musl) { "_MUSL" } else { "" };
                let hex = artifact.integrity.hex();
                out.push_str(&format!("ARG {name}_{kind}_{arch}{libc}={hex}\n"));
            }
        }
    }
    out
}

/// `NAME_VERSION=…` lines, for `$GITHUB_ENV`.
pub fn github_env(lock: &Lock) -> String {
    let line = |(dep, version)| format!("{}_VERSION={version}\n", variable(dep));
    lock.deps.iter().map(|(dep, locked)| line((dep, &locked.version))).collect()
}

/// `nats-server` → `NATS_SERVER`; a name that begins with a digit gets an underscore before it.
fn variable(dep: &DepName) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = dep.as_str().chars().map(upper).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

type Rows<'a> = Vec<(&'a Place, &'a Artifact)>;

/// Rows that both formats can say, by command; glibc before musl where a key has no libc.
fn by_command<'a>(
    places: &'a [Place],
    left: &mut Vec<String>,
) -> std::collections::BTreeMap<&'a CommandName, Rows<'a>> {
    let mut out: std::collections::BTreeMap<&CommandName, Rows<'_>> = Default::default();
    for place in places {
        let shown = format!("{} ({})", place.dep, place.platform);
        let Some(artifact) = &place.pin.artifact else {
            left.push(format!("{shown}: a directory of the project has no address"));
            continue;
        };
        if !place.pin.with.is_empty() {
            let files = place.pin.with.len() + 1;
            left.push(format!("{shown}: its tree is made of {files} files, the format has one"));
            continue;
        }
        if matches!(artifact.format, Format::SevenZ | Format::Deb) || artifact.format.is_layer() {
            left.push(format!("{shown}: the format does not unpack {}", artifact.format));
            continue;
        }
        if artifact.integrity.algorithm() != Algorithm::Sha256 {
            let kind = artifact.integrity.algorithm().name();
            left.push(format!("{shown}: locked by {kind}, the format knows only sha256"));
            continue;
        }
        if artifact.strip > 0 && artifact.format != Format::File {
            left.push(format!(
                "{shown}: its leading directories are dropped, the format keeps them"
            ));
            continue;
        }
        let twin = |other: &Place| {
            other.dep == place.dep
                && other.platform.os() == place.platform.os()
                && other.platform.arch() == place.platform.arch()
                && other.platform.libc() == Some(Libc::Glibc)
        };
        if place.platform.libc() == Some(Libc::Musl) && places.iter().any(twin) {
            left.push(format!("{shown}: the format has one Linux, and glibc's is written"));
            continue;
        }
        for command in place.pin.bin.keys() {
            out.entry(command).or_default().push((place, artifact));
        }
    }
    out
}

fn format(format: Format) -> Option<&'static str> {
    // By the archive's own name in our data, so that a format added later is written as well.
    match serde_json::to_value(format).ok()?.as_str()? {
        "file" => None,
        "tar-gz" => Some("tar.gz"),
        "tar-xz" => Some("tar.xz"),
        "tar-zst" => Some("tar.zst"),
        "tar" => Some("tar"),
        _ => Some("zip"),
    }
}

fn path(place: &Place, artifact: &Artifact, command: &CommandName) -> String {
    if artifact.format == Format::File {
        return artifact.file.rsplit('/').next().unwrap_or(&artifact.file).to_owned();
    }
    place.pin.bin.get(command).map(|p| p.as_str().to_owned()).unwrap_or_default()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::fixture;

    fn places() -> Vec<Place> {
        let lock = fixture::lock();
        let mut out = Vec::new();
        for (dep, locked) in &lock.deps {
            for (platform, row) in &locked.platforms {
                let Some(pin) = row.pin() else { continue };
                let url = format!("http://mirror.invalid/{platform}");
                out.push(Place { dep: dep.clone(), platform: *platform, pin: pin.clone(), url });
            }
        }
        out
    }

    #[test]
    fn dotslash_files_come_back() {
        let written = dotslash(&places());
        let (name, text) = &written.files[0];
        assert_eq!((written.files.len(), name.as_str()), (1, "nats-server"));
        let json: Value =
            serde_json::from_str(text.split_once("\n\n").expect("a body").1).expect("json");
        let entry = &json["platforms"]["linux-x86_64"];
        assert_eq!((&entry["format"], &entry["path"]), (&json!("zip"), &json!("bin/nats-server")));
        assert_eq!(entry["digest"].as_str().map(str::len), Some(64));
        // The darwin row is stripped, the directory has no address.
        assert_eq!(written.left.len(), 1 + 3, "{:?}", written.left);
        let items = super::super::dotslash::read(text).expect("items");
        let draft = items[0].outcome.as_ref().expect("mapped");
        assert_eq!(draft.expected[0].integrity.hex(), entry["digest"].as_str().expect("digest"));
    }

    #[test]
    fn multitool_comes_back() {
        let written = multitool(&places());
        let items = super::super::multitool::read(&written.files[0].1).expect("items");
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].outcome.as_ref().expect("mapped").expected.len(), 1);
    }

    #[test]
    fn variables() {
        let lock = fixture::lock();
        let args = dockerfile_args(&lock);
        assert!(args.starts_with("ARG NATS_SERVER_VERSION=2.15.1\nARG NATS_SERVER_SHA256_AMD64="));
        assert_eq!(github_env(&lock), "NATS_SERVER_VERSION=2.15.1\nTOOLS_VERSION=0.1.0\n");
        assert_eq!(variable(&DepName::new("7z.x").expect("name")), "_7Z_X");
    }
}
