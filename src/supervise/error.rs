//! What can keep a stack from being supervised at all.
//!
//! What happens to a single service is no error here: it is its state, with a cause.

use std::io;
use std::path::PathBuf;

use super::ports::Holder;
use crate::base::{Diagnose, Hint, Kind, ServiceName};
use crate::fs;

/// A run that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another supervisor uses the data directory.
    #[error("`{}` is in use by {holder}", data.display())]
    AlreadyRunning {
        /// The data directory.
        data: PathBuf,
        /// Who it is, with its pid.
        holder: String,
    },
    /// A port of the stack is taken.
    #[error("port {port} (`{name}` of service `{service}`) is taken{}", by(holder.as_ref()))]
    PortTaken {
        /// The service that wants it.
        service: ServiceName,
        /// The port's name in the profile.
        name: String,
        /// Its number.
        port: u16,
        /// Who has it, where that can be seen.
        holder: Option<Holder>,
    },
    /// Services wait for each other.
    #[error("services wait for each other: {}", names(services))]
    Cycle {
        /// Those services.
        services: Vec<ServiceName>,
    },
    /// The run directory cannot be used.
    #[error("the supervisor cannot keep its files")]
    RunDirectory {
        /// The file operation.
        source: fs::Error,
    },
    /// A log cannot be opened.
    #[error("the log of service `{service}` cannot be kept")]
    Log {
        /// The service.
        service: ServiceName,
        /// The file operation.
        source: fs::Error,
    },
    /// The guardian did not start.
    #[error("the guardian process, which ends services if the supervisor dies, did not start")]
    Guardian {
        /// Why.
        source: io::Error,
    },
    /// The control socket cannot be served.
    #[error("cannot serve the control socket `{}`", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The running supervisor did not answer as it should.
    #[error("the running supervisor did not answer: {why}")]
    NoAnswer {
        /// What came instead.
        why: String,
    },
    /// The running supervisor refused a request.
    #[error("{message}")]
    Refused {
        /// Its words.
        message: String,
        /// What it says to do about it.
        hints: Vec<String>,
    },
    /// A port of the supervisor's own cannot be listened on.
    #[error("port {port} (`{name}` of the supervisor) is taken{}", by(holder.as_ref()))]
    Loopback {
        /// The port's name in the profile.
        name: &'static str,
        /// Its number.
        port: u16,
        /// Who has it, where that can be seen.
        holder: Option<Holder>,
        /// What the system said.
        source: io::Error,
    },
    /// The supervisor in the background ended before its stack was ready.
    #[error("the stack is not up: {reason}")]
    Detached {
        /// What it said.
        reason: String,
        /// What it said to do about it.
        hints: Vec<String>,
        /// Its own log.
        log: PathBuf,
    },
    /// The system refused something the event loop needs.
    #[error("the supervisor cannot {action}")]
    System {
        /// What it tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn by(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, command }) => format!(" by pid {pid} (`{command}`)"),
        None => " by a process that cannot be seen from here".to_owned(),
    }
}

fn port_hints(holder: Option<&Holder>, name: &str) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let Some(Holder { pid, .. }) = holder {
        hints.push(Hint::new(format!("end it (`kill {pid}`); it was left alone")));
    }
    hints.push(Hint::new(format!("or set another `{name}` in `[port]`, or \"auto\"")));
    hints
}

fn names(services: &[ServiceName]) -> String {
    let quoted: Vec<String> = services.iter().map(|s| format!("`{s}`")).collect();
    quoted.join(", ")
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Cycle { .. } => Kind::Usage,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::AlreadyRunning { .. } => vec![Hint::new(
                "see it with `infra runtime status`, end it with `infra runtime down`",
            )],
            Self::PortTaken { holder, name, .. } => port_hints(holder.as_ref(), name),
            Self::Cycle { .. } => vec![Hint::new("remove one of their `after` entries")],
            Self::Loopback { holder, name, .. } => port_hints(holder.as_ref(), name),
            Self::Refused { hints, .. } => hints.iter().cloned().map(Hint::new).collect(),
            Self::RunDirectory { source } | Self::Log { source, .. } => source.hints(),
            Self::Detached { hints, log, .. } => hints
                .iter()
                .cloned()
                .chain([format!("its own log is `{}`", log.display())])
                .map(Hint::new)
                .collect(),
            _ => Vec::new(),
        }
    }
}
