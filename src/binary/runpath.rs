//! Where an ELF program or library looks for its libraries, read and written.
//!
//! Owns the rewriting: the string table is copied behind the end of the file with the new path in
//! it, and a note's program header becomes the segment that loads it; the dynamic table is changed
//! in place. Everything else keeps its offset and address. Reference: System V ABI, chapters 4 and
//! 5. Refuses what is not 64-bit little-endian for a known machine, and tables without a spare
//! entry. Invariant: the same bytes and path always give the same bytes, in every release of this
//! program: a lock records the tree that comes out. Do not change what is written; add another way
//! beside it.

use crate::base::Arch;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_NOTE: u32 = 4;
const SHT_STRTAB: u32 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_RELACOUNT: u64 = 0x6fff_fff9;
/// Of a program header, a section header, an entry of the dynamic table.
const PH: usize = 56;
const SH: usize = 64;
const DYN: usize = 16;

/// What the loader reads of a file to find its libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// The machine.
    pub arch: Arch,
    /// Libraries by name, in the order in which they are looked for.
    pub needed: Vec<String>,
    /// `DT_RUNPATH`, else `DT_RPATH`, by directory.
    pub paths: Vec<String>,
}

/// Reads a file; `None` when it is no dynamic ELF of a known machine.
pub fn read(bytes: &[u8]) -> Option<Dynamic> {
    let elf = Elf::parse(bytes)?;
    let text = |at: u64| {
        let rest = elf.strings().get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|b| *b == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let mut needed = Vec::new();
    let (mut runpath, mut rpath) = (None, None);
    for (_, tag, value) in elf.entries() {
        match tag {
            DT_NEEDED => needed.push(text(value)?),
            DT_RUNPATH => runpath = Some(text(value)?),
            DT_RPATH => rpath = Some(text(value)?),
            _ => {}
        }
    }
    let paths = runpath.or(rpath).unwrap_or_default();
    let paths = paths.split(':').filter(|p| !p.is_empty()).map(str::to_owned).collect();
    Some(Dynamic { arch: elf.arch, needed, paths })
}

/// The file with this `DT_RUNPATH` instead of what it has.
///
/// # Errors
/// What is in the way, in words.
pub fn write(bytes: &[u8], runpath: &str) -> Result<Vec<u8>, &'static str> {
    let elf = Elf::parse(bytes).ok_or("it is no dynamic ELF file")?;
    let headers = elf.headers();
    let last_load = headers.iter().rposition(|h| h.kind == PT_LOAD).ok_or("nothing is loaded")?;
    let note = headers
        .iter()
        .rposition(|h| h.kind == PT_NOTE)
        .ok_or("it has no note whose place could be taken")?;

    // Address and offset agree modulo the alignment, so that the end of the file can be mapped.
    let loads = || headers.iter().filter(|h| h.kind == PT_LOAD);
    let align = loads().map(|h| h.align).max().unwrap_or(0).max(0x1000);
    if !align.is_power_of_two() || align > 1 << 30 {
        return Err("its segments are aligned oddly");
    }
    let end = loads().map(|h| h.address.saturating_add(h.memory)).max().unwrap_or(0);
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(16), 0);
    let offset = out.len() as u64;
    let address = end
        .checked_next_multiple_of(align)
        .and_then(|a| a.checked_add(offset % align))
        .filter(|a| *a < 1 << 46)
        .ok_or("its addresses leave no room")?;
    let at = elf.strings().len() as u64;
    out.extend_from_slice(elf.strings());
    out.extend_from_slice(runpath.as_bytes());
    out.push(0);
    let size = out.len() as u64 - offset;

    // The dynamic table.
    let entries: Vec<_> = elf.entries().collect();
    let find = |tag: u64| entries.iter().find(|e| e.1 == tag).map(|e| e.0);
    let place = match find(DT_RUNPATH).or_else(|| find(DT_RPATH)) {
        Some(place) => place,
        // Linkers leave spare entries, or else how many relocations are relative, which only saves
        // the loader a look at each.
        None => elf
            .spare()
            .or_else(|| find(DT_RELACOUNT))
            .ok_or("its dynamic table has no spare entry")?,
    };
    put(&mut out, place, DT_RUNPATH);
    put(&mut out, place + 8, at);
    for (tag, value) in [(DT_STRTAB, address), (DT_STRSZ, size)] {
        put(&mut out, find(tag).ok_or("its dynamic table is incomplete")? + 8, value);
    }

    // The program headers: loads stay in the order of their addresses.
    let mut raw: Vec<[u8; PH]> = headers.iter().map(|h| h.raw).collect();
    let mut load = [0; PH];
    load[..4].copy_from_slice(&PT_LOAD.to_le_bytes());
    load[4..8].copy_from_slice(&4u32.to_le_bytes());
    for (at, value) in [(8, offset), (16, address), (24, address), (32, size), (40, size)] {
        put(&mut load, at, value);
    }
    put(&mut load, 48, align);
    raw.remove(note);
    raw.insert(if note < last_load { last_load } else { last_load + 1 }, load);
    for (header, place) in raw.iter().zip((elf.headers_at..).step_by(PH)) {
        out[place..place + PH].copy_from_slice(header);
    }

    // The section that tools know the table by.
    for place in elf.sections() {
        let is_strings = u32_at(bytes, place + 4) == Some(SHT_STRTAB);
        if is_strings && u64_at(bytes, place + 16) == Some(elf.strings_address) {
            put(&mut out, place + 16, address);
            put(&mut out, place + 24, offset);
            put(&mut out, place + 32, size);
        }
    }
    Ok(out)
}

