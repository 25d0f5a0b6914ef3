//! The records of a zip, read strictly and all of them.
//!
//! Reference: APPNOTE.TXT (PKWARE), sections 4.3 to 4.5. A zip says everything twice: in front of each
//! entry for who reads from the beginning, at the end for who jumps. Refuses a zip whose two words
//! disagree (name, method, encryption, sizes, checksum, data descriptor), one with bytes that belong
//! to no record (before, between and behind them, a second end in the comment included), entries
//! that share bytes, and a name listed twice. Invariant: the records of what passes lie side by side
//! from the first byte to the last, and every reader finds the same entries in them.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::error::shown;
use super::index::{refused, too_many};
use super::limits::{Limits, MAX_NAMES};
use super::{Error, Format, Refusal};

/// An end record without its comment.
const END: usize = 22;
/// The locator of a 64-bit end record.
const LOCATOR: u64 = 20;
/// A central header without name, extra fields and comment.
const CENTRAL: usize = 46;
/// A local header without name and extra fields.
const LOCAL: usize = 30;
/// Sizes follow the data.
const DESCRIPTOR_FLAG: u16 = 1 << 3;
/// Encrypted in one way or another.
const ENCRYPTED_FLAGS: u16 = 1 | 1 << 6 | 1 << 13;
/// The name is UTF-8.
const UTF8_FLAG: u16 = 1 << 11;

/// What the central directory claims about an entry.
#[derive(Debug)]
pub(super) struct Claim {
    /// Its name as written.
    pub(super) name: Vec<u8>,
    /// Where its local header is.
    pub(super) at: u64,
    /// Bytes it expands to.
    pub(super) size: u64,
    packed: u64,
    checksum: u32,
    method: u16,
    flags: u16,
}

/// Where the central directory is.
struct Directory {
    at: u64,
    size: u64,
    entries: u64,
}

/// Reads and checks all records of the `len` bytes; gives the entries in the directory's order.
pub(super) fn check(
    source: &mut (impl Read + Seek),
    len: u64,
    archive: &str,
    limits: &Limits,
) -> Result<Vec<Claim>, Error> {
    let unreadable = |source| unreadable(archive, source);
    let directory = find_directory(source, len, archive)?;
    if directory.entries > limits.entries as u64 {
        return Err(too_many(archive, limits));
    }
    if directory.size > 4 * MAX_NAMES as u64 {
        return Err(Error::Names { archive: archive.to_owned(), limit: 4 * MAX_NAMES });
    }
    let bytes = read(source, directory.at, directory.size).map_err(unreadable)?;
    let claims = read_directory(&bytes, directory.entries).map_err(unreadable)?;
    let mut names = HashSet::with_capacity(claims.len());
    for claim in &claims {
        if !names.insert(claim.name.as_slice()) {
            return Err(refused(archive, &claim.name, Refusal::Duplicate));
        }
    }
    let mut order: Vec<&Claim> = claims.iter().collect();
    order.sort_by_key(|claim| claim.at);
    let mut end = 0;
    for (i, claim) in order.iter().enumerate() {
        if claim.at < end {
            return Err(Error::Overlap { archive: archive.to_owned() });
        }
        if claim.at > end {
            return Err(trailing(archive, end));
        }
        let next = order.get(i + 1).map_or(directory.at, |next| next.at);
        end = check_local(source, claim, next, archive)?;
    }
    match end.cmp(&directory.at) {
        std::cmp::Ordering::Equal => Ok(claims),
        std::cmp::Ordering::Less => Err(trailing(archive, end)),
        std::cmp::Ordering::Greater => Err(Error::Overlap { archive: archive.to_owned() }),
    }
}

