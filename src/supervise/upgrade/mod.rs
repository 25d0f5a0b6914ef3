//! Another program takes over in the same process, while every service runs on.
//!
//! # Theory of operation
//! ```text
//!  check the program ─▶ wait for quiet ─▶ close streams, stop pumps ─▶ state into sealed memory
//!                                                                        │ execveat, main thread
//!   services, pipes, sockets, lock, guardian: the same, left open        ▼
//!                               go on  ◀─ adopt descriptors ◀─ read state (else: execute the old one)
//! ```
//! The process stays, and with it its number, start time, children, locks and death signals; only its
//! program changes. [`check`] asks the new program whether it reads our [`state`] before anything is
//! touched. What is open is inherited by number ([`image`]). [`receive`] takes the state in; until
//! [`Handed::take`] nothing that was inherited is used up, so that [`fall_back`] can execute the old
//! program again, whose descriptor came along. Only where that fails too does the process end, and
//! the guardian ends the services.
//!
//! Owns: the document, the descriptors' inheritance, the way back. Refuses to begin while a service
//! is between two states (that is the manager's to wait for). Invariant: at every moment exactly one
//! program supervises, and whoever does has every byte that the services wrote so far.
//!
//! Only Linux has what this needs; elsewhere an upgrade is refused.

pub mod check;
pub(super) mod forms;
#[cfg(target_os = "linux")]
pub(super) mod image;
pub(super) mod state;

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use self::state::STATE;
pub(super) use self::state::State;
use crate::base::ServiceName;

/// The hidden first argument of a program that takes over; after it come the number of the state's
/// descriptor, that of the program before, [`NOTHING`] or why it is executed again, and then the
/// arguments as they were.
pub const RESUME: &str = "__resume";

/// The place of the reason, when there is none.
const NOTHING: &str = "-";

/// What an operation above the supervisor needs again in the program that takes over.
pub trait Luggage: Send + Sync + std::fmt::Debug {
    /// Its values, and the descriptors among them that have to stay open.
    fn pack(&self) -> (serde_json::Value, Vec<RawFd>);
}

/// What the program before left.
#[derive(Debug)]
pub struct Handed {
    state: State,
    from: Before,
}

/// Where the state and the program before are open.
#[derive(Clone, Debug)]
struct Before {
    state: RawFd,
    program: RawFd,
    /// Why this is the program before again.
    because: Option<String>,
    arguments: Vec<OsString>,
}

/// Read and not taken yet.
static WAITING: Mutex<Option<Handed>> = Mutex::new(None);

/// The way back, until nothing can fail any more.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

/// Takes the state in, where these arguments say that there is one; gives the arguments without
/// that. A state that cannot be read makes the program before go on, and this does not return.
pub fn receive(arguments: Vec<OsString>) -> Vec<OsString> {
    let Some((before, arguments)) = parse(&arguments) else { return arguments };
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.clone());
    match read(&before) {
        Ok(state) => {
            let handed = Handed { state, from: before };
            *WAITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(handed);
        }
        Err(why) => fall_back(&why),
    }
    arguments
}

fn parse(arguments: &[OsString]) -> Option<(Before, Vec<OsString>)> {
    let [name, word, state, program, because, rest @ ..] = arguments else { return None };
    if word != RESUME {
        return None;
    }
    let because = because.to_string_lossy().into_owned();
    let mut plain = vec![name.clone()];
    plain.extend_from_slice(rest);
    let before = Before {
        state: state.to_str()?.parse().ok()?,
        program: program.to_str()?.parse().ok()?,
        because: (because != NOTHING).then_some(because),
        arguments: plain.clone(),
    };
    Some((before, plain))
}

/// The arguments for a program that takes over; `arguments` are ours.
fn arguments_for(
    arguments: &[OsString],
    state: RawFd,
    program: RawFd,
    because: Option<&str>,
) -> Vec<OsString> {
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.clone(), rest.to_vec()),
        None => (OsString::from(env!("CARGO_PKG_NAME")), Vec::new()),
    };
    let because = because.unwrap_or(NOTHING).into();
    let mut words = vec![name, RESUME.into(), state.to_string().into(), program.to_string().into()];
    words.push(because);
    words.extend(rest);
    words
}

#[cfg(target_os = "linux")]
fn read(before: &Before) -> Result<State, String> {
    let bytes = image::read(before.state).map_err(|e| format!("no state came: {e}"))?;
    State::read(&bytes)
}

#[cfg(not(target_os = "linux"))]
fn read(_: &Before) -> Result<State, String> {
    Err("only Linux has this".to_owned())
}

