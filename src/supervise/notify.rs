//! What a service says of itself: the protocol of `sd_notify(3)`.
//!
//! Owns a datagram socket for each start of a service and the meaning of its messages. Refuses
//! messages of processes that are not of the service's session, by the sender's credentials from
//! the kernel. Descriptors that come with a message are closed once it was taken, which answers
//! `BARRIER=1`. Invariant: a message of an earlier start is never heard, because its socket is gone.

use std::ffi::OsString;
use std::io;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};

use super::process;
use super::procfs;
use super::reap::Child;
use super::state::Notice;
use crate::fs;

/// The longest message that is taken.
const LONGEST: usize = 8 * 1024;

/// The longest text that is kept of `STATUS=`.
const LONGEST_STATUS: usize = 256;

/// Bytes of a path that fit an address, with its closing NUL.
const ADDRESS: usize = 107;

/// A bound socket, before and while its service runs.
pub(super) struct NotifySocket {
    socket: OwnedFd,
    address: OsString,
    file: Option<PathBuf>,
}

impl NotifySocket {
    /// Binds the socket of one start of a service, in the run directory where its path is short
    /// enough, else in the abstract namespace.
    pub(super) fn bind(run: &Path, service: &str, generation: u64) -> io::Result<Self> {
        let path = run.join(format!("{service}.notify"));
        let _ = fs::remove_file_if_exists(&path);
        let (socket, address, file) = if path.as_os_str().len() <= ADDRESS {
            let socket = UnixDatagram::bind(&path)?;
            // The directory's mode keeps others out; this lets a service that changed its user in.
            (socket, path.clone().into_os_string(), Some(path))
        } else {
            unnamed(service, generation)?
        };
        socket.set_nonblocking(true)?;
        #[cfg(target_os = "linux")]
        sockopt::set_socket_passcred(&socket, true)?;
        Ok(Self { socket: socket.into(), address, file })
    }

    /// Its descriptor, for another program that goes on hearing.
    pub(super) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The file it is reached by, where it has one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Goes on with a socket that another program bound.
    pub(super) fn adopt(socket: OwnedFd, address: OsString, file: Option<PathBuf>) -> Self {
        Self { socket, address, file }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> &OsString {
        &self.address
    }

    /// Hears the service until it is aborted. `tell` gets each thing said.
    pub(super) async fn hear(self: Arc<Self>, child: Arc<Child>, tell: impl Fn(Notice)) {
        let Ok(socket) = self.socket.try_clone() else { return };
        let Some(socket) = process::readable(socket) else { return };
        loop {
            let Ok(mut guard) = socket.readable().await else { return };
            match guard.try_io(|socket| receive(socket.get_ref())) {
                Ok(Ok(Some((sender, text)))) if belongs(sender, &child) => {
                    parse(&text).into_iter().for_each(&tell);
                }
                // A stranger's, or nothing that can be read: the next one may be.
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return,
                Err(_would_block) => {}
            }
        }
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file_if_exists(file);
        }
    }
}

#[cfg(target_os = "linux")]
fn unnamed(
    service: &str,
    generation: u64,
) -> io::Result<(UnixDatagram, OsString, Option<PathBuf>)> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;
    let name = format!("infra/{}/{generation}/{service}.notify", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    Ok((socket, format!("@{name}").into(), None))
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &str, _: u64) -> io::Result<(UnixDatagram, OsString, Option<PathBuf>)> {
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// One message and its sender's pid; `None` for one without credentials.
fn receive(socket: &OwnedFd) -> io::Result<Option<(u32, String)>> {
    let mut bytes = [0u8; LONGEST];
    // 253 descriptors are the most that the kernel passes at once.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
    let mut sender = None;
    for message in control.drain() {
        // Descriptors are closed by being dropped here.
        if let RecvAncillaryMessage::ScmCredentials(who) = message {
            sender = u32::try_from(who.pid.as_raw_nonzero().get()).ok();
        }
    }
    let text = String::from_utf8_lossy(&bytes[..got.bytes]).into_owned();
    Ok(sender.map(|pid| (pid, text)))
}

/// Whether a process is of the service's session.
fn belongs(pid: u32, child: &Child) -> bool {
    pid == child.pid() || procfs::process(pid).is_some_and(|p| p.session == child.pid())
}

/// The things that a message says; what is not known is passed over, as the protocol wants.
fn parse(text: &str) -> Vec<Notice> {
    let micros = |v: &str| v.parse().ok().map(Duration::from_micros);
    let mut out = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        out.extend(match (name, value) {
            ("READY", "1") => Some(Notice::Ready),
            ("RELOADING", "1") => Some(Notice::Reloading),
            ("STOPPING", "1") => Some(Notice::Stopping),
            ("WATCHDOG", "1") => Some(Notice::Alive),
            ("WATCHDOG", "trigger") => Some(Notice::Trigger),
            ("WATCHDOG_USEC", value) => micros(value).map(Notice::WatchdogEvery),
            ("EXTEND_TIMEOUT_USEC", value) => micros(value).map(Notice::Extend),
            ("STATUS", value) => Some(Notice::Status(value.chars().take(LONGEST_STATUS).collect())),
            ("ERRNO", value) => value
                .parse()
                .ok()
                .map(|n: i32| Notice::Status(io::Error::from_raw_os_error(n).to_string())),
            // MONOTONIC_USEC belongs to RELOADING, whose order the socket keeps; MAINPID is always
            // the process that was started; BARRIER is answered by closing what came with it.
            _ => None,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_protocols_words() {
        assert_eq!(
            parse("READY=1\nSTATUS=two words\nMAINPID=7\nX_OWN=1\n\nWATCHDOG=1\nWATCHDOG=trigger"),
            [Notice::Ready, Notice::Status("two words".into()), Notice::Alive, Notice::Trigger]
        );
        assert_eq!(
            parse("RELOADING=1\nMONOTONIC_USEC=8123\nEXTEND_TIMEOUT_USEC=2000000\nSTOPPING=1"),
            [Notice::Reloading, Notice::Extend(Duration::from_secs(2)), Notice::Stopping]
        );
        assert_eq!(parse("WATCHDOG_USEC=x\nREADY=0\nREADY"), []);
        assert_eq!(parse("ERRNO=2").len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,80}") {
            let _ = parse(&s);
        }
    }
}
