//! The seccomp filter: what Landlock cannot see.
//!
//! Files without a name are beyond Landlock: `memfd_create` is allowed only with
//! `MFD_NOEXEC_SEAL`, so that no memory file can be executed. System calls of another architecture
//! (32-bit, x32) answer `ENOSYS`: their numbers mean something else. Everything else is allowed.
//! `io_uring` is: it has no operation that executes or makes a memory file, and Landlock judges
//! its file operations like any other.
//!
//! A classic BPF program over `struct seccomp_data` (`seccomp(2)`): `nr` at 0, `arch` at 4, the
//! second argument at 24.

use libc::{sock_filter, sock_fprog};

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Calls with this bit are x32's.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;
/// Numbers above every real one, for architectures without such a bit.
#[cfg(not(target_arch = "x86_64"))]
const X32: u32 = 0x8000_0000;

const MFD_NOEXEC_SEAL: u32 = 8;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const NOT_LESS: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const HAS_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const ALLOW: u32 = 0x7fff_0000;
const fn errno(number: i32) -> u32 {
    0x0005_0000 | number.unsigned_abs()
}

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// `SYS_memfd_create` as a filter sees it.
const MEMFD_CREATE: u32 = libc::SYS_memfd_create as u32;

/// Is the architecture ours? Is the call `memfd_create`? Are its files never executable?
pub(super) static FILTER: [sock_filter; 10] = [
    step(LOAD, 4, 0, 0),
    step(EQUAL, ARCH, 0, 6), // else ENOSYS
    step(LOAD, 0, 0, 0),
    step(NOT_LESS, X32, 4, 0),       // ENOSYS
    step(EQUAL, MEMFD_CREATE, 0, 2), // else ALLOW
    step(LOAD, 24, 0, 0),
    step(HAS_BIT, MFD_NOEXEC_SEAL, 0, 2), // else EPERM
    step(RETURN, ALLOW, 0, 0),
    step(RETURN, errno(libc::ENOSYS), 0, 0),
    step(RETURN, errno(libc::EPERM), 0, 0),
];

/// Puts the calling thread under the filter; needs `no_new_privs`. Safe between fork and exec.
#[allow(unsafe_code, reason = "there is no safe interface to seccomp")]
pub(super) fn install() -> Result<(), i32> {
    const SET_MODE_FILTER: libc::c_uint = 1;
    /// The filter guards against nothing that speculation could leak.
    const SPEC_ALLOW: libc::c_uint = 1 << 2;
    let program = sock_fprog { len: FILTER.len() as u16, filter: FILTER.as_ptr().cast_mut() };
    // SAFETY: the program points to as many steps as it says, which the kernel only reads.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, SPEC_ALLOW, &raw const program)
    };
    if done == 0 { Ok(()) } else { Err(last_errno()) }
}

pub(super) fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn run(nr: u32, arch: u32, flags: u32) -> u32 {
        let (mut at, mut value) = (0usize, 0u32);
        loop {
            let sock_filter { code, jt, jf, k } = FILTER[at];
            let jump = |yes: bool| usize::from(if yes { jt } else { jf });
            at += 1;
            match code {
                LOAD => {
                    value = [(0, nr), (4, arch), (24, flags)]
                        .into_iter()
                        .find(|(o, _)| *o == k)
                        .unwrap()
                        .1
                }
                EQUAL => at += jump(value == k),
                NOT_LESS => at += jump(value >= k),
                HAS_BIT => at += jump(value & k != 0),
                RETURN => return k,
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn memory_files_only_when_never_executable() {
        for flags in [0, 1, 2, 3, 4, 0x10, 0x11] {
            assert_eq!(run(MEMFD_CREATE, ARCH, flags), errno(libc::EPERM), "{flags}");
            assert_eq!(run(MEMFD_CREATE, ARCH, flags | MFD_NOEXEC_SEAL), ALLOW, "{flags}");
        }
        for nr in (0..600).filter(|nr| *nr != MEMFD_CREATE) {
            assert_eq!(run(nr, ARCH, 0), ALLOW, "{nr}");
            assert_eq!(run(nr, 0x4000_0003, 8), errno(libc::ENOSYS), "{nr} of i386");
            assert_eq!(run(nr | X32, ARCH, 8), errno(libc::ENOSYS), "{nr} of x32");
        }
    }
}
