//! TLS in front of the fake upstream, with certificates that are made in the test.
//!
//! A front speaks HTTP/1.1 over TLS and passes each request on. Invariant: when it is dropped its
//! threads have ended.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who signs certificates.
pub(crate) struct TlsAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl TlsAuthority {
    /// A new one, by its name.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's configuration with a certificate for 127.0.0.1, good until the end of a year.
    fn config(&self, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("configuration");
        Arc::new(config)
    }
}

#[derive(Default)]
struct Open {
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

/// A server that speaks TLS.
pub(crate) struct TlsFront {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    open: Arc<Mutex<Open>>,
    accepting: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// One in front of `upstream`, with a certificate that ends with the year `until`.
    pub(crate) fn start(upstream: SocketAddr, authority: &TlsAuthority, until: i32) -> Self {
        let config = authority.config(until);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopping = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Open::default()));
        let (stop, all) = (Arc::clone(&stopping), Arc::clone(&open));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let Ok(copy) = stream.try_clone() else { continue };
                let mut open = all.lock().expect("lock");
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                open.streams.push(copy);
                let config = Arc::clone(&config);
                open.threads.push(std::thread::spawn(move || {
                    let _ = serve(stream, config, upstream);
                }));
            }
        });
        Self { address, stopping, open, accepting: Some(accepting) }
    }

    /// The absolute URL of a path that begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        let threads = {
            let mut open = self.open.lock().expect("lock");
            self.stopping.store(true, Ordering::SeqCst);
            for stream in open.streams.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut open.threads)
        };
        let _ = TcpStream::connect(self.address);
        for thread in self.accepting.take().into_iter().chain(threads) {
            let _ = thread.join();
        }
    }
}

/// Passes requests without bodies on, one after the other.
fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    upstream: SocketAddr,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(connection, stream));
    let server = TcpStream::connect(upstream)?;
    let mut answers = BufReader::new(server.try_clone()?);
    loop {
        let Some(request) = head(&mut client)? else { return Ok(()) };
        (&server).write_all(request.as_bytes())?;
        let Some(answer) = head(&mut answers)? else { return Ok(()) };
        let length = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
        });
        client.get_mut().write_all(answer.as_bytes())?;
        std::io::copy(&mut answers.by_ref().take(length.unwrap_or(0)), client.get_mut())?;
        client.get_mut().flush()?;
    }
}

/// Lines up to and with the empty one.
fn head(from: &mut impl std::io::BufRead) -> std::io::Result<Option<String>> {
    let mut out = String::new();
    loop {
        let before = out.len();
        if from.read_line(&mut out)? == 0 {
            return Ok(None);
        }
        if out[before..].trim().is_empty() {
            return Ok(Some(out));
        }
    }
}