/// Finds the end record, and the 64-bit one before it; they must be the last bytes, and the
/// directory must lie right before them.
fn find_directory(
    source: &mut (impl Read + Seek),
    len: u64,
    archive: &str,
) -> Result<Directory, Error> {
    let unreadable = |source| unreadable(archive, source);
    let tail_at = len.saturating_sub((END + usize::from(u16::MAX)) as u64);
    let tail = read(source, tail_at, len - tail_at).map_err(unreadable)?;
    let found = tail.windows(4).rposition(|w| w == b"PK\x05\x06");
    let found = found.ok_or_else(|| unreadable(invalid("it has no end record")))?;
    let end = tail.get(found..found + END);
    let end = end.ok_or_else(|| unreadable(invalid("its end record is cut short")))?;
    let (at, comment) = (tail_at + found as u64, u64::from(u16_at(end, 20)));
    let after = at + END as u64 + comment;
    if after < len {
        return Err(trailing(archive, after));
    }
    if after > len {
        return Err(unreadable(invalid("its comment is cut short")));
    }
    let said = [u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16))];
    let disks = [u16_at(end, 4), u16_at(end, 6)];
    if u16_at(end, 8) != u16_at(end, 10) || disks.iter().any(|d| !matches!(*d, 0 | u16::MAX)) {
        return Err(unreadable(invalid("it is in several parts")));
    }
    let (start, [entries, size, offset]) = match long_end(source, at).map_err(unreadable)? {
        Some((start, long)) => {
            let most = [u64::from(u16::MAX), u64::from(u32::MAX), u64::from(u32::MAX)];
            let agree = (0..3).all(|i| said[i] == long[i] || said[i] == most[i]);
            if !agree {
                return Err(unreadable(invalid("its two end records disagree")));
            }
            (start, long)
        }
        None => (at, said),
    };
    match offset.checked_add(size) {
        Some(end) if end == start => Ok(Directory { at: offset, size, entries }),
        // Offsets that count from behind a prefix are refused with the prefix itself.
        Some(end) if end < start => Err(trailing(archive, if offset == 0 { 0 } else { end })),
        _ => Err(unreadable(invalid("its directory is not where its end record says"))),
    }
}

/// The 64-bit end record: where it begins; entries, size and offset of the directory.
fn long_end(source: &mut (impl Read + Seek), end: u64) -> io::Result<Option<(u64, [u64; 3])>> {
    let Some(at) = end.checked_sub(LOCATOR) else { return Ok(None) };
    let locator = read(source, at, LOCATOR)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let start = u64_at(&locator, 8);
    let fits = at.checked_sub(start).filter(|size| *size >= 56);
    let size = fits.ok_or_else(|| invalid("its locator points nowhere"))?;
    let record = read(source, start, 56)?;
    let good = record.starts_with(b"PK\x06\x06")
        && u64_at(&record, 4).checked_add(12) == Some(size)
        && u32_at(&record, 16) == 0
        && u32_at(&record, 20) == 0
        && u64_at(&record, 24) == u64_at(&record, 32);
    if !good {
        return Err(invalid("its 64-bit end record is wrong"));
    }
    Ok(Some((start, [u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48)])))
}

/// The entries of the directory, which they must fill.
fn read_directory(mut bytes: &[u8], entries: u64) -> io::Result<Vec<Claim>> {
    let wrong = || invalid("its directory is not as its end record says");
    let mut claims = Vec::new();
    while !bytes.is_empty() {
        let header = bytes.get(..CENTRAL).filter(|h| h.starts_with(b"PK\x01\x02"));
        let header = header.ok_or_else(wrong)?;
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(header, at)));
        let rest = &bytes[CENTRAL..];
        let (name, rest) = rest.split_at_checked(name).ok_or_else(wrong)?;
        let (extra, rest) = rest.split_at_checked(extra).ok_or_else(wrong)?;
        let (_, rest) = rest.split_at_checked(comment).ok_or_else(wrong)?;
        bytes = rest;
        let [packed, size, at] = [20, 24, 42].map(|at| u32_at(header, at));
        let [size, packed, at] = long_numbers(extra, [size, packed, at]).ok_or_else(wrong)?;
        if !same_name(extra, name) {
            return Err(invalid("an entry has two names, one of them in an extra field"));
        }
        claims.push(Claim {
            name: name.to_vec(),
            at,
            size,
            packed,
            checksum: u32_at(header, 16),
            method: u16_at(header, 10),
            flags: u16_at(header, 8),
        });
    }
    if claims.len() as u64 == entries { Ok(claims) } else { Err(wrong()) }
}