struct Header {
    kind: u32,
    offset: u64,
    address: u64,
    filed: u64,
    memory: u64,
    align: u64,
    raw: [u8; PH],
}

/// The parts of a file whose bounds were checked.
struct Elf<'a> {
    bytes: &'a [u8],
    arch: Arch,
    headers_at: usize,
    header_count: usize,
    /// The dynamic table.
    dynamic: std::ops::Range<usize>,
    strings: std::ops::Range<usize>,
    strings_address: u64,
}

impl<'a> Elf<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        // 64 bits, little-endian, current version.
        if !bytes.starts_with(b"\x7fELF\x02\x01\x01") {
            return None;
        }
        let arch = match u16_at(bytes, 18)? {
            62 => Arch::X86_64,
            183 => Arch::Aarch64,
            _ => return None,
        };
        let headers_at = usize::try_from(u64_at(bytes, 32)?).ok()?;
        let header_count = usize::from(u16_at(bytes, 56)?);
        let end = headers_at.checked_add(header_count.checked_mul(PH)?)?;
        if usize::from(u16_at(bytes, 54)?) != PH || end > bytes.len() {
            return None;
        }
        let mut elf = Self {
            bytes,
            arch,
            headers_at,
            header_count,
            dynamic: 0..0,
            strings: 0..0,
            strings_address: 0,
        };
        let headers = elf.headers();
        let dynamic = headers.iter().find(|h| h.kind == PT_DYNAMIC)?;
        elf.dynamic = range(bytes, dynamic.offset, dynamic.filed)?;
        let value = |tag: u64| elf.entries().find(|e| e.1 == tag).map(|e| e.2);
        let (address, size) = (value(DT_STRTAB)?, value(DT_STRSZ)?);
        let segment = headers
            .iter()
            .find(|h| h.kind == PT_LOAD && h.address <= address && address - h.address < h.filed)?;
        let offset = segment.offset.checked_add(address - segment.address)?;
        (elf.strings, elf.strings_address) = (range(bytes, offset, size)?, address);
        Some(elf)
    }

    fn strings(&self) -> &'a [u8] {
        &self.bytes[self.strings.clone()]
    }

    fn headers(&self) -> Vec<Header> {
        let places = (self.headers_at..).step_by(PH).take(self.header_count);
        places
            .filter_map(|at| {
                let raw: [u8; PH] = self.bytes.get(at..at + PH)?.try_into().ok()?;
                Some(Header {
                    kind: u32_at(&raw, 0)?,
                    offset: u64_at(&raw, 8)?,
                    address: u64_at(&raw, 16)?,
                    filed: u64_at(&raw, 32)?,
                    memory: u64_at(&raw, 40)?,
                    align: u64_at(&raw, 48)?,
                    raw,
                })
            })
            .collect()
    }

    /// Place, tag and value of each entry before the end of the dynamic table.
    fn entries(&self) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
        let last = self.dynamic.end.saturating_sub(DYN);
        (self.dynamic.start..)
            .step_by(DYN)
            .take_while(move |at| *at <= last)
            .map_while(|at| Some((at, u64_at(self.bytes, at)?, u64_at(self.bytes, at + 8)?)))
            .take_while(|(_, tag, _)| *tag != DT_NULL)
    }

    /// An entry that can be used: the first null that has another one behind it.
    fn spare(&self) -> Option<usize> {
        let at = self.dynamic.start + self.entries().count() * DYN;
        let second = at.checked_add(DYN)?;
        let fits = second + DYN <= self.dynamic.end;
        (fits && u64_at(self.bytes, second) == Some(DT_NULL)).then_some(at)
    }

    /// The places of the section headers; none where they are missing or out of bounds.
    fn sections(&self) -> Vec<usize> {
        let read = || {
            let at = usize::try_from(u64_at(self.bytes, 40)?).ok()?;
            let count = usize::from(u16_at(self.bytes, 60)?);
            let end = at.checked_add(count.checked_mul(SH)?)?;
            let good = usize::from(u16_at(self.bytes, 58)?) == SH && end <= self.bytes.len();
            (at > 0 && good).then(|| (at..end).step_by(SH).collect())
        };
        read().unwrap_or_default()
    }
}

