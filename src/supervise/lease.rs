//! What a run writes down about itself, so that the next one can end what survived.
//!
//! Owns `<data>/run/`: the lock (one supervisor per data directory), the lease, and where the
//! control socket lies. Invariants: the lease is written only by the holder of the lock; a process
//! named in an old lease is touched only when this is still the same boot and it belongs to that
//! run by pid and start time, or by its mark.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Error;
use super::confined;
use super::contain::{self, RunMark};
use super::procfs;
use super::usage;
use crate::base::{EnvName, ServiceName};
use crate::fs::{self, FileLock};

/// Between SIGTERM and SIGKILL for what an earlier run left.
const GRACE: Duration = Duration::from_millis(500);

/// The files of a run, in a data directory.
#[derive(Clone, Debug)]
pub(super) struct RunDir(PathBuf);

impl RunDir {
    pub(super) fn of(data: &Path) -> Self {
        Self(data.join("run"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn lease(&self) -> PathBuf {
        self.0.join("lease.json")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Creates the directory, for its owner alone, and takes the lock.
    pub(super) fn claim(&self, env: &EnvName) -> Result<FileLock, Error> {
        let step = |source| Error::RunDirectory { source };
        fs::create_dir_all(&self.0).map_err(step)?;
        fs::chmod(&self.0, 0o700).map_err(step)?;
        let purpose = format!("`infra run` of {env}");
        // A child between fork and exec keeps its parent's lock for a moment after that has ended;
        // on a busy machine that is a long one.
        for look in 0..250 {
            if let Some(lock) = FileLock::try_exclusive(&self.lock(), &purpose).map_err(step)? {
                return Ok(lock);
            }
            let dead = holder_pid(&FileLock::holder(&self.lock()))
                .is_some_and(|pid| procfs::process(pid).is_none_or(|p| p.zombie));
            if look >= 15 && !dead {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Err(Error::AlreadyRunning {
            data: self.0.parent().unwrap_or(&self.0).to_owned(),
            holder: described(FileLock::holder(&self.lock())),
        })
    }

    /// The lease of the last run that did not end in order. An unreadable one is none.
    fn left(&self) -> Result<Option<Lease>, Error> {
        let text = fs::read_to_string_if_exists(&self.lease())
            .map_err(|source| Error::RunDirectory { source })?;
        Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
    }

    /// Ends what an earlier run left. Needs the lock. Gives how many processes did not end when
    /// they were asked and had to be killed, and how many are left all the same.
    pub(super) fn end_leftovers(&self) -> Result<Option<(usize, usize)>, Error> {
        let Some(lease) = self.left()? else { return Ok(None) };
        if lease.boot_id != procfs::boot_id() {
            return Ok(None);
        }
        let sessions: Vec<(u32, u64)> =
            lease.services.values().map(|s| (s.pid, s.start_time)).collect();
        let mark = RunMark::from_text(&lease.run);
        let group = lease.group.filter(|group| confined::is_of(group, &mark));
        Ok(Some(contain::end_run(&mark, &sessions, group.as_deref(), GRACE, false)))
    }

    /// Ends what a run left that did not end in order, when no other one has begun since. Gives
    /// its mark, when there was one.
    pub(super) fn clean(&self, env: &EnvName) -> Result<Option<String>, Error> {
        let Some(lease) = self.left()? else { return Ok(None) };
        let lock = match self.claim(env) {
            Ok(lock) => lock,
            Err(Error::AlreadyRunning { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Another one may have begun and ended before we had the lock.
        if self.left()?.is_none_or(|now| now.run != lease.run) {
            return Ok(None);
        }
        let step = |source| Error::RunDirectory { source };
        if self.end_leftovers()?.is_some_and(|(_, left)| left > 0) {
            // Whoever comes next tries again.
            return Ok(None);
        }
        for name in fs::read_dir_names_if_exists(&self.0).map_err(step)? {
            let socket = name == "control.sock" || name.to_string_lossy().ends_with(".notify");
            if socket {
                fs::remove_file_if_exists(&self.0.join(name)).map_err(step)?;
            }
        }
        super::journal::note_end(self.0.parent().unwrap_or(&self.0), &lease.run);
        self.clear()?;
        drop(lock);
        Ok(Some(lease.run))
    }

    /// The run ended in order and left nothing.
    pub(super) fn clear(&self) -> Result<(), Error> {
        fs::remove_file_if_exists(&self.lease()).map_err(|source| Error::RunDirectory { source })
    }
}

/// Ends what a killed supervisor left in a data directory; whether it left something there.
///
/// # Errors
/// The run directory cannot be read or written.
pub fn end_leftovers(data: &Path, env: &EnvName) -> Result<bool, Error> {
    Ok(RunDir::of(data).clean(env)?.is_some())
}

/// The pid in what a lock says of its holder.
fn holder_pid(holder: &str) -> Option<u32> {
    holder.rsplit_once("(pid ").and_then(|(_, rest)| rest.strip_suffix(')')?.parse().ok())
}

/// A holder with its command and since when it runs, where those can be seen.
fn described(holder: String) -> String {
    let Some(pid) = holder_pid(&holder) else { return holder };
    let mut text = holder;
    if let Some(command) = procfs::command_line(pid) {
        text += &format!(": `{command}`");
    }
    if let Some(since) = usage::since(pid) {
        text += &format!(", since {since}");
    }
    text
}

/// The content of `lease.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) version: u32,
    pub(super) env: EnvName,
    pub(super) supervisor: Leased,
    pub(super) boot_id: String,
    /// The mark of the run's processes.
    pub(super) run: String,
    /// Its control group, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<PathBuf>,
    /// Each service's leader; its pid is its session's number.
    pub(super) services: BTreeMap<ServiceName, Leased>,
}

/// A process, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leased {
    pub(super) pid: u32,
    pub(super) start_time: u64,
}

/// Writes the lease off the event loop; of several changes at once only the last is written.
#[derive(Debug)]
pub(super) struct LeaseWriter {
    queue: Option<mpsc::Sender<Lease>>,
    thread: Option<JoinHandle<()>>,
}

impl LeaseWriter {
    pub(super) fn start(dir: &RunDir) -> std::io::Result<Self> {
        let (queue, changes) = mpsc::channel::<Lease>();
        let path = dir.lease();
        let thread = std::thread::Builder::new()
            .name("lease".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                while let Ok(lease) = changes.recv() {
                    let lease = changes.try_iter().last().unwrap_or(lease);
                    if let Ok(text) = serde_json::to_vec_pretty(&lease) {
                        // A full disk must not stop the services; the guardian still knows.
                        // Of another boot it means nothing, so nothing waits for the disk.
                        let _ = fs::write_passing(&path, &text);
                    }
                }
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) fn write(&self, lease: Lease) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(lease);
        }
    }
}

impl LeaseWriter {
    /// Returns when all is written. Blocking, for as long as the disk takes.
    pub(super) fn finish(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for LeaseWriter {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_supervisor_per_directory() {
        let data = tempfile::tempdir().unwrap();
        let dir = RunDir::of(data.path());
        let env = EnvName::new("dev").unwrap();
        let held = dir.claim(&env).unwrap();
        let error = dir.claim(&env).unwrap_err();
        let me = format!("(pid {})", std::process::id());
        assert!(error.to_string().contains(&me), "{error}");
        drop(held);
        assert!(dir.claim(&env).is_ok());
    }

    #[test]
    fn a_lease_of_another_boot_is_not_acted_on() {
        let data = tempfile::tempdir().unwrap();
        let dir = RunDir::of(data.path());
        let env = EnvName::new("dev").unwrap();
        let _lock = dir.claim(&env).unwrap();
        let me =
            Leased { pid: std::process::id(), start_time: procfs::start_time(std::process::id()) };
        let writer = LeaseWriter::start(&dir).unwrap();
        writer.write(Lease {
            version: 1,
            env,
            supervisor: me,
            boot_id: "another".into(),
            run: "1.1".into(),
            group: None,
            services: [(ServiceName::new("s").unwrap(), me)].into(),
        });
        drop(writer);
        assert!(dir.left().unwrap().is_some());
        assert_eq!(dir.end_leftovers().unwrap(), None);
        dir.clear().unwrap();
        assert_eq!(dir.left().unwrap(), None);
    }
}
