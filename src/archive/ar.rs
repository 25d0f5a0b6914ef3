//! Ar: the members of an archive and where they lie.
//!
//! Reference: ar(5), the common format, as deb(5) uses it. Refuses what it does not spell exactly:
//! names with slashes (GNU and BSD long names are not used there), numbers that are none, members
//! that end beyond the file, more members than any package has. Invariant: members do not overlap,
//! and every byte of the file belongs to one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The first bytes.
pub(super) const MAGIC: &[u8; 8] = b"!<arch>\n";

/// Bytes of a member's header.
const HEADER: usize = 60;

/// A package has three; signatures may come on top.
const MAX_MEMBERS: usize = 32;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, without padding and the slash that GNU ar puts at its end.
    pub(super) name: String,
    /// Where its bytes begin.
    pub(super) at: u64,
    /// How many they are.
    pub(super) size: u64,
}

/// Lists the members of the first `len` bytes of a file.
pub(super) fn members(file: &File, len: u64) -> io::Result<Vec<Member>> {
    let mut magic = [0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0)?;
    if magic != *MAGIC {
        return Err(invalid("it does not begin as an ar archive"));
    }
    let mut members = Vec::new();
    let mut at = MAGIC.len() as u64;
    while at < len {
        if members.len() == MAX_MEMBERS {
            return Err(invalid("it has too many members"));
        }
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, at)?;
        let (name, size) = parse(&header).ok_or_else(|| invalid("a member's header is wrong"))?;
        at += HEADER as u64;
        let end = at.checked_add(size).filter(|end| *end <= len);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        members.push(Member { name, at, size });
        // Members begin at even offsets; the last one's padding may be missing.
        at = end + end % 2;
    }
    Ok(members)
}

/// Name and size: `name[16] time[12] uid[6] gid[6] mode[8] size[10] "`\n"`.
fn parse(header: &[u8; HEADER]) -> Option<(String, u64)> {
    if header[58..] != *b"`\n" {
        return None;
    }
    let name = std::str::from_utf8(&header[..16]).ok()?.trim_end_matches(' ');
    let name = name.strip_suffix('/').unwrap_or(name);
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    if name.is_empty() || !name.bytes().all(good) {
        return None;
    }
    let size = std::str::from_utf8(&header[48..58]).ok()?.trim_end_matches(' ');
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((name.to_owned(), size.parse().ok()?))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::make;
    use super::*;

    fn list(bytes: &[u8]) -> io::Result<Vec<Member>> {
        members(&make::file(bytes), bytes.len() as u64)
    }

    #[test]
    fn refuses_what_is_no_ar() {
        let good = make::ar(&[("debian-binary", b"2.0\n"), ("x", b"odd")]);
        assert_eq!(list(&good).expect("good").len(), 2);
        assert_eq!(list(&good[..good.len() - 1]).expect("padding may be missing").len(), 2);
        for cut in (1..good.len() - 1).filter(|cut| *cut != 8 && *cut != 72) {
            assert!(list(&good[..cut]).is_err(), "cut at {cut}");
        }
        for (at, byte) in [(0, b'?'), (8, b'/'), (8, 0xff), (56, b'-'), (57, b'x'), (66, b' ')] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(list(&bad).is_err(), "{at}");
        }
        let many: Vec<_> = (0..MAX_MEMBERS + 1).map(|_| ("m", &b""[..])).collect();
        assert!(list(&make::ar(&many)).is_err());
        assert!(list(b"").is_err());
    }

    proptest! {
        #[test]
        fn round_trip(
            all in prop::collection::vec(
                ("[a-z0-9_.+-]{1,15}", prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let borrowed: Vec<_> = all.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
            let bytes = make::ar(&borrowed);
            let found = list(&bytes).expect("members");
            prop_assert_eq!(found.len(), all.len());
            for (member, (name, body)) in found.iter().zip(&all) {
                prop_assert_eq!(&member.name, name);
                let at = member.at as usize;
                prop_assert_eq!(&bytes[at..at + member.size as usize], body.as_slice());
            }
        }

        #[test]
        fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool) {
            if magic {
                bytes.splice(..0, *MAGIC);
            }
            if let Ok(found) = list(&bytes) {
                for member in found {
                    prop_assert!(member.at + member.size <= bytes.len() as u64);
                }
            }
        }
    }
}
