//! What is read: files of a directory, and objects of the store written as archives on the way.
//!
//! Refuses nothing that exists; what cannot be read is a 500 without a reason, which is the
//! operator's to find. Invariant: the bytes of an archive from the store are the same each time, so
//! that a range of it can be asked for.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use futures_util::stream;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::mpsc;

use super::reply::{self, Begun, Large, Out};
use super::request::Target;
use super::{Content, Server};
use crate::base::{Algorithm, Digest, Integrity, RelPath};
use crate::cache::cached::narinfo_key;
use crate::cache::info::{self, CacheInfo};
use crate::cache::narinfo::NarInfo;
use crate::cache::web::content_type;
use crate::cache::{Compression, SecretKey};
use crate::fs::{self, Context as _};
use crate::nar;
use crate::store::{Registration, Store};

/// Bytes handed to the connection at once.
const PIECE: usize = 256 << 10;
/// Media type of an archive.
const NAR: &str = "application/x-nix-nar";

pub(super) async fn read(
    server: &Server,
    target: &Target,
    request: &Request<Incoming>,
) -> Response<Out> {
    let answer = match (target, &server.content) {
        (Target::Metrics, _) => Ok(Some(metrics(server))),
        (Target::Archive(name), Content::Directory(dir)) => {
            file(server, &dir.join("nar").join(name), request).await
        }
        (Target::Archive(name), Content::Store { store, .. }) => {
            archive(server, store, name, request)
        }
        (Target::Info | Target::NarInfo(_), _) => small(server, target, request),
    };
    match answer {
        Ok(Some(response)) => response,
        Ok(None) => reply::text(StatusCode::NOT_FOUND, "it is not here"),
        Err(_) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be read"),
    }
}

fn metrics(server: &Server) -> Response<Out> {
    let mut response = reply::text(StatusCode::OK, server.metrics.text().trim_end());
    let kind = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}

type Answer = Result<Option<Response<Out>>, crate::cache::Error>;

fn small(server: &Server, target: &Target, request: &Request<Incoming>) -> Answer {
    let key = match target {
        Target::NarInfo(digest) => narinfo_key(*digest),
        _ => info::FILE.to_owned(),
    };
    let bytes = match (&server.content, target) {
        (Content::Directory(dir), _) => fs::missing_is_none(fs::read(&dir.join(&key)))?,
        (Content::Store { store, key }, Target::NarInfo(digest)) => {
            registered(store, *digest)?.map(|r| narinfo(&r, key.as_deref()).to_string().into())
        }
        (Content::Store { .. }, _) => Some(CacheInfo::default().to_text().into_bytes()),
    };
    let Some(bytes) = bytes else { return Ok(None) };
    let etag = format!("\"{}\"", Integrity::sha256_of(&bytes).hex());
    Ok(Some(reply::document(request.headers(), content_type(&key), &etag, bytes)))
}

/// The registration of a digest, with its object there.
fn registered(store: &Store, digest: Digest) -> Result<Option<Registration>, crate::store::Error> {
    store.registration_of(digest)
}

/// What the store's server says of an object.
fn narinfo(registration: &Registration, key: Option<&SecretKey>) -> NarInfo {
    let (object, tree) = (&registration.object, registration.tree);
    let mut info = NarInfo {
        object: object.clone(),
        url: archive_path(registration),
        compression: Compression::None,
        file_hash: Integrity::new(Algorithm::Sha256, tree.bytes()),
        file_size: Some(registration.nar_size),
        tree,
        nar_size: registration.nar_size,
        references: registration.references.clone(),
        deriver: None,
        signatures: Vec::new(),
        content_address: NarInfo::own_content_address(object, &tree, &registration.references),
    };
    if let Some(key) = key {
        info.signatures.push(key.sign(&info.fingerprint()));
    }
    info
}

/// `nar/<digest>-<hash>.nar`: both, so that a client never takes one object's for another's.
fn archive_path(registration: &Registration) -> RelPath {
    let (digest, hash) = (registration.object.digest(), registration.tree.nix32());
    RelPath::new(format!("nar/{digest}-{hash}.nar")).unwrap_or_else(|_| unreachable!("plain words"))
}

async fn file(server: &Server, path: &Path, request: &Request<Incoming>) -> Answer {
    let Some(file) = fs::missing_is_none(fs::open_nofollow(path))? else { return Ok(None) };
    let meta = file.metadata().context("look at", path)?;
    if !meta.is_file() {
        return Ok(None);
    }
    let size = meta.len();
    let etag = format!("\"{size:x}-{:x}.{:x}-{:x}\"", meta.mtime(), meta.mtime_nsec(), meta.ino());
    let large = Large { etag: &etag, size, kind: NAR };
    let (mut response, start, length) = match large.begin(request.method(), request.headers()) {
        Begun::Done(response) => return Ok(Some(response)),
        Begun::Body { head, start, length } => (head, start, length),
    };
    let mut file = tokio::fs::File::from_std(file);
    file.seek(io::SeekFrom::Start(start)).await.context("read", path)?;
    let pieces = stream::try_unfold((file, length), |(mut file, left)| async move {
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        if most == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; most];
        let n = file.read(&mut piece).await?;
        if n == 0 {
            // Shorter than it was: the client must notice.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(n);
        Ok(Some((Bytes::from(piece), (file, left - n as u64))))
    });
    *response.body_mut() = reply::pieces(pieces, server.metrics.sent());
    Ok(Some(response))
}

fn archive(server: &Server, store: &Store, name: &str, request: &Request<Incoming>) -> Answer {
    let digest = name.get(..32).and_then(|digest| digest.parse().ok());
    let Some(digest) = digest else { return Ok(None) };
    let Some(registration) = registered(store, digest)? else { return Ok(None) };
    if archive_path(&registration).as_str() != format!("nar/{name}") {
        return Ok(None);
    }
    let size = registration.nar_size;
    let etag = format!("\"{}\"", registration.tree.hex());
    let large = Large { etag: &etag, size, kind: NAR };
    let (mut response, start, length) = match large.begin(request.method(), request.headers()) {
        Begun::Done(response) => return Ok(Some(response)),
        Begun::Body { head, start, length } => (head, start, length),
    };
    let Some(object) = store.get(&registration.object)? else { return Ok(None) };
    let path: PathBuf = object.path().to_owned();
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let window = Window { skip: start, left: length, piece: Vec::new(), sender };
        match nar::dump(&path, io::BufWriter::with_capacity(PIECE, window)) {
            Ok(mut buffered) => {
                let _ = buffered.flush();
                let _ = buffered.get_mut().end();
            }
            // The connection ends before the announced length: the client must notice.
            Err(_) => drop(path),
        }
    });
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (Ok(piece), receiver))
    });
    *response.body_mut() = reply::pieces(pieces, server.metrics.sent());
    Ok(Some(response))
}

/// The wanted part of what is written, sent to the connection. Ends the writing when the client is
/// gone or has all it wants.
struct Window {
    skip: u64,
    left: u64,
    piece: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Window {
    fn end(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Window {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.skip).map_or(data.len(), |skip| skip.min(data.len()));
        self.skip -= skipped as u64;
        let rest = &data[skipped..];
        let taken = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        self.left -= taken as u64;
        self.piece.extend_from_slice(&rest[..taken]);
        if self.piece.len() >= PIECE || self.left == 0 {
            self.end()?;
        }
        if self.left == 0 && taken < rest.len() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
