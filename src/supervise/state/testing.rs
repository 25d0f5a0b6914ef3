//! What tests of machines and of fleets share.

use std::time::Duration;

use super::{Moment, Rules};
use crate::supervise::spec::{Follow, Kind, RestartRule};

pub(in crate::supervise) const RULES: Rules = Rules {
    kind: Kind::Service,
    scheduled: false,
    restart: RestartRule::Always,
    success: Vec::new(),
    pre_start: false,
    ready_within: Some(Duration::from_secs(5)),
    says_ready: false,
    alive_failures: None,
    watchdog: None,
    reloads: false,
    follow: Follow::Keep,
    ends_stack: false,
    stop_command: false,
    stop_signal: libc::SIGTERM,
    grace: Duration::from_secs(2),
};

pub(in crate::supervise) fn at(ms: u64) -> Moment {
    Moment { now: Duration::from_millis(ms), jitter: 1.0 }
}
