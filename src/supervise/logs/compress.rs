//! The thread that compresses what rotation left behind.
//!
//! One for all logs of a stack, of low priority, started with the first file. It waits until
//! rotation is calm: in a flood, files go by the limit before anyone would read them, and both
//! cores are needed elsewhere. Invariant: a file's lines are there at every moment, in one form or
//! the other; the compressed form comes by rename, after it was synced, and only then does the
//! other go.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::names;
use crate::fs::{self, Context as _};

/// How long nothing may have been rotated before a file is compressed.
const CALM: Duration = Duration::from_secs(1);

/// Paths that may wait; beyond that the oldest is left as it is, until the next start.
const WAITING: usize = 1024;

/// Takes files to compress; clones share one thread.
#[derive(Clone, Default)]
pub(super) struct Compressor {
    queue: Arc<Mutex<Option<Sender<PathBuf>>>>,
}

impl Compressor {
    /// Compresses a file when there is time. What is not done when the program ends, the next
    /// start does.
    pub(super) fn add(&self, old: PathBuf) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            let (sender, files) = mpsc::channel();
            let thread = std::thread::Builder::new().name("log-gzip".into());
            // Without a thread the file stays as it is.
            if thread.stack_size(256 * 1024).spawn(move || work(&files)).is_ok() {
                *queue = Some(sender);
            }
        }
        if let Some(queue) = &*queue {
            let _ = queue.send(old);
        }
    }
}

fn work(files: &Receiver<PathBuf>) {
    // On Linux this is the thread's own; elsewhere it would be the whole program's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
    let mut waiting = VecDeque::new();
    let mut wait = CALM;
    loop {
        let next = match waiting.front() {
            None => files.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => files.recv_timeout(wait),
        };
        match next {
            Ok(file) => {
                waiting.push_back(file);
                if waiting.len() > WAITING {
                    waiting.pop_front();
                }
                wait = CALM;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(file) = waiting.pop_front() {
                    // A full disk, or rotated away meanwhile: it stays, or is gone.
                    let _ = compress(&file);
                }
                wait = Duration::ZERO;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Puts `FILE.gz` in the place of `FILE`, with its time.
pub(super) fn compress(old: &Path) -> fs::Result<()> {
    let (part, done) = (names::partial(old), names::compressed(old));
    let mut from = fs::open(old)?;
    let written = (|| {
        fs::remove_file_if_exists(&part)?;
        let mut gz = GzEncoder::new(fs::create_new(&part)?, Compression::new(3));
        io::copy(&mut from, &mut gz).context("compress", old)?;
        let mut to = gz.finish().context("write", &part)?;
        to.flush().context("write", &part)?;
        // Readers skip a file that was last written before what they look for.
        let time = fs::lstat(old)?.modified().context("read the time of", old)?;
        to.set_modified(time).context("set the time of", &part)?;
        fs::sync_file(&to, &part)?;
        fs::rename(&part, &done)
    })();
    if written.is_err() {
        let _ = fs::remove_file_if_exists(&part);
        return written;
    }
    fs::remove_file_if_exists(old)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_compressed_file_has_the_same_bytes_and_time_and_replaces_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("s.log.7");
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        fs::write_atomic(&old, &bytes).unwrap();
        fs::write_atomic(&names::partial(&old), b"of a killed one").unwrap();
        let time = fs::lstat(&old).unwrap().modified().unwrap();
        compress(&old).unwrap();
        assert_eq!(fs::read_dir_names(dir.path()).unwrap(), ["s.log.7.gz"]);
        let gz = names::compressed(&old);
        assert_eq!(fs::lstat(&gz).unwrap().modified().unwrap(), time);
        let mut again = Vec::new();
        flate2::read::MultiGzDecoder::new(fs::open(&gz).unwrap()).read_to_end(&mut again).unwrap();
        assert!(again == bytes);
    }
}
