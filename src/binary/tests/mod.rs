//! Executables made by hand, the test program itself, and garbage.

pub(crate) mod make;

use proptest::prelude::*;

use super::*;
use crate::base::Platform;
use make::{Elf, mach_o, pe, universal};

const X86_64: u32 = 0x0100_0007;
const ARM64: u32 = 0x0100_000c;
const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const MUSL_LOADER: &str = "/lib/ld-musl-x86_64.so.1";

fn read(bytes: &[u8]) -> Executable {
    assert!(is_executable_magic(&bytes[..4]));
    assert!(is_executable_magic(bytes));
    inspect(bytes).expect("an executable")
}

/// Which platforms it runs on.
fn runs_on(executable: &Executable) -> Vec<Platform> {
    Platform::ALL.into_iter().filter(|p| contradiction(executable, *p).is_none()).collect()
}

#[test]
fn a_static_elf_runs_on_either_libc() {
    for dynamic in [false, true] {
        let exe = read(&Elf { dynamic, ..Elf::default() }.bytes());
        assert_eq!(exe.needs, Needs::default());
        assert_eq!((exe.libc, exe.arches.as_slice()), (None, &[Arch::X86_64][..]));
        assert_eq!(runs_on(&exe), [Platform::X86_64Linux, Platform::X86_64LinuxMusl]);
    }
    let exe = read(&Elf { machine: 183, abi: 3, ..Elf::default() }.bytes());
    assert_eq!(runs_on(&exe), [Platform::Aarch64Linux, Platform::Aarch64LinuxMusl]);
}

#[test]
fn a_glibc_elf() {
    let exe = read(
        &Elf {
            interpreter: Some(GLIBC_LOADER),
            needed: &["libm.so.6", "libc.so.6", "libc.so.6"],
            versions: &[
                "GLIBC_2.9",
                "GLIBC_2.17",
                "GLIBC_2.2.5",
                "GLIBC_PRIVATE",
                "GLIBC_ABI_DT_RELR",
            ],
            ..Elf::default()
        }
        .bytes(),
    );
    let needs = Needs {
        libc: Some("glibc".into()),
        libc_version: Some("2.17".into()),
        interpreter: Some(GLIBC_LOADER.into()),
        libraries: vec!["libc.so.6".into(), "libm.so.6".into()],
        programs: Vec::new(),
    };
    assert_eq!(exe.needs, needs);
    assert_eq!(runs_on(&exe), [Platform::X86_64Linux]);
    assert_eq!(
        contradiction(&exe, Platform::X86_64LinuxMusl).as_deref(),
        Some(
            "is linked to glibc (its interpreter is `/lib64/ld-linux-x86-64.so.2`), but \
             x86_64-linux-musl offers musl"
        )
    );
    // A library has no interpreter.
    let library =
        read(&Elf { needed: &["libc.so.6"], versions: &["GLIBC_2.34"], ..Elf::default() }.bytes());
    assert_eq!(library.libc, Some(Libc::Glibc));
    assert_eq!(library.needs.libc_version.as_deref(), Some("2.34"));
    assert_eq!(runs_on(&library), [Platform::X86_64Linux]);
}

#[test]
fn a_musl_elf() {
    let elf = Elf {
        interpreter: Some(MUSL_LOADER),
        needed: &["libc.so"],
        versions: &["GLIBC_2.17"],
        ..Elf::default()
    };
    let exe = read(&elf.bytes());
    assert_eq!(exe.libc, Some(Libc::Musl));
    assert_eq!((exe.needs.libc.as_deref(), &exe.needs.libc_version), (Some("musl"), &None));
    assert_eq!(runs_on(&exe), [Platform::X86_64LinuxMusl]);
    let library = read(&Elf { needed: &["libc.musl-x86_64.so.1"], ..Elf::default() }.bytes());
    assert_eq!(library.libc, Some(Libc::Musl));
}

#[test]
fn loaders_of_other_places() {
    for (path, libc) in [
        ("/nix/store/x-glibc-2.40/lib/ld-linux-aarch64.so.1", Some(Libc::Glibc)),
        ("/lib/ld-linux.so.2", Some(Libc::Glibc)),
        ("/lib/ld-musl-aarch64.so.1", Some(Libc::Musl)),
        ("/system/bin/linker64", None),
    ] {
        let exe = read(&Elf { interpreter: Some(path), ..Elf::default() }.bytes());
        assert_eq!(exe.libc, libc, "{path}");
        assert_eq!(exe.needs.interpreter.as_deref(), Some(path));
    }
}

