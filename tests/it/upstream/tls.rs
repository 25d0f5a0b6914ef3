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
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

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

    /// The certificate of somebody who asks, and its key, PEM.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server's configuration with a certificate for 127.0.0.1, good until the end of a year.
    /// It asks clients for one of `clients`, where that is given.
    fn config(&self, until: i32, clients: Option<(&Self, bool)>) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some((authority, must)) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM");
                roots.add(root).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if must { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().expect("verifier"))
            }
        };
        let config =
            builder.with_single_cert(vec![certificate.der().clone()], key).expect("configuration");
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
    /// For each connection, whether its client showed a certificate.
    shown: Arc<Mutex<Vec<bool>>>,
}

impl TlsFront {
    /// One in front of `upstream`, with a certificate that ends with the year `until`.
    pub(crate) fn start(upstream: SocketAddr, authority: &TlsAuthority, until: i32) -> Self {
        Self::of(upstream, authority.config(until, None))
    }

    /// One that asks for certificates of `clients`, and serves nobody without where it `must`.
    pub(crate) fn asking(
        upstream: SocketAddr,
        authority: &TlsAuthority,
        clients: &TlsAuthority,
        must: bool,
    ) -> Self {
        Self::of(upstream, authority.config(4000, Some((clients, must))))
    }

    /// For each connection that spoke, whether its client showed a certificate.
    pub(crate) fn shown(&self) -> Vec<bool> {
        self.shown.lock().expect("lock").clone()
    }

    fn of(upstream: SocketAddr, config: Arc<ServerConfig>) -> Self {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopping = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Open::default()));
        let (stop, all) = (Arc::clone(&stopping), Arc::clone(&open));
        let seen = Arc::clone(&shown);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let Ok(copy) = stream.try_clone() else { continue };
                let mut open = all.lock().expect("lock");
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                open.streams.push(copy);
                let (config, seen) = (Arc::clone(&config), Arc::clone(&seen));
                open.threads.push(std::thread::spawn(move || {
                    let _ = serve(stream, config, upstream, &seen);
                }));
            }
        });
        Self { address, stopping, open, accepting: Some(accepting), shown }
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
    seen: &Mutex<Vec<bool>>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(connection, stream));
    let server = TcpStream::connect(upstream)?;
    let mut answers = BufReader::new(server.try_clone()?);
    let mut first = true;
    loop {
        let Some(request) = head(&mut client)? else { return Ok(()) };
        if std::mem::take(&mut first) {
            let shows = client.get_ref().conn.peer_certificates().is_some();
            seen.lock().expect("lock").push(shows);
        }
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
