//! A NATS client of a few lines: requests with an inbox, over the text protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// A connection.
pub struct Nats {
    reader: BufReader<TcpStream>,
    inbox: u32,
}

impl Nats {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("time-out");
        let mut nats = Self { reader: BufReader::new(stream), inbox: 0 };
        assert!(nats.line().starts_with("INFO "), "nats-server speaks first");
        let options =
            json!({ "verbose": false, "pedantic": false, "lang": "rust", "version": "0" });
        nats.send(&format!("CONNECT {options}\r\nPING\r\n"));
        while nats.line() != "PONG" {}
        nats
    }

    /// Publishes and waits for the answer.
    pub fn request(&mut self, subject: &str, payload: &str) -> Value {
        self.inbox += 1;
        let id = self.inbox;
        let inbox = format!("_INBOX.test.{id}");
        let size = payload.len();
        self.send(&format!(
            "SUB {inbox} {id}\r\nUNSUB {id} 1\r\nPUB {subject} {inbox} {size}\r\n{payload}\r\n"
        ));
        loop {
            let line = self.line();
            if line == "PING" {
                self.send("PONG\r\n");
            } else if let Some(rest) = line.strip_prefix("MSG ") {
                let size: usize = rest.rsplit(' ').next().expect("size").parse().expect("size");
                let mut body = vec![0; size + 2];
                self.reader.read_exact(&mut body).expect("payload");
                body.truncate(size);
                let answer: Value = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(answer.get("error"), None, "{subject}: {answer}");
                return answer;
            } else {
                // Without JetStream this is `HMSG … 503`: nobody answers the subject.
                panic!("{subject}: {line}");
            }
        }
    }

    fn send(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).expect("write");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.reader.read_line(&mut line).expect("line") > 0, "nats-server hung up");
        line.trim_end().to_owned()
    }
}