#[test]
fn elf_files_of_other_machines_run_nowhere() {
    for (elf, machine) in [
        (Elf { machine: 3, class: 1, ..Elf::default() }, "x86, 32 bits"),
        (Elf { machine: 62, class: 1, ..Elf::default() }, "x32"),
        (Elf { machine: 40, class: 1, ..Elf::default() }, "arm, 32 bits"),
        (Elf { machine: 243, ..Elf::default() }, "riscv"),
        (Elf { machine: 22, data: 2, ..Elf::default() }, "s390"),
        (Elf { machine: 183, data: 2, ..Elf::default() }, "ELF machine 183"),
        (Elf { abi: 9, ..Elf::default() }, "x86_64, FreeBSD"),
    ] {
        let exe = read(&elf.bytes());
        assert_eq!(exe.machine, machine);
        assert_eq!(runs_on(&exe), [], "{machine}");
    }
    let big = Elf {
        machine: 22,
        data: 2,
        needed: &["libc.so.6"],
        versions: &["GLIBC_2.38"],
        ..Elf::default()
    };
    assert_eq!(read(&big.bytes()).needs.libc_version.as_deref(), Some("2.38"));
    let old = Elf { machine: 3, class: 1, needed: &["libc.so.6"], ..Elf::default() };
    assert_eq!(read(&old.bytes()).needs.libraries, ["libc.so.6"]);
}

#[test]
fn mach_o_thin_and_universal() {
    let intel = mach_o(X86_64, &["/usr/lib/libSystem.B.dylib"]);
    let arm = mach_o(ARM64, &["/usr/lib/libz.1.dylib", "/usr/lib/libSystem.B.dylib"]);
    let exe = read(&arm);
    assert_eq!((exe.os, exe.machine.as_str()), (Os::Darwin, "arm64"));
    assert_eq!(exe.needs.libraries, ["/usr/lib/libSystem.B.dylib", "/usr/lib/libz.1.dylib"]);
    assert_eq!(runs_on(&exe), [Platform::Aarch64Darwin]);

    let both = read(&universal(&[(X86_64, intel), (ARM64, arm)]));
    assert_eq!(both.machine, "universal: x86_64, arm64");
    assert_eq!(both.arches, [Arch::X86_64, Arch::Aarch64]);
    assert_eq!(both.needs, exe.needs);
    assert_eq!(runs_on(&both), [Platform::Aarch64Darwin, Platform::X86_64Darwin]);

    let power = read(&mach_o(18, &[]));
    assert_eq!((power.machine.as_str(), runs_on(&power)), ("powerpc", vec![]));
}

#[test]
fn windows() {
    let exe = read(&pe(0x8664, &["USER32.dll", "KERNEL32.dll"]));
    assert_eq!((exe.os, exe.machine.as_str()), (Os::Windows, "x86_64"));
    assert_eq!(exe.needs.libraries, ["KERNEL32.dll", "USER32.dll"]);
    assert_eq!(runs_on(&exe), [Platform::X86_64Windows]);
    assert_eq!(
        contradiction(&exe, Platform::X86_64Linux).as_deref(),
        Some("is built for Windows (x86_64), not for x86_64-linux")
    );
    assert_eq!(runs_on(&read(&pe(0xaa64, &[]))), [Platform::Aarch64Windows]);
    assert_eq!(runs_on(&read(&pe(0x1c4, &[]))), []);
}

#[test]
fn what_is_no_executable() {
    for bytes in [
        &b""[..],
        b"#!/bin/sh\n",
        b"\x7fEL",
        b"PK\x03\x04",
        // A Java class of version 52, and one slice that is not there.
        b"\xca\xfe\xba\xbe\0\0\0\x34\0\0\0\0\0\0",
    ] {
        assert!(!is_executable_magic(bytes), "{bytes:?}");
        assert_eq!(inspect(bytes), None, "{bytes:?}");
    }
    for bytes in [&b"\x7fELF"[..], b"MZ", b"MZ is how this text begins, and it goes on for long"] {
        assert_eq!(inspect(bytes), None, "{bytes:?}");
    }
}

