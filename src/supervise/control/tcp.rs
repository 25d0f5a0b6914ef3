//! The optional listeners on loopback, and what they refuse.
//!
//! Any program of this machine, and any page in a browser, can connect to loopback. So a request
//! must be for this host by name (a page that made its own name point here is refused), must not
//! come from a page of another origin, and needs the token for whatever changes something or shows
//! what services wrote. Without a token in the configuration nobody can do those.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;

use super::answer::Via;
use super::body::{self, Out};
use super::routes::{Needs, Op, Route};
use super::server::{Access, Connections};
use crate::base::{Algorithm, Hasher, Secret};
use crate::supervise::Error;

/// A bound listener.
pub(in crate::supervise) struct Loopback {
    listener: TcpListener,
    via: Via,
}

impl Loopback {
    /// Binds the port that the profile calls `name`.
    pub(in crate::supervise) async fn bind(name: &'static str, port: u16) -> Result<Self, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let via = if name == "metrics" { Via::MetricsOnly } else { Via::Loopback };
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self { listener, via }),
            Err(source) => Err(Error::Loopback {
                name,
                port,
                holder: crate::supervise::ports::holder(port),
                source,
            }),
        }
    }

    /// Goes on with a listener that another program in this process bound.
    pub(in crate::supervise) fn adopt(metrics: bool, socket: OwnedFd) -> io::Result<Self> {
        let listener = TcpListener::from_std(socket.into())?;
        Ok(Self { listener, via: if metrics { Via::MetricsOnly } else { Via::Loopback } })
    }

    /// Whether it is for metrics alone, and its descriptor.
    pub(in crate::supervise) fn descriptor(&self) -> (bool, RawFd) {
        (self.via == Via::MetricsOnly, self.listener.as_raw_fd())
    }

    /// Serves until that is ended.
    pub(in crate::supervise) async fn serve(self: Arc<Self>, access: Access) {
        let mut connections = Connections::new(access.clone());
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = connections.one_ended() => continue,
                () = access.ended.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    connections.add(stream, self.via);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        connections.last_words().await;
    }
}

/// Refuses what may not come over loopback; lets everything else through.
pub(super) fn guard(
    request: &Request<Incoming>,
    route: &Route,
    via: Via,
    token: Option<&Secret>,
) -> Result<(), Box<Response<Out>>> {
    match via {
        Via::Socket { .. } => return Ok(()),
        Via::MetricsOnly if route.op != Op::Metrics => {
            return Err(Box::new(body::refusal(StatusCode::NOT_FOUND, "there is nothing")));
        }
        Via::MetricsOnly | Via::Loopback => {}
    }
    check(request.headers(), route.needs, token).map_err(|(status, why)| {
        let mut response = body::refusal(status, why);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Box::new(response)
    })
}

fn check(
    headers: &HeaderMap,
    needs: Needs,
    token: Option<&Secret>,
) -> Result<(), (StatusCode, &'static str)> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    if headers.get_all(HOST).iter().count() != 1 || !is_here(host) {
        return Err((StatusCode::MISDIRECTED_REQUEST, "this is not that host"));
    }
    if headers.contains_key(ORIGIN) && text(ORIGIN) != Some(&format!("http://{host}")) {
        return Err((StatusCode::FORBIDDEN, "not from a page of another origin"));
    }
    match (needs, token) {
        (Needs::Nothing, _) => Ok(()),
        (Needs::Token, None) => Err((
            StatusCode::FORBIDDEN,
            "not over loopback: no token is set (`INFRA_CONTROL_TOKEN` when the supervisor starts)",
        )),
        (Needs::Token, Some(token)) => {
            let given = text(AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
            if given.is_some_and(|given| same(given.trim(), token.expose())) {
                Ok(())
            } else {
                Err((StatusCode::UNAUTHORIZED, "this needs the token"))
            }
        }
    }
}

/// Whether a `Host` names this machine as loopback does.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|n| name.eq_ignore_ascii_case(n))
}

/// Hashes are compared: how long that takes says nothing of the token.
fn same(a: &str, b: &str) -> bool {
    let hash = |text: &str| {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(text.as_bytes());
        hasher.finish()
    };
    hash(a) == hash(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_origins_and_tokens() {
        let token = Secret::new("s3cret");
        let check = |pairs: &[(&'static str, &'static str)], needs, token: Option<&Secret>| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            check(&headers, needs, token).map_err(|(status, _)| status.as_u16())
        };
        let here = ("host", "127.0.0.1:9000");
        let open = Needs::Nothing;
        for host in ["127.0.0.1:9000", "localhost:1", "LOCALHOST", "[::1]:9000", "[::1]"] {
            assert_eq!(check(&[("host", host)], open, None), Ok(()), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:9000", "localhost.evil", "0.0.0.0", ""]
        {
            assert_eq!(check(&[("host", host)], open, None), Err(421), "{host}");
        }
        assert_eq!(check(&[], open, None), Err(421));
        assert_eq!(check(&[here, here], open, None), Err(421));
        assert_eq!(check(&[here, ("origin", "http://127.0.0.1:9000")], open, None), Ok(()));
        for origin in
            ["http://evil.example", "null", "https://127.0.0.1:9000", "http://127.0.0.1:1"]
        {
            assert_eq!(check(&[here, ("origin", origin)], open, None), Err(403), "{origin}");
        }
        let needs = Needs::Token;
        assert_eq!(check(&[here], needs, None), Err(403));
        assert_eq!(check(&[here], needs, Some(&token)), Err(401));
        assert_eq!(
            check(&[here, ("authorization", "Bearer wrong")], needs, Some(&token)),
            Err(401)
        );
        assert_eq!(check(&[here, ("authorization", "Bearer s3cret")], needs, Some(&token)), Ok(()));
    }
}