/// Whether a supervisor is waited for that does not go on yet.
pub fn is_pending() -> bool {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// What the program before left, once.
pub fn take() -> Option<Handed> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Executes the program before again, unless this is that, or this program has taken over. Returns
/// when it could not: then the guardian ends the services, once this process has ended.
pub fn fall_back(why: &str) {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(before) = before.filter(|before| before.because.is_none()) else { return };
    #[cfg(target_os = "linux")]
    {
        let Ok(program) = image::copy(before.program) else { return };
        let (state, old) = (before.state, before.program);
        let arguments = arguments_for(&before.arguments, state, old, Some(why));
        // What was left open is still so: nothing that was inherited closes on exec.
        let _ = image::execute(&program.into(), &arguments, &[]);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (why, before);
}

impl Handed {
    /// How the gate is made again.
    pub fn gate(&self) -> &serde_json::Value {
        &self.state.gate
    }

    /// What the operation above packed.
    pub fn luggage(&self) -> &serde_json::Value {
        &self.state.luggage
    }

    /// The services that run, by the names they are declared with.
    pub fn services(&self) -> Vec<ServiceName> {
        let specs = self.state.stack.services.values();
        let mut names: Vec<_> =
            specs.map(|s| s.replica_of.clone().unwrap_or_else(|| s.name.clone())).collect();
        names.dedup();
        names
    }

    /// The digest and the generation of the environment that runs.
    pub fn environment(&self) -> (&str, u64) {
        (&self.state.stack.digest, self.state.stack.generation)
    }

    /// How long the ordered end may take.
    pub fn stop_within(&self) -> Option<std::time::Duration> {
        self.state.stop_within
    }

    /// The environment's data directory.
    pub fn data(&self) -> &Path {
        &self.state.stack.data
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Why this is the program before again, after the new one could not go on.
    pub(super) fn because(&self) -> Option<&str> {
        self.from.because.as_deref()
    }

    /// There is no way back from here: closes what was inherited. Everything that is used has been
    /// copied.
    pub(super) fn take(self) -> State {
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = None;
        #[cfg(target_os = "linux")]
        {
            image::close(&self.state.descriptors);
            image::close(&[self.from.state, self.from.program]);
            // The kernel named the process after a descriptor.
            let _ = rustix::thread::set_name(c"infra");
        }
        self.state
    }
}

/// Descriptors of our own, by the numbers of those that were inherited.
pub(super) type Descriptors = std::collections::BTreeMap<RawFd, std::os::fd::OwnedFd>;

/// A copy of a descriptor that the program before left open.
pub fn copy(descriptor: RawFd) -> std::io::Result<std::os::fd::OwnedFd> {
    #[cfg(target_os = "linux")]
    return image::copy(descriptor);
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = descriptor;
        Err(std::io::ErrorKind::Unsupported.into())
    };
}

/// Where the program lies that this process was started from: another may lie there by now.
pub(super) fn usual_program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

/// Executes a checked program with this state; returns why that failed, and everything is as
/// before. Only on the host's thread.
#[cfg(target_os = "linux")]
pub(super) fn execute(program: &check::Checked, state: &State) -> std::io::Error {
    use std::os::fd::AsRawFd as _;
    let go = || -> std::io::Result<std::io::Error> {
        let document = image::seal(&serde_json::to_vec(state)?)?;
        let ours = crate::fs::open(Path::new("/proc/self/exe"))
            .map_err(|e| std::io::Error::other(crate::base::chain(&e)))?;
        let (document_fd, our_fd) = (document.as_raw_fd(), ours.as_raw_fd());
        let plain = super::procfs::arguments();
        let arguments = match parse(&plain) {
            Some((_, arguments)) => arguments,
            None => plain,
        };
        let arguments = arguments_for(&arguments, document_fd, our_fd, None);
        let mut descriptors = state.descriptors.clone();
        descriptors.extend([document_fd, our_fd]);
        Ok(image::execute(&program.file, &arguments, &descriptors))
    };
    go().unwrap_or_else(|error| error)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn execute(_: &check::Checked, _: &State) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_there_and_back() {
        let plain: Vec<OsString> = ["infra", "runtime", "__supervise"].map(Into::into).into();
        let there = arguments_for(&plain, 7, 8, None);
        let (before, back) = parse(&there).unwrap();
        assert_eq!((back, before.because), (plain.clone(), None));
        assert_eq!((before.state, before.program), (7, 8));
        let again = arguments_for(&plain, 7, 8, Some("it was no good"));
        assert_eq!(parse(&again).unwrap().0.because.as_deref(), Some("it was no good"));
        assert!(parse(&plain).is_none());
        assert_eq!(receive(plain.clone()), plain);
    }

    #[test]
    fn what_is_no_state_of_ours_is_not_read() {
        for (text, says) in [
            ("", "cannot be read"),
            ("{", "cannot be read"),
            (r#"{"format":"infra supervisor state","version":9}"#, "of version 9"),
            (r#"{"format":"another","version":1}"#, "`another`"),
            (r#"{"format":"infra supervisor state","version":1}"#, "is wrong"),
        ] {
            let why = State::read(text.as_bytes()).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }
}
