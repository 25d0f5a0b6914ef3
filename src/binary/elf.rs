//! ELF: machine, interpreter, needed libraries, versions of libc's symbols.
//!
//! Reference: the System V ABI, chapters 4 and 5; the Linux Standard Base, "Symbol Versioning".
//! Reads what the loader reads, the program headers and the dynamic table, not the sections, which
//! may be stripped, and only the bytes it looks at: a program of 100 MB costs a few small reads.
//! An executable with neither interpreter nor needed library is static, whether or not it has a
//! dynamic table (static-pie has one, to relocate itself).

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind, ReadRef};

use super::verdict::{arch_name, libc_name};
use super::{Executable, Needs, Search, sorted, text};
use crate::base::{Arch, Libc, Os};

/// What an ELF file says, beside what [`Executable`] has.
pub(super) struct Elf {
    pub(super) executable: Executable,
    /// Versions that it defines for others: those of the C library, in the C library.
    pub(super) defines: Vec<String>,
}

pub(super) fn read<'a, R: ReadRef<'a>>(data: R) -> Option<Elf> {
    match FileKind::parse(data).ok()? {
        FileKind::Elf32 => read_class::<FileHeader32<Endianness>, R>(data),
        FileKind::Elf64 => read_class::<FileHeader64<Endianness>, R>(data),
        _ => None,
    }
}

fn read_class<'a, E: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(data: R) -> Option<Elf> {
    let header = E::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let file: File<'_, E, R> =
        File { segments: header.program_headers(endian, data).ok()?, endian, data };
    let (arch, machine) = machine(header, endian);
    let interpreter = file.interpreter().ok()?;
    let dynamic = file.dynamic()?;
    let libraries = sorted(dynamic.needed);
    let libc = libc(interpreter.as_deref(), &libraries);
    let glibc_version = dynamic.versions.iter().filter_map(|v| glibc_version(v)).max();
    let needs = Needs {
        libc: libc.map(|libc| libc_name(libc).to_owned()),
        libc_version: glibc_version.filter(|_| libc == Some(Libc::Glibc)).map(dotted),
        interpreter,
        libraries,
        programs: Vec::new(),
    };
    let executable = Executable {
        os: Os::Linux,
        arches: arch.into_iter().collect(),
        machine,
        libc,
        needs,
        search: dynamic.search,
    };
    Some(Elf { executable, defines: dynamic.defines })
}

/// The machine, if it is one of a Linux platform, and its name.
fn machine<E: FileHeader<Endian = Endianness>>(
    header: &E,
    endian: Endianness,
) -> (Option<Arch>, String) {
    let little_64 = header.is_class_64() && header.is_little_endian();
    let known = match header.e_machine(endian) {
        elf::EM_X86_64 if little_64 => Some(Arch::X86_64),
        elf::EM_AARCH64 if little_64 => Some(Arch::Aarch64),
        _ => None,
    };
    let name = match (known, header.e_machine(endian)) {
        (Some(arch), _) => arch_name(arch).to_owned(),
        (None, elf::EM_386) => "x86, 32 bits".to_owned(),
        (None, elf::EM_X86_64) => "x32".to_owned(),
        (None, elf::EM_ARM) => "arm, 32 bits".to_owned(),
        (None, elf::EM_RISCV) => "riscv".to_owned(),
        (None, elf::EM_PPC64) => "ppc64".to_owned(),
        (None, elf::EM_S390) => "s390".to_owned(),
        (None, elf::EM_LOONGARCH) => "loongarch".to_owned(),
        (None, other) => format!("ELF machine {other}"),
    };
    // An ELF file for another system says so here; Linux programs have 0 or 3.
    let system = match header.e_ident().os_abi {
        elf::ELFOSABI_SYSV | elf::ELFOSABI_GNU => return (known, name),
        elf::ELFOSABI_FREEBSD => "FreeBSD".to_owned(),
        elf::ELFOSABI_NETBSD => "NetBSD".to_owned(),
        elf::ELFOSABI_OPENBSD => "OpenBSD".to_owned(),
        elf::ELFOSABI_SOLARIS => "Solaris".to_owned(),
        other => format!("ELF system {other}"),
    };
    (None, format!("{name}, {system}"))
}

