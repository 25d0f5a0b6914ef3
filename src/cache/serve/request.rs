//! From a request to an answer.
//!
//! Owns the table of paths and methods, and who may write. Refuses by status, in one line of text.

use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::reply::{self, Out};
use super::{Content, Server, content, upload};
use crate::base::Digest;
use crate::cache::cached::digest_of;
use crate::cache::info;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `nix-cache-info`
    Info,
    /// `<digest>.narinfo`
    NarInfo(Digest),
    /// `nar/<file>`; the name has no slash and does not begin with a dot.
    Archive(String),
    /// `metrics`
    Metrics,
}

impl Target {
    pub(super) fn of(path: &str) -> Option<Self> {
        let key = path.strip_prefix('/')?;
        if let Some(name) = key.strip_prefix("nar/") {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
            let fits = !name.is_empty() && name.len() <= 255 && name.bytes().all(good);
            return (fits && !name.starts_with('.')).then(|| Self::Archive(name.to_owned()));
        }
        match key {
            info::FILE => Some(Self::Info),
            "metrics" => Some(Self::Metrics),
            _ => digest_of(key).map(Self::NarInfo),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::NarInfo(_) => "narinfo",
            Self::Archive(_) => "nar",
            Self::Metrics => "metrics",
        }
    }
}

pub(super) async fn answer(server: &Server, request: Request<Incoming>) -> Response<Out> {
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        _ => "other",
    };
    let target = Target::of(request.uri().path());
    let kind = target.as_ref().map_or("other", Target::kind);
    let response = match (target, method) {
        (None, "GET" | "HEAD" | "PUT") => reply::text(StatusCode::NOT_FOUND, "there is nothing"),
        (Some(target), "GET" | "HEAD") => content::read(server, &target, &request).await,
        (Some(target), "PUT") => match may_write(server, &request) {
            Ok(dir) => upload::write(server, dir, &target, request).await,
            Err(refusal) => *refusal,
        },
        _ => not_allowed(),
    };
    server.metrics.request(kind, method, response.status().as_u16());
    response
}

fn not_allowed() -> Response<Out> {
    let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "not here");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, PUT"));
    response
}

/// The directory to write to, for whoever has the token.
fn may_write<'a>(
    server: &'a Server,
    request: &Request<Incoming>,
) -> Result<&'a std::path::Path, Box<Response<Out>>> {
    let (Content::Directory(dir), Some(token)) = (&server.content, &server.token) else {
        return Err(Box::new(not_allowed()));
    };
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    // Hashes are compared: how long that takes says nothing of the token.
    let hash = |text: &str| Sha256::digest(text.trim().as_bytes());
    if given.is_some_and(|given| hash(given) == hash(token.expose())) {
        return Ok(dir);
    }
    let mut response = reply::text(StatusCode::UNAUTHORIZED, "pushing needs the token");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(Box::new(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_a_cache() {
        let digest = "06wzyv0bi5cpnibxi24q5pgw2pp1p1vz";
        assert_eq!(Target::of("/nix-cache-info"), Some(Target::Info));
        let narinfo = Target::of(&format!("/{digest}.narinfo"));
        assert_eq!(narinfo, Some(Target::NarInfo(digest.parse().expect("digest"))));
        assert_eq!(Target::of("/nar/a.nar"), Some(Target::Archive("a.nar".to_owned())));
        let none = [
            "",
            "/",
            "//nix-cache-info",
            "/nar/",
            "/nar/../x",
            "/nar/..",
            "/nar/a/b",
            "/nar/a%2fb",
            "/nar/.hidden",
            "/tmp/put.1-0/file",
            "/x.narinfo",
            "/../etc/passwd",
            "/nar/a\0b",
        ];
        for path in none {
            assert_eq!(Target::of(path), None, "{path}");
        }
    }
}
