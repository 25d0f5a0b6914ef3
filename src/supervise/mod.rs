//! The supervised run of a stack.
//!
//! # Theory of operation
//! [`run`] takes a [`spec::Stack`] and returns when it is down again. One loop (`manager`) hears
//! everything that happens and hands it to pure machines, one per service ([`state`], gathered in
//! [`fleet`]); their orders are carried out by `manager::unit`, which reports back to the loop.
//! Boot, crash, restart and stop therefore take one path: *deps ready → gate → spawn → probe*, and
//! back: *signal → kill → sweep*.
//!
//! ```text
//!             ┌──────────── News / Ask / signals / time ────────────┐
//!             ▼                                                     │
//!   manager ─▶ fleet ─▶ state ─▶ orders ─▶ unit ─▶ process, probe, logs, contain
//!      │                                             │
//!      ├─▶ events ─▶ control socket, face            └─▶ guardian, lease
//! ```
//!
//! **No orphans**, on four levels. Each service leads a session and gets SIGKILL from the kernel
//! when the supervisor dies (`process`). The supervisor is a sub-reaper, so what daemonises comes
//! back to it (`reap`). A stop or crash is over only when the session, its descendants and
//! whatever carries the service's mark are gone (`contain`). A guardian process outlives the
//! supervisor and ends the rest ([`guardian`]); and what survives even that is ended by the next
//! run, by pid and start time (`lease`).
//!
//! **Ends are seen on the process**, by pidfd, never on its pipes; and a leader is reaped only
//! after its sweep, so that its number, which is also its group's and session's, stays its own.
//!
//! **Logs** are moved by a thread per process ([`logs`]); the loop never touches their bytes.
//!
//! | threads | for |
//! |---|---|
//! | `events` | the event loop: decisions; nothing in it blocks |
//! | the calling one | all starts (`host`): it lives as long as the run, because death signals follow threads, and it executes another program ([`upgrade`]) |
//! | `log`, one per running process | pipes → lines → file and ring |
//! | `lease`, `journal` | writing the lease and the [`journal`] |
//! | `rules`, `sandbox`, at the start | making the sandboxes' rules, having them tried |
//! | blocking pool | gates, sweeps, looks at `/proc` |
//!
//! As the first process of a container it is that container's init ([`init`]).
//!
//! Files in a data directory: `run/lock`, `run/lease.json`, `run/control.sock`, `run/desired.json`,
//! `run/journal.jsonl`, `run/NAME.notify`, `logs/SERVICE.log` and its predecessors `.N`, `.N.gz`,
//! `logs/supervisor.log` (background starts only).
//!
//! Entry points: [`run`] and [`run_blocking`], [`go_on_blocking`] for what another program handed over; [`guardian::main`] for the hidden subcommand
//! [`guardian::SUBCOMMAND`], to be called before anything else; [`control::Client`] for the command
//! line; [`detach`] for background starts; [`order::closure`] to pick services with what they need.
//!
//! Absent on purpose: forking daemons (a service stays in the foreground), shells; watching files is
//! an operation's, which asks for [`plan`]'s changes. A dashboard belongs beside [`control`] over the
//! same [`status`].

pub mod backoff;
pub mod budget;
pub mod confined;
mod contain;
pub mod control;
mod desired;
pub mod detach;
pub mod env_file;
mod error;
pub mod fleet;
#[cfg(target_os = "linux")]
mod fork;
pub mod guardian;
pub mod hand_over;
mod helper;
mod host;
pub mod init;
pub mod journal;
mod lease;
pub mod logs;
mod manager;
mod metrics;
mod notify;
pub mod order;
pub mod plan;
pub mod ports;
mod probe;
mod process;
mod procfs;
mod reap;
pub mod schedule;
pub mod spec;
pub mod state;
pub mod status;
mod stream;
pub mod tool;
pub mod upgrade;
mod usage;

pub use error::Error;
pub use host::leave_signals;
pub use lease::end_leftovers;
pub use manager::{Options, Outcome, Reset, Showing, go_on_blocking, run, run_blocking};
pub use ports::Holder;
pub use process::StartError;

#[cfg(test)]
mod tests;
