//! How an ecosystem is configured on this machine: its base URL and who may be trusted.
//!
//! Order: `[source.NAME] url` of a profile, the ecosystem's variables, its files, what its
//! installed client reports as default; else an error that names the variable to set. No host name
//! of a registry is written here.
//!
//! An ecosystem may have several indexes (pip's and uv's extra ones), asked in order, and an index
//! several places that serve it: mirrors. Only mirrors stand in for one another. Invariant: a base
//! URL holds no credentials and ends in `/`; credentials belong to one base.

pub mod apt;
mod ask;
pub mod aws;
mod cargo;
pub mod docker;
mod github;
mod goproxy;
mod ini;
mod keyring;
mod netrc;
mod npm;
mod npmrc;
pub mod oci;
mod pypi;
#[cfg(test)]
mod testing;

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use url::Url;

pub use goproxy::{GoModules, Proxy as GoProxy};

use super::{Environ, Error, Setting};
use crate::base::{Secret, SourceKind};
use crate::fs;

/// One ecosystem's configuration.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Base URL, without credentials, ending in `/`.
    pub base: Setting<Url>,
    /// `Authorization` header for requests below the base.
    pub authorization: Option<Secret>,
    /// Additional root certificates (PEM).
    pub ca: Option<PathBuf>,
    /// The certificate of whoever asks, with its key (PEM), for the base's host alone.
    pub identity: Option<Secret>,
}

/// Finds an ecosystem's endpoint. `override_url` is the profile's `[source.NAME] url`; `cache` is
/// a directory where what clients reported is remembered; `scope` is npm's (`@types`), whose
/// registry may differ. `url` has a base only when a profile gives it one, `path` never: asking
/// for it then is an error.
///
/// May start a client and wait for it, up to 10 s: not for the async thread.
pub fn endpoint(
    kind: SourceKind,
    override_url: Option<&str>,
    scope: Option<&str>,
    environ: &Environ,
    project: &Path,
    cache: Option<&Path>,
) -> Result<Endpoint, Error> {
    let machine = Machine { environ, project, cache, root: Path::new("/") };
    machine.endpoint(kind, override_url, scope)
}

/// The indexes of an ecosystem in the order they are asked, each with the places that serve it,
/// best first. There is at least one index, and each has at least one place.
pub type Indexes = Vec<Vec<Endpoint>>;

/// Like [`endpoint`], for all places. `urls` are those of a profile: mirrors of one index, which
/// are then the only ones. Without them it is one place, or for `pypi` the extra indexes that pip
/// or uv is told of, before the usual one.
pub fn indexes(
    kind: SourceKind,
    urls: &[String],
    scope: Option<&str>,
    environ: &Environ,
    project: &Path,
    cache: Option<&Path>,
) -> Result<Indexes, Error> {
    let machine = Machine { environ, project, cache, root: Path::new("/") };
    machine.indexes(kind, urls, scope)
}

/// Every file of root certificates (PEM) that this machine's clients are told to trust, for the
/// one HTTP client that serves all ecosystems. Starts no client.
pub fn roots(environ: &Environ, project: &Path) -> Result<Vec<PathBuf>, Error> {
    Machine { environ, project, cache: None, root: Path::new("/") }.roots()
}

/// What `.netrc` says for a URL's host, as an `Authorization` header: for `url:` sources, which
/// have no base of their own.
pub fn netrc_authorization(environ: &Environ, url: &Url) -> Result<Option<Secret>, Error> {
    netrc::authorization(environ, url)
}

/// The forge's web address (`GITHUB_SERVER_URL`), below which release assets lie that everybody
/// may read; ends in `/`. A base that does not come from `GITHUB_API_URL` may be another forge's,
/// so there is none then.
pub fn github_web(environ: &Environ, endpoint: &Endpoint) -> Result<Option<Url>, Error> {
    github::web(environ, endpoint)
}

/// How Go modules are found: several proxies, and what the Go command itself is told. May start a
/// client and wait for it, like [`endpoint`].
pub fn go_modules(
    override_url: Option<&str>,
    environ: &Environ,
    project: &Path,
    cache: Option<&Path>,
) -> Result<GoModules, Error> {
    let machine = Machine { environ, project, cache, root: Path::new("/") };
    let profile = override_url.map(|url| Setting::file(project.join("profiles"), url.to_owned()));
    goproxy::modules(&machine, profile)
}

