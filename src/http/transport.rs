//! One request, one answer or one failure.
//!
//! Owns the connection pool and what is trusted; who is shown a certificate is [`identity`]'s. Invariant: nothing of TLS is set up before the
//! first request, and an answer handed out is 200, 203, 206, 304 or 416.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Response, StatusCode};
use rustls::CertificateError;
use url::Url;

use super::circuit::Circuits;
use super::identity::{self, Identities};
use super::retry::{Again, Failure, Pace, Tries, retry_after};
use super::{Error, Get, Options, shown};
use crate::fs;

/// Bytes of one response that may be under way.
const STREAM_WINDOW: u32 = 8 << 20;
/// Bytes of all responses of a connection that may be under way.
const CONNECTION_WINDOW: u32 = 32 << 20;

pub(super) const REDIRECTS: usize = 10;

/// The pool and its options.
pub(super) struct Transport {
    pub(super) options: Options,
    pub(super) pace: Pace,
    circuits: Circuits,
    pub(super) identities: Identities,
    client: OnceLock<reqwest::Client>,
    building: Mutex<()>,
}

impl Transport {
    pub(super) fn new(options: Options, pace: Pace) -> Self {
        let (circuits, identities) = (Circuits::default(), Identities::default());
        let (client, building) = (OnceLock::new(), Mutex::new(()));
        Self { options, pace, circuits, identities, client, building }
    }

    pub(super) fn tries(&self, hasty: bool) -> Tries {
        Tries::new(self.pace, self.options.retries, hasty)
    }

    /// Takes note of how a request ended, all its tries included.
    pub(super) fn settle<T>(&self, url: &Url, result: Result<T, Error>) -> Result<T, Error> {
        self.circuits.settle(url, result, Instant::now())
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, request: &Get, more: HeaderMap) -> Result<Response, Failure> {
        let url = &request.url;
        if self.options.offline {
            return Err(Failure::last(Error::Offline { url: shown(url) }));
        }
        self.circuits.admit(url, Instant::now()).map_err(Failure::last)?;
        let headers = headers(request, more)?;
        let response = match self.identities.client_for(url, &self.options)? {
            Some(client) => identity::follow(self, client, request, headers).await?,
            None => self.first(url, self.client().map_err(Failure::last)?, headers).await?,
        };
        match response.status() {
            StatusCode::OK
            | StatusCode::NON_AUTHORITATIVE_INFORMATION
            | StatusCode::PARTIAL_CONTENT
            | StatusCode::NOT_MODIFIED
            | StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
            status => Err(refused(url, status, response.headers(), self.pace.longest_delay)),
        }
    }

    /// The head of whatever a client's request is answered with.
    pub(super) async fn first(
        &self,
        url: &Url,
        client: &reqwest::Client,
        headers: HeaderMap,
    ) -> Result<Response, Failure> {
        let sent = client.get(url.clone()).headers(headers).send();
        let patience = self.options.stall_timeout + self.options.connect_timeout;
        match tokio::time::timeout(patience, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(e)) => Err(explain(url, e)),
            Err(_) => Err(stalled(url, self.options.stall_timeout)),
        }
    }

    /// The next piece of a body; `None` at its end.
    pub(super) async fn chunk<B>(
        &self,
        url: &Url,
        next: impl Future<Output = reqwest::Result<Option<B>>>,
    ) -> Result<Option<B>, Failure> {
        match tokio::time::timeout(self.options.stall_timeout, next).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(e)) => Err(explain(url, e)),
            Err(_) => Err(stalled(url, self.options.stall_timeout)),
        }
    }

    /// Waits for any answer, whatever its status.
    pub(super) async fn answers(&self, request: &Get, within: Duration) -> Result<(), Error> {
        let url = &request.url;
        if self.options.offline {
            return Err(Error::Offline { url: shown(url) });
        }
        let headers = headers(request, HeaderMap::new()).map_err(|failure| failure.error)?;
        let own = self.identities.client_for(url, &self.options).map_err(|f| f.error)?;
        let client = match &own {
            Some(client) => client,
            None => self.client()?,
        };
        let sent = client.head(url.clone()).headers(headers).send();
        match tokio::time::timeout(within, sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(explain(url, e).error),
            Err(_) => Err(stalled(url, within).error),
        }
    }

    pub(super) fn client(&self) -> Result<&reqwest::Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Reading the system's roots takes milliseconds: once is enough, even when many start.
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if self.client.get().is_none() {
            let mut builder = builder(&self.options)?.redirect(Policy::custom(follow));
            if self.pace.direct {
                builder = builder.no_proxy();
            }
            let built = builder.build().map_err(|e| Error::Setup { reason: root_cause(&e) })?;
            let _ = self.client.set(built);
        }
        self.client.get().ok_or_else(|| Error::Setup { reason: "it was not kept".to_owned() })
    }
}

fn headers(request: &Get, mut headers: HeaderMap) -> Result<HeaderMap, Failure> {
    if let Some(accept) = request.accept {
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
    }
    if let Some(secret) = &request.authorization {
        let value = HeaderValue::from_str(secret.expose()).map_err(|_| {
            let reason = "its credentials hold a character that no header can".to_owned();
            Failure::last(Error::Request { url: shown(&request.url), reason })
        })?;
        headers.insert(AUTHORIZATION, sensitive(value));
    }
    Ok(headers)
}

