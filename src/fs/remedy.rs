//! What to do about a file operation that failed: by the system's reason, in one place.
//!
//! Says nothing where there is nothing to do but read the message. Invariant: a fault of the
//! machine (disk, quota, permissions, limits) always has a remedy.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::Error;

/// The remedies of an error, best first.
pub(super) fn of(error: &Error) -> Vec<String> {
    match error {
        Error::Locked { .. } => {
            vec!["wait for it to end, or raise INFRA_LOCK_TIMEOUT (seconds)".to_owned()]
        }
        Error::NoLocks { .. } => vec![
            "mount it with locks (NFS: without `nolock`, and with its lock service running)"
                .to_owned(),
            "or keep it on a local disk: INFRA_STORE says where the store lies".to_owned(),
        ],
        Error::Io { source, path, .. } => of_io(source, path).into_iter().collect(),
    }
}

fn of_io(source: &io::Error, path: &Path) -> Option<String> {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let directory = path.parent().unwrap_or(path).display();
    Some(match source.kind() {
        StorageFull if source.to_string().contains(NO_INODES) => format!(
            "there may be space on the filesystem of `{directory}`, but for no more files: remove \
             some (`infra store gc` removes what nothing uses), then run the same command again"
        ),
        StorageFull => {
            "free some space (`infra store gc` removes what nothing uses), then run the \
             same command again"
                .to_owned()
        }
        QuotaExceeded => format!(
            "your quota on the filesystem of `{directory}` is used up: free some space (`infra \
             store gc` removes what nothing uses), then run the same command again"
        ),
        ReadOnlyFilesystem => format!(
            "the filesystem of `{directory}` is read-only; mount it for writing, or set \
             INFRA_STORE to a writable directory if the store lies there"
        ),
        PermissionDenied => {
            format!("check who owns `{directory}`, or set INFRA_STORE to a directory of your own")
        }
        _ => match Errno::from_io_error(source)? {
            Errno::IO => "the disk or its connection failed: look into the system's log, then run \
                 the same command again; `infra store verify` finds what the disk damaged"
                .to_owned(),
            Errno::MFILE | Errno::NFILE => {
                "raise the limit of open files (`ulimit -n`), or use fewer INFRA_JOBS".to_owned()
            }
            Errno::STALE => {
                "the server of this filesystem lost the file: mount it again, then run \
                 the same command again"
                    .to_owned()
            }
            Errno::LOOP => {
                format!("a link stands where a file should be: look at `{}`", path.display())
            }
            _ => return None,
        },
    })
}

/// What "no space left" means where there is space.
const NO_INODES: &str = "no inodes left";

/// The system's reason, told apart where one number stands for two: a full disk and one without
/// inodes. Asked at once, since cleaning up changes the answer.
pub(super) fn precise(source: io::Error, path: &Path) -> io::Error {
    if source.kind() == io::ErrorKind::StorageFull && has_no_inodes(path) {
        return io::Error::new(source.kind(), format!("no space left on device: {NO_INODES}"));
    }
    source
}

/// Whether the filesystem of the nearest directory that exists ran out of inodes, not of bytes.
fn has_no_inodes(path: &Path) -> bool {
    let stat = path.ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
    stat.is_some_and(|stat| stat.f_files > 0 && stat.f_favail == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_machine_have_a_remedy() {
        let path = Path::new("/nowhere/at/all");
        for errno in [
            Errno::IO,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::ACCESS,
            Errno::PERM,
            Errno::MFILE,
            Errno::NFILE,
            Errno::STALE,
            Errno::LOOP,
        ] {
            assert!(of_io(&errno.into(), path).is_some(), "{errno}");
        }
        assert_eq!(of_io(&Errno::NOENT.into(), path), None);
    }
}
