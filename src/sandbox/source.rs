//! What a rule set was made from, and whether that is still so.
//!
//! A rule names an inode, not a path. So a set made earlier is as good as a new one while every path
//! that was looked up leads to the same inode, and every directory that was listed has the same
//! entries, which its times tell. A directory that was changed just before it was listed may change
//! again without another time; such a listing is good for [`SETTLED`] only. The set itself holds its
//! inodes, so that their numbers cannot be given anew.
//! Invariant: where [`Source::stands`], making the set anew would give the rules of now or of at most
//! [`SETTLED`] ago.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Stat, stat};

use super::beside::Step;

/// Older times than this change with the next change: clocks of filesystems tick every few
/// milliseconds, on some every second or two.
const SETTLED: Duration = Duration::from_secs(3);

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity(u64, u64);

impl Identity {
    #[allow(clippy::useless_conversion, reason = "each libc has its own types for these numbers")]
    pub(super) fn of(stat: &Stat) -> Self {
        Self(stat.st_dev.into(), stat.st_ino.into())
    }
}

/// Identity, mtime and ctime of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed(Identity, [i128; 2]);

impl Listed {
    fn of(stat: &Stat) -> Self {
        let nanos = |seconds: i128, nanos: i128| seconds * 1_000_000_000 + nanos;
        let changed = nanos(stat.st_mtime.into(), stat.st_mtime_nsec.into());
        let touched = nanos(stat.st_ctime.into(), stat.st_ctime_nsec.into());
        Self(Identity::of(stat), [changed, touched])
    }

    /// Whether a later change is sure to show.
    fn is_settled(self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = i128::try_from(now.saturating_sub(SETTLED).as_nanos()).unwrap_or(0);
        self.1.iter().all(|time| *time < limit)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Source {
    paths: Vec<(PathBuf, Option<Identity>)>,
    dirs: Vec<(PathBuf, Listed)>,
    /// When a directory was first listed that had been changed shortly before.
    unsettled: Option<Instant>,
}

impl Source {
    /// A path was looked up, and this is what was there.
    pub(super) fn found(&mut self, path: &Path, identity: Option<Identity>) {
        self.paths.push((path.to_owned(), identity));
    }

    /// A path is about to be looked up.
    pub(super) fn look_at(&mut self, path: &Path) {
        self.found(path, identity(path));
    }

    /// A directory was listed.
    pub(super) fn list(&mut self, step: &Step) {
        let listed = Listed::of(&step.stat);
        if !listed.is_settled(SystemTime::now()) {
            self.unsettled.get_or_insert_with(Instant::now);
        }
        self.dirs.push((step.path.clone(), listed));
    }

    /// Whether all is as it was.
    pub(super) fn stands(&self) -> bool {
        let same = |(path, then): &(PathBuf, Listed)| {
            stat(path).is_ok_and(|stat| Listed::of(&stat) == *then)
        };
        self.unsettled.is_none_or(|since| since.elapsed() < SETTLED)
            && self.dirs.iter().all(same)
            && self.paths.iter().all(|(path, then)| identity(path) == *then)
    }
}

fn identity(path: &Path) -> Option<Identity> {
    stat(path).ok().as_ref().map(Identity::of)
}
