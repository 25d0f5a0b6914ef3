//! The built executables are what they claim, to another's reader and to the kernel.

use infra::base::{Arch, Os, Platform};
use object::{Architecture, BinaryFormat, Object as _, ObjectKind};

use crate::upstream::{Machine, elf_with_interpreter, executable};

#[test]
fn each_is_of_its_machine() {
    for platform in Platform::ALL {
        let bytes = executable(Machine::of(platform), "hello");
        let file =
            object::File::parse(bytes.as_slice()).unwrap_or_else(|e| panic!("{platform}: {e}"));
        let format = match platform.os() {
            Os::Linux => BinaryFormat::Elf,
            Os::Darwin => BinaryFormat::MachO,
            Os::Windows => BinaryFormat::Pe,
        };
        let arch = match platform.arch() {
            Arch::X86_64 => Architecture::X86_64,
            Arch::Aarch64 => Architecture::Aarch64,
        };
        assert_eq!((file.format(), file.architecture()), (format, arch), "{platform}");
        assert_eq!(file.kind(), ObjectKind::Executable, "{platform}");
        assert_ne!(bytes, executable(Machine::of(platform), "other"), "{platform}");
    }
}

#[test]
fn an_interpreter_is_named() {
    use object::read::elf::{FileHeader as _, ProgramHeader as _};
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let bytes = elf_with_interpreter(arch, "/lib/ld.so");
        let data = bytes.as_slice();
        let header = object::elf::FileHeader64::<object::Endianness>::parse(data).expect("elf");
        let endian = header.endian().expect("endian");
        let segments = header.program_headers(endian, data).expect("segments");
        let named = segments.iter().find_map(|s| s.interpreter(endian, data).expect("interpreter"));
        assert_eq!(named, Some(&b"/lib/ld.so"[..]));
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
#[allow(clippy::disallowed_methods, reason = "a test of the fixture itself")]
fn the_kernel_runs_it() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().expect("directory");
    // The shell writes it, so that no other test's child holds it open for writing.
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 700 \"$1\" && exec \"$1\"", "sh"])
        .arg(dir.path().join("hello"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let bytes = executable(Machine::of(Platform::X86_64Linux), "hello there");
    child.stdin.take().expect("stdin").write_all(&bytes).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"hello there\n");
}
