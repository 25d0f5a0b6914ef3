//! The thread that hosts a supervisor: it starts every service, and it alone can put another program
//! into the process.
//!
//! The kernel sends a service's death signal when the *thread* that forked it ends, and executing a
//! program ends every thread but the one that does it. So the thread that called is kept for both,
//! and the event loop gets one of its own; after an upgrade it is the main thread, whose services
//! those are. Invariants: a host returns only when its work has; a signal that asks for the end is
//! delivered to it alone, so that none is lost while programs change.

use std::cell::RefCell;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc;

use tokio::sync::oneshot;

use super::process::Request;

thread_local! {
    static HOST: RefCell<Option<mpsc::Sender<Request>>> = const { RefCell::new(None) };
}

/// The host that the calling thread works for.
pub(super) fn current() -> Option<mpsc::Sender<Request>> {
    HOST.with_borrow(Clone::clone)
}

/// Runs `work` on a thread of its own and carries out, on the calling one, what it asks for.
/// `signals` says that the process's own signals are meant for it: they wait until `work` has them
/// delivered ([`hold_signals`]).
pub(super) fn host<T: Send>(signals: bool, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let (sender, requests) = mpsc::channel();
    if signals {
        // Inherited by every thread that is started from here on.
        hold_signals(true);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("events".into()).stack_size(2 << 20);
        let thread = thread.spawn_scoped(scope, move || {
            HOST.set(Some(sender));
            let done = work();
            HOST.set(None);
            done
        })?;
        // Ends when the thread has let go of its sender.
        requests.into_iter().for_each(Request::carry_out);
        let done = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        if signals {
            hold_signals(false);
        }
        Ok(done)
    })
}

/// Has the host do something; `None` when the calling thread has no host.
pub(super) async fn on_host<T: Send + 'static>(
    deed: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, done) = oneshot::channel();
    let deed = Box::new(move || _ = answer.send(deed()));
    current()?.send(Request::Do(deed)).ok()?;
    done.await.ok()
}

/// Has signals that ask for the end wait for the host: called before it begins by whoever starts
/// threads before that, which then leave them to it.
pub fn leave_signals() {
    hold_signals(true);
}

/// Signals that mean something to a supervisor, and would end a program that has no handlers yet.
const HELD: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// Keeps signals that ask for the end from this thread, and from those it starts, or lets them come
/// again. What comes meanwhile waits, over the change of the program, too.
#[allow(unsafe_code, reason = "there is no safe interface to a thread's signal mask")]
pub(super) fn hold_signals(hold: bool) {
    let how = if hold { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: the set is made before it is read, and both calls only use it while they last.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in HELD {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    }
}
