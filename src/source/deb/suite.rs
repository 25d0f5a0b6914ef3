//! One suite of a repository: its verified index, and verified lists of packages.
//!
//! Invariant: nothing is read of a document before its signature (the index) or its hash in the
//! index (the lists) was found good, and an index past its date is refused. A mirror that fails one
//! of these is passed over for the next; what is refused everywhere is an error.

use std::io::Read as _;
use std::sync::Arc;

use super::super::access::{self, Access};
use super::super::mirrors::{self, Place};
use super::super::{Error, Location, Query, Result};
use super::release::{Release, SUFFIXES, list_path};
use crate::base::{Algorithm, Hasher, Integrity};
use crate::config::ecosystem::apt::{Keys, Repository};
use crate::config::ecosystem::{Endpoint, Indexes};
#[cfg(feature = "deb")]
use crate::fs;

/// Most bytes of a list after decompression.
const MAX_LIST: u64 = 1 << 30;

/// A suite and where it is.
pub(super) struct Suite<'a> {
    pub(super) access: &'a Access,
    pub(super) repository: &'a Repository,
}

impl Suite<'_> {
    /// Its index.
    pub(super) async fn release(&self, query: &Query<'_>) -> Result<Release> {
        let indexes = places(self.repository);
        let found = self.access.first(&indexes, |place| self.release_at(query, place)).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let url = mirrors::shown(&indexes, |e| self.at(e, "Release").shown());
        Err(Error::UnknownSuite { subject: query.subject(), url })
    }

    /// A place's index; `None` when it has no such suite.
    async fn release_at(&self, query: &Query<'_>, place: Place<'_>) -> Result<Option<Release>> {
        let Some(text) = self.signed(query, place).await? else { return Ok(None) };
        let at = self.at(place.endpoint, "Release");
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
        Ok(Some(release))
    }

    async fn get(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        at: &Location,
    ) -> Result<Option<Vec<u8>>> {
        let page = self.access.page_of(place.last, query, at, None).await?;
        Ok(page.map(|page| page.body))
    }

    /// The index's text, after its signature was verified.
    async fn signed(&self, query: &Query<'_>, place: Place<'_>) -> Result<Option<String>> {
        let ring = Arc::new(keyring(query, &self.repository.keys)?);
        let at = self.at(place.endpoint, "InRelease");
        if let Some(body) = self.get(query, place, &at).await? {
            return ring.open(&String::from_utf8_lossy(&body)).map(Some).map_err(|why| {
                self.access.forget(&at);
                Error::Unsigned { subject: query.subject(), url: at.shown(), why }
            });
        }
        let at = self.at(place.endpoint, "Release");
        let Some(text) = self.get(query, place, &at).await? else { return Ok(None) };
        let unsigned = |why| Error::Unsigned { subject: query.subject(), url: at.shown(), why };
        let beside = self.at(place.endpoint, "Release.gpg");
        let Some(signature) = self.get(query, place, &beside).await? else {
            return Err(unsigned("it is not signed".to_owned()));
        };
        ring.check(&text, &signature).map_err(|why| {
            self.access.forget(&at);
            self.access.forget(&beside);
            unsigned(why)
        })?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// A list of packages; `None` when the suite has none for this architecture.
    pub(super) async fn list(
        &self,
        query: &Query<'_>,
        release: &Release,
        component: Option<&str>,
        architecture: &str,
    ) -> Result<Option<Vec<u8>>> {
        if release.list(component, architecture).is_none() {
            return Ok(None);
        }
        let plain = list_path(component, architecture);
        let indexes = places(self.repository);
        let ask = |place| self.list_at(query, release, place, &plain);
        if let Some(found) = self.access.first(&indexes, ask).await? {
            return Ok(Some(found));
        }
        let url = mirrors::shown(&indexes, |e| self.at(e, &plain).shown());
        Err(Error::UnknownSuite { subject: query.subject(), url })
    }

    /// A place's list, in the first form that it has. Plain ones are announced but seldom served.
    async fn list_at(
        &self,
        query: &Query<'_>,
        release: &Release,
        place: Place<'_>,
        plain: &str,
    ) -> Result<Option<Vec<u8>>> {
        for suffix in SUFFIXES {
            let path = format!("{plain}{suffix}");
            let Some((expected, size)) = release.files.get(&path) else { continue };
            let mut spots = vec![self.at(place.endpoint, &path)];
            if release.by_hash {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let by_hash = format!("{folder}/by-hash/SHA256/{}", expected.hex());
                spots.insert(0, self.at(place.endpoint, &by_hash));
            }
            // A signed hash says that nothing changed; nobody has to be asked.
            for at in &spots {
                if let Some(body) = self.access.kept(at)
                    && verify(query, at, &body, expected, *size).is_ok()
                {
                    return unpack(query, at.clone(), body, suffix).await.map(Some);
                }
            }
            for at in spots {
                let Some(body) = self.get(query, place, &at).await? else { continue };
                if let Err(error) = verify(query, &at, &body, expected, *size) {
                    self.access.forget(&at);
                    return Err(error);
                }
                return unpack(query, at, body, suffix).await.map(Some);
            }
        }
        Ok(None)
    }

    /// A file below the suite.
    fn at(&self, endpoint: &Endpoint, path: &str) -> Location {
        let suite = &self.repository.suite;
        let path = match suite.strip_suffix('/') {
            Some("." | "") => path.to_owned(),
            Some(flat) => format!("{flat}/{path}"),
            None => format!("dists/{suite}/{}", path.trim_start_matches('/')),
        };
        file(endpoint, &path)
    }
}

/// The places that serve a repository: one index, each with its own credentials.
fn places(repository: &Repository) -> Indexes {
    let first = (repository.base.clone(), repository.authorization.clone());
    let all = std::iter::once(first).chain(repository.mirrors.iter().cloned());
    vec![
        all.map(|(base, authorization)| Endpoint { base, authorization, ca: None, identity: None })
            .collect(),
    ]
}

fn file(endpoint: &Endpoint, path: &str) -> Location {
    access::located(endpoint, access::below(&endpoint.base.value, path))
}

/// Where a file of a repository lies, best first; never empty.
pub(super) fn files(repository: &Repository, path: &str) -> Vec<Location> {
    places(repository).iter().flatten().map(|endpoint| file(endpoint, path)).collect()
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
