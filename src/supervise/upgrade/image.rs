//! Putting another program into this process, with descriptors left open.
//!
//! Owns the sealed file of the state, the flags of what is handed over and the call itself. A
//! descriptor is inherited by number, and only by the program that is executed here: until then,
//! and again when the call fails, it closes on exec like any other. Invariant: whoever calls is the
//! thread that started the services, because the kernel ends every other one, and with a thread
//! what it started.

#![allow(unsafe_code, reason = "there is no safe interface to descriptors by number")]

use std::ffi::{CString, OsString, c_char};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};

use crate::base::interrupt;

/// Writes the state into memory that nobody can change any more.
pub(super) fn seal(state: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"infra-state", flags)?);
    file.write_all(state)?;
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(file)
}

/// Reads all of a state that was inherited.
pub(super) fn read(fd: RawFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(copy(fd)?);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A descriptor of our own for one that was inherited, which stays as it is.
pub(in crate::supervise) fn copy(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is only used for the call, which refuses one that is not open.
    let inherited = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(fcntl_dupfd_cloexec(inherited, 3)?)
}

/// Closes what was inherited and copied.
pub(super) fn close(fds: &[RawFd]) {
    for fd in fds {
        // SAFETY: these numbers came with the state and belong to nothing else in this process:
        // they were open before it began, and what uses them took copies.
        drop(unsafe { OwnedFd::from_raw_fd(*fd) });
    }
}

fn inherit(fds: &[RawFd], inherited: bool) -> io::Result<()> {
    for fd in fds {
        // SAFETY: as in `copy`.
        let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
        let mut flags = fcntl_getfd(fd)?;
        flags.set(FdFlags::CLOEXEC, !inherited);
        fcntl_setfd(fd, flags)?;
    }
    Ok(())
}

unsafe extern "C" {
    /// `environ(7)`
    safe static environ: *const *const c_char;
}

/// Executes an open program in this process with our own environment. Comes back only with an
/// error, and then everything is as before.
pub(super) fn execute(program: &File, arguments: &[OsString], fds: &[RawFd]) -> io::Error {
    let words: Result<Vec<CString>, _> =
        arguments.iter().map(|word| CString::new(word.clone().into_vec())).collect();
    let Ok(words) = words else { return io::ErrorKind::InvalidInput.into() };
    let mut argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    if let Err(error) = inherit(fds, true) {
        let _ = inherit(fds, false);
        return error;
    }
    interrupt::point("upgrade.ready");
    // SAFETY: `argv` and what it points to live until the call returns and end with NULL; `environ`
    // is the process's own, which nobody changes; the path is a C string.
    let _ = unsafe {
        libc::execveat(
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr().cast::<*mut c_char>().cast(),
            environ.cast::<*mut c_char>().cast(),
            libc::AT_EMPTY_PATH,
        )
    };
    let error = io::Error::last_os_error();
    let _ = inherit(fds, false);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_state_is_read_whole_again_and_again_and_never_changed() {
        let mut file = seal(b"the state").unwrap();
        assert_eq!(read(file.as_raw_fd()).unwrap(), b"the state");
        assert_eq!(read(file.as_raw_fd()).unwrap(), b"the state");
        file.rewind().unwrap();
        assert!(file.write_all(b"x").is_err() && file.set_len(0).is_err());
        assert!(copy(-1).is_err());
    }

    #[test]
    fn what_cannot_be_executed_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no-program");
        crate::fs::write_atomic(&path, b"text").unwrap();
        let program = crate::fs::open(&path).unwrap();
        let kept = seal(b"").unwrap();
        let flags = || fcntl_getfd(&kept).unwrap();
        assert!(flags().contains(FdFlags::CLOEXEC));
        let error = execute(&program, &["x".into()], &[kept.as_raw_fd()]);
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        assert!(flags().contains(FdFlags::CLOEXEC));
    }
}
