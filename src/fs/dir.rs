//! Open directories: what is in one, looked at by its handle.
//!
//! A path is resolved once for each directory instead of once for each file in it, and no file is
//! asked more than is needed: this is for walks over hundreds of thousands of files. Refuses to
//! follow a link at the end of any name. Invariant: every error names the whole path.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, openat, statat};

use super::{Context as _, Result, missing_is_none};

/// A directory that is open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// Metadata of a path itself, not of what a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Kind and permission bits, as `st_mode` has them.
    pub mode: u32,
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When it was last written: seconds since 1970, and nanoseconds.
    pub modified: (i64, i64),
    /// When its metadata last changed.
    pub changed: (i64, i64),
}

impl Meta {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type() == FileType::RegularFile
    }

    fn file_type(&self) -> FileType {
        // The field has 16 bits on some systems.
        #[allow(clippy::useless_conversion, reason = "see above")]
        FileType::from_raw_mode(self.mode.try_into().unwrap_or_default())
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "the widths and signs of these fields differ between systems"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            mode: stat.st_mode as u32,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// Metadata of a path itself.
pub fn meta(path: &Path) -> Result<Meta> {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).context("look at", path)?;
    Ok(Meta::of(&stat))
}

impl Dir {
    /// Opens a directory; a link to one is refused.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).context("list", path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Like [`Dir::open`], `None` when there is no such directory.
    pub fn open_if_exists(path: &Path) -> Result<Option<Self>> {
        missing_is_none(Self::open(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every name in it with its inode number, sorted by the names' bytes. Ask once: the place in
    /// the listing belongs to the handle.
    pub fn entries(&self) -> Result<Vec<(OsString, u64)>> {
        let mut found = self.unsorted().context("list", &self.path)?;
        found.sort_unstable();
        Ok(found)
    }

    #[cfg(target_os = "linux")]
    fn unsorted(&self) -> rustix::io::Result<Vec<(OsString, u64)>> {
        use std::os::unix::ffi::OsStrExt as _;
        /// Large enough for some hundred names in one call.
        const BUFFER: usize = 32 << 10;
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut listing = rustix::fs::RawDir::new(&self.fd, buffer.spare_capacity_mut());
        let mut found = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                found.push((OsStr::from_bytes(name).to_owned(), entry.ino()));
            }
        }
        Ok(found)
    }

    #[cfg(not(target_os = "linux"))]
    fn unsorted(&self) -> rustix::io::Result<Vec<(OsString, u64)>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut found = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                found.push((OsStr::from_bytes(name).to_owned(), entry.ino()));
            }
        }
        Ok(found)
    }

    /// Metadata of what has this name.
    pub fn meta(&self, name: &OsStr) -> Result<Meta> {
        let stat = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        Ok(Meta::of(&stat.context("look at", &self.path.join(name))?))
    }

    /// The file of this name, for reading; `None` when there is none.
    pub fn open_file_if_exists(&self, name: &OsStr) -> Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.fd, name, flags, Mode::empty());
        let file = missing_is_none(opened.context("open", &self.path.join(name)))?;
        Ok(file.map(File::from))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::ops;
    use super::*;

    #[test]
    fn sees_what_paths_see() {
        let place = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| place.path().join(name);
        // More than fit into one call's answer.
        for n in 0..2000 {
            ops::create_new(&at(&format!("a file with a rather long name {n:05}"))).expect("file");
        }
        ops::create_dir(&at("d")).expect("dir");
        ops::symlink(Path::new("d"), &at("l")).expect("link");
        let dir = Dir::open(place.path()).expect("open");
        let entries = dir.entries().expect("list");
        let names: Vec<OsString> = entries.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names, ops::read_dir_names(place.path()).expect("names"));
        for (name, inode) in &entries {
            use std::os::unix::fs::MetadataExt as _;
            let (seen, plain) = (dir.meta(name).expect("meta"), ops::lstat(&at("").join(name)));
            let plain = plain.expect("lstat");
            assert_eq!(seen.inode, *inode);
            assert_eq!(seen, meta(&place.path().join(name)).expect("meta"));
            let numbers = (plain.mode(), plain.ino(), plain.size());
            assert_eq!((seen.mode, seen.inode, seen.size), numbers);
            assert_eq!(seen.modified, (plain.mtime(), plain.mtime_nsec()));
            assert_eq!(seen.changed, (plain.ctime(), plain.ctime_nsec()));
            assert_eq!((seen.is_dir(), seen.is_file()), (plain.is_dir(), plain.is_file()));
        }
    }

    #[test]
    fn follows_no_link_and_names_the_path() {
        let place = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| place.path().join(name);
        ops::create_dir(&at("d")).expect("dir");
        ops::symlink(Path::new("d"), &at("l")).expect("link");
        std::fs::write(at("d/file"), "text").expect("write");
        ops::symlink(Path::new("file"), &at("d/l")).expect("link");
        assert!(Dir::open(&at("l")).is_err());
        assert!(Dir::open_if_exists(&at("none")).expect("look").is_none());
        let dir = Dir::open(&at("d")).expect("open");
        let mut text = String::new();
        let file = dir.open_file_if_exists(OsStr::new("file")).expect("open").expect("there");
        { file }.read_to_string(&mut text).expect("read");
        assert_eq!(text, "text");
        assert!(dir.open_file_if_exists(OsStr::new("none")).expect("look").is_none());
        let refused = dir.open_file_if_exists(OsStr::new("l")).expect_err("a link");
        assert!(refused.to_string().contains(&*at("d/l").to_string_lossy()), "{refused}");
        let missing = dir.meta(OsStr::new("none")).expect_err("nothing");
        assert!(missing.to_string().contains(&*at("d/none").to_string_lossy()), "{missing}");
    }
}
