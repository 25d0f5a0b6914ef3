//! 7z: its blocks inflated one after the other, since the files of a block share one stream.
//!
//! Refuses encryption, anti-items and set-ID files. Reference: the format's description in the LZMA
//! SDK (`7zFormat.txt`); the upper half of the attributes holds Unix modes where bit 15 says so, as
//! p7zip writes them. Invariant: each file was compared with its checksum before the index is given.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};

use sevenz_rust2::{ArchiveEntry, ArchiveReader, EncoderMethod, Password};

use super::body::Body;
use super::error::shown;
use super::index::{Raw, RawKind, refused, too_many};
use super::inflate::temporary;
use super::limits::{Limits, MAX_TARGET, MAX_WINDOW};
use super::{Error, Format, Refusal};

/// Bit of the attributes that says that a Unix mode follows.
const UNIX: u32 = 0x8000;

/// The entries, places being offsets of an anonymous temporary file.
pub(super) fn index(
    file: File,
    archive: &str,
    packed: u64,
    limits: &Limits,
) -> Result<(Vec<Raw>, Body), Error> {
    let mut out = tempfile::tempfile().map_err(|e| temporary("create", e))?;
    let memory = usize::try_from(MAX_WINDOW >> 10).unwrap_or(usize::MAX);
    let mut reader = ArchiveReader::new_with_memory_limit(file, Password::empty(), memory)
        .map_err(|e| explain(e, archive, ""))?;
    reader.set_thread_count(1);
    if reader.archive().files.len() > limits.entries {
        return Err(too_many(archive, limits));
    }
    if let Some(at) = (0..reader.archive().files.len()).find(|at| encrypted(&reader, *at)) {
        let entry = shown(reader.archive().files[at].name.as_bytes());
        return Err(Error::Encrypted { archive: archive.to_owned(), entry });
    }
    let mut take = Take { archive, packed, limits, raws: Vec::new(), out: &mut out, at: 0 };
    // The reader has errors of its own: ours goes around it.
    let mut ours = None;
    let mut current = String::new();
    let read = reader.for_each_entries(|entry, bytes| {
        current.clone_from(&entry.name);
        match take.entry(entry, bytes) {
            Ok(()) => Ok(true),
            Err(Stop::Read(e)) => Err(e.into()),
            Err(Stop::Ours(e)) => {
                ours = Some(e);
                Err(sevenz_rust2::Error::Other("stopped".into()))
            }
        }
    });
    if let Some(error) = ours {
        return Err(error);
    }
    read.map_err(|e| explain(e, archive, &current))?;
    let raws = take.raws;
    out.rewind().map_err(|e| temporary("write", e))?;
    Ok((raws, Body::Flat(out)))
}

fn encrypted(reader: &ArchiveReader<File>, at: usize) -> bool {
    reader.archive().is_file_encrypted(at)
}

enum Stop {
    /// The archive's bytes.
    Read(io::Error),
    /// A rule, or the disk.
    Ours(Error),
}

struct Take<'a> {
    archive: &'a str,
    packed: u64,
    limits: &'a Limits,
    raws: Vec<Raw>,
    out: &'a mut File,
    at: u64,
}

impl Take<'_> {
    fn entry(&mut self, entry: &ArchiveEntry, bytes: &mut dyn Read) -> Result<(), Stop> {
        let name = entry.name.as_bytes();
        let refuse = |why| Stop::Ours(refused(self.archive, name, why));
        if entry.is_anti_item {
            return Err(Stop::Ours(Error::Unsupported {
                archive: self.archive.to_owned(),
                entry: shown(name),
                what: "anti-items".to_owned(),
            }));
        }
        let attributes = entry.windows_attributes;
        let mode = if attributes & UNIX == 0 { 0 } else { attributes >> 16 };
        let kind = mode & 0o170_000;
        if entry.is_directory || kind == 0o040_000 {
            self.raws.push(Raw { name: name.to_vec(), kind: RawKind::Directory });
            return Ok(());
        }
        if mode & 0o6000 != 0 {
            return Err(refuse(Refusal::SetId));
        }
        match kind {
            0o120_000 => {
                let mut target = Vec::new();
                bytes.take(MAX_TARGET + 1).read_to_end(&mut target).map_err(Stop::Read)?;
                self.raws.push(Raw { name: name.to_vec(), kind: RawKind::Symlink(target) });
            }
            0 | 0o100_000 => {
                let place = self.at;
                self.copy(bytes)?;
                let size = self.at - place;
                self.raws.push(Raw::file(name, mode & 0o100 != 0, size, place));
            }
            _ => return Err(refuse(Refusal::Special("device, pipe or socket"))),
        }
        Ok(())
    }

    fn copy(&mut self, bytes: &mut dyn Read) -> Result<(), Stop> {
        let mut buffer = [0; 64 << 10];
        loop {
            let n = match bytes.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Stop::Read(e)),
            };
            self.at += n as u64;
            let archive = || self.archive.to_owned();
            if self.at > self.limits.expanded {
                let limit = self.limits.expanded;
                return Err(Stop::Ours(Error::TooLarge { archive: archive(), limit }));
            }
            if self.limits.ratio_exceeded(self.at, self.packed) {
                let limit = self.limits.ratio;
                return Err(Stop::Ours(Error::Ratio { archive: archive(), limit }));
            }
            self.out.write_all(&buffer[..n]).map_err(|e| Stop::Ours(temporary("write", e)))?;
        }
    }
}

fn explain(error: sevenz_rust2::Error, archive: &str, entry: &str) -> Error {
    use sevenz_rust2::Error as Theirs;
    let archive = archive.to_owned();
    let entry = if entry.is_empty() { "its index".to_owned() } else { shown(entry.as_bytes()) };
    match error {
        Theirs::PasswordRequired | Theirs::MaybeBadPassword(_) => {
            Error::Encrypted { archive, entry }
        }
        Theirs::UnsupportedCompressionMethod(method) if is_aes(&method) => {
            Error::Encrypted { archive, entry }
        }
        Theirs::UnsupportedCompressionMethod(method) => {
            Error::Unsupported { archive, entry, what: format!("the compression `{method}`") }
        }
        Theirs::ExternalUnsupported | Theirs::Unsupported(_) => {
            Error::Unsupported { archive, entry, what: error.to_string() }
        }
        Theirs::Io(e, _) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Truncated { archive }
        }
        other => {
            let source = io::Error::new(io::ErrorKind::InvalidData, other.to_string());
            Error::Unreadable { archive, format: Format::SevenZ, source }
        }
    }
}

fn is_aes(method: &str) -> bool {
    method.contains("AES") || method == format!("{:?}", EncoderMethod::ID_AES256_SHA256)
}
