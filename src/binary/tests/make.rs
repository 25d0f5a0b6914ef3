//! Makers of the smallest files that are executables.

/// What an ELF file should say.
#[derive(Clone)]
pub(crate) struct Elf<'a> {
    pub(crate) machine: u16,
    pub(crate) class: u8,
    pub(crate) data: u8,
    pub(crate) abi: u8,
    pub(crate) interpreter: Option<&'a str>,
    pub(crate) needed: &'a [&'a str],
    pub(crate) versions: &'a [&'a str],
    /// `DT_RUNPATH`
    pub(crate) runpath: Option<&'a str>,
    /// A dynamic table even when nothing is needed, as in a static-pie.
    pub(crate) dynamic: bool,
}

impl Default for Elf<'_> {
    fn default() -> Self {
        Self {
            machine: 62,
            class: 2,
            data: 1,
            abi: 0,
            interpreter: None,
            needed: &[],
            versions: &[],
            runpath: None,
            dynamic: false,
        }
    }
}

impl Elf<'_> {
    /// Header, three program headers, then interpreter, strings, version records and dynamic
    /// table, all in one segment loaded at `BASE`. No sections.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        const BASE: u64 = 0x40_0000;
        let wide = self.class == 2;
        let (header, entry) = if wide { (64, 56) } else { (52, 32) };
        let u16s = |v: u16| if self.data == 1 { v.to_le_bytes() } else { v.to_be_bytes() };
        let u32s = |v: u32| if self.data == 1 { v.to_le_bytes() } else { v.to_be_bytes() };
        let word = |v: u64| {
            let wide_bytes = if self.data == 1 { v.to_le_bytes() } else { v.to_be_bytes() };
            if wide { wide_bytes.to_vec() } else { u32s(v as u32).to_vec() }
        };
        let mut body = Vec::new();
        let start = header + 3 * entry;
        let at = |body: &Vec<u8>| (start + body.len()) as u64;

        let interpreter = at(&body);
        body.extend_from_slice(self.interpreter.unwrap_or("").as_bytes());
        body.push(0);
        let interpreter_size = at(&body) - interpreter;

        let strings_at = at(&body);
        let mut strings = vec![0u8];
        let mut string = |text: &str| {
            let offset = strings.len();
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            offset as u64
        };
        let needed: Vec<u64> = self.needed.iter().map(|name| string(name)).collect();
        let versions: Vec<u64> = self.versions.iter().map(|name| string(name)).collect();
        let runpath = self.runpath.map(string);
        body.extend_from_slice(&strings);
        body.resize(body.len().next_multiple_of(16), 0);

        let versions_at = at(&body);
        if !versions.is_empty() {
            body.extend_from_slice(&u16s(1));
            body.extend_from_slice(&u16s(versions.len() as u16));
            for field in [needed[0] as u32, 16, 0] {
                body.extend_from_slice(&u32s(field));
            }
            for (i, name) in versions.iter().enumerate() {
                let next = if i + 1 < versions.len() { 16 } else { 0 };
                for field in [0, 0, *name as u32, next] {
                    body.extend_from_slice(&u32s(field));
                }
            }
        }
        body.resize(body.len().next_multiple_of(16), 0);

        let dynamic_at = at(&body);
        let mut table: Vec<(u64, u64)> = needed.iter().map(|offset| (1, *offset)).collect();
        table.push((5, BASE + strings_at));
        if !versions.is_empty() {
            table.extend([(0x6fff_fffe, BASE + versions_at), (0x6fff_ffff, 1)]);
        }
        table.extend(runpath.map(|offset| (29, offset)));
        table.push((0, 0));
        for (tag, value) in table {
            body.extend(word(tag));
            body.extend(word(value));
        }
        let dynamic_size = at(&body) - dynamic_at;
        let end = at(&body);

        let mut out = vec![0x7f, b'E', b'L', b'F', self.class, self.data, 1, self.abi];
        out.resize(16, 0);
        out.extend_from_slice(&u16s(2));
        out.extend_from_slice(&u16s(self.machine));
        out.extend_from_slice(&u32s(1));
        for field in [0, header as u64, 0] {
            out.extend(word(field));
        }
        out.extend_from_slice(&u32s(0));
        for field in [header as u16, entry as u16, 3, 0, 0, 0] {
            out.extend_from_slice(&u16s(field));
        }
        let dynamic = self.dynamic || !needed.is_empty();
        for (kind, offset, size) in [
            (1, 0, end),
            (if self.interpreter.is_some() { 3 } else { 0 }, interpreter, interpreter_size),
            (if dynamic { 2 } else { 0 }, dynamic_at, dynamic_size),
        ] {
            out.extend_from_slice(&u32s(kind));
            if wide {
                out.extend_from_slice(&u32s(5));
            }
            for field in [offset, BASE + offset, BASE + offset, size, size] {
                out.extend(word(field));
            }
            if !wide {
                out.extend_from_slice(&u32s(5));
            }
            out.extend(word(1));
        }
        out.extend_from_slice(&body);
        out
    }
}

