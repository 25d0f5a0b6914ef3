//! What a standard stream of a new process leads to.
//!
//! Owns the descriptor until the process has its copy. Refuses to inherit ours. Invariant: a
//! descriptor closes on exec.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

/// Nothing, or a descriptor.
#[derive(Debug)]
pub(super) struct Stdio(Option<OwnedFd>);

impl Stdio {
    /// Nothing can be read from it, and what is written to it is gone.
    pub(super) const fn null() -> Self {
        Self(None)
    }

    /// As a descriptor that is none of the first three.
    #[cfg(target_os = "linux")]
    pub(super) fn open(self) -> std::io::Result<OwnedFd> {
        use rustix::fs::{Mode, OFlags, open};
        use std::os::fd::AsRawFd as _;
        let fd = match self.0 {
            Some(fd) => fd,
            None => open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?,
        };
        if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
    }
}

impl From<Stdio> for std::process::Stdio {
    fn from(stream: Stdio) -> Self {
        stream.0.map_or_else(Self::null, Self::from)
    }
}

impl From<PipeReader> for Stdio {
    fn from(pipe: PipeReader) -> Self {
        Self(Some(pipe.into()))
    }
}

impl From<PipeWriter> for Stdio {
    fn from(pipe: PipeWriter) -> Self {
        Self(Some(pipe.into()))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self(Some(file.into()))
    }
}
