//! What goes wrong between here and a server, and what to do about it.
//!
//! Invariant: URLs are kept as [`super::shown`] writes them, so no message holds a credential.

use crate::base::{Diagnose, Hint, Kind};
use crate::fs;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Offline, and nothing cached.
    #[error("`{url}` is needed, but the network is not to be used")]
    Offline {
        /// What was asked for.
        url: String,
    },
    /// The URL cannot be asked over HTTP.
    #[error("`{url}` cannot be requested: {reason}")]
    Request {
        /// What was asked for.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A file with root certificates holds none that can be used.
    #[error("`{path}` holds no usable root certificates: {reason}")]
    Roots {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The certificate that a host is to be shown cannot be used.
    #[error("the client certificate for the host of `{url}` cannot be used: {reason}")]
    Certificate {
        /// What was asked for.
        url: String,
        /// Why not.
        reason: String,
    },
    /// TLS could not be set up at all.
    #[error("cannot set up TLS: {reason}")]
    Setup {
        /// Why not.
        reason: String,
    },
    /// The host's name has no address.
    #[error("cannot find the host of `{url}`: {reason}")]
    Dns {
        /// What was asked for.
        url: String,
        /// The resolver's reason.
        reason: String,
    },
    /// No connection.
    #[error("cannot connect to the host of `{url}`: {reason}")]
    Connect {
        /// What was asked for.
        url: String,
        /// The system's reason.
        reason: String,
    },
    /// No trusted TLS connection.
    #[error("no trusted connection to the host of `{url}`: {reason}")]
    Tls {
        /// What was asked for.
        url: String,
        /// Why the other side is not trusted.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("`{url}` sent nothing for {seconds} s")]
    Stalled {
        /// What was asked for.
        url: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// Redirected too often, or from TLS to none.
    #[error("`{url}` redirects {reason}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it went wrong.
        reason: String,
    },
    /// The server answered with a status other than success.
    #[error("`{url}` answered {status}{}", reason_phrase(*.status))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status code.
        status: u16,
    },
    /// The server wants to know who asks (RFC 9110, 11.6).
    #[error("`{url}` answered 401 (Unauthorized)")]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// Its `WWW-Authenticate` headers.
        challenges: Vec<String>,
    },
    /// The server answers no more until a time, because too much was asked of it.
    #[error("`{url}` answered {status}: its rate limit is used up")]
    RateLimited {
        /// What was asked for.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// When it answers again, if it says so.
        until: Option<jiff::Timestamp>,
    },
    /// The server asks to be left alone for longer than is waited for.
    #[error("`{url}` answered {status}{} and wants to be asked later", reason_phrase(*.status))]
    Later {
        /// What was asked for.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// When it may be asked again.
        until: Option<jiff::Timestamp>,
    },
    /// Not asked, since its host did not answer a moment ago.
    #[error("`{url}` was not asked, since its host did not answer before ({reason})")]
    Skipped {
        /// What was not asked for.
        url: String,
        /// What the host did before.
        reason: String,
    },
    /// The connection broke, or the answer was no HTTP.
    #[error("the answer of `{url}` broke off: {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// What broke.
        reason: String,
    },
    /// Fewer bytes came than were announced.
    #[error("`{url}` ended after {received} of {announced} bytes")]
    Short {
        /// What was asked for.
        url: String,
        /// Bytes that are there.
        received: u64,
        /// Bytes there should be.
        announced: u64,
    },
    /// The file is larger or smaller than expected.
    #[error("`{url}` has {}{received} bytes, expected {expected}", if *.at_least { "at least " } else { "" })]
    Size {
        /// What was asked for.
        url: String,
        /// Bytes there should be.
        expected: u64,
        /// Bytes it has, or announces.
        received: u64,
        /// Whether reading stopped there.
        at_least: bool,
    },
    /// A document beyond the limit.
    #[error("`{url}` is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A local file.
    #[error(transparent)]
    File(#[from] fs::Error),
}

fn reason_phrase(status: u16) -> String {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

/// `until  2026-03-04 05:06:07 UTC`
pub fn come_back(until: jiff::Timestamp) -> String {
    format!("until  {}", until.strftime("%Y-%m-%d %H:%M:%S UTC"))
}

impl Error {
    /// Whether the server said that there is no such thing (404 or 410).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }

    /// Whether nobody was asked, because the host did not answer a moment ago. Whoever was asked
    /// then has told of it.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Self::Skipped { .. })
    }

    /// Whether the host could not be reached at all, or does not speak.
    pub(super) fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. } | Self::Connect { .. } | Self::Tls { .. } | Self::Stalled { .. }
        )
    }

    /// Whether the request was refused because there is to be no network.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Offline { .. })
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Size { .. } => Kind::Integrity,
            Self::File(e) => e.kind(),
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        const MIRROR: &str = "check the network, or set the source's base URL (…_URL, or `[source.NAME] url` in a \
             profile) to a mirror that can be reached";
        const PROXY: &str =
            "behind a proxy, set HTTPS_PROXY and HTTP_PROXY, and NO_PROXY for hosts inside";
        const AGAIN: &str = "run the same command again: a download goes on where it ended";
        let hints: &[&str] = match self {
            Self::Offline { .. } => &["run without --offline (and INFRA_OFFLINE)"],
            Self::Request { .. } => &["base URLs start with http:// or https://"],
            Self::Certificate { .. } => {
                &["name a file in PEM format with the certificate and its key"]
            }
            Self::Roots { .. } => &["name a file in PEM format with at least one certificate"],
            Self::Setup { .. } => {
                &["install the system's CA certificates, or name a PEM file in SSL_CERT_FILE"]
            }
            Self::Tls { .. } => &[
                "if a company proxy or mirror signs its own certificates, name its root \
                 certificate (PEM) in SSL_CERT_FILE",
                "a wrong clock makes certificates look expired",
            ],
            Self::Dns { .. } | Self::Connect { .. } => &[MIRROR, PROXY],
            Self::Skipped { .. } => &[MIRROR],
            Self::Later { .. } => &["wait until then, or use a mirror"],
            Self::Stalled { .. } | Self::Short { .. } | Self::Broken { .. } => &[AGAIN, MIRROR],
            Self::Redirect { .. } => &["check the source's base URL"],
            Self::RateLimited { .. } => &["wait until then, or use a mirror"],
            Self::Unauthorized { .. } | Self::Status { status: 403, .. } => {
                &["check the credentials for this host (user and password in the base URL, \
                   .netrc, or an .npmrc token)"]
            }
            Self::Status { status, .. } => match status {
                401 => {
                    &["check the credentials for this host (user and password in the base URL, \
                     .netrc, or an .npmrc token)"]
                }
                404 | 410 => &["check the name and the source's base URL"],
                407 => &["the proxy wants credentials: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"],
                408 | 429 | 500.. => &["try again later, or use a mirror"],
                _ => &[],
            },
            Self::Size { .. } => &[
                "the file is not the one that was described; nothing was installed",
                "if it comes from a mirror, compare it with another one",
            ],
            Self::TooLarge { .. } => &["check that the base URL is that of an index"],
            Self::File(e) => return e.hints(),
        };
        hints.iter().copied().map(Hint::new).collect()
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::RateLimited { until: Some(until), .. }
            | Self::Later { until: Some(until), .. } => vec![come_back(*until)],
            _ => Vec::new(),
        }
    }
}