fn range(bytes: &[u8], offset: u64, size: u64) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Writes a number at a place that was checked.
fn put(out: &mut [u8], at: usize, value: u64) {
    if let Some(place) = out.get_mut(at..at + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A program of this machine that is linked dynamically: the test itself.
    #[allow(clippy::disallowed_methods, reason = "reads its own program")]
    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().expect("path")).expect("read")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_runs_with_another_path() {
        let own = own();
        let before = read(&own).expect("dynamic");
        assert!(before.needed.iter().any(|n| n == "libc.so.6"), "{before:?}");
        let path = "$ORIGIN/../lib/x86_64-linux-gnu:$ORIGIN/../lib";
        let written = write(&own, path).expect("written");
        assert_eq!(written, write(&own, path).expect("written"), "the same each time");
        let after = read(&written).expect("dynamic");
        assert_eq!(after.paths, path.split(':').collect::<Vec<_>>());
        assert_eq!((after.needed, after.arch), (before.needed, before.arch));
        // Both readers agree, and so does the loader.
        let ours = crate::binary::inspect(&written).expect("an executable");
        let theirs = crate::binary::inspect(&own).expect("an executable");
        assert_eq!(ours.search.directories, path.split(':').collect::<Vec<_>>());
        assert_eq!(ours.needs, theirs.needs);
        assert_eq!(run(&written), run(&own));
        // A longer path over the one that is there now.
        let twice = write(&written, &format!("{path}:$ORIGIN/a")).expect_err("or");
        assert!(twice.contains("note") || twice.contains("spare"), "{twice}");
    }

    #[cfg(target_os = "linux")]
    #[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "runs a program")]
    fn run(program: &[u8]) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("program");
        std::fs::write(&file, program).expect("write");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let out = std::process::Command::new(&file)
            .args(["--list", "binary::runpath"])
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .expect("run");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    #[test]
    fn what_is_no_elf() {
        for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", &[0x7f; 4096]] {
            assert_eq!(read(bytes), None);
            assert!(write(bytes, "$ORIGIN").is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_headers_make_no_panic(
            changes in proptest::collection::vec((0usize..1200, any::<u8>()), 1..12),
            len in 0usize..40_000,
        ) {
            static OWN: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let own = OWN.get_or_init(own);
            let mut bytes = own[..len.min(own.len())].to_vec();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            if let Ok(written) = write(&bytes, "$ORIGIN") {
                let _ = read(&written);
            }
            let _ = read(&bytes);
        }
    }
}