/// Everything that is looked at.
#[derive(Clone, Copy)]
struct Machine<'a> {
    environ: &'a Environ,
    project: &'a Path,
    /// The directory of the file that remembers what clients reported.
    cache: Option<&'a Path>,
    /// `/`, so that tests do not see the configuration of the machine they run on.
    root: &'a Path,
}

impl Machine<'_> {
    fn endpoint(
        &self,
        kind: SourceKind,
        override_url: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Endpoint, Error> {
        let profile =
            override_url.map(|url| Setting::file(self.project.join("profiles"), url.to_owned()));
        match (kind, profile) {
            (SourceKind::Pypi, profile) => pypi::endpoint(self, profile),
            (SourceKind::Npm, profile) => npm::endpoint(self, profile, scope),
            (SourceKind::Github, profile) => github::endpoint(self, profile),
            (SourceKind::Crate, profile) => cargo::endpoint(self, profile),
            (SourceKind::Go, profile) => goproxy::endpoint(self, profile),
            (SourceKind::Url | SourceKind::Aqua, Some(profile)) => {
                let (base, authorization) = base(profile)?;
                let authorization = match authorization {
                    None => netrc::authorization(self.environ, &base.value)?,
                    some => some,
                };
                Ok(Endpoint { base, authorization, ca: self.common_ca()?, identity: None })
            }
            // Without a mirror of its own, the registry is a repository on the forge.
            (SourceKind::Aqua, None) => github::endpoint(self, None),
            // They have several: [`apt::repositories`], [`oci::registries`].
            (SourceKind::Url | SourceKind::Deb | SourceKind::Path | SourceKind::Oci, _) => {
                Err(Error::NoBase { ecosystem: kind.name() })
            }
        }
    }

    fn indexes(
        &self,
        kind: SourceKind,
        urls: &[String],
        scope: Option<&str>,
    ) -> Result<Indexes, Error> {
        if urls.is_empty() {
            let mut indexes = match kind {
                SourceKind::Pypi => pypi::extra(self)?,
                _ => Vec::new(),
            };
            match self.endpoint(kind, None, scope) {
                // The usual index may well be one of the extra ones, for another tool.
                Ok(usual)
                    if indexes.iter().any(|e: &Endpoint| e.base.value == usual.base.value) => {}
                Ok(usual) => indexes.push(usual),
                Err(Error::NoEndpoint { .. }) if !indexes.is_empty() => {}
                Err(e) => return Err(e),
            }
            return Ok(indexes.into_iter().map(|index| vec![index]).collect());
        }
        let mirrors = urls.iter().map(|url| self.endpoint(kind, Some(url), scope));
        Ok(vec![mirrors.collect::<Result<_, _>>()?])
    }

    fn common_ca(&self) -> Result<Option<PathBuf>, Error> {
        ca(self.environ, ca_variables(self.environ, &["SSL_CERT_FILE"]))
    }

    fn roots(&self) -> Result<Vec<PathBuf>, Error> {
        let mut roots: Vec<PathBuf> =
            [self.common_ca()?, pypi::ca(self)?, npm::ca(self)?].into_iter().flatten().collect();
        roots.sort();
        roots.dedup();
        Ok(roots)
    }
}

/// A file's text; `None` when it or a directory above it is not there.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string_if_exists(path) {
        Err(e) if e.io_kind() == Some(std::io::ErrorKind::NotADirectory) => Ok(None),
        other => Ok(other?),
    }
}

/// Checks a base URL, and moves the credentials in it to a header.
fn base(setting: Setting<String>) -> Result<(Setting<Url>, Option<Secret>), Error> {
    let Setting { value: text, origin } = setting;
    let mut url = match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            let accepted = "an http:// or https:// URL";
            return Err(Error::Value { origin, value: redacted(&text), accepted });
        }
    };
    let authorization = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => {
            Some(basic(&percent_decoded(user), &percent_decoded(password.unwrap_or_default())))
        }
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok((Setting { value: url, origin }, authorization))
}

/// The text without anything that stands where credentials would.
fn redacted(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    }
}