/// A 64-bit little-endian Mach-O with these libraries.
pub(super) fn mach_o(machine: u32, libraries: &[&str]) -> Vec<u8> {
    let mut commands = Vec::new();
    for name in libraries {
        let size = (24 + name.len() + 1).next_multiple_of(8);
        for field in [0xc, size as u32, 24, 0, 0, 0] {
            commands.extend_from_slice(&u32::to_le_bytes(field));
        }
        let end = commands.len() - 24 + size;
        commands.extend_from_slice(name.as_bytes());
        commands.resize(end, 0);
    }
    let mut out = Vec::new();
    let (count, size) = (libraries.len() as u32, commands.len() as u32);
    for field in [0xfeed_facf, machine, 0, 2, count, size, 0, 0] {
        out.extend_from_slice(&u32::to_le_bytes(field));
    }
    out.extend_from_slice(&commands);
    out
}

/// A universal file of such slices.
pub(super) fn universal(slices: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [0xcafe_babe, slices.len() as u32] {
        out.extend_from_slice(&u32::to_be_bytes(field));
    }
    let mut offset = 8 + 20 * slices.len();
    for (machine, slice) in slices {
        for field in [*machine, 0, offset as u32, slice.len() as u32, 0] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        offset += slice.len();
    }
    slices.iter().for_each(|(_, slice)| out.extend_from_slice(slice));
    out
}

/// A 64-bit PE with one section that holds an import table.
pub(super) fn pe(machine: u16, libraries: &[&str]) -> Vec<u8> {
    const ADDRESS: u32 = 0x1000;
    const HEADERS: u32 = 0x200;
    let mut section = vec![0u8; 20 * (libraries.len() + 1)];
    for (i, name) in libraries.iter().enumerate() {
        let at = ADDRESS + section.len() as u32;
        section[20 * i + 12..20 * i + 16].copy_from_slice(&at.to_le_bytes());
        section.extend_from_slice(name.as_bytes());
        section.push(0);
    }
    let mut out = b"MZ".to_vec();
    out.resize(60, 0);
    out.extend_from_slice(&64u32.to_le_bytes());
    out.extend_from_slice(b"PE\0\0");
    out.extend_from_slice(&machine.to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&240u16.to_le_bytes());
    out.extend_from_slice(&0x22u16.to_le_bytes());
    let optional = out.len();
    out.extend_from_slice(&0x20bu16.to_le_bytes());
    out.resize(optional + 108, 0);
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    if libraries.is_empty() {
        out.extend_from_slice(&[0; 8]);
    } else {
        out.extend_from_slice(&ADDRESS.to_le_bytes());
        out.extend_from_slice(&(section.len() as u32).to_le_bytes());
    }
    out.resize(optional + 240, 0);
    out.extend_from_slice(b".idata\0\0");
    let size = section.len() as u32;
    for field in [size, ADDRESS, size, HEADERS] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&[0; 16]);
    out.resize(HEADERS as usize, 0);
    out.extend_from_slice(&section);
    out
}
