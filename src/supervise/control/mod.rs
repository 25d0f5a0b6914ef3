//! Talking to a running supervisor: one Unix socket, one JSON value a line.
//!
//! Owns `<data>/run/control.sock` ([`server`]) and the blocking client ([`client`]), which needs
//! no runtime. Refuses other users: the socket is its owner's alone (mode 0600 in a directory of
//! mode 0700) and the peer's user is checked. Invariant: a request is one line; the answer is one
//! line, or for `logs` and `events` a line for each event until either side closes.

mod client;
pub(super) mod server;
mod socket;

use serde::{Deserialize, Serialize};

pub use self::client::{Client, Events};
use super::status::StackStatus;
use crate::base::ServiceName;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Request {
    /// The whole status.
    Status,
    /// An ordered stop; answered at once, the socket closes when all is down.
    Stop,
    /// Restart these services; all when none are named.
    Restart {
        /// Their names.
        services: Vec<ServiceName>,
    },
    /// Stop these services; they stay stopped until somebody starts them.
    StopServices {
        /// Their names.
        services: Vec<ServiceName>,
    },
    /// Start these services and what they come after.
    StartServices {
        /// Their names.
        services: Vec<ServiceName>,
    },
    /// Reload these services; all that can be when none are named.
    Reload {
        /// Their names.
        services: Vec<ServiceName>,
    },
    /// Lines of these services' logs; of all when none are named.
    Logs {
        /// Their names.
        services: Vec<ServiceName>,
        /// How many lines that are in memory already, for each service.
        lines: usize,
        /// Go on as new ones come.
        follow: bool,
    },
    /// Events as they happen.
    Events,
}

/// What a client is told. Events of a stream follow as values of their own type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Done, or a stream begins.
    Ok,
    /// The status.
    Status(Box<StackStatus>),
    /// Not done.
    Error {
        /// Why.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_is_stable() {
        let name = ServiceName::new("nats").unwrap();
        let check = |request: Request, text: &str| {
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
        };
        check(Request::Status, r#"{"ask":"status"}"#);
        check(
            Request::Restart { services: vec![name.clone()] },
            r#"{"ask":"restart","services":["nats"]}"#,
        );
        check(
            Request::Logs { services: vec![], lines: 10, follow: true },
            r#"{"ask":"logs","services":[],"lines":10,"follow":true}"#,
        );
        assert_eq!(serde_json::to_string(&Answer::Ok).unwrap(), r#"{"answer":"ok"}"#);
    }
}
