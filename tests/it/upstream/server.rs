//! The server: routes, ordered faults, and a record of every request.
//!
//! Invariant: when it is dropped every thread has ended, also those that hold a stalled client.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::connection;
use super::fault::Fault;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET`, `HEAD`, …
    pub(crate) method: String,
    /// The path as sent, without the query.
    pub(crate) path: String,
    /// What follows the path's question mark.
    pub(crate) query: String,
    /// Headers by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body, as text.
    pub(crate) body: String,
}

impl Request {
    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a path serves: one body for each content type, best first.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    pub(super) variants: Vec<(&'static str, Vec<u8>)>,
    /// `Link` header.
    pub(super) link: Option<String>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) routes: BTreeMap<String, Route>,
    pub(super) faults: BTreeMap<String, VecDeque<Fault>>,
    pub(super) always: BTreeMap<String, Fault>,
    pub(super) requests: Vec<Request>,
    connections: usize,
    /// `Authorization` that every request must carry, else 401.
    pub(super) authorization: Option<String>,
    /// By prefix of the path: what must be sent, and the challenge of a 401.
    pub(super) guards: Vec<(String, String, String)>,
    pub(super) packages: super::pypi::Projects,
    pub(super) npm: super::npm::Packages,
    open: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

pub(super) struct Shared {
    pub(super) address: SocketAddr,
    state: Mutex<State>,
    stopping: AtomicBool,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server on a free port of the loopback interface.
pub(crate) struct FakeUpstream {
    pub(super) shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl FakeUpstream {
    /// Starts one that serves nothing yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopping = AtomicBool::new(false);
        let shared = Arc::new(Shared { address, state: Mutex::default(), stopping });
        let served = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &served));
        Self { shared, accepting: Some(accepting) }
    }

    /// The absolute URL of a path that begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// Serves a plain file.
    pub(crate) fn file(&self, path: &str, body: impl Into<Vec<u8>>) -> &Self {
        self.route(path, vec![("application/octet-stream", body.into())]);
        self
    }

    /// Serves nothing at a path any more.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        self.shared.state().routes.remove(path);
        self
    }

    pub(super) fn route(&self, path: &str, variants: Vec<(&'static str, Vec<u8>)>) {
        assert!(path.starts_with('/'), "{path} is a path");
        self.shared.state().routes.insert(path.to_owned(), Route { variants, link: None });
    }

    pub(super) fn link(&self, path: &str, link: String) {
        if let Some(route) = self.shared.state().routes.get_mut(path) {
            route.link = Some(link);
        }
    }

    /// Orders a fault for the next `times` requests of a path; several wait in line.
    pub(crate) fn fault(&self, path: &str, fault: Fault, times: usize) -> &Self {
        let mut state = self.shared.state();
        let line = state.faults.entry(path.to_owned()).or_default();
        line.extend(std::iter::repeat_n(fault, times));
        drop(state);
        self
    }

    /// Orders a fault for every further request of a path, until [`Self::heal`].
    pub(crate) fn fault_always(&self, path: &str, fault: Fault) -> &Self {
        self.shared.state().always.insert(path.to_owned(), fault);
        self
    }

    /// Takes every fault back.
    pub(crate) fn heal(&self) -> &Self {
        let mut state = self.shared.state();
        state.faults.clear();
        state.always.clear();
        drop(state);
        self
    }

    /// Answers 401 to whoever does not send this `Authorization` header.
    pub(crate) fn require_authorization(&self, value: &str) -> &Self {
        self.shared.state().authorization = Some(value.to_owned());
        self
    }

    /// Answers 401 with a challenge to whoever does not send this `Authorization` header, below a
    /// prefix.
    pub(crate) fn guard(&self, prefix: &str, value: &str, challenge: &str) -> &Self {
        let guard = (prefix.to_owned(), value.to_owned(), challenge.to_owned());
        self.shared.state().guards.push(guard);
        self
    }

    /// Every request so far, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// How many connections were made, whether or not anything was asked on them.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// How many requests a path had.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.shared.state().requests.iter().filter(|r| r.path == path).count()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) -> &Self {
        self.shared.state().requests.clear();
        self
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let Ok(copy) = stream.try_clone() else { continue };
        // Under the lock, so that `drop` sees either no connection or one it can end.
        let mut state = shared.state();
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        state.open.push(copy);
        state.connections += 1;
        let served = Arc::clone(shared);
        state.threads.push(std::thread::spawn(move || connection::serve(&stream, &served)));
    }
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        let threads = {
            let mut state = self.shared.state();
            self.shared.stopping.store(true, Ordering::SeqCst);
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.threads)
        };
        // Wakes `accept`, which then sees that it is over.
        let _ = TcpStream::connect(self.shared.address);
        for thread in self.accepting.take().into_iter().chain(threads) {
            let _ = thread.join();
        }
    }
}
