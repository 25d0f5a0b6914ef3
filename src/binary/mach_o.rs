//! Mach-O, thin and universal: machines and dynamic libraries.
//!
//! Reference: `mach-o/loader.h` and `mach-o/fat.h` of Apple's SDK. A universal file's needs are
//! those of all its slices together.

use object::macho::{self, FatArch32, FatArch64, MachHeader32, MachHeader64};
use object::read::macho::{FatArch, LoadCommandVariant, MachHeader, MachOFatFile};
use object::{BigEndian, Endianness, FileKind};

use super::verdict::arch_name;
use super::{Executable, Needs, sorted, text};
use crate::base::{Arch, Os};

/// Most slices of a universal file. Java classes begin with the same four bytes; where a universal
/// file counts its slices they have their version, which is 45 or more.
const MAX_SLICES: u32 = 40;

/// Whether the bytes after a universal file's magic can be its number of slices.
pub(super) fn plausible_count(after_magic: &[u8]) -> bool {
    after_magic
        .first_chunk()
        .is_none_or(|count| (1..=MAX_SLICES).contains(&u32::from_be_bytes(*count)))
}

struct Slice {
    arch: Option<Arch>,
    machine: String,
    libraries: Vec<String>,
}

pub(super) fn read(bytes: &[u8]) -> Option<Executable> {
    let (slices, universal) = match FileKind::parse(bytes).ok()? {
        FileKind::MachOFat32 => (fat::<FatArch32>(bytes)?, true),
        FileKind::MachOFat64 => (fat::<FatArch64>(bytes)?, true),
        _ => (vec![thin(bytes)?], false),
    };
    let names: Vec<_> = slices.iter().map(|slice| slice.machine.as_str()).collect();
    let machine =
        if universal { format!("universal: {}", names.join(", ")) } else { names.join(", ") };
    let mut arches: Vec<_> = slices.iter().filter_map(|slice| slice.arch).collect();
    arches.sort();
    arches.dedup();
    let libraries = sorted(slices.into_iter().flat_map(|slice| slice.libraries).collect());
    let needs = Needs { libraries, ..Needs::default() };
    let search = super::Search::default();
    Some(Executable { os: Os::Darwin, arches, machine, libc: None, needs, search })
}

fn fat<F: FatArch>(bytes: &[u8]) -> Option<Vec<Slice>> {
    let file = MachOFatFile::<F>::parse(bytes).ok()?;
    if !(1..=MAX_SLICES).contains(&file.header().nfat_arch.get(BigEndian)) {
        return None;
    }
    file.arches().iter().map(|arch| thin(arch.data(bytes).ok()?)).collect()
}

fn thin(bytes: &[u8]) -> Option<Slice> {
    match FileKind::parse(bytes).ok()? {
        FileKind::MachO32 => thin_class::<MachHeader32<Endianness>>(bytes),
        FileKind::MachO64 => thin_class::<MachHeader64<Endianness>>(bytes),
        _ => None,
    }
}

fn thin_class<H: MachHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<Slice> {
    let header = H::parse(bytes, 0).ok()?;
    let endian = header.endian().ok()?;
    let (arch, machine) = match header.cputype(endian) {
        macho::CPU_TYPE_X86_64 => (Some(Arch::X86_64), arch_name(Arch::X86_64).to_owned()),
        macho::CPU_TYPE_ARM64 => (Some(Arch::Aarch64), arch_name(Arch::Aarch64).to_owned()),
        macho::CPU_TYPE_X86 => (None, "x86, 32 bits".to_owned()),
        macho::CPU_TYPE_ARM => (None, "arm, 32 bits".to_owned()),
        macho::CPU_TYPE_POWERPC | macho::CPU_TYPE_POWERPC64 => (None, "powerpc".to_owned()),
        other => (None, format!("Mach-O machine {other}")),
    };
    let mut libraries = Vec::new();
    let mut commands = header.load_commands(endian, bytes, 0).ok()?;
    while let Some(command) = commands.next().ok()? {
        if let LoadCommandVariant::Dylib(dylib) = command.variant().ok()? {
            libraries.push(text(command.string(endian, dylib.dylib.name).ok()?));
        }
    }
    Some(Slice { arch, machine, libraries })
}
