//! PE: machine and imported libraries.
//!
//! Reference: Microsoft, "PE Format". Library names are kept as the import table spells them;
//! Windows ignores their case.

use object::pe::{self, ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64};
use object::read::pe::ImageNtHeaders;
use object::{FileKind, LittleEndian};

use super::verdict::arch_name;
use super::{Executable, Needs, sorted, text};
use crate::base::{Arch, Os};

pub(super) fn read(bytes: &[u8]) -> Option<Executable> {
    match FileKind::parse(bytes).ok()? {
        FileKind::Pe32 => read_class::<ImageNtHeaders32>(bytes),
        FileKind::Pe64 => read_class::<ImageNtHeaders64>(bytes),
        _ => None,
    }
}

fn read_class<H: ImageNtHeaders>(bytes: &[u8]) -> Option<Executable> {
    let dos = ImageDosHeader::parse(bytes).ok()?;
    let mut offset = dos.nt_headers_offset().into();
    let (headers, directories) = H::parse(bytes, &mut offset).ok()?;
    let sections = headers.sections(bytes, offset).ok()?;
    let (arch, machine) = match headers.file_header().machine.get(LittleEndian) {
        pe::IMAGE_FILE_MACHINE_AMD64 => (Some(Arch::X86_64), arch_name(Arch::X86_64).to_owned()),
        pe::IMAGE_FILE_MACHINE_ARM64 => (Some(Arch::Aarch64), arch_name(Arch::Aarch64).to_owned()),
        pe::IMAGE_FILE_MACHINE_I386 => (None, "x86, 32 bits".to_owned()),
        pe::IMAGE_FILE_MACHINE_ARMNT => (None, "arm, 32 bits".to_owned()),
        other => (None, format!("PE machine {other:#x}")),
    };
    let mut libraries = Vec::new();
    if let Some(imports) = directories.import_table(bytes, &sections).ok()? {
        let mut descriptors = imports.descriptors().ok()?;
        while let Some(descriptor) = descriptors.next().ok()? {
            libraries.push(text(imports.name(descriptor.name.get(LittleEndian)).ok()?));
        }
    }
    let needs = Needs { libraries: sorted(libraries), ..Needs::default() };
    Some(Executable {
        os: Os::Windows,
        arches: arch.into_iter().collect(),
        machine,
        libc: None,
        needs,
        search: super::Search::default(),
    })
}
