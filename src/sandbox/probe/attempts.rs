//! The known ways around, each as a function that says whether it worked.
//!
//! They run in a child that may do anything to itself. Where a way ends in an exec, the child becomes
//! the foreign program, which ends with [`WORKED`]; where there are several, each gets a child.
//! Invariant: nothing outside the probe's own directories is written, linked or covered.

use std::ffi::CString;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::child::{WORKED, run};
use super::{Order, foreign};
use crate::fs;
use crate::sandbox::plan::loaders_in;
use crate::sandbox::report::Attempt;

/// Shells that a host has.
const SHELLS: &[&str] = &["/bin/sh", "/bin/bash", "/usr/bin/env"];

/// What the attempts work with, made before the first of them.
pub(super) struct Place {
    inside: PathBuf,
    outside: PathBuf,
    /// Stands for an object of the environment: in the store, and executable by the rules.
    object: PathBuf,
    loaders: Vec<PathBuf>,
    shells: Vec<PathBuf>,
    listener: Option<TcpListener>,
    free_port: u16,
    /// Held so that there is something to connect to.
    _socket: Option<UnixListener>,
    socket_name: String,
    parent: libc::pid_t,
}

impl Place {
    pub(super) fn new(order: &Order) -> Result<Self, fs::Error> {
        let name = format!("infra-probe-{}", std::process::id());
        let [inside, outside] = [("in", &order.inside), ("out", &order.outside)]
            .map(|(kind, dir)| dir.join(format!("{name}-{kind}")));
        let object = super::stand_in(&order.plan);
        for dir in [&inside, &outside] {
            fs::create_dir_all(dir)?;
            let foreign = dir.join("foreign");
            program(&foreign, &foreign::program(&foreign))?;
            program(&dir.join("script"), format!("#!/bin/sh\nexit {WORKED}\n").as_bytes())?;
        }
        // A store that is somebody else's cannot be written anyway.
        if fs::create_dir_all(&object).is_ok() {
            let _ = program(&object.join("file"), b"as it was");
        }
        let mut loaders = loaders_in(Path::new("/"));
        loaders.extend(order.plan.loaders.iter().cloned());
        let exists = |path: &&&str| fs::exists(Path::new(path)).unwrap_or(false);
        let address = SocketAddr::from_abstract_name(name.as_bytes());
        let free_port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        Ok(Self {
            inside,
            outside,
            object,
            loaders: loaders.into_iter().collect(),
            shells: SHELLS.iter().filter(exists).map(PathBuf::from).collect(),
            listener: TcpListener::bind("127.0.0.1:0").ok(),
            free_port: free_port.map_or(0, |a| a.port()),
            _socket: address.and_then(|a| UnixListener::bind_addr(&a)).ok(),
            socket_name: name,
            parent: std::process::id().cast_signed(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for dir in [&self.inside, &self.outside, &self.object] {
            // A child has its own copy of this value, but ends without dropping it.
            let _ = fs::remove_tree(dir);
        }
    }
}

fn program(path: &Path, bytes: &[u8]) -> Result<(), fs::Error> {
    fs::write_atomic(path, bytes)?;
    fs::chmod(path, 0o755)
}

/// Tries one way, in this process.
pub(super) fn attempt(attempt: Attempt, place: &Place) -> bool {
    match attempt {
        Attempt::Direct => exec(&place.outside.join("foreign"), &[]),
        Attempt::Loader => loader(place),
        Attempt::Memfd => [0, 1, 8, 16].into_iter().any(|flags| memfd(memfd_create(flags))),
        Attempt::OtherAbi => memfd(x32_memfd_create()) || memfd(i386_memfd_create()),
        Attempt::Script => script(place),
        Attempt::ProcPath => proc_path(place),
        Attempt::Written => written(place),
        Attempt::Link => link(place),
        Attempt::Store => store(place),
        Attempt::Mount => mount(place),
        Attempt::SharedMemory => shared_memory(),
        Attempt::WriteOutside => std_write(&place.outside.join("new")),
        Attempt::ReadOutside => fs::read(&place.outside.join("script")).is_ok(),
        Attempt::Connect => {
            let address = place.listener.as_ref().and_then(|l| l.local_addr().ok());
            address.is_some_and(|address| TcpStream::connect(address).is_ok())
        }
        Attempt::Bind => TcpListener::bind(("127.0.0.1", place.free_port)).is_ok(),
        Attempt::Signal => signal(place.parent),
        Attempt::AbstractSocket => SocketAddr::from_abstract_name(place.socket_name.as_bytes())
            .and_then(|address| UnixStream::connect_addr(&address))
            .is_ok(),
    }
}

fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

/// Becomes a program; comes back, with `false`, when that is refused.
#[allow(unsafe_code, reason = "the exact system call is what is tried")]
fn exec(path: &Path, args: &[&Path]) -> bool {
    let words: Vec<CString> = std::iter::once(path).chain(args.iter().copied()).map(c).collect();
    let mut argv: Vec<_> = words.iter().map(|w| w.as_ptr()).collect();
    argv.push(std::ptr::null());
    let env = [std::ptr::null()];
    // SAFETY: path, arguments and variables are null-terminated and live for the call.
    unsafe { libc::execve(argv[0], argv.as_ptr(), env.as_ptr()) };
    false
}

/// The same in a child, to go on when it came to nothing.
fn execs(path: &Path, args: &[&Path]) -> bool {
    run(None, &|| exec(path, args))
}

#[allow(unsafe_code, reason = "the exact system call is what is tried")]
fn exec_fd(fd: libc::c_int) -> bool {
    run(None, &|| {
        let argv = [c"foreign".as_ptr(), std::ptr::null()];
        let env = [std::ptr::null::<libc::c_char>()];
        let flags = libc::AT_EMPTY_PATH;
        // SAFETY: all strings and lists are null-terminated and live for the call.
        unsafe {
            libc::syscall(libc::SYS_execveat, fd, c"".as_ptr(), argv.as_ptr(), env.as_ptr(), flags)
        };
        false
    })
}

fn loader(place: &Place) -> bool {
    let files = [place.inside.join("foreign"), place.outside.join("foreign")];
    place.loaders.iter().any(|loader| files.iter().any(|file| execs(loader, &[file])))
}

fn script(place: &Place) -> bool {
    let scripts = [place.inside.join("script"), place.outside.join("script")];
    let by_kernel = scripts.iter().any(|script| execs(script, &[]));
    let sh = Path::new("sh");
    by_kernel
        || place.shells.iter().any(|shell| {
            // `env sh SCRIPT` is a shell, too.
            let through = if shell.ends_with("env") { vec![sh] } else { Vec::new() };
            scripts.iter().any(|script| {
                let mut args = through.clone();
                args.push(script);
                execs(shell, &args)
            })
        })
}

#[allow(unsafe_code, reason = "the exact system call is what is tried")]
fn memfd_create(flags: libc::c_uint) -> libc::c_long {
    // SAFETY: the name is a constant string.
    unsafe { libc::syscall(libc::SYS_memfd_create, c"foreign".as_ptr(), flags) }
}

/// The same through the table of x32.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the exact system call is what is tried")]
fn x32_memfd_create() -> libc::c_long {
    // SAFETY: the name is a constant string; a kernel without x32 answers ENOSYS.
    unsafe { libc::syscall(libc::SYS_memfd_create | 0x4000_0000, c"foreign".as_ptr(), 0) }
}

/// The same through the table of i386, which `int 0x80` enters from a 64-bit program as well. A
/// kernel without it ends the child with a signal.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "no function enters this table")]
fn i386_memfd_create() -> libc::c_long {
    let size = 4096;
    let mut number: libc::c_long = 356;
    // SAFETY: maps fresh memory below 4 GiB, where a 32-bit pointer can lead; it is zeroed, and so
    // an empty name.
    let name = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ, flags, -1, 0)
    };
    if name == libc::MAP_FAILED {
        return -1;
    }
    // SAFETY: `rbx` is put back; the kernel changes `rax`, and on some versions `r8` to `r11`.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {name}",
            "int 0x80",
            "xchg rbx, {name}",
            name = inout(reg) name => _,
            inlateout("rax") number,
            in("rcx") 0,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // A 32-bit answer: errors are negative as such.
    libc::c_long::from(number as i32)
}

#[cfg(not(target_arch = "x86_64"))]
fn x32_memfd_create() -> libc::c_long {
    -1
}

#[cfg(not(target_arch = "x86_64"))]
fn i386_memfd_create() -> libc::c_long {
    -1
}

/// Fills a memory file with the foreign program and executes it.
#[allow(unsafe_code, reason = "takes over a descriptor that a raw system call gave")]
fn memfd(fd: libc::c_long) -> bool {
    use std::os::fd::{AsRawFd as _, FromRawFd as _};
    let Ok(fd) = libc::c_int::try_from(fd) else { return false };
    if fd < 0 {
        return false;
    }
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    if file.write_all(&foreign::program(Path::new(""))).is_err() {
        return false;
    }
    // A file that was made not executable may be made so, if nothing forbids it.
    let _ = rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o755));
    // The kernel refuses a file that is open for writing: reopen it for reading.
    let path = PathBuf::from(format!("/proc/self/fd/{fd}"));
    let Ok(reader) = fs::open(&path) else { return false };
    drop(file);
    exec_fd(reader.as_raw_fd())
}

