//! Tar: its headers as entries.
//!
//! Reference: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; the GNU tar
//! manual for long names. Refuses sparse files, devices and pipes, links and
//! directories with contents, headers that readers understand differently, an archive without its
//! closing zeros, which was cut short, and bytes after them.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

use tar::EntryType;

use super::body::Body;
use super::error::shown;
use super::extended::{self, Fault};
use super::index::{Names, Raw, RawKind, refused, too_many};
use super::limits::{Limits, MAX_HEADERS, MAX_PATH, MAX_TARGET};
use super::{Error, Format, Note, Refusal};

const BLOCK: u64 = 512;

/// What happens to entries that no tree can hold.
pub(super) enum Strictness {
    /// They are refused.
    Refuse,
    /// Devices and pipes are left out and set-ID bits dropped; each is told. Images hold them for
    /// their containers' sake, not to be run from a store.
    Tell(Vec<Note>),
}

impl Strictness {
    fn tell(&mut self, name: &[u8], why: Refusal, archive: &str) -> Result<(), Error> {
        match self {
            Self::Refuse => Err(refused(archive, name, why)),
            Self::Tell(notes) => {
                notes.push(Note { entry: shown(name), why });
                Ok(())
            }
        }
    }
}

/// The entries of a tar, places being offsets.
pub(super) fn index(
    file: File,
    archive: &str,
    limits: &Limits,
    strictness: &mut Strictness,
) -> Result<(Vec<Raw>, Body), Error> {
    let unreadable = |source: io::Error| Error::Unreadable {
        archive: archive.to_owned(),
        format: Format::Tar,
        source,
    };
    let truncated = || Error::Truncated { archive: archive.to_owned() };
    let len = file.metadata().map_err(unreadable)?.len();
    let allowance = Cell::new(MAX_HEADERS);
    let mut raws = Vec::new();
    let (mut end, mut count) = (0, 0);
    let mut names = Names::new(archive);
    (&file).rewind().map_err(unreadable)?;
    let mut reader = tar::Archive::new(Metered { file: &file, allowance: &allowance });
    for entry in reader.entries_with_seek().map_err(unreadable)? {
        let entry = entry.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => truncated(),
            _ => unreadable(e),
        })?;
        allowance.set(MAX_HEADERS);
        let (place, size) = (entry.raw_file_position(), entry.size());
        let (before, header) = (end, entry.raw_header_position());
        // Its size is not the number of its bytes.
        if entry.header().entry_type().is_gnu_sparse() {
            return Err(unsupported(archive, &entry.path_bytes(), "sparse files"));
        }
        end = place.checked_add(size).ok_or_else(truncated)?;
        if end > len {
            return Err(truncated());
        }
        end = end.next_multiple_of(BLOCK);
        if count == limits.entries {
            return Err(too_many(archive, limits));
        }
        count += 1;
        let name = entry.path_bytes().into_owned();
        let refuse = |why| Err(refused(archive, &name, why));
        let faulty = |fault| match fault {
            Fault::Refused(why) => refused(archive, &name, why),
            Fault::Sparse => unsupported(archive, &name, "sparse files"),
            Fault::Io(e) => unreadable(e),
        };
        extended::check_number(&entry.header().as_old().size).map_err(unreadable)?;
        extended::check(&file, before, header).map_err(faulty)?;
        let global = entry.header().entry_type().is_pax_global_extensions();
        if global {
            if before != header {
                return refuse(Refusal::Ambiguous("a global header comes between them and it"));
            }
            extended::check_global(&file, place, size, MAX_HEADERS).map_err(faulty)?;
            continue;
        }
        // What is too long is not kept until all is read: names compress well.
        if name.len() > MAX_PATH {
            return refuse(Refusal::TooLong);
        }
        let mode = entry.header().mode().map_err(unreadable)?;
        let target = entry.link_name_bytes().map(|t| t.into_owned()).unwrap_or_default();
        if target.len() as u64 > MAX_TARGET {
            return refuse(Refusal::LinkTarget(format!("{} bytes", target.len())));
        }
        names.add(name.len() + target.len())?;
        let kind = match entry.header().entry_type() {
            // Before ustar, a directory was a file with a slash at the end.
            EntryType::Regular if name.ends_with(b"/") && size == 0 => RawKind::Directory,
            EntryType::Regular | EntryType::Continuous => {
                if mode & 0o6000 != 0 {
                    strictness.tell(&name, Refusal::SetId, archive)?;
                }
                if name.ends_with(b"/") {
                    return refuse(Refusal::Contents);
                }
                RawKind::File { executable: mode & 0o100 != 0, size, place }
            }
            EntryType::Directory => RawKind::Directory,
            EntryType::Symlink => RawKind::Symlink(target),
            EntryType::Link => {
                if mode & 0o6000 != 0 {
                    strictness.tell(&name, Refusal::SetId, archive)?;
                }
                RawKind::HardLink(target)
            }
            special @ (EntryType::Char | EntryType::Block | EntryType::Fifo) => {
                let what = match special {
                    EntryType::Char => "character device",
                    EntryType::Block => "block device",
                    _ => "named pipe",
                };
                strictness.tell(&name, Refusal::Special(what), archive)?;
                continue;
            }
            other => {
                let what = format!("the entry type `{}`", other.as_byte().escape_ascii());
                return Err(unsupported(archive, &name, &what));
            }
        };
        if size > 0 && !matches!(kind, RawKind::File { .. }) {
            return refuse(Refusal::Contents);
        }
        raws.push(Raw { name, kind });
    }
    // Only the closing zeros tell an archive's end from a cut between two entries.
    let mut block = [1; BLOCK as usize];
    match file.read_exact_at(&mut block, end) {
        Ok(()) if block.iter().all(|b| *b == 0) => {}
        Ok(()) => return Err(truncated()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(truncated()),
        Err(e) => return Err(unreadable(e)),
    }
    // Some readers go on after zeros: to them what follows is more of the tree.
    if let Some(at) = first_byte(&file, end + BLOCK).map_err(unreadable)? {
        return Err(Error::Trailing { archive: archive.to_owned(), at });
    }
    Ok((raws, Body::Flat(file)))
}

/// Where the first byte is that is not zero, from a position on.
fn first_byte(file: &File, mut at: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match file.read_at(&mut buffer, at) {
            Ok(0) => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if let Some(found) = buffer[..n].iter().position(|b| *b != 0) {
            return Ok(Some(at + found as u64));
        }
        at += n as u64;
    }
}

fn unsupported(archive: &str, name: &[u8], what: &str) -> Error {
    Error::Unsupported { archive: archive.to_owned(), entry: shown(name), what: what.to_owned() }
}

/// The file, with an allowance of bytes: contents are skipped by seeking, so that only headers are
/// read, and long names are held in memory.
struct Metered<'a> {
    file: &'a File,
    allowance: &'a Cell<u64>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        let left = self.allowance.get().checked_sub(n as u64);
        self.allowance.set(left.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "more than 1 MiB of headers for one entry")
        })?);
        Ok(n)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
