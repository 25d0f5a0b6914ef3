//! The smallest foreign program: it ends with [`super::child::WORKED`], and nothing else.
//!
//! One ELF file of a few hundred bytes that works in three ways: executed by the kernel (a position
//! independent program without an interpreter), started by a program loader (it has a dynamic
//! section), and preloaded as a library (`DT_INIT`). See `elf(5)`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::child::WORKED;

/// Where it starts in the file: behind the headers.
const CODE: u64 = 0x140;
const SYMBOLS: u64 = 0x168;
const DYNAMIC: u64 = 0x180;
const STRINGS: u64 = 0x200;
/// Where the second mapping lies, for the largest page that either architecture has.
const PAGE: u64 = 0x10000;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// `exit_group(WORKED)`.
fn code() -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    {
        // mov eax, 231; mov edi, WORKED; syscall
        let mut code = vec![0xb8, 231, 0, 0, 0, 0xbf];
        code.extend(WORKED.to_le_bytes());
        code.extend([0x0f, 0x05]);
        code
    }
    #[cfg(target_arch = "aarch64")]
    {
        // mov x8, #94; mov x0, #WORKED; svc #0
        let steps: [u32; 3] = [0xd280_0bc8, 0xd280_0000 | (WORKED as u32) << 5, 0xd400_0001];
        steps.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}

/// The file. It says that it needs the library at `needed`, which is to be itself: a program that
/// needs none is handed to the kernel by glibc's loader, and would not be mapped.
pub(super) fn program(needed: &Path) -> Vec<u8> {
    let strings = [b"\0", needed.as_os_str().as_bytes(), b"\0"].concat();
    // Tag and value: a needed library, strings, their size, symbols, their size, what runs first,
    // the end.
    let dynamic: [(u64, u64); 7] = [
        (1, 1),
        (5, STRINGS),
        (10, strings.len() as u64),
        (6, SYMBOLS),
        (11, 24),
        (12, CODE),
        (0, 0),
    ];
    let size = STRINGS + strings.len() as u64;
    let mut out: Vec<u8> = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    for half in [3, MACHINE] {
        out.extend(half.to_le_bytes());
    }
    out.extend(1u32.to_le_bytes());
    for wide in [CODE, 64, 0] {
        out.extend(wide.to_le_bytes());
    }
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 4, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    // Type, flags, offset, address, size, alignment.
    let (load, dynamic_type, stack) = (1, 2, 0x6474_e551);
    for (kind, flags, offset, address, length, align) in [
        (load, 5u32, 0, 0, size, PAGE),
        (load, 6, 0, PAGE, size, PAGE),
        (dynamic_type, 6, DYNAMIC, PAGE + DYNAMIC, 16 * dynamic.len() as u64, 8),
        (stack, 6, 0, 0, 0, 16),
    ] {
        let kind: u32 = kind;
        out.extend(kind.to_le_bytes());
        out.extend(flags.to_le_bytes());
        for wide in [offset, address, address, length, length, align] {
            out.extend(wide.to_le_bytes());
        }
    }
    out.resize(CODE as usize, 0);
    out.extend(code());
    out.resize(DYNAMIC as usize, 0);
    for (tag, value) in dynamic {
        out.extend(tag.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.resize(STRINGS as usize, 0);
    out.extend(strings);
    out
}