#[test]
fn version_records_in_a_circle_end() {
    // Each record names the next at distance 0 or beyond: neither may loop or read outside.
    let elf = Elf { needed: &["libc.so.6"], versions: &["GLIBC_2.1"; 3], ..Elf::default() };
    let bytes = elf.bytes();
    for at in 0..bytes.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            let _ = inspect(&changed);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn this_very_program() {
    let path = std::env::current_exe().expect("path");
    let bytes = crate::fs::read(&path).expect("read");
    let exe = read(&bytes);
    assert_eq!((exe.os, exe.libc), (Os::Linux, Some(Libc::Glibc)));
    assert_eq!(exe.arches, [Platform::host().arch()]);
    assert!(exe.needs.libraries.iter().any(|l| l == "libc.so.6"), "{:?}", exe.needs);
    let version = exe.needs.libc_version.as_deref().expect("a version");
    assert!(version.starts_with("2."), "{version}");
    assert!(contradiction(&exe, Platform::host()).is_none());
    assert!(contradiction(&exe, Platform::X86_64Windows).is_some());

    for cut in (0..20_000).chain([bytes.len() / 2, bytes.len() - 1]) {
        let _ = inspect(&bytes[..cut.min(bytes.len())]);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_file_is_read_without_reading_it_all() {
    let path = std::env::current_exe().expect("path");
    let whole = read(&crate::fs::read(&path).expect("read"));
    assert_eq!(inspect_file(crate::fs::open(&path).expect("open")), Some(whole));
    // Whatever this program runs on lacks nothing of what it needs.
    let exe = inspect_file(crate::fs::open(&path).expect("open")).expect("executable");
    assert_eq!(Host::here().lacks(&exe.needs, Platform::host().arch(), &[]), []);
}

#[test]
fn directories_of_a_file() {
    let elf =
        Elf { needed: &["libx.so.1"], runpath: Some("$ORIGIN/../lib:/opt/x"), ..Elf::default() };
    let exe = read(&elf.bytes());
    assert_eq!(exe.search.from_origin().collect::<Vec<_>>(), ["../lib"]);
    assert_eq!(exe.search.absolute().collect::<Vec<_>>(), ["/opt/x"]);
    assert!(!exe.search.inherited);
    let own =
        Search { directories: vec!["${ORIGIN}".into(), "$ORIGINAL/x".into()], inherited: false };
    assert_eq!(own.from_origin().collect::<Vec<_>>(), ["."]);
}

#[test]
fn first_lines() {
    for (head, want) in [
        (&b"#!/bin/sh\necho"[..], Some("/bin/sh")),
        (b"#! /usr/bin/env node \n", Some("/usr/bin/env node")),
        (b"#!\n", None),
        (b"\x7fELF", None),
    ] {
        assert_eq!(script_program(head).as_deref(), want);
    }
}

fn samples() -> impl Strategy<Value = Vec<u8>> {
    let glibc = Elf {
        interpreter: Some(GLIBC_LOADER),
        needed: &["libc.so.6"],
        versions: &["GLIBC_2.9", "GLIBC_2.17"],
        ..Elf::default()
    };
    let slices = [(X86_64, mach_o(X86_64, &["a"])), (ARM64, mach_o(ARM64, &["b"]))];
    prop::sample::select(vec![
        glibc.bytes(),
        Elf { class: 1, ..glibc }.bytes(),
        mach_o(ARM64, &["/usr/lib/libSystem.B.dylib"]),
        universal(&slices),
        pe(0x8664, &["KERNEL32.dll"]),
    ])
}

proptest! {
    #[test]
    fn garbage_does_no_harm(
        magic in prop::sample::select(vec![
            &b""[..], b"\x7fELF\x02\x01\x01", b"\x7fELF\x01\x02\x01", b"MZ", b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe\0\0\0\x02", b"\xca\xfe\xba\xbf\0\0\0\x02",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, rest.as_slice()].concat();
        let _ = inspect(&bytes);
    }

    #[test]
    fn changed_and_cut_headers_do_no_harm(
        bytes in samples(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(keep.index(bytes.len() + 1));
        if let Some(exe) = inspect(&bytes) {
            for platform in Platform::ALL {
                let _ = contradiction(&exe, platform);
            }
        }
    }
}
