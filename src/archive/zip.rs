//! Zip: the central directory as entries.
//!
//! Reference: APPNOTE.TXT (PKWARE), sections 4.3 and 4.4. The central directory is believed once
//! [`records`] found that nothing contradicts it. Refuses encryption, methods other than stored and
//! deflated, and attributes of devices.

use std::fs::File;
use std::io;

use zip::result::ZipError;
use zip::{CompressionMethod, System, ZipArchive};

use super::body::Body;
use super::error::shown;
use super::index::{Raw, RawKind, refused};
use super::limits::{Limits, MAX_TARGET};
use super::window::Window;
use super::{Error, Format, Refusal, records};

/// The central directory's entries, links with their targets.
pub(super) fn index(file: File, archive: &str, limits: &Limits) -> Result<(Vec<Raw>, Body), Error> {
    let unreadable = |source: io::Error| Error::Unreadable {
        archive: archive.to_owned(),
        format: Format::Zip,
        source,
    };
    let len = file.metadata().map_err(unreadable)?.len();
    let mut window = Window::new(file).map_err(unreadable)?;
    let claims = records::check(&mut window, len, archive, limits)?;
    let reader = ZipArchive::new(window).map_err(|e| unreadable(plain(e)))?;
    let other = || unreadable(io::Error::new(io::ErrorKind::InvalidData, "its records differ"));
    if reader.len() != claims.len() || reader.offset() != 0 {
        return Err(other());
    }
    let mut raws = Vec::with_capacity(reader.len());
    let mut links = Vec::new();
    for (at, claim) in claims.iter().enumerate() {
        let entry = reader.by_index_data(at).map_err(|e| unreadable(plain(e)))?;
        if (entry.name_raw(), entry.size(), entry.header_start())
            != (claim.name.as_slice(), claim.size, claim.at)
        {
            return Err(other());
        }
        let name = entry.name_raw().to_vec();
        let refuse = |why| refused(archive, &name, why);
        if entry.encrypted() {
            return Err(Error::Encrypted { archive: archive.to_owned(), entry: shown(&name) });
        }
        let method = entry.compression();
        if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(Error::Unsupported {
                archive: archive.to_owned(),
                entry: shown(&name),
                what: format!("the compression method `{method}`"),
            });
        }
        let unix = matches!(entry.system(), System::Unix | System::OsDarwin);
        let mode = if unix { entry.external_attributes() >> 16 } else { 0 };
        let kind = match kind(mode).map_err(refuse)? {
            Kind::Symlink if name.ends_with(b"/") => return Err(refuse(Refusal::Contents)),
            _ if name.ends_with(b"/") => Kind::Directory,
            kind => kind,
        };
        let kind = match kind {
            Kind::Directory if entry.size() > 0 => return Err(refuse(Refusal::Contents)),
            Kind::Directory => RawKind::Directory,
            Kind::File if mode & 0o6000 != 0 => return Err(refuse(Refusal::SetId)),
            Kind::File => RawKind::File {
                executable: mode & 0o100 != 0,
                size: entry.size(),
                place: at as u64,
            },
            Kind::Symlink if entry.size() > MAX_TARGET => {
                return Err(refuse(Refusal::LinkTarget(format!("{} bytes", entry.size()))));
            }
            Kind::Symlink => {
                links.push((at, entry.size()));
                RawKind::Symlink(Vec::new())
            }
        };
        raws.push(Raw { name, kind });
    }
    // The target of a link is its contents.
    let mut body = Body::Zip(reader);
    let mut buffer = Vec::new();
    for (at, size) in links {
        let mut target = Vec::new();
        body.stream(at as u64, size, size, &mut buffer, |part| {
            target.extend_from_slice(part);
            Ok(())
        })
        .map_err(|fault| fault.of(archive, &shown(&raws[at].name)))?;
        raws[at].kind = RawKind::Symlink(target);
    }
    Ok((raws, body))
}

enum Kind {
    Directory,
    File,
    Symlink,
}

/// By the file type bits of a Unix mode; none at all means a file.
fn kind(mode: u32) -> Result<Kind, Refusal> {
    Ok(match mode & 0o170_000 {
        0 | 0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Symlink,
        0o020_000 => return Err(Refusal::Special("character device")),
        0o060_000 => return Err(Refusal::Special("block device")),
        0o010_000 => return Err(Refusal::Special("named pipe")),
        0o140_000 => return Err(Refusal::Special("socket")),
        _ => return Err(Refusal::Special("thing of unknown type")),
    })
}

fn plain(error: ZipError) -> io::Error {
    error.into()
}
