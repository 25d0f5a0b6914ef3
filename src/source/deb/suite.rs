//! One suite of a repository: its verified index, and verified lists of packages.
//!
//! Invariant: nothing is read of a document before its signature (the index) or its hash in the
//! index (the lists) was found good, and an index past its date is refused.

use std::io::Read as _;
use std::sync::Arc;

use super::super::access::{self, Access};
use super::super::{Error, Location, Query, Result};
use super::release::Release;
use crate::base::{Algorithm, Hasher, Integrity};
use crate::config::ecosystem::apt::{Keys, Repository};
#[cfg(feature = "deb")]
use crate::fs;

/// Most bytes of a list after decompression.
const MAX_LIST: u64 = 1 << 30;

/// Compressions of a list, best first.
const SUFFIXES: [&str; 4] = [".xz", ".gz", ".bz2", ""];

/// A suite and where it is.
pub(super) struct Suite<'a> {
    pub(super) access: &'a Access,
    pub(super) repository: &'a Repository,
}

impl Suite<'_> {
    /// Its index.
    pub(super) async fn release(&self, query: &Query<'_>) -> Result<Release> {
        let text = self.signed(query).await?;
        let at = self.at("Release");
        let malformed = |why| Error::Malformed { subject: query.subject(), url: at.shown(), why };
        let release = Release::parse(&text).map_err(malformed)?;
        let suite = &self.repository.suite;
        if !suite.ends_with('/') && !release.is(suite) {
            let is = release.codename.or(release.suite).unwrap_or_default();
            return Err(malformed(format!("it is of `{is}`, not of `{suite}`")));
        }
        let expired = release.has_expired(jiff::Timestamp::now()).map_err(malformed)?;
        if expired && self.repository.check_valid_until {
            return Err(Error::Expired {
                subject: query.subject(),
                url: at.shown(),
                until: release.valid_until.unwrap_or_default(),
            });
        }
        Ok(release)
    }

    /// The index's text, after its signature was verified.
    async fn signed(&self, query: &Query<'_>) -> Result<String> {
        let ring = Arc::new(keyring(query, &self.repository.keys)?);
        let at = self.at("InRelease");
        if let Some(body) = self.access.get(query, &at, None).await? {
            return ring.open(&String::from_utf8_lossy(&body)).map_err(|why| {
                self.access.forget(&at);
                Error::Unsigned { subject: query.subject(), url: at.shown(), why }
            });
        }
        let at = self.at("Release");
        let unknown = || Error::UnknownSuite { subject: query.subject(), url: at.shown() };
        let text = self.access.get(query, &at, None).await?.ok_or_else(unknown)?;
        let unsigned = |why| Error::Unsigned { subject: query.subject(), url: at.shown(), why };
        let beside = self.at("Release.gpg");
        let Some(signature) = self.access.get(query, &beside, None).await? else {
            return Err(unsigned("it is not signed".to_owned()));
        };
        ring.check(&text, &signature).map_err(|why| {
            self.access.forget(&at);
            self.access.forget(&beside);
            unsigned(why)
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A list of packages; `None` when the suite has none for this architecture.
    pub(super) async fn list(
        &self,
        query: &Query<'_>,
        release: &Release,
        component: Option<&str>,
        architecture: &str,
    ) -> Result<Option<Vec<u8>>> {
        let plain = match component {
            Some(component) => format!("{component}/binary-{architecture}/Packages"),
            None => "Packages".to_owned(),
        };
        let mut missing = None;
        for suffix in SUFFIXES {
            let path = format!("{plain}{suffix}");
            let Some((expected, size)) = release.files.get(&path) else { continue };
            let mut places = vec![self.at(&path)];
            if release.by_hash {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                places.insert(0, self.at(&format!("{folder}/by-hash/SHA256/{}", expected.hex())));
            }
            // A signed hash says that nothing changed; nobody has to be asked.
            for at in &places {
                if let Some(body) = self.access.kept(at)
                    && verify(query, at, &body, expected, *size).is_ok()
                {
                    return unpack(query, at.clone(), body, suffix).await.map(Some);
                }
            }
            for at in places {
                let Some(body) = self.access.get(query, &at, None).await? else {
                    missing = Some(at);
                    continue;
                };
                if let Err(error) = verify(query, &at, &body, expected, *size) {
                    self.access.forget(&at);
                    return Err(error);
                }
                return unpack(query, at, body, suffix).await.map(Some);
            }
        }
        match missing {
            // Plain lists are announced but seldom served.
            Some(at) => Err(Error::UnknownSuite { subject: query.subject(), url: at.shown() }),
            None => Ok(None),
        }
    }

    /// A file below the suite.
    fn at(&self, path: &str) -> Location {
        let suite = &self.repository.suite;
        let path = match suite.strip_suffix('/') {
            Some("." | "") => path.to_owned(),
            Some(flat) => format!("{flat}/{path}"),
            None => format!("dists/{suite}/{}", path.trim_start_matches('/')),
        };
        file(self.repository, &path)
    }
}

/// A file below the repository's base.
pub(super) fn file(repository: &Repository, path: &str) -> Location {
    let base = &repository.base.value;
    let url = access::below(base, path);
    let authorization = repository.authorization.clone();
    Location { url: access::bare(url), authorization, accept: None }
}

fn verify(
    query: &Query<'_>,
    at: &Location,
    body: &[u8],
    expected: &Integrity,
    size: u64,
) -> Result<()> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(body);
    let received = hasher.finish();
    if body.len() as u64 == size && received == *expected {
        return Ok(());
    }
    Err(Error::IndexHash {
        subject: query.subject(),
        url: at.shown(),
        expected: Box::new(expected.clone()),
        received: Box::new(received),
    })
}

async fn unpack(
    query: &Query<'_>,
    at: Location,
    body: Vec<u8>,
    suffix: &'static str,
) -> Result<Vec<u8>> {
    let work = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let source = &body[..];
        let done = match suffix {
            ".xz" => {
                let window = 256 << 10;
                let xz = lzma_rust2::XzReader::new_mem_limit(source, true, window);
                xz.take(MAX_LIST).read_to_end(&mut out)
            }
            ".gz" => {
                flate2::bufread::MultiGzDecoder::new(source).take(MAX_LIST).read_to_end(&mut out)
            }
            ".bz2" => {
                bzip2::bufread::MultiBzDecoder::new(source).take(MAX_LIST).read_to_end(&mut out)
            }
            _ => return Ok(body),
        };
        done.map(|_| out)
    });
    let why = match work.await {
        Ok(Ok(list)) => return Ok(list),
        Ok(Err(e)) => e.to_string(),
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        // The runtime is shutting down and will drop this future too.
        Err(_) => return std::future::pending().await,
    };
    Err(Error::Malformed { subject: query.subject(), url: at.shown(), why })
}