/// Bytes of body that the server announces, if it does.
pub(super) fn announced(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[allow(clippy::disallowed_methods, reason = "this room owns HTTP")]
pub(super) fn builder(options: &Options) -> Result<reqwest::ClientBuilder, Error> {
    // An error only says that another client came first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("infra/", env!("CARGO_PKG_VERSION")))
        // Bodies come as they were sent: hashes and sizes are about those bytes.
        .no_gzip()
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(60))
        // Given at once: a window that grows with what it has seen lets the first files, which are
        // often all there are, wait for it.
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    for path in &options.extra_roots {
        let unusable = |reason: String| Error::Roots { path: path.display().to_string(), reason };
        let roots = reqwest::Certificate::from_pem_bundle(&fs::read(path)?)
            .map_err(|e| unusable(root_cause(&e)))?;
        if roots.is_empty() {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_merge(roots);
    }
    Ok(builder)
}

/// Why a redirect was not followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("more than {REDIRECTS} times")]
    TooOften,
    #[error("from https to http")]
    Downgrade,
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let from_tls = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        attempt.error(Refused::TooOften)
    } else if from_tls && attempt.url().scheme() != "https" {
        attempt.error(Refused::Downgrade)
    } else {
        attempt.follow()
    }
}

pub(super) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

pub(super) fn refused(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    longest: Duration,
) -> Failure {
    let now = jiff::Timestamp::now();
    if let Some(wait) = rate_limit(status, headers, now) {
        let until = wait.and_then(|wait| now.checked_add(wait).ok());
        let error = Error::RateLimited { url: shown(url), status: status.as_u16(), until };
        // Coming back before the time costs another request and helps nobody.
        let again = match wait {
            Some(wait) if wait <= longest => Again::After(wait),
            _ => Again::Never,
        };
        return Failure { error, again };
    }
    if status == StatusCode::UNAUTHORIZED {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let challenges: Vec<_> =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(text).collect();
        if !challenges.is_empty() {
            return Failure::last(Error::Unauthorized { url: shown(url), challenges });
        }
    }
    let error = Error::Status { url: shown(url), status: status.as_u16() };
    // Whoever has not implemented something will not have in a second.
    let passing = matches!(status.as_u16(), 408 | 425 | 429)
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    let asked = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    match asked {
        _ if !passing => Failure::last(error),
        // Coming back before the time is what it asks not to be done.
        Some(delay) if delay > longest => {
            let (url, status) = (shown(url), status.as_u16());
            Failure::last(Error::Later { url, status, until: now.checked_add(delay).ok() })
        }
        Some(delay) => Failure { error, again: Again::After(delay) },
        None => Failure::passing(error),
    }
}

/// How long to wait where a limit is used up; `None` inside when the server does not say.
///
/// Beside `Retry-After`, forges answer 403 or 429 with `x-ratelimit-remaining: 0` and the end of
/// the period in `x-ratelimit-reset`, in seconds since the epoch.
fn rate_limit(
    status: StatusCode,
    headers: &HeaderMap,
    now: jiff::Timestamp,
) -> Option<Option<Duration>> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER.as_str()).and_then(|value| retry_after(value, now));
    let spent = text("x-ratelimit-remaining") == Some("0");
    match status.as_u16() {
        403 | 429 if spent || after.is_some() => {}
        _ => return None,
    }
    let reset = || {
        let end = jiff::Timestamp::from_second(text("x-ratelimit-reset")?.parse().ok()?).ok()?;
        Some(Duration::try_from(end.duration_since(now)).unwrap_or(Duration::ZERO))
    };
    Some(after.or_else(reset))
}

pub(super) fn stalled(url: &Url, stall: Duration) -> Failure {
    Failure::passing(Error::Stalled { url: shown(url), seconds: stall.as_secs() })
}

pub(super) fn explain(url: &Url, error: reqwest::Error) -> Failure {
    let url = shown(url);
    // Its own text would hold the URL with whatever is in its query.
    let error = error.without_url();
    let reason = root_cause(&error);
    if error.is_redirect() {
        Failure::last(Error::Redirect { url, reason })
    } else if error.is_builder() {
        Failure::last(Error::Request { url, reason })
    } else if let Some(tls) = tls_cause(&error) {
        Failure::last(Error::Tls { url, reason: tls })
    } else if error.is_dns() {
        Failure::passing(Error::Dns { url, reason })
    } else if error.is_connect() {
        Failure::passing(Error::Connect { url, reason })
    } else {
        Failure::passing(Error::Broken { url, reason })
    }
}

type Cause<'a> = &'a (dyn StdError + 'static);

fn chain(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |e| inner(*e))
}

fn inner(error: Cause<'_>) -> Option<Cause<'_>> {
    // An `io::Error` hides the error that it wraps from `source`.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The innermost reason, which is what a person can use.
pub(super) fn root_cause(error: Cause<'_>) -> String {
    let text = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// What TLS says, when it was TLS that failed.
fn tls_cause(error: Cause<'_>) -> Option<String> {
    let error = chain(error).find_map(|e| e.downcast_ref::<rustls::Error>())?;
    let rustls::Error::InvalidCertificate(reason) = error else { return Some(error.to_string()) };
    let day = |time: &rustls::pki_types::UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
        time.strftime("%Y-%m-%d").to_string()
    };
    Some(match reason {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}", day(not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is valid from {} on", day(not_before))
        }
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody that this machine trusts".to_owned()
        }
        _ => error.to_string(),
    })
}
