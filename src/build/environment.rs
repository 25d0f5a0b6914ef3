//! The environment of the toolchain, made from nothing.
//!
//! Invariant: everything that changes what Go builds is set here, to one value on every host;
//! nothing of the caller's environment, home or configuration reaches a build. Reference: `go help
//! environment`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// Variables with one value everywhere. Empty ones are set so, since Go would look for them in its
/// configuration files otherwise.
const FIXED: &[(&str, &str)] = &[
    ("CGO_ENABLED", "0"),
    ("GO111MODULE", "on"),
    ("GO386", "sse2"),
    ("GOAMD64", "v1"),
    ("GOARM", "7"),
    ("GOARM64", "v8.0"),
    ("GOAUTH", "off"),
    ("GODEBUG", ""),
    ("GOENV", "off"),
    ("GOEXPERIMENT", ""),
    ("GOFIPS140", "off"),
    ("GOFLAGS", ""),
    ("GOINSECURE", ""),
    ("GONOPROXY", ""),
    ("GONOSUMDB", ""),
    ("GOPRIVATE", ""),
    ("GOSUMDB", "off"),
    ("GOTOOLCHAIN", "local"),
    // No version control, whatever a module or proxy says.
    ("GOVCS", "*:off"),
    ("GOWORK", "off"),
    ("GO_EXTLINK_ENABLED", "0"),
    ("LANG", "C"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
];

/// Arguments of every build: no path, no version control's state and no build ID gets into it.
pub const FLAGS: &[&str] = &["-trimpath", "-buildvcs=false"];

/// The environment for a system and processor. `dir` is a directory of ours that holds everything
/// Go writes but for `cache`, its own cache of what it compiled. The module proxy is to be added.
pub fn base(dir: &Path, cache: &Path, os: &str, arch: &str) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> =
        FIXED.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    env.insert("GOOS".into(), os.into());
    env.insert("GOARCH".into(), arch.into());
    for (name, below) in PLACES {
        env.insert((*name).into(), dir.join(below).into());
    }
    env.insert("GOCACHE".into(), cache.into());
    env
}

/// Directories below the one of a build.
const PLACES: &[(&str, &str)] = &[
    ("GOMODCACHE", "modules"),
    ("GOPATH", "path"),
    ("GOTMPDIR", "tmp"),
    ("HOME", "home"),
    ("TMPDIR", "tmp"),
];

/// Where Go looks whether it keeps statistics, on Linux and on macOS.
pub const TELEMETRY: [&str; 2] =
    ["home/.config/go/telemetry", "home/Library/Application Support/go/telemetry"];

/// The directories that must be there, and where modules are unpacked.
pub fn places() -> impl Iterator<Item = &'static str> {
    PLACES.iter().map(|(_, below)| *below)
}

/// Where Go keeps what it downloads, in the layout of a proxy.
pub const DOWNLOADS: &str = "modules/cache/download";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_below_the_directory() {
        let env = base(Path::new("/work"), Path::new("/cache"), "linux", "arm64");
        let get = |name: &str| env[&OsString::from(name)].to_str().expect("text").to_owned();
        assert_eq!((get("GOOS"), get("GOARCH")), ("linux".to_owned(), "arm64".to_owned()));
        for name in ["HOME", "TMPDIR", "GOPATH", "GOMODCACHE"] {
            assert!(get(name).starts_with("/work/"), "{name}");
        }
        assert_eq!(get("GOCACHE"), "/cache");
        assert!(!env.contains_key(&OsString::from("PATH")), "nothing of the host is found");
        assert_eq!(Path::new("modules").join("cache/download"), Path::new(DOWNLOADS));
    }
}