/// Compares an entry's local header, and its data descriptor, with the directory; gives where the
/// entry ends. `next` is where the next record begins.
fn check_local(
    source: &mut (impl Read + Seek),
    claim: &Claim,
    next: u64,
    archive: &str,
) -> Result<u64, Error> {
    let unreadable = |source| unreadable(archive, source);
    let disagree = |what| {
        let (archive, entry) = (archive.to_owned(), shown(&claim.name));
        Err(Error::Disagree { archive, entry, what })
    };
    let overlap = || Error::Overlap { archive: archive.to_owned() };
    let header = read(source, claim.at, LOCAL as u64).map_err(unreadable)?;
    if !header.starts_with(b"PK\x03\x04") {
        return disagree("where it is");
    }
    let (flags, method) = (u16_at(&header, 6), u16_at(&header, 8));
    let [name, extra] = [26, 28].map(|at| u64::from(u16_at(&header, at)));
    let names = read(source, claim.at + LOCAL as u64, name + extra).map_err(unreadable)?;
    let (name, extra) = names.split_at(name as usize);
    if name != claim.name || !same_name(extra, name) {
        return disagree("its name");
    }
    if method != claim.method {
        return disagree("its compression");
    }
    let differ = flags ^ claim.flags;
    if differ & ENCRYPTED_FLAGS != 0 {
        return disagree("whether it is encrypted");
    }
    if differ & UTF8_FLAG != 0 && !name.is_ascii() {
        return disagree("how its name is written");
    }
    let sizes = [22, 18].map(|at| u32_at(&header, at));
    let said = long_numbers(extra, [sizes[0], sizes[1], 0]);
    let later = flags & DESCRIPTOR_FLAG != 0;
    let is = [claim.size, claim.packed];
    let agree =
        |said: &[u64]| said.iter().zip(is).all(|(said, is)| *said == is || later && *said == 0);
    // With a descriptor, a header may say that sizes are long without giving them.
    let long_later = later && sizes.iter().all(|size| matches!(*size, 0 | u32::MAX));
    if !said.as_ref().map_or(long_later, |said| agree(&said[..2])) {
        return disagree("its size");
    }
    let checksum = u32_at(&header, 14);
    if checksum != claim.checksum && !(later && checksum == 0) {
        return disagree("its checksum");
    }
    let data = claim.at + (LOCAL + names.len()) as u64;
    let end = data.checked_add(claim.packed).filter(|end| *end <= next).ok_or_else(overlap)?;
    if !later {
        return Ok(end);
    }
    // A longer gap is refused by who looks for gaps.
    let bytes = read(source, end, (next - end).min(24)).map_err(unreadable)?;
    match descriptor(&bytes, claim) {
        Some(size) => Ok(end + size),
        None => disagree("its data descriptor"),
    }
}

/// The length of the descriptor that these bytes begin with, if it is the one of the entry: with or
/// without a signature, of 32 or 64 bits.
fn descriptor(bytes: &[u8], claim: &Claim) -> Option<u64> {
    let short: Option<Vec<u8>> = (|| {
        let [packed, size] = [claim.packed, claim.size].map(|n| u32::try_from(n).ok());
        Some([claim.checksum, packed?, size?].iter().flat_map(|n| n.to_le_bytes()).collect())
    })();
    let mut long = claim.checksum.to_le_bytes().to_vec();
    long.extend(claim.packed.to_le_bytes());
    long.extend(claim.size.to_le_bytes());
    // The longest first: the short form of an empty entry also begins its long form.
    let forms = [Some(long), short];
    let mut best = None;
    for form in forms.into_iter().flatten() {
        let signed = [b"PK\x07\x08", form.as_slice()].concat();
        for form in [signed, form] {
            if bytes.len() == form.len() && bytes == form {
                return Some(form.len() as u64);
            }
            if best.is_none() && bytes.starts_with(&form) {
                best = Some(form.len() as u64);
            }
        }
    }
    best
}

/// Size, packed size and offset, each from the 64-bit extra field where the header has no room.
fn long_numbers(extra: &[u8], short: [u32; 3]) -> Option<[u64; 3]> {
    let mut long = None;
    for (id, value) in fields(extra) {
        // Two of them would be two words on the same thing.
        if id == 1 && long.replace(value).is_some() {
            return None;
        }
    }
    let mut long = long.unwrap_or(&[]);
    let mut out = [0; 3];
    for (out, short) in out.iter_mut().zip(short) {
        *out = u64::from(short);
        if short == u32::MAX {
            let (number, rest) = long.split_first_chunk::<8>()?;
            *out = u64::from_le_bytes(*number);
            long = rest;
        }
    }
    Some(out)
}

/// Whether no extra field gives the entry another name (APPNOTE 4.6.9).
fn same_name(extra: &[u8], name: &[u8]) -> bool {
    fields(extra).all(|(id, value)| id != 0x7075 || value.get(5..) == Some(name))
}

/// Extra fields: identifier and value. What is too short for one is padding.
fn fields(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = extra.get(..4)?;
        let value = extra.get(4..4 + usize::from(u16_at(header, 2)))?;
        extra = &extra[4 + value.len()..];
        Some((u16_at(header, 0), value))
    })
}

fn read(source: &mut (impl Read + Seek), at: u64, len: u64) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    // Never more than there is: a length is a claim.
    let mut bytes = Vec::new();
    source.by_ref().take(len).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn trailing(archive: &str, at: u64) -> Error {
    Error::Trailing { archive: archive.to_owned(), at }
}

fn unreadable(archive: &str, source: io::Error) -> Error {
    Error::Unreadable { archive: archive.to_owned(), format: Format::Zip, source }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
