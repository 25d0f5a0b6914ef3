//! Plain operations, each with its path in the error.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Context as _, Result};

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context("read", path)
}

/// Reads a whole file as UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    fs::read_to_string(path).context("read", path)
}

/// Like [`read_to_string`], `None` when there is no such file.
pub fn read_to_string_if_exists(path: &Path) -> Result<Option<String>> {
    missing_is_none(read_to_string(path))
}

/// Turns "not found" into `None`.
pub fn missing_is_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).context("open", path)
}

/// Opens for reading without following a link at the end of the path.
pub fn open_nofollow(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path).context("open", path)
}

/// Creates a file that must not exist yet, for writing and reading.
pub fn create_new(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).context("create", path)
}

/// Creates a file that must not exist yet and that only its owner may read, and writes it.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.context("create", path)?;
    file.write_all(bytes).context("write", path)?;
    sync_file(&file, path)?;
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

/// Reads once into a buffer, as often as a signal interrupts it; zero bytes at the end.
pub fn read_part(source: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Opens for appending, creating the file.
pub fn open_append(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).create(true).open(path).context("open", path)
}

/// Opens for reading and writing, creating the file, keeping its content.
pub fn open_rw(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .context("open", path)
}

/// Metadata of the path itself, not of what a link points to.
pub fn lstat(path: &Path) -> Result<Metadata> {
    fs::symlink_metadata(path).context("look at", path)
}

/// Like [`lstat`], `None` when there is nothing.
pub fn lstat_if_exists(path: &Path) -> Result<Option<Metadata>> {
    missing_is_none(lstat(path))
}

/// Metadata of what a path leads to, links followed; `None` when nothing is there.
pub fn stat_if_exists(path: &Path) -> Result<Option<Metadata>> {
    missing_is_none(fs::metadata(path).context("inspect", path))
}

/// Whether there is anything at the path (a dangling link counts).
pub fn exists(path: &Path) -> Result<bool> {
    Ok(lstat_if_exists(path)?.is_some())
}

/// Creates a directory and its parents.
pub fn create_dir_all(path: &Path) -> Result<()> {
    fs::create_dir_all(path).context("create directory", path)
}

/// Creates a directory and its parents so that they outlast a power cut: what was created is in
/// its parent on the disk.
pub fn create_dir_all_synced(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return create_dir_all(path) };
    create_dir_all_synced(parent)?;
    // Another process may be faster, or something else may be in the way.
    create_dir_all(path)?;
    sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Creates one directory that must not exist yet.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir(path).context("create directory", path)
}

/// Creates one directory that must not exist yet, at no time with more than these permission bits;
/// the umask may take some away.
pub fn create_dir_with_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(mode).create(path).context("create directory", path)
}

/// Creates a directory whose parent is its owner's alone: the parent gets mode 0700 where it is
/// missing, whatever the umask, and what is missing above and below the modes of any other.
pub fn create_dir_in_private(path: &Path) -> Result<()> {
    if let Some(private) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        private.parent().map_or(Ok(()), create_dir_all)?;
        match create_dir_with_mode(private, 0o700) {
            Err(e) if e.io_kind() != Some(io::ErrorKind::AlreadyExists) => return Err(e),
            _ => {}
        }
    }
    create_dir_all(path)
}

/// The names in a directory, sorted bytewise.
pub fn read_dir_names(path: &Path) -> Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).context("list", path)? {
        names.push(entry.context("list", path)?.file_name());
    }
    names.sort();
    Ok(names)
}

/// Like [`read_dir_names`], empty when there is no such directory.
pub fn read_dir_names_if_exists(path: &Path) -> Result<Vec<std::ffi::OsString>> {
    Ok(missing_is_none(read_dir_names(path))?.unwrap_or_default())
}

/// Renames; replaces a file at the target.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).context("rename", from)
}

/// Removes a file; nothing there is success.
pub fn remove_file_if_exists(path: &Path) -> Result<()> {
    missing_is_none(fs::remove_file(path).context("remove", path)).map(drop)
}

/// Removes a directory that must be empty.
pub fn remove_empty_dir(path: &Path) -> Result<()> {
    fs::remove_dir(path).context("remove", path)
}

