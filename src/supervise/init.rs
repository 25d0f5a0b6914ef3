//! Being the first process of a container.
//!
//! Owns what differs from any other run: signals that the kernel would throw away, orphans of
//! everybody, no guardian, and how long the end may take. The kernel delivers no signal to the
//! first process of a pid namespace that it has no handler for, so `docker stop` would wait for
//! nothing while an environment is still being prepared: [`begin`] installs handlers before
//! anything else, and the supervisor takes over from it.
//!
//! **No guardian.** It exists to end what a killed supervisor leaves. When the first process ends,
//! however it ends, the kernel kills every process of the namespace, the guardian included.
//!
//! Invariant: from [`begin`] on, a signal that asks for the end is never lost.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::setsid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::procfs;

/// How long an ordered end may take by default: container engines send SIGKILL after 10 s.
pub const STOP_WITHIN: Duration = Duration::from_secs(9);

/// What asks for an ordered end, besides SIGTERM, SIGINT and SIGQUIT: a power failure as lxc and
/// sysvinit know it, and `SIGRTMIN+3`, which means "halt" to systemd and is sent by engines to
/// whatever looks like an init. Its number is that of the C library they are built with.
#[cfg(target_os = "linux")]
pub(super) const HALT: [i32; 2] = [libc::SIGPWR, 37];
/// Elsewhere there are no pid namespaces.
#[cfg(not(target_os = "linux"))]
pub(super) const HALT: [i32; 0] = [];

/// Cancelled when the supervisor listens itself.
static TAKEN_OVER: OnceLock<CancellationToken> = OnceLock::new();

/// Whether this is the first process of its pid namespace.
pub fn is_first() -> bool {
    std::process::id() == 1
}

/// Makes this process fit to be the first one; does nothing when it is not. `on_terminal` says that
/// it has a terminal, whose keys must go on reaching it.
///
/// Until a supervisor runs, a signal that asks for the end ends the process with the code that its
/// default action would have given, 128 and its number: nothing runs yet that would have to be
/// stopped.
///
/// # Errors
/// The system's, when it can make no thread or handler.
pub fn begin(on_terminal: bool) -> io::Result<()> {
    if !is_first() {
        return Ok(());
    }
    // A session of its own, so that no orphan is taken for a child of another part of this process.
    // Refused to who leads one already.
    if !on_terminal {
        let _ = setsid();
    }
    let token = TAKEN_OVER.get_or_init(CancellationToken::new).clone();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().name("signals".into()).stack_size(256 * 1024).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let outcome = runtime.and_then(|runtime| {
            let mut asking = runtime.block_on(async { asking() })?;
            let _ = tell.send(Ok(()));
            let number = runtime.block_on(async {
                tokio::select! {
                    () = token.cancelled() => None,
                    number = next(&mut asking) => Some(number),
                }
            });
            Ok(number)
        });
        match outcome {
            #[allow(clippy::exit, reason = "nothing runs, and main may be anywhere")]
            Ok(Some(number)) => std::process::exit(128 + number),
            Ok(None) => {}
            Err(e) => _ = tell.send(Err(e)),
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread for signals has ended")))
}

fn asking() -> io::Result<Vec<(i32, Signal)>> {
    let all = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT].into_iter().chain(HALT);
    listen(all)
}

/// Installs handlers.
pub(super) fn listen(numbers: impl IntoIterator<Item = i32>) -> io::Result<Vec<(i32, Signal)>> {
    let one = |number| Ok((number, signal(SignalKind::from_raw(number))?));
    numbers.into_iter().map(one).collect()
}

/// The next of several signals. Cancelling loses nothing.
pub(super) async fn next(signals: &mut [(i32, Signal)]) -> i32 {
    std::future::poll_fn(|context| {
        for (number, signal) in &mut *signals {
            if signal.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(*number);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// The supervisor has its own handlers from now on.
pub(super) fn take_over() {
    if let Some(token) = TAKEN_OVER.get() {
        token.cancel();
    }
}

/// What this container keeps an init from doing, in words.
pub(super) fn lacking() -> Vec<String> {
    let mut out = Vec::new();
    if procfs::process(std::process::id()).is_none() {
        out.push(
            "there is no /proc here: what leaves its service's process group is neither found, \
             reaped nor ended before this process ends"
                .to_owned(),
        );
    }
    out
}