#[cfg(feature = "deb")]
struct Ring(super::signature::Keyring);

#[cfg(feature = "deb")]
impl Ring {
    fn open(&self, message: &str) -> std::result::Result<String, String> {
        self.0.open(message, now())
    }

    fn check(&self, text: &[u8], signature: &[u8]) -> std::result::Result<(), String> {
        self.0.check(text, signature, now())
    }
}

#[cfg(feature = "deb")]
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

#[cfg(feature = "deb")]
fn keyring(query: &Query<'_>, keys: &Keys) -> Result<Ring> {
    let mut ring = super::signature::Keyring::default();
    for path in &keys.files {
        let bytes =
            fs::read(path).map_err(|source| Error::PathIo { subject: query.subject(), source })?;
        ring.add(&bytes);
    }
    ring.add(keys.inline.as_deref().unwrap_or_default().as_bytes());
    if !keys.fingerprints.is_empty() {
        ring.only(&keys.fingerprints);
    }
    if ring.is_empty() {
        let files = keys.files.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::NoKeys { subject: query.subject(), files });
    }
    Ok(Ring(ring))
}

/// A build without OpenPGP believes no repository.
#[cfg(not(feature = "deb"))]
struct Ring;

#[cfg(not(feature = "deb"))]
impl Ring {
    fn open(&self, _: &str) -> std::result::Result<String, String> {
        Err("this build of infra verifies no OpenPGP signatures".to_owned())
    }

    fn check(&self, _: &[u8], _: &[u8]) -> std::result::Result<(), String> {
        self.open("").map(|_| ())
    }
}

#[cfg(not(feature = "deb"))]
fn keyring(_: &Query<'_>, keys: &Keys) -> Result<Ring> {
    let Keys { .. } = keys;
    Ok(Ring)
}