fn proc_path(place: &Place) -> bool {
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::AsRawFd as _;
    let foreign = place.outside.join("foreign");
    let mut through = PathBuf::from("/proc/self/root");
    through.extend(foreign.strip_prefix("/"));
    if execs(&through, &[]) {
        return true;
    }
    let Ok(fd) = open(&foreign, OFlags::PATH, Mode::empty()) else { return false };
    let by_name = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    exec_fd(fd.as_raw_fd()) || execs(&by_name, &[])
}

fn written(place: &Place) -> bool {
    let path = place.inside.join(format!("written-{}", std::process::id()));
    program(&path, &foreign::program(&path)).is_ok() && exec(&path, &[])
}

fn link(place: &Place) -> bool {
    let pid = std::process::id();
    let foreign = place.inside.join("foreign");
    let beside = place.inside.join(format!("linked-{pid}"));
    if fs::hard_link(&foreign, &beside).is_ok() && execs(&beside, &[]) {
        return true;
    }
    let linked = place.object.join(format!("linked-{pid}"));
    if fs::hard_link(&foreign, &linked).is_ok() && execs(&linked, &[]) {
        return true;
    }
    let copy = place.inside.join(format!("copy-{pid}"));
    let moved = place.object.join(format!("moved-{pid}"));
    program(&copy, &foreign::program(&copy)).is_ok()
        && fs::rename(&copy, &moved).is_ok()
        && execs(&moved, &[])
}

