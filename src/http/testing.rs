//! A tiny HTTP/1.1 server that does as told, faults included. Tests only.
//!
//! Each connection has a thread; nothing sleeps: a stall holds the connection until the client
//! gives up.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::retry::Pace;
use super::{Client, Get, Options};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) connection: usize,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    announced: Option<usize>,
    sent: Option<usize>,
    stall: bool,
}

impl Reply {
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        Self { status, body: body.to_vec(), ..Self::default() }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends only so many bytes of the body, then closes.
    pub(super) fn truncate(mut self, sent: usize) -> Self {
        self.sent = Some(sent);
        self
    }

    /// Sends only so many bytes of the body, then nothing.
    pub(super) fn stall(mut self, sent: usize) -> Self {
        self.stall = true;
        self.truncate(sent)
    }

    /// Announces another length than the body has.
    pub(super) fn announce(mut self, length: usize) -> Self {
        self.announced = Some(length);
        self
    }

    /// Bytes of its body.
    pub(super) fn length(&self) -> usize {
        self.body.len()
    }

    /// A file, as a server with ranges gives it.
    pub(super) fn file(content: &[u8], seen: &Seen) -> Self {
        let from = seen.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
        let total = content.len();
        match from.map(|from| from.parse::<usize>().expect("range")) {
            None => Self::new(200, content),
            Some(from) if from < total => Self::new(206, &content[from..])
                .header("content-range", &format!("bytes {from}-{}/{total}", total - 1)),
            Some(_) => Self::new(416, b"").header("content-range", &format!("bytes */{total}")),
        }
    }
}

/// A running server; its threads end with the process.
pub(super) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// `answer` is called with each request and how many came before it.
    pub(super) fn new(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen_by_all) = (Arc::new(answer), Arc::clone(&log));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&seen_by_all));
                std::thread::spawn(move || {
                    let _ = serve(stream?, connection, &*answer, &log);
                    std::io::Result::Ok(())
                });
            }
        });
        Self { address, log }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().expect("url")
    }

    pub(super) fn get(&self, path: &str) -> Get {
        Get { url: self.url(path), accept: None, authorization: None }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.log.lock().expect("log").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    answer: &(dyn Fn(&Seen, usize) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut seen = Seen { path, connection, ..Seen::default() };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            seen.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let before = {
            let mut log = log.lock().expect("log");
            log.push(seen.clone());
            log.len() - 1
        };
        let reply = answer(&seen, before);
        let length = reply.announced.unwrap_or(reply.body.len());
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {length}\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&reply.body[..reply.sent.unwrap_or(reply.body.len())])?;
        if reply.stall {
            let _ = reader.read(&mut [0])?;
        }
        if reply.sent.is_some() {
            return Ok(());
        }
    }
}

/// Options without cache and with two retries.
pub(super) fn options() -> Options {
    Options {
        offline: false,
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(20),
        retries: 2,
        extra_roots: Vec::new(),
        cache: None,
    }
}

/// A client that waits little between its tries.
pub(super) fn client(options: Options) -> Client {
    let pace = Pace {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(50),
        hasty_delay: Duration::from_millis(20),
        direct: true,
    };
    Client::with_pace(options, pace)
}

/// A client that also gives up soon on a silent server.
pub(super) fn client_with_stall(options: Options, stall: Duration) -> Client {
    client(Options { stall_timeout: stall, ..options })
}
