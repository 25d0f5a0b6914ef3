//! What one program tells the next about the stack that it supervises.
//!
//! One JSON document with a version. Descriptors are named by their numbers, which stay the same;
//! times are counted from where the run began on the monotonic clock, which goes on. Invariant:
//! everything that decides about a service is in it, so that nothing is judged anew: the new program
//! compares nothing with the files of the project.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{EnvName, ServiceName};
use crate::supervise::confined::{GroupsState, Reports};
use crate::supervise::fleet::Fleet;
use crate::supervise::lease::Leased;
use crate::supervise::logs::{Kept, Unfinished};
use crate::supervise::manager::Seen;
use crate::supervise::metrics::{Looks, Meter};
use crate::supervise::plan::Wanted;
use crate::supervise::spec::ServiceSpec;
use crate::supervise::state::Time;
use crate::supervise::status::Upgrade;

/// The version of the document that this program writes, and the only one that it reads.
pub const STATE: u32 = 1;

/// The first words of every document.
pub(super) const FORMAT: &str = "infra supervisor state";

/// What every version begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: String,
    pub(super) version: u32,
}

/// The document.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct State {
    pub(in crate::supervise) format: String,
    pub(in crate::supervise) version: u32,
    /// The upgrade that this is for.
    pub(in crate::supervise) upgrade: Upgrade,
    /// How the gate is made again.
    pub(in crate::supervise) gate: serde_json::Value,
    /// What the operation above needs again.
    pub(in crate::supervise) luggage: serde_json::Value,
    /// Every descriptor that was left open.
    pub(in crate::supervise) descriptors: Vec<RawFd>,
    pub(in crate::supervise) stack: StackState,
    pub(in crate::supervise) wanted: Wanted,
    /// The mark of the run's processes.
    pub(in crate::supervise) mark: String,
    /// When the run began, on the monotonic clock.
    pub(in crate::supervise) began: Duration,
    pub(in crate::supervise) fleet: Fleet,
    pub(in crate::supervise) reports: ReportsState,
    /// Each schedule's position: the time it waits for, and when it looked last.
    pub(in crate::supervise) times: BTreeMap<ServiceName, (Option<String>, String)>,
    pub(in crate::supervise) units: BTreeMap<ServiceName, UnitState>,
    pub(in crate::supervise) logs: BTreeMap<ServiceName, Kept>,
    pub(in crate::supervise) groups: GroupsState,
    /// Whether it is the init of a container.
    pub(in crate::supervise) init: bool,
    /// How long its ordered end may take.
    pub(in crate::supervise) stop_within: Option<Duration>,
    pub(in crate::supervise) sandboxes: Reports,
    pub(in crate::supervise) guardian: Option<GuardianState>,
    pub(in crate::supervise) guardian_command: Vec<OsString>,
    pub(in crate::supervise) lock: RawFd,
    pub(in crate::supervise) control: RawFd,
    /// Listeners on loopback: whether it is for metrics alone, and its descriptor.
    pub(in crate::supervise) loopback: Vec<(bool, RawFd)>,
    pub(in crate::supervise) token: Option<String>,
}

/// A stack without its gate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct StackState {
    pub(in crate::supervise) env: EnvName,
    pub(in crate::supervise) digest: String,
    pub(in crate::supervise) generation: u64,
    pub(in crate::supervise) project: PathBuf,
    pub(in crate::supervise) object: PathBuf,
    pub(in crate::supervise) data: PathBuf,
    pub(in crate::supervise) services: BTreeMap<ServiceName, ServiceSpec>,
}

/// What was told already.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct ReportsState {
    pub(in crate::supervise) meter: Meter,
    pub(in crate::supervise) seen: BTreeMap<ServiceName, Seen>,
    pub(in crate::supervise) stack_ready: bool,
    pub(in crate::supervise) failed: Vec<ServiceName>,
    pub(in crate::supervise) waits_told: Time,
    /// The number of the next record.
    pub(in crate::supervise) next: u64,
}

/// One service's outside.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::supervise) struct UnitState {
    pub(in crate::supervise) child: Option<Leased>,
    /// Its pipes, standard output first.
    pub(in crate::supervise) pipes: Option<[PipeState; 2]>,
    pub(in crate::supervise) notify: Option<NotifyState>,
    /// What its probes took and found.
    pub(in crate::supervise) probes: BTreeMap<String, Looks>,
}

/// One pipe of a service, read up to somewhere in a line.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct PipeState {
    /// `None` once closed.
    pub(in crate::supervise) descriptor: Option<RawFd>,
    pub(in crate::supervise) line: Unfinished,
}

/// A notify socket.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct NotifyState {
    pub(in crate::supervise) descriptor: RawFd,
    pub(in crate::supervise) address: OsString,
    pub(in crate::supervise) file: Option<PathBuf>,
}

/// The guardian.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervise) struct GuardianState {
    pub(in crate::supervise) pipe: RawFd,
    pub(in crate::supervise) child: Leased,
}

impl State {
    /// Reads a document; `Err` says why it cannot be used.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let head: Head = serde_json::from_slice(bytes)
            .map_err(|e| format!("the supervisor's state cannot be read: {e}"))?;
        if head.format != FORMAT || head.version != STATE {
            return Err(format!("`{}` of version {} is not known", head.format, head.version));
        }
        serde_json::from_slice(bytes).map_err(|e| format!("the supervisor's state is wrong: {e}"))
    }

    /// What a document begins with.
    pub(in crate::supervise) fn head() -> (String, u32) {
        (FORMAT.to_owned(), STATE)
    }
}
