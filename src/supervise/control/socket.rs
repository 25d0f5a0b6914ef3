//! Where the socket lies, however long the path is.
//!
//! A socket's address holds 108 bytes (`unix(7)`; 104 elsewhere). A longer path is reached on Linux
//! through a descriptor of its directory, `/proc/self/fd/N/control.sock`, so the socket is always
//! in the data directory and nothing has to be recorded elsewhere.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs;

/// The file's name in the run directory.
const NAME: &str = "control.sock";

/// Paths up to this many bytes are used as they are.
const LONGEST: usize = 100;

/// A usable address; keeps what it needs open.
pub(super) struct Address {
    path: PathBuf,
    _dir: Option<File>,
}

impl Address {
    pub(super) fn in_dir(run: &Path) -> io::Result<Self> {
        let plain = run.join(NAME);
        if plain.as_os_str().len() <= LONGEST {
            return Ok(Self { path: plain, _dir: None });
        }
        if !cfg!(target_os = "linux") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidFilename,
                "the path of the data directory is too long for a socket on this system",
            ));
        }
        use std::os::fd::AsRawFd as _;
        let dir = fs::open(run).map_err(|e| match e {
            fs::Error::Io { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()));
        Ok(Self { path, _dir: Some(dir) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
