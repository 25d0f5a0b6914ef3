//! The smallest executables of each format: enough to be recognised, and on Linux to be run.
//!
//! References: System V ABI and its AMD64 and AArch64 supplements (ELF), Apple's `mach-o/loader.h`,
//! Microsoft's "PE Format".

use infra::base::{Arch, Os};

/// For which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The operating system, which decides the format.
    pub(crate) os: Os,
    /// The processor.
    pub(crate) arch: Arch,
}

impl Machine {
    /// That of a platform.
    pub(crate) fn of(platform: infra::base::Platform) -> Self {
        Self { os: platform.os(), arch: platform.arch() }
    }
}

/// An executable. On Linux it is static, prints the line and exits with 0; elsewhere it is only
/// headers, and the line makes its bytes differ from others'.
pub(crate) fn executable(machine: Machine, line: &str) -> Vec<u8> {
    let text = format!("{line}\n");
    match machine.os {
        Os::Linux => elf(machine.arch, text.as_bytes(), None),
        Os::Darwin => [mach_o(machine.arch), text.into_bytes()].concat(),
        Os::Windows => [pe(machine.arch), text.into_bytes()].concat(),
    }
}

/// A Linux executable that wants an interpreter, such as a C library's loader.
pub(crate) fn elf_with_interpreter(arch: Arch, interpreter: &str) -> Vec<u8> {
    elf(arch, b"never\n", Some(interpreter))
}

const BASE: u64 = 0x40_0000;
const HEADER: u64 = 64;
const SEGMENT: u64 = 56;

fn elf(arch: Arch, text: &[u8], interpreter: Option<&str>) -> Vec<u8> {
    let machine: u16 = match arch {
        Arch::X86_64 => 62,
        Arch::Aarch64 => 183,
    };
    let segments: u16 = if interpreter.is_some() { 2 } else { 1 };
    let code_at = HEADER + SEGMENT * u64::from(segments);
    let code =
        [code(arch, u16::try_from(text.len()).expect("a short line")), text.to_vec()].concat();
    let path_at = code_at + code.len() as u64;
    let path = interpreter.map(|p| format!("{p}\0").into_bytes()).unwrap_or_default();
    let total = path_at + path.len() as u64;

    let mut out = Bytes::default();
    // Ident: 64 bits, little-endian, version 1.
    out.raw(b"\x7fELF\x02\x01\x01").pad(16);
    // ET_EXEC, machine, version, entry, program headers, no sections, flags.
    out.u16(2).u16(machine).u32(1).u64(BASE + code_at).u64(HEADER).u64(0).u32(0);
    out.u16(64).u16(56).u16(segments).u16(64).u16(0).u16(0);
    if !path.is_empty() {
        let len = path.len() as u64;
        out.u32(3)
            .u32(4)
            .u64(path_at)
            .u64(BASE + path_at)
            .u64(BASE + path_at)
            .u64(len)
            .u64(len)
            .u64(1);
    }
    // PT_LOAD of the whole file, readable and executable.
    out.u32(1).u32(5).u64(0).u64(BASE).u64(BASE).u64(total).u64(total).u64(0x1000);
    out.raw(&code).raw(&path);
    out.0
}

/// `write(1, text, len); exit(0)`, the text right behind it.
fn code(arch: Arch, len: u16) -> Vec<u8> {
    let mut out = Bytes::default();
    match arch {
        Arch::X86_64 => out
            .raw(b"\xb8\x01\x00\x00\x00\xbf\x01\x00\x00\x00") // eax = 1; edi = 1
            .raw(b"\x48\x8d\x35\x10\x00\x00\x00") // rsi = rip + 16
            .raw(b"\xba")
            .u32(u32::from(len)) // edx = len
            .raw(b"\x0f\x05\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05"), // syscall; 60; 0; syscall
        Arch::Aarch64 => out
            .u32(0xd280_0020) // x0 = 1
            .u32(0x1000_00e1) // x1 = pc + 28
            .u32(0xd280_0002 | u32::from(len) << 5) // x2 = len
            .u32(0xd280_0808) // x8 = 64
            .u32(0xd400_0001)
            .u32(0xd280_0000) // x0 = 0
            .u32(0xd280_0ba8) // x8 = 93
            .u32(0xd400_0001),
    };
    out.0
}

fn mach_o(arch: Arch) -> Vec<u8> {
    let (cpu, kind) = match arch {
        Arch::X86_64 => (0x0100_0007, 3),
        Arch::Aarch64 => (0x0100_000c, 0),
    };
    let mut out = Bytes::default();
    // MH_MAGIC_64, cpu, MH_EXECUTE, one command of 24 bytes, MH_PIE | MH_DYLDLINK | MH_NOUNDEFS.
    out.u32(0xfeed_facf).u32(cpu).u32(kind).u32(2).u32(1).u32(24).u32(0x20_0085).u32(0);
    // LC_BUILD_VERSION: macOS, at least 11.0.
    out.u32(0x32).u32(24).u32(1).u32(0x000b_0000).u32(0x000b_0000).u32(0);
    out.0
}

fn pe(arch: Arch) -> Vec<u8> {
    let machine = match arch {
        Arch::X86_64 => 0x8664,
        Arch::Aarch64 => 0xaa64,
    };
    let mut out = Bytes::default();
    out.raw(b"MZ").pad(0x3c).u32(0x40).raw(b"PE\0\0");
    // No sections, no symbols, an optional header of 240 bytes, executable and large-address-aware.
    out.u16(machine).u16(0).u32(0).u32(0).u32(0).u16(240).u16(0x22);
    let optional = out.0.len();
    out.u16(0x20b).pad(optional + 24).u64(0x1_4000_0000).u32(0x1000).u32(0x200);
    out.u16(6).pad(optional + 48).u16(6).pad(optional + 56).u32(0x1000).u32(0x200);
    // Console subsystem; sixteen empty data directories end the header.
    out.pad(optional + 68).u16(3).pad(optional + 108).u32(16).pad(optional + 240);
    out.pad(0x200);
    out.0
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
    fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }
    fn pad(&mut self, len: usize) -> &mut Self {
        self.0.resize(len, 0);
        self
    }
}