/// Where a link points, as written in it.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    fs::read_link(path).context("read link", path)
}

/// The path without links, `.` or `..`.
pub fn canonicalize(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).context("resolve", path)
}

/// Creates a symbolic link.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, link).context("create link", link)
}

/// Creates a hard link.
pub fn hard_link(original: &Path, link: &Path) -> Result<()> {
    fs::hard_link(original, link).context("create hard link", link)
}

/// Makes `to`, which must not exist, share the blocks of `from` until one of them changes; false
/// (and no file) where the filesystem cannot.
#[cfg(target_os = "linux")]
pub fn clone_file(from: &Path, to: &Path) -> Result<bool> {
    use rustix::io::Errno;
    let (source, target) = (open(from)?, create_new(to)?);
    match rustix::fs::ioctl_ficlone(&target, &source) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::XDEV | Errno::NOTTY | Errno::NOSYS) => {
            remove_file_if_exists(to)?;
            Ok(false)
        }
        Err(e) => {
            remove_file_if_exists(to)?;
            Err(e).context("share the blocks of", from)
        }
    }
}

/// False: there is no such call here.
#[cfg(not(target_os = "linux"))]
pub fn clone_file(_from: &Path, _to: &Path) -> Result<bool> {
    Ok(false)
}

/// Copies a file's bytes and permissions.
pub fn copy(from: &Path, to: &Path) -> Result<u64> {
    fs::copy(from, to).or_else(|e| match e.kind() {
        // These are about the other end.
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem => Err(e).context("write", to),
        _ => Err(e).context("copy", from),
    })
}

/// Sets permission bits.
pub fn chmod(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, Permissions::from_mode(mode)).context("set permissions of", path)
}

/// Sets access and modification time of the path itself to whole seconds since 1970.
pub fn set_mtime_nofollow(path: &Path, seconds: i64) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).context("set time of", path)
}

/// Flushes a directory's entries to the disk.
pub fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|d| d.sync_all()).context("sync", path)
}

/// Flushes a file's data and metadata to the disk.
pub fn sync_file(file: &File, path: &Path) -> Result<()> {
    file.sync_all().context("sync", path)
}

/// Flushes the whole filesystem that holds `path`; `false` where the system has no such call.
pub fn sync_filesystem(path: &Path) -> Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let dir = open(path)?;
        rustix::fs::syncfs(&dir).context("sync", path)?;
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Ok(false)
    }
}

/// Removes a tree, read-only directories included; nothing there is success. Never follows links.
pub fn remove_tree(path: &Path) -> Result<()> {
    let Some(meta) = lstat_if_exists(path)? else { return Ok(()) };
    if !meta.is_dir() {
        return remove_file_if_exists(path);
    }
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            make_dirs_writable(path)?;
            missing_is_none(fs::remove_dir_all(path).context("remove", path)).map(drop)
        }
    }
}

fn make_dirs_writable(path: &Path) -> Result<()> {
    chmod(path, 0o700)?;
    for entry in fs::read_dir(path).context("list", path)? {
        let entry = entry.context("list", path)?;
        if entry.file_type().context("look at", &entry.path())?.is_dir() {
            make_dirs_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// Free and total bytes of the filesystem that holds `path`.
pub fn disk_space(path: &Path) -> Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).context("ask for free space of", path)?;
    Ok((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize))
}

/// Whether the current user may write to an existing path (`access(2)`, real user).
pub fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_parent_is_private() {
        let place = tempfile::tempdir().expect("tempdir");
        let mode = |path: &str| {
            let meta = lstat(&place.path().join(path)).expect("look");
            meta.permissions().mode() & 0o777
        };
        create_dir(&place.path().join("like")).expect("create");
        create_dir_in_private(&place.path().join("a/b/c")).expect("create");
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/c")), (mode("like"), 0o700, mode("like")));
        // What is there stays as it is.
        chmod(&place.path().join("a/b"), 0o750).expect("chmod");
        create_dir_in_private(&place.path().join("a/b/d")).expect("create");
        assert_eq!(mode("a/b"), 0o750);
    }
}