/// HTTP Basic (RFC 7617).
fn basic(user: &str, password: &str) -> Secret {
    Secret::new(format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes())))
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What the first of these variables that is set says.
fn ca_variables(environ: &Environ, names: &[&str]) -> Option<Setting<PathBuf>> {
    names.iter().find_map(|name| Some(Setting::variable(*name, environ.get_os(name)?.into())))
}

/// The certificate of whoever asks and its key, from the files that hold them; one file may hold
/// both.
fn identity(
    environ: &Environ,
    certificate: Setting<PathBuf>,
    key: Option<Setting<PathBuf>>,
) -> Result<Secret, Error> {
    let mut text = String::new();
    for Setting { value, origin } in std::iter::once(certificate).chain(key) {
        let path = match (value.strip_prefix("~"), environ.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => value,
        };
        let Some(found) = read(&path)? else {
            return Err(Error::Missing { origin, path, what: "a file" });
        };
        text.push_str(&found);
        text.push('\n');
    }
    Ok(Secret::new(text))
}

/// Checks that a file of root certificates is there. A directory is passed over: it is a format
/// of OpenSSL, and the system's own trust covers it.
fn ca(environ: &Environ, setting: Option<Setting<PathBuf>>) -> Result<Option<PathBuf>, Error> {
    let Some(Setting { value, origin }) = setting else { return Ok(None) };
    let path = match (value.strip_prefix("~"), environ.home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => value,
    };
    if path.is_dir() {
        Ok(None)
    } else if path.is_file() {
        Ok(Some(path))
    } else {
        Err(Error::Missing { origin, path, what: "a file" })
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Fake;
    use super::*;
    use crate::base::{Diagnose as _, Kind};

    #[test]
    fn bases_lose_their_credentials() {
        let text = "https://us%40er:p%3Aw@mirror.invalid:8443/simple#x".to_owned();
        let (base, authorization) = base(Setting::default(text)).unwrap();
        assert_eq!(base.value.as_str(), "https://mirror.invalid:8443/simple/");
        assert_eq!(authorization, Some(basic("us@er", "p:w")));
        assert_eq!(basic("a", "b").expose(), "Basic YTpi");
    }

    #[test]
    fn bases_are_http() {
        for bad in ["ftp://mirror.invalid", "mirror.invalid/x", "", "http://me:secret@:x/"] {
            let error = base(Setting::variable("PIP_INDEX_URL", bad.to_owned())).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("PIP_INDEX_URL is `"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn percents() {
        for (text, plain) in [("a%20b", "a b"), ("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA")] {
            assert_eq!(percent_decoded(text), plain);
        }
    }

    #[test]
    fn url_has_a_base_only_when_given_one() {
        let fake = Fake::new(&[]);
        let error = fake.endpoint(SourceKind::Url, None, None).unwrap_err();
        assert!(error.hints()[0].0.contains("[source.url]"));
        assert_eq!(error.kind(), Kind::Usage);
        let url = Some("http://mirror.invalid/files");
        assert!(fake.endpoint(SourceKind::Path, url, None).is_err());

        fake.write("home/.netrc", "machine mirror.invalid login a password b");
        let endpoint = fake.endpoint(SourceKind::Url, url, None).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "http://mirror.invalid/files/");
        assert_eq!(endpoint.authorization, Some(basic("a", "b")));
    }

    #[test]
    fn roots_are_files() {
        let all = [("SSL_CERT_FILE", "$T/a.pem"), ("PIP_CERT", "$T/b.pem")];
        let fake = Fake::new(&all);
        let error = fake.machine().roots().unwrap_err();
        assert!(error.to_string().starts_with("SSL_CERT_FILE names `"), "{error}");
        let first = fake.write("a.pem", "");
        let error = fake.machine().roots().unwrap_err();
        assert!(error.to_string().starts_with("PIP_CERT names `"), "{error}");
        let second = fake.write("b.pem", "");
        assert_eq!(fake.machine().roots().unwrap(), [first, second]);
        // A directory is OpenSSL's format, and covered by the system's trust.
        assert!(Fake::new(&[("SSL_CERT_FILE", "$T/home")]).machine().roots().unwrap().is_empty());
        assert!(Fake::new(&[]).machine().roots().unwrap().is_empty());
    }
}
