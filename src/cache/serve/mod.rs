//! Serving a cache over HTTP: a directory, or the store itself.
//!
//! ```text
//! GET HEAD  /nix-cache-info  /<digest>.narinfo  /nar/…  /metrics
//! PUT       /<digest>.narinfo  /nar/…            with the token, into a directory
//! ```
//!
//! Everything streams; ranges and conditional requests are answered. Refuses every other path and
//! method, writing without the token, and more connections at once than a bound. Invariant: what
//! was pushed is visible only when it is whole: an archive when its bytes hash to its name, a
//! narinfo when its archive and references are there.

mod content;
mod metrics;
mod reply;
mod request;
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::info::CacheInfo;
use super::location::{Access, Location};
use super::signing::SecretKey;
use super::{Cache, Error, Result};
use crate::base::Secret;
use crate::store::Store;
use metrics::Metrics;

/// Connections at once; others wait to be accepted.
const CONNECTIONS: usize = 512;
/// Time for the head of a request.
const HEAD: Duration = Duration::from_secs(20);
/// Time for what is under way when the server ends.
const GRACE: Duration = Duration::from_secs(5);

/// What is served.
#[derive(Debug)]
pub enum Content {
    /// A cache in a directory.
    Directory(PathBuf),
    /// The objects of a store, unpacked, signed where there is a key.
    Store {
        /// The store.
        store: Store,
        /// What signs.
        key: Option<Box<SecretKey>>,
    },
}

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is served.
    pub content: Content,
    /// Whoever sends it may push; nobody may when not given.
    pub token: Option<Secret>,
}

/// What every connection shares.
struct Server {
    content: Content,
    token: Option<Secret>,
    metrics: Metrics,
}

/// Serves until `stop` is done. `ready` is called with the address once connections are accepted.
pub async fn serve(
    options: Options,
    access: &Access,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let Options { listen, content, token } = options;
    if let Content::Directory(dir) = &content {
        let cache = Cache::open(&Location::Directory(dir.clone()), access)?;
        match token {
            // Whoever may push may begin.
            Some(_) => drop(cache.init(&CacheInfo::default()).await?),
            None => drop(cache.info().await?),
        }
    }
    let failed = |source| Error::Serve { at: listen.to_string(), source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    ready(listener.local_addr().map_err(failed)?);
    let server = Arc::new(Server { content, token, metrics: Metrics::default() });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (ending, end) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (server, end) = (Arc::clone(&server), end.clone());
                    connections.spawn(async move {
                        connection(server, stream, end).await;
                        drop(place);
                    });
                }
                // Out of descriptors, or gone already: give those under way time to end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    let _ = ending.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
    Ok(())
}

async fn connection(server: Arc<Server>, stream: TcpStream, mut end: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    server.metrics.connected(1);
    let service = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(request::answer(&server, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is the client's business.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = end.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GRACE, connection).await;
        }
    }
    server.metrics.connected(-1);
}
