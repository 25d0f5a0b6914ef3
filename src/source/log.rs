//! The word of a transparency log on a signature whose publisher left it out.
//!
//! Owns which logs are asked: those of the trust root, in its order, and at most a few entries of
//! each. Verifies nothing. Invariant: a log that knows nothing of a signature, or speaks another
//! protocol, is passed over; one that cannot be reached is an error.

use serde_json::Value;
use tokio::sync::Mutex;

use super::access::{Access, below};
use super::{Asked, Error, Result};
use crate::base::Integrity;
use crate::http;
use crate::provenance::log::{self, Certificate};

/// Entries about one artifact that are looked at; one that many have signed has more.
const MOST: usize = 32;

/// What logs said in the life of the sources: one statement speaks of all files of a release.
#[derive(Default)]
pub(super) struct Logs(Mutex<Vec<(Certificate, Value)>>);

impl Logs {
    /// The entry about a signature by `certificate`, over `signed` or a statement that names it.
    pub(super) async fn entry(
        &self,
        access: &Access,
        asked: &Asked<'_>,
        signed: &Integrity,
        certificate: &Certificate,
    ) -> Result<Option<Value>> {
        let mut known = self.0.lock().await;
        if let Some((_, entry)) = known.iter().find(|(of, _)| of == certificate) {
            return Ok(Some(entry.clone()));
        }
        for base in asked.trust.logs() {
            if let Some(entry) = ask(access, asked, &base, signed, certificate).await? {
                known.push((certificate.clone(), entry.clone()));
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

async fn ask(
    access: &Access,
    asked: &Asked<'_>,
    base: &str,
    signed: &Integrity,
    certificate: &Certificate,
) -> Result<Option<Value>> {
    let Ok(base) = base.parse() else { return Ok(None) };
    let at = |path: &str| http::Get { url: below(&base, path), accept: None, authorization: None };
    let failed = |source: http::Error| match source {
        // Its protocol has no such question, or it knows no such entry.
        http::Error::Status { .. } => Ok(None),
        e if e.is_not_found() => Ok(None),
        e => Err(Error::Fetch { subject: asked.query.subject(), source: Box::new(e) }),
    };
    let (path, question) = log::question(signed);
    let body = match access.client.post(&at(path), "application/json", &question).await {
        Ok(body) => body,
        Err(e) => return failed(e),
    };
    // The newest are named last.
    for path in log::entries(&body).unwrap_or_default().iter().rev().take(MOST) {
        let found = match access.client.fresh(&at(path)).await {
            Ok(body) => log::entry(&body, certificate).unwrap_or_default(),
            Err(e) => failed(e)?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
