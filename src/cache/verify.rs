//! Verifying a cache: every archive fetched, unpacked and hashed.
//!
//! Changes nothing. Invariant: an object that has no flaw here can be pulled.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::cached::Cache;
use super::narinfo::NarInfo;
use super::pull::fetch_file;
use super::signing::Keyring;
use super::{Error, Result, blocking};
use crate::base::{Algorithm, Digest, ObjectName, Quiet, Reporter};
use crate::fs;
use crate::nar::{self, HashWriter};
use crate::store::Store;

/// What a verification found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// Objects that were looked at.
    pub objects: usize,
    /// Of them, those with a signature of a known key.
    pub signed: usize,
    /// Bytes of archives, unpacked.
    pub nar_bytes: u64,
    /// Files that no object names: of pushes that were cut, or under way.
    pub unnamed: usize,
    /// What is wrong, sorted.
    pub flaws: Vec<Flaw>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flaw {
    /// The object, or its digest where its name is not known.
    pub object: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.object, self.why)
    }
}

/// Looks at everything, or at some objects and what they refer to.
pub async fn verify(
    store: &Store,
    cache: &Cache,
    only: Option<&[ObjectName]>,
    keys: &Keyring,
    jobs: usize,
    reporter: &dyn Reporter,
) -> Result<Verified> {
    cache.info().await?;
    let mut report = Verified::default();
    let mut infos = Vec::new();
    let mut known: BTreeSet<Digest> = BTreeSet::new();
    let mut ahead: Vec<Digest> = match only {
        Some(objects) => objects.iter().map(ObjectName::digest).collect(),
        None => cache.digests().await?,
    };
    let follow = only.is_some();
    while let Some(digest) = ahead.pop() {
        if !known.insert(digest) {
            continue;
        }
        match cache.narinfo(digest).await {
            Ok(Some(info)) => {
                if follow {
                    ahead.extend(info.references.iter().map(ObjectName::digest));
                }
                infos.push(info);
            }
            Ok(None) => report.flaw(digest, "it is not there"),
            Err(e @ Error::Document { .. }) => report.flaw(digest, e),
            Err(e) => return Err(e),
        }
    }
    report.objects = infos.len();
    for info in &infos {
        for reference in info.references.iter().filter(|r| **r != info.object) {
            if !known.contains(&reference.digest()) {
                report.flaw(&info.object, format!("it refers to {reference}, which is missing"));
            }
        }
    }
    let work: Vec<_> = infos.iter().map(|info| one(store, cache, info, keys, reporter)).collect();
    let mut results = stream::iter(work).buffer_unordered(jobs.max(1));
    while let Some((info, result)) = results.next().await {
        match result {
            Ok(is_signed) => {
                report.signed += usize::from(is_signed);
                report.nar_bytes += info.nar_size;
            }
            Err(e) if e.is_lie() => report.flaw(&info.object, words(&e)),
            Err(e) => return Err(e),
        }
    }
    if !follow {
        let named: BTreeSet<&str> = infos.iter().map(|info| info.url.as_str()).collect();
        let entries = cache.entries().await?;
        report.unnamed = entries
            .iter()
            .filter(|e| e.key.starts_with("nar/") && !named.contains(e.key.as_str()))
            .count();
    }
    report.flaws.sort();
    Ok(report)
}

impl Verified {
    fn flaw(&mut self, object: impl ToString, why: impl ToString) {
        self.flaws.push(Flaw { object: object.to_string(), why: why.to_string() });
    }
}

fn words(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|e| format!(": {e}")).unwrap_or_default();
    format!("{error}{source}")
}

async fn one<'a>(
    store: &Store,
    cache: &Cache,
    info: &'a NarInfo,
    keys: &Keyring,
    reporter: &dyn Reporter,
) -> (&'a NarInfo, Result<bool>) {
    (info, check(store, cache, info, keys, reporter).await)
}

async fn check(
    store: &Store,
    cache: &Cache,
    info: &NarInfo,
    keys: &Keyring,
    reporter: &dyn Reporter,
) -> Result<bool> {
    let document = |why: String| Error::Document {
        cache: cache.shown().to_owned(),
        file: super::cached::narinfo_key(info.object.digest()),
        why,
    };
    if info.content_address.is_some() && !info.is_content_addressed() {
        return Err(document("its name does not follow from its content".to_owned()));
    }
    let forged = keys.forged(&info.fingerprint(), &info.signatures);
    if let Some(name) = forged.first() {
        return Err(document(format!("its signature by {name} is false")));
    }
    let task = reporter.begin(info.object.name(), info.file_size);
    let temp = store.clone();
    let dir = blocking(move || Ok(fs::StagingDir::new_in(&temp.temp_dir()?, "verify")?)).await?;
    let file = fetch_file(cache, info, &dir.path().join("nar"), &Quiet).await?;
    let (name, info_) = (cache.shown().to_owned(), info.clone());
    blocking(move || {
        task.stage("hashing");
        hash(&name, &info_, &file.path, file.hash.is_none())?;
        drop(dir);
        Ok(())
    })
    .await?;
    Ok(keys.signer(&info.fingerprint(), &info.signatures).is_some())
}

/// Compares an archive with what is said of it.
fn hash(cache: &str, info: &NarInfo, path: &Path, also_packed: bool) -> Result<()> {
    let (cache, object) = (cache.to_owned(), info.object.clone());
    let unpack = |source| Error::Unpack { cache: cache.clone(), object: object.clone(), source };
    if also_packed && let Some(expected) = &info.file_hash {
        let (received, _) = fs::hash_file(path, Algorithm::Sha256)?;
        if received != *expected {
            let (expected, received) = (Box::new(expected.clone()), Box::new(received));
            return Err(Error::OtherFile { cache, object, expected, received });
        }
    }
    let reader = info.compression.reader(fs::open(path)?).map_err(unpack)?;
    let mut tee = Hashed { source: reader.take(info.nar_size + 1), hash: HashWriter::new() };
    let mut archive = nar::Reader::new(BufReader::with_capacity(1 << 18, &mut tee));
    let read = loop {
        match archive.next() {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    drop(archive);
    let (tree, size) = tee.hash.finish();
    match read {
        Err(nar::Error::Read(source)) => return Err(unpack(source)),
        Err(source) => return Err(unpack(std::io::Error::other(source))),
        Ok(()) => {}
    }
    if size != info.nar_size {
        let (expected, received) = (info.nar_size, size);
        return Err(Error::FileSize { cache, object, expected, received });
    }
    if tree != info.tree {
        let (expected, received) = (Box::new(info.tree), Box::new(tree));
        return Err(Error::OtherTree { cache, object, expected, received });
    }
    Ok(())
}

struct Hashed<R> {
    source: R,
    hash: HashWriter,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::io::Write as _;
        let n = self.source.read(buffer)?;
        self.hash.write_all(&buffer[..n])?;
        Ok(n)
    }
}