/// By the interpreter, else by the libc's own library.
fn libc(interpreter: Option<&str>, libraries: &[String]) -> Option<Libc> {
    let loader = interpreter.map(|path| path.rsplit('/').next().unwrap_or(path));
    match loader {
        Some(name) if name.starts_with("ld-musl-") => return Some(Libc::Musl),
        Some(name) if name.starts_with("ld-linux") || name.starts_with("ld64.so") => {
            return Some(Libc::Glibc);
        }
        _ => {}
    }
    libraries.iter().find_map(|name| match name.as_str() {
        "libc.so.6" => Some(Libc::Glibc),
        name if name.starts_with("libc.musl-") => Some(Libc::Musl),
        _ => None,
    })
}

/// `2.17`
pub(super) fn dotted(version: Vec<u32>) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// `GLIBC_2.17` as numbers; `GLIBC_PRIVATE` and others are no versions.
pub(super) fn glibc_version(name: &str) -> Option<Vec<u32>> {
    let numbers = name.strip_prefix("GLIBC_")?.split('.').map(|n| n.parse().ok());
    numbers.collect()
}

#[derive(Default)]
struct Dynamic {
    needed: Vec<String>,
    /// Names of the versions that are needed of other libraries' symbols.
    versions: Vec<String>,
    /// Names of the versions that it defines.
    defines: Vec<String>,
    /// Directories that it names for its libraries.
    search: Search,
}

/// Most bytes of a table whose size the file does not say.
const TABLE: u64 = 1 << 20;

struct File<'a, E: FileHeader, R> {
    segments: &'a [E::ProgramHeader],
    endian: Endianness,
    data: R,
}

