//! Where a cache is: a directory, a web server, a bucket.
//!
//! Owns the texts that name one: a path, `file://…`, `http(s)://…`, `s3://BUCKET/PREFIX?endpoint=…
//! &region=…` (as Nix writes them; what else stands in a query is passed over). Refuses everything
//! else. Invariant: [`Location::shown`] holds no credential.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::backend::Backend;
use super::directory::Directory;
use super::s3::Bucket;
use super::web::{Plan, Web};
use super::{Error, Result};
use crate::base::Secret;
use crate::config::ecosystem::aws::Storage;
use crate::http::{self, Client};

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A directory, absolute.
    Directory(PathBuf),
    /// A web server.
    Web(Url),
    /// A bucket of S3-compatible storage.
    Bucket {
        /// Its name.
        bucket: String,
        /// What stands before every key: empty, or ends with a slash.
        prefix: String,
        /// The server, where the text names one.
        endpoint: Option<Url>,
        /// Its region, where the text names one.
        region: Option<String>,
        /// The profile of the user's AWS files, where the text names one.
        profile: Option<String>,
    },
}

/// What opens a cache.
#[derive(Clone)]
pub struct Access {
    /// Makes requests.
    pub client: Client,
    /// Sent as `Authorization` with what reads from a web server.
    pub reading: Option<Secret>,
    /// Sent as `Authorization` with what writes to a web server.
    pub writing: Option<Secret>,
    /// Of a bucket; the location's own words come first.
    pub storage: Storage,
}

impl Location {
    /// Reads a text; paths are relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        let bad = |why: &str| Error::Location { text: redacted(text), why: why.to_owned() };
        let Some((scheme, _)) = text.split_once("://") else {
            return match text.is_empty() {
                true => Err(bad("it is empty")),
                false => Ok(Self::Directory(base.join(text).components().collect())),
            };
        };
        let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
        match scheme {
            "http" | "https" => {
                let mut url = url;
                url.set_query(None);
                url.set_fragment(None);
                if !url.path().ends_with('/') {
                    url.set_path(&format!("{}/", url.path()));
                }
                Ok(Self::Web(url))
            }
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Self::Directory(path)),
                Err(()) => Err(bad("it is no path of this machine")),
            },
            "s3" => {
                let bucket = url.host_str().filter(|b| !b.is_empty());
                let bucket = bucket.ok_or_else(|| bad("it names no bucket"))?.to_owned();
                let mut prefix = url.path().trim_matches('/').to_owned();
                if !prefix.is_empty() {
                    prefix.push('/');
                }
                let word = |name: &str| {
                    url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
                };
                let scheme = word("scheme").unwrap_or_else(|| "https".to_owned());
                let endpoint = word("endpoint").map(|text| endpoint(&text, &scheme));
                let endpoint =
                    endpoint.transpose().map_err(|()| bad("its endpoint is no URL of a server"))?;
                let (region, profile) = (word("region"), word("profile"));
                Ok(Self::Bucket { bucket, prefix, endpoint, region, profile })
            }
            _ => Err(bad("a cache is a path, or file://, http://, https:// or s3://")),
        }
    }

    /// Whether it needs no network.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    pub(super) fn open(&self, access: &Access) -> Result<Arc<dyn Backend>> {
        Ok(match self {
            Self::Directory(path) => Arc::new(Directory::new(path.clone())),
            Self::Web(base) => {
                let plan = Plan::Below {
                    base: base.clone(),
                    reading: access.reading.clone(),
                    writing: access.writing.clone(),
                };
                Arc::new(Web::new(access.client.clone(), plan, self.to_string()))
            }
            Self::Bucket { bucket, prefix, endpoint: own, region, .. } => {
                let storage = &access.storage;
                let bad = |why: &str| Error::Location { text: self.to_string(), why: why.into() };
                let endpoint = match (own, &storage.endpoint) {
                    (Some(url), _) => url.clone(),
                    (None, Some(text)) => endpoint(text, "https")
                        .map_err(|()| bad("the configured endpoint is no URL of a server"))?,
                    (None, None) => {
                        return Err(bad(
                            "which server has it is not said: set AWS_ENDPOINT_URL, or write \
                             `?endpoint=…`",
                        ));
                    }
                };
                let region = region.clone().or_else(|| storage.region.clone());
                let bucket = Bucket {
                    endpoint,
                    region: region.unwrap_or_else(|| "us-east-1".to_owned()),
                    name: bucket.clone(),
                    prefix: prefix.clone(),
                    keys: storage.keys.clone(),
                    token: storage.token.clone(),
                };
                let plan = Plan::Bucket(Box::new(bucket));
                Arc::new(Web::new(access.client.clone(), plan, self.to_string()))
            }
        })
    }
}

fn endpoint(text: &str, scheme: &str) -> std::result::Result<Url, ()> {
    let full = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    let url = Url::parse(&full).map_err(drop)?;
    let good = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    good.then_some(url).ok_or(())
}

fn redacted(text: &str) -> String {
    Url::parse(text).map_or_else(|_| text.to_owned(), |url| http::shown(&url))
}

/// As people may see it.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Web(url) => f.write_str(http::shown(url).trim_end_matches('/')),
            Self::Bucket { bucket, prefix, .. } => {
                write!(f, "s3://{bucket}/{prefix}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let base = Path::new("/srv/project");
        let parse = |text: &str| Location::parse(text, base);
        let dir = |path: &str| Location::Directory(path.into());
        assert_eq!(parse("./cache").expect("path"), dir("/srv/project/cache"));
        assert_eq!(parse("/srv/c").expect("path"), dir("/srv/c"));
        assert_eq!(parse("file:///srv/c?compression=zstd").expect("file"), dir("/srv/c"));
        let web = parse("https://me:secret@cache.invalid/a?x=1").expect("web");
        assert_eq!(web.to_string(), "https://cache.invalid/a");
        let s3 = parse("s3://b/p/q?endpoint=127.0.0.1:9000&scheme=http&region=r").expect("s3");
        let Location::Bucket { bucket, prefix, endpoint, region, .. } = &s3 else { panic!("{s3}") };
        assert_eq!((bucket.as_str(), prefix.as_str()), ("b", "p/q/"));
        assert_eq!(endpoint.as_ref().map(Url::as_str), Some("http://127.0.0.1:9000/"));
        assert_eq!(region.as_deref(), Some("r"));
        for bad in ["", "ftp://x/y", "s3:///x", "http://", "s3://b?endpoint=:"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let Err(error) = parse("ftp://me:secret@x/y") else { panic!("refused") };
        assert!(!error.to_string().contains("secret"));
    }
}
