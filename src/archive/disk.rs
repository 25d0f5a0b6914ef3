//! The taker that writes a tree to disk.
//!
//! Refuses to touch what exists: everything is created anew, in a directory that was empty. Owns
//! modes and times of files; a file is sealed through its own handle before it is closed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, Timespec, Timestamps, fchmod, futimens};

use super::Error;
use super::walk::Taker;
use crate::base::{RelPath, interrupt};
use crate::fs::{self, Context as _};

/// The time that every file of a store has, in seconds since 1970, as in a Nix store.
const MTIME: i64 = 1;

/// A tree being written.
pub(super) struct Disk<'a> {
    root: &'a Path,
    open: Option<(File, PathBuf)>,
}

impl<'a> Disk<'a> {
    /// Below an empty directory.
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root, open: None }
    }
}

impl Taker for Disk<'_> {
    fn directory(&mut self, path: &RelPath) -> Result<(), Error> {
        let path = path.under(self.root);
        fs::create_dir(&path)?;
        // Whatever the umask is.
        fs::chmod(&path, 0o755)?;
        interrupt::point("unpack.entry");
        Ok(())
    }

    fn symlink(&mut self, path: &RelPath, target: &str) -> Result<(), Error> {
        let path = path.under(self.root);
        fs::symlink(Path::new(target), &path)?;
        fs::set_mtime_nofollow(&path, MTIME)?;
        interrupt::point("unpack.entry");
        Ok(())
    }

    fn file(&mut self, path: &RelPath) -> Result<(), Error> {
        let path = path.under(self.root);
        self.open = Some((fs::create_new(&path)?, path));
        Ok(())
    }

    fn bytes(&mut self, part: &[u8]) -> Result<(), Error> {
        if let Some((file, path)) = &mut self.open {
            file.write_all(part).context("write", path)?;
        }
        Ok(())
    }

    fn done(&mut self, executable: bool) -> Result<(), Error> {
        if let Some((file, path)) = self.open.take() {
            let mode = if executable { 0o555 } else { 0o444 };
            fchmod(&file, Mode::from_raw_mode(mode)).context("set permissions of", &path)?;
            let time = Timespec { tv_sec: MTIME, tv_nsec: 0 };
            futimens(&file, &Timestamps { last_access: time, last_modification: time })
                .context("set time of", &path)?;
        }
        interrupt::point("unpack.entry");
        Ok(())
    }
}