impl<'a, E: FileHeader<Endian = Endianness>, R: ReadRef<'a>> File<'a, E, R> {
    fn interpreter(&self) -> object::Result<Option<String>> {
        for segment in self.segments {
            if let Some(path) = segment.interpreter(self.endian, self.data)? {
                return Ok(Some(text(path)));
            }
        }
        Ok(None)
    }

    /// Empty without a dynamic table; `None` when it points nowhere.
    fn dynamic(&self) -> Option<Dynamic> {
        let mut table = None;
        for segment in self.segments {
            table = table.or(segment.dynamic(self.endian, self.data).ok()?);
        }
        let Some(table) = table else { return Some(Dynamic::default()) };
        let (mut strings, mut strings_size, mut needed) = (None, u64::MAX, Vec::new());
        let (mut versions_at, mut version_count) = (None, 0);
        let (mut defines_at, mut define_count) = (None, 0);
        let (mut rpath, mut runpath) = (None, None);
        for entry in table {
            let value: u64 = entry.d_val(self.endian).into();
            let tag: u64 = entry.d_tag(self.endian).into();
            match u32::try_from(tag).unwrap_or(u32::MAX) {
                elf::DT_NULL => break,
                elf::DT_NEEDED => needed.push(value),
                elf::DT_STRTAB => strings = Some(value),
                elf::DT_STRSZ => strings_size = value,
                elf::DT_VERNEED => versions_at = Some(value),
                elf::DT_VERNEEDNUM => version_count = value,
                elf::DT_VERDEF => defines_at = Some(value),
                elf::DT_VERDEFNUM => define_count = value,
                elf::DT_RPATH => rpath = Some(value),
                elf::DT_RUNPATH => runpath = Some(value),
                _ => {}
            }
        }
        if needed.is_empty() {
            return Some(Dynamic::default());
        }
        let strings = self.at(strings?, strings_size)?;
        let needed = needed.into_iter().map(|at| string(strings, at)).collect::<Option<_>>()?;
        let versions = match versions_at {
            Some(at) => self.versions(self.at(at, TABLE)?, version_count, strings)?,
            None => Vec::new(),
        };
        let defines = match defines_at {
            Some(at) => self.defines(self.at(at, TABLE)?, define_count, strings)?,
            None => Vec::new(),
        };
        // With both, the loader looks at the newer one alone.
        let search = Search {
            inherited: runpath.is_none(),
            directories: match runpath.or(rpath) {
                Some(at) => string(strings, at)?.split(':').map(str::to_owned).collect(),
                None => Vec::new(),
            },
        };
        Some(Dynamic { needed, versions, defines, search })
    }

    /// The loaded bytes from a virtual address to the end of its segment, `most` at most.
    fn at(&self, address: u64, most: u64) -> Option<&'a [u8]> {
        self.segments.iter().filter(|s| s.p_type(self.endian) == elf::PT_LOAD).find_map(|segment| {
            let skip = address.checked_sub(segment.p_vaddr(self.endian).into())?;
            let size: u64 = segment.p_filesz(self.endian).into();
            let left = size.checked_sub(skip).filter(|left| *left > 0)?;
            let offset: u64 = segment.p_offset(self.endian).into();
            self.data.read_bytes_at(offset.checked_add(skip)?, left.min(most)).ok()
        })
    }

    /// The chain of versions that are defined; the first name of each is its own. Records are
    /// `vd_version, vd_flags, vd_ndx, vd_cnt: u16; vd_hash, vd_aux, vd_next: u32` and
    /// `vda_name, vda_next: u32`.
    fn defines(&self, table: &[u8], count: u64, strings: &[u8]) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut at = 0usize;
        for _ in 0..count.min(table.len() as u64 / 20 + 1) {
            let aux = at.checked_add(self.u32(table, at.checked_add(12)?)?)?;
            names.push(string(strings, self.u32(table, aux)? as u64)?);
            match self.u32(table, at.checked_add(16)?)? {
                0 => break,
                next => at = at.checked_add(next)?,
            }
        }
        Some(names)
    }

    /// The chain of libraries, and for each the chain of the versions needed of it. Both kinds of
    /// record are 16 bytes in either class: `vn_version, vn_cnt: u16; vn_file, vn_aux, vn_next:
    /// u32` and `vna_hash: u32; vna_flags, vna_other: u16; vna_name, vna_next: u32`.
    fn versions(&self, table: &[u8], libraries: u64, strings: &[u8]) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut library = 0usize;
        for _ in 0..libraries {
            let count = self.u16(table, library.checked_add(2)?)?;
            let mut version = library.checked_add(self.u32(table, library.checked_add(8)?)?)?;
            for _ in 0..count {
                let name = self.u32(table, version.checked_add(8)?)?;
                names.push(string(strings, name as u64)?);
                match self.u32(table, version.checked_add(12)?)? {
                    0 => break,
                    next => version = version.checked_add(next)?,
                }
                // Records are 16 bytes: more than fit are a circle of overlapping ones.
                if names.len() > table.len() / 16 {
                    return None;
                }
            }
            match self.u32(table, library.checked_add(12)?)? {
                0 => break,
                next => library = library.checked_add(next)?,
            }
        }
        Some(names)
    }

    fn u16(&self, table: &[u8], at: usize) -> Option<u16> {
        use object::Endian as _;
        let bytes = table.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(self.endian.read_u16(u16::from_ne_bytes(bytes)))
    }

    fn u32(&self, table: &[u8], at: usize) -> Option<usize> {
        use object::Endian as _;
        let bytes = table.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(self.endian.read_u32(u32::from_ne_bytes(bytes))).ok()
    }
}

/// A string of a string table.
fn string(strings: &[u8], at: u64) -> Option<String> {
    let rest = strings.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|b| *b == 0)?;
    Some(text(&rest[..end]))
}
