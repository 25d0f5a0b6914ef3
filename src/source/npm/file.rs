//! How a tarball is named in the lock, and where it may lie.
//!
//! Invariant: the name is `PACKAGE/-/FILE`, the path registries agree on, whatever host or path the
//! document gave; so two mirrors lock the same name.

use ::url::Url;

use super::super::access::{self, below};
use super::packument::Manifest;
use crate::config::ecosystem::Endpoint;
use crate::source::Location;

/// A version's tarball.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tarball {
    /// Its name in the lock.
    pub(super) file: String,
    given: Url,
    /// Whether the given URL has the usual path, so that it can be moved to another base.
    usual: bool,
}

impl Tarball {
    /// The tarball of a version.
    pub(super) fn of(manifest: &Manifest) -> Result<Self, String> {
        let Manifest { name, version, dist, .. } = manifest;
        let given: Url = dist
            .tarball
            .parse()
            .map_err(|e| format!("version {version}: the tarball's URL: {e}"))?;
        if !matches!(given.scheme(), "http" | "https") {
            return Err(format!(
                "version {version}: the tarball's URL has the scheme `{}`",
                given.scheme()
            ));
        }
        let path = given.path().replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
        let usual = path
            .rsplit_once("/-/")
            .filter(|(front, tail)| {
                front.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('/'))
                    && is_plain(tail)
            })
            .map(|(_, tail)| format!("{name}/-/{tail}"));
        let bare = name.rsplit('/').next().unwrap_or(name);
        Ok(Self {
            usual: usual.is_some(),
            file: usual.unwrap_or_else(|| format!("{name}/-/{bare}-{version}.tgz")),
            given,
        })
    }

    /// Whether it lies at the same path below every registry.
    pub(super) fn is_usual(&self) -> bool {
        self.usual
    }

    /// Where it may lie, best first; never empty. A mirror may pass on the URL of the registry it
    /// mirrors: then the same path below the configured base comes first.
    pub(super) fn locations(&self, endpoint: &Endpoint) -> Vec<Location> {
        let base = &endpoint.base.value;
        let given = access::located(endpoint, self.given.clone());
        if !self.usual || self.given.origin() == base.origin() {
            return vec![given];
        }
        vec![access::located(endpoint, below(base, &self.file)), given]
    }
}

/// The package of a locked file; `None` when the name is not of that form.
pub(super) fn package(file: &str) -> Option<&str> {
    let (package, tail) = file.split_once("/-/")?;
    (is_package(package) && is_plain(tail)).then_some(package)
}

/// Whether a package can have this name: `NAME` or `@SCOPE/NAME`.
pub(super) fn is_package(name: &str) -> bool {
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(s, n)| is_plain(s) && is_plain(n)),
        None => is_plain(name),
    }
}

/// One path segment that stays where it is put.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+~!".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::super::packument::tests::manifest;
    use super::*;
    use crate::source::access::tests::endpoint_at;
    use proptest::prelude::*;

    fn tarball(name: &str, url: &str) -> Tarball {
        let json = format!(r#"{{"dist":{{"tarball":"{url}"}}}}"#);
        Tarball::of(&manifest(name, "1.0.0", &json)).expect("tarball")
    }

    #[test]
    fn one_name_on_every_mirror() {
        for (name, url, want) in [
            ("t", "http://a.invalid/t/-/t-1.0.0.tgz", "t/-/t-1.0.0.tgz"),
            ("@s/t", "http://a.invalid/npm/@s/t/-/t-1.0.0.tgz", "@s/t/-/t-1.0.0.tgz"),
            ("@s/t", "http://a.invalid/@s%2ft/-/t-1.0.0.tgz?k=1", "@s/t/-/t-1.0.0.tgz"),
            ("@s/t", "http://a.invalid/@s/t/-/odd-name.tgz", "@s/t/-/odd-name.tgz"),
            ("@s/t", "http://a.invalid/download/@s/t/1.0.0/abcdef", "@s/t/-/t-1.0.0.tgz"),
            ("t", "http://a.invalid/other/-/x.tgz", "t/-/t-1.0.0.tgz"),
        ] {
            let tarball = tarball(name, url);
            assert_eq!(tarball.file, want, "{url}");
            assert_eq!(package(&tarball.file), Some(name));
        }
    }

    #[test]
    fn configured_base_comes_first() {
        let endpoint = endpoint_at("http://mirror.invalid/npm/");
        let at = |name: &str, url: &str| -> Vec<(String, bool)> {
            let locations = tarball(name, url).locations(&endpoint);
            locations.iter().map(|l| (l.url.to_string(), l.authorization.is_some())).collect()
        };
        let one = |url: &str, auth| (url.to_owned(), auth);
        assert_eq!(
            at("@s/t", "http://up.invalid/@s/t/-/t-1.0.0.tgz"),
            [
                one("http://mirror.invalid/npm/@s/t/-/t-1.0.0.tgz", true),
                one("http://up.invalid/@s/t/-/t-1.0.0.tgz", false),
            ]
        );
        let same = "http://mirror.invalid/npm/api/@s/t/-/t-1.0.0.tgz";
        assert_eq!(at("@s/t", same), [one(same, true)]);
        let odd = "http://up.invalid/download/abcdef";
        assert_eq!(at("@s/t", odd), [one(odd, false)]);
    }

    #[test]
    fn refuses() {
        for bad in ["", "/x", "file:///x", "not a url"] {
            let json = format!(r#"{{"dist":{{"tarball":"{bad}"}}}}"#);
            assert!(Tarball::of(&manifest("t", "1.0.0", &json)).is_err(), "{bad}");
        }
        for bad in
            ["", "t", "t/-/", "../-/x", "@s/-/x", "@s/../-/x", "a/b/-/x", "t/-/a/b", "t/-/.."]
        {
            assert_eq!(package(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}") {
            let _ = package(&s);
        }
    }
}
