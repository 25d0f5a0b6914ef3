//! The extended headers of a tar, read a second time and strictly.
//!
//! Reference: POSIX.1-2017, pax, "pax Extended Header"; the GNU tar manual for `L` and `K`. The
//! reader of tars takes the first record of a key, ends at an empty line, passes over what it
//! cannot parse and applies a record to whatever entry comes next; others do not. Refuses every
//! header of which two readers could make two trees: records that are not of the length they
//! say, the same key twice, a size that is no number, two names for one entry, and global records
//! that would rename or resize every entry. Invariant: what passes means one thing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::Refusal;

const BLOCK: u64 = 512;

/// What the headers before an entry say about it.
#[derive(Default)]
struct Says {
    path: bool,
    link: bool,
    size: bool,
}

/// A second word on the same thing.
fn once(said: &mut bool, what: &'static str) -> Result<(), Fault> {
    if std::mem::replace(said, true) {
        return Err(Fault::Refused(Refusal::Ambiguous(what)));
    }
    Ok(())
}

/// Why headers are not accepted.
#[derive(Debug)]
pub(super) enum Fault {
    /// They mean two things.
    Refused(Refusal),
    /// A feature that is not read.
    Sparse,
    /// They are not of the format, or cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Checks the headers that describe the entry whose own header is at `to`; `from` is where the
/// entry before it ends. The reader has read them already, so that they are no longer than it
/// allows.
pub(super) fn check(file: &File, from: u64, to: u64) -> Result<(), Fault> {
    let mut says = Says::default();
    let mut at = from;
    while at < to {
        let mut header = [0; BLOCK as usize];
        file.read_exact_at(&mut header, at)?;
        check_number(&header[124..136])?;
        let size = number(&header[124..136]).filter(|size| *size <= to - at);
        let size = size.ok_or_else(|| invalid("an extended header is longer than it can be"))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, at + BLOCK)?;
        match header[156] {
            b'L' => once(&mut says.path, "they give it two names")?,
            b'K' => once(&mut says.link, "they give it two link targets")?,
            _ => records(&bytes, |key, value| match key {
                b"path" => once(&mut says.path, "they give it two names"),
                b"linkpath" => once(&mut says.link, "they give it two link targets"),
                b"size" if !is_size(value) => {
                    Err(Fault::Refused(Refusal::Ambiguous("its size is no number")))
                }
                b"size" => once(&mut says.size, "they give it two sizes"),
                key if key.starts_with(b"GNU.sparse.") => Err(Fault::Sparse),
                _ => Ok(()),
            })?,
        }
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    Ok(())
}

/// Checks a global header's records, at `place`. Those that only describe (a comment, a time) are
/// passed over.
pub(super) fn check_global(file: &File, place: u64, size: u64, most: u64) -> Result<(), Fault> {
    if size > most {
        return Err(invalid("a global header is too long").into());
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, place)?;
    records(&bytes, |key, _| match key {
        b"path" | b"linkpath" | b"size" => {
            Err(Fault::Refused(Refusal::Ambiguous("they are global and say what each entry is")))
        }
        key if key.starts_with(b"GNU.sparse.") => Err(Fault::Sparse),
        _ => Ok(()),
    })
}

/// Checks that a header's number is written in one of the two ways that every reader reads alike:
/// octal digits, or 64 bits in base 256.
pub(super) fn check_number(field: &[u8]) -> Result<(), io::Error> {
    number(field).map(|_| ()).ok_or_else(|| invalid("a number in a header is none"))
}

/// Digits alone, and no more than 64 bits: the reader passes over any other size.
fn is_size(value: &[u8]) -> bool {
    let digits = value.iter().all(u8::is_ascii_digit);
    digits && std::str::from_utf8(value).is_ok_and(|text| text.parse::<u64>().is_ok())
}

fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        // Negative, or of more than 64 bits: readers cut it differently.
        let (high, low) = field.split_at_checked(field.len().checked_sub(8)?)?;
        let fits = high.first() == Some(&0x80) && high[1..].iter().all(|b| *b == 0);
        return fits.then_some(u64::from_be_bytes(low.try_into().ok()?));
    }
    let text = field.split(|b| *b == 0).next()?;
    let text = std::str::from_utf8(text).ok()?.trim_matches(' ');
    if text.is_empty() || !text.bytes().all(|b| matches!(b, b'0'..=b'7')) {
        return None;
    }
    u64::from_str_radix(text, 8).ok()
}

/// Hands on each record, `LENGTH KEY=VALUE\n`, the length counting itself.
fn records(
    mut bytes: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let bad = || Fault::Io(invalid("a record of an extended header is not of its length"));
    while !bytes.is_empty() {
        let space = bytes.iter().take(20).position(|b| *b == b' ').ok_or_else(bad)?;
        let digits = std::str::from_utf8(&bytes[..space]).map_err(|_| bad())?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let length: usize = digits.parse().map_err(|_| bad())?;
        let record = bytes.get(space + 1..length).ok_or_else(bad)?;
        let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        // The reader takes every line for a record.
        if key.is_empty() || record.contains(&b'\n') {
            return Err(Fault::Io(invalid("a record of an extended header has a line feed")));
        }
        each(key, value)?;
        bytes = &bytes[length..];
    }
    Ok(())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::make::pax_record;
    use super::*;

    #[test]
    fn numbers() {
        for (field, want) in [
            (&b"00000000017\0"[..], Some(15)),
            (b"         17 ", Some(15)),
            (b"17\0garbage\0\0", Some(15)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x02\0", Some(512)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\x02\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"+17\0\0\0\0\0\0\0\0\0", None),
            (b"-17\0\0\0\0\0\0\0\0\0", None),
            (b"9\0\0\0\0\0\0\0\0\0\0\0", None),
            (b"1 7\0\0\0\0\0\0\0\0\0", None),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field), want, "{}", field.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn records_round_trip(
            all in prop::collection::vec(("[a-zA-Z.]{1,12}", "[^\n\0]{0,30}"), 0..6),
        ) {
            let bytes: Vec<u8> = all.iter().flat_map(|(k, v)| pax_record(k, v)).collect();
            let mut found = Vec::new();
            records(&bytes, |k, v| {
                found.push((
                    String::from_utf8_lossy(k).into_owned(),
                    String::from_utf8_lossy(v).into_owned(),
                ));
                Ok(())
            })
            .expect("records");
            prop_assert_eq!(found, all);
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = records(&bytes, |_, _| Ok(()));
            let _ = number(&bytes);
        }
    }
}
