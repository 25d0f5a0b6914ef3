//! What is written: archives and narinfos of a push.
//!
//! An archive is hashed while it comes and must hash to its name; a narinfo must be of the object
//! in its path, named by its content, and name an archive and references that are there. Refuses
//! everything else with the reason. Invariant: nothing is visible before it is whole and synced.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::Server;
use super::reply::{self, Out};
use super::request::Target;
use crate::base::{Algorithm, Digest, Hasher, nix32};
use crate::cache::cached::narinfo_key;
use crate::cache::directory::Arriving;
use crate::cache::narinfo::{self, NarInfo, nix32_of};
use crate::fs::{self, Context as _};

/// Longest time without a byte.
const STALL: Duration = Duration::from_secs(60);
/// Largest archive, packed: as much as S3 takes in one piece.
const MAX_ARCHIVE: u64 = 5 << 30;

/// Why something was not taken.
struct Refusal(StatusCode, String);

impl From<fs::Error> for Refusal {
    fn from(_: fs::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be written".to_owned())
    }
}

pub(super) async fn write(
    server: &Server,
    dir: &Path,
    target: &Target,
    request: Request<Incoming>,
) -> Response<Out> {
    let done = match target {
        Target::Archive(name) => archive(server, dir, name, request).await,
        Target::NarInfo(digest) => info(server, dir, *digest, request).await,
        _ => Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "the server writes it itself".to_owned())),
    };
    match done {
        Ok(()) => reply::text(StatusCode::CREATED, "written"),
        Err(Refusal(status, why)) => reply::text(status, &why),
    }
}

fn unfit(why: impl Into<String>) -> Refusal {
    Refusal(StatusCode::UNPROCESSABLE_ENTITY, why.into())
}

async fn archive(
    server: &Server,
    dir: &Path,
    name: &str,
    request: Request<Incoming>,
) -> Result<(), Refusal> {
    let (hash, rest) = name.split_once('.').unwrap_or((name, ""));
    if nix32::decode::<32>(hash).is_none() || !(rest == "nar" || rest.starts_with("nar.")) {
        return Err(unfit("an archive is called `<hash>.nar…`"));
    }
    let mut arriving = Arriving::new(dir)?;
    let path = arriving.path();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut body = request.into_body();
    let mut size = 0;
    while let Some(bytes) = next(&mut body).await? {
        size += bytes.len() as u64;
        if size > MAX_ARCHIVE {
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "it is too large".to_owned()));
        }
        server.metrics.received(bytes.len() as u64);
        hasher.update(&bytes);
        arriving.file.write_all(&bytes).context("write", &path)?;
    }
    if nix32_of(&hasher.finish()) != hash {
        return Err(unfit("its bytes do not hash to its name"));
    }
    Ok(arriving.place(&dir.join("nar").join(name))?)
}

async fn next(body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, Refusal> {
    loop {
        let stalled = || Refusal(StatusCode::REQUEST_TIMEOUT, "nothing came".to_owned());
        let frame = tokio::time::timeout(STALL, body.frame()).await.map_err(|_| stalled())?;
        let Some(frame) = frame else { return Ok(None) };
        let broken = |_| Refusal(StatusCode::BAD_REQUEST, "the body broke off".to_owned());
        if let Ok(bytes) = frame.map_err(broken)?.into_data() {
            return Ok(Some(bytes));
        }
    }
}

async fn info(
    server: &Server,
    dir: &Path,
    digest: Digest,
    request: Request<Incoming>,
) -> Result<(), Refusal> {
    let mut bytes = Vec::new();
    let mut body = request.into_body();
    while let Some(more) = next(&mut body).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > narinfo::MAX_BYTES {
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "it is too large".to_owned()));
        }
    }
    server.metrics.received(bytes.len() as u64);
    let info = NarInfo::parse(&bytes).map_err(|e| unfit(e.to_string()))?;
    if info.object.digest() != digest {
        return Err(unfit(format!("it is of {}", info.object)));
    }
    if !info.is_content_addressed() {
        return Err(unfit("the object's name does not follow from its content"));
    }
    let archive = info.url.as_str();
    let plain = archive.strip_prefix("nar/").and_then(|n| Target::of(&format!("/nar/{n}")));
    let there = match plain {
        Some(_) => fs::lstat_if_exists(&dir.join(archive))?,
        None => None,
    };
    let fits = |size: u64| info.file_size.is_none_or(|expected| expected == size);
    if !there.is_some_and(|meta| meta.is_file() && fits(meta.len())) {
        return Err(Refusal(StatusCode::CONFLICT, "its archive is not here".to_owned()));
    }
    for reference in &info.references {
        if !fs::exists(&dir.join(narinfo_key(reference.digest())))? {
            return Err(Refusal(StatusCode::CONFLICT, format!("{reference} is not here")));
        }
    }
    let mut arriving = Arriving::new(dir)?;
    arriving.file.write_all(&bytes).context("write", &arriving.path())?;
    Ok(arriving.place(&dir.join(narinfo_key(digest)))?)
}
