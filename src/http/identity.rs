//! Certificates of whoever asks, each for one origin (scheme, host, port).
//!
//! A client that shows one goes nowhere else: a redirect to another origin is followed by a client
//! that has none, without credentials. Invariant: a certificate is shown to the origin that it was
//! given for alone, and never from a program that was not given one for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Identity, Response};
use url::Url;

use super::retry::Failure;
use super::transport::{REDIRECTS, Refused, Transport, builder, root_cause};
use super::{Error, Get, Options, shown};
use crate::base::Secret;

/// What is shown where.
#[derive(Default)]
pub(super) struct Identities(Mutex<BTreeMap<String, One>>);

struct One {
    pem: Secret,
    /// Made when it is first needed.
    client: Option<reqwest::Client>,
}

impl Identities {
    /// Shows a certificate to the origin of a URL.
    pub(super) fn add(&self, at: &Url, pem: Secret) {
        if at.scheme() != "https" {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = at.origin().ascii_serialization();
        if all.get(&origin).is_none_or(|known| known.pem != pem) {
            all.insert(origin, One { pem, client: None });
        }
    }

    /// The client for a URL whose origin is shown a certificate.
    pub(super) fn client_for(
        &self,
        url: &Url,
        options: &Options,
    ) -> Result<Option<reqwest::Client>, Failure> {
        if url.scheme() != "https" {
            return Ok(None);
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(one) = all.get_mut(&url.origin().ascii_serialization()) else { return Ok(None) };
        if one.client.is_none() {
            let unusable = |e: reqwest::Error| {
                let (url, reason) = (shown(url), root_cause(&e));
                Failure::last(Error::Certificate { url, reason })
            };
            let identity = Identity::from_pem(one.pem.expose().as_bytes()).map_err(unusable)?;
            let builder = builder(options).map_err(Failure::last)?.identity(identity);
            one.client = Some(builder.redirect(Policy::custom(stay)).build().map_err(unusable)?);
        }
        Ok(one.client.clone())
    }
}

/// Follows within the origin.
fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let from = attempt.previous().last();
    if from.is_some_and(|from| from.origin() != attempt.url().origin()) {
        attempt.stop()
    } else if attempt.previous().len() > REDIRECTS {
        attempt.error(Refused::TooOften)
    } else {
        attempt.follow()
    }
}

/// Asks with a client that shows a certificate, and goes on without it where it is sent elsewhere.
pub(super) async fn follow(
    transport: &Transport,
    client: reqwest::Client,
    request: &Get,
    mut headers: HeaderMap,
) -> Result<Response, Failure> {
    let response = transport.first(&request.url, &client, headers.clone()).await?;
    let to = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    let Some(to) = to.and_then(|to| response.url().join(to.to_str().ok()?).ok()) else {
        return Ok(response);
    };
    if to.scheme() != "https" {
        let (url, reason) = (shown(&request.url), Refused::Downgrade.to_string());
        return Err(Failure::last(Error::Redirect { url, reason }));
    }
    headers.remove(AUTHORIZATION);
    let own = transport.identities.client_for(&to, &transport.options)?;
    match own {
        Some(client) => transport.first(&to, &client, headers).await,
        None => transport.first(&to, transport.client().map_err(Failure::last)?, headers).await,
    }
}
