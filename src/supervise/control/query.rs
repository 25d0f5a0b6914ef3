//! What a request holds: its query and its body.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::answer::Refused;
use super::types::Refusal;

/// The longest body of a request. A plan for a large stack is some hundred kilobytes.
const LONGEST: usize = 4 << 20;

/// Reads a body; an empty one is an empty object.
pub(super) async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refused> {
    let bad = |why: String| (StatusCode::BAD_REQUEST, Refusal::new(why));
    let body = Limited::new(request.into_body(), LONGEST).collect().await;
    let bytes = body.map_err(|e| bad(format!("the request cannot be read: {e}")))?.to_bytes();
    let bytes = if bytes.is_empty() { b"{}".as_slice().into() } else { bytes };
    serde_json::from_slice(&bytes).map_err(|e| bad(format!("the request is not understood: {e}")))
}

/// What follows `?`.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Refused> {
        match self.one(name) {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(other) => {
                let why = format!("`{name}` is `true` or `false`, not `{other}`");
                Err((StatusCode::BAD_REQUEST, Refusal::new(why)))
            }
        }
    }

    /// A time, in the form that records have it.
    pub(super) fn time(&self, name: &str) -> Result<Option<String>, Refused> {
        let Some(text) = self.one(name) else { return Ok(None) };
        match text.parse::<Timestamp>() {
            Ok(time) => Ok(Some(format!("{time:.3}"))),
            Err(_) => {
                let why = format!("`{text}` is not a time such as 2026-01-02T03:04:05Z");
                Err((StatusCode::BAD_REQUEST, Refusal::new(why)))
            }
        }
    }
}