fn std_write(path: &Path) -> bool {
    fs::open_append(path).is_ok_and(|mut file| file.write_all(b"x").is_ok())
}

fn store(place: &Place) -> bool {
    let file = place.object.join("file");
    let new = place.object.join(format!("new-{}", std::process::id()));
    std_write(&file)
        || std_write(&new)
        || (program(&new, &foreign::program(&new)).is_ok() && execs(&new, &[]))
}

/// Covers the object with our own directory, in a mount name space of our own.
#[allow(unsafe_code, reason = "the exact system calls are what is tried")]
fn mount(place: &Place) -> bool {
    let (from, to) = (c(&place.inside), c(&place.object));
    let none = std::ptr::null();
    // SAFETY: all paths are null-terminated and live for the calls; the name space is this child's
    // own, and private before anything is mounted in it.
    let covered = unsafe {
        (libc::unshare(libc::CLONE_NEWNS) == 0
            || libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) == 0)
            && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast())
                == 0
            && libc::mount(from.as_ptr(), to.as_ptr(), none, libc::MS_BIND, none.cast()) == 0
    };
    covered && exec(&place.object.join("foreign"), &[])
}

/// Shared memory is a file without a name, which `/proc` shows to the privileged.
#[allow(unsafe_code, reason = "the exact system calls are what is tried")]
fn shared_memory() -> bool {
    let (program, size) = (foreign::program(Path::new("")), 4096);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: maps fresh memory that is longer than the program, which is copied into it.
    let start = unsafe {
        let start = libc::mmap(std::ptr::null_mut(), size, access, flags, -1, 0);
        if start == libc::MAP_FAILED || program.len() > size {
            return false;
        }
        std::ptr::copy_nonoverlapping(program.as_ptr(), start.cast(), program.len());
        start as usize
    };
    exec(&PathBuf::from(format!("/proc/self/map_files/{start:x}-{:x}", start + size)), &[])
}

#[allow(unsafe_code, reason = "the exact system call is what is tried")]
fn signal(pid: libc::pid_t) -> bool {
    // SAFETY: takes integers; signal 0 is only asked about.
    unsafe { libc::kill(pid, 0) == 0 }
}
