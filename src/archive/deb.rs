//! A Debian package: the tree of its `data.tar`.
//!
//! Reference: deb(5). Refuses packages of another major version, without data or with it twice, with
//! members out of order, and compressions that deb(5) no longer has. The control member is passed over: it holds scripts, and
//! none is ever run.
//!
//! An absolute link is meant against the root that a package is unpacked into. Here that root is
//! the tree, so `/etc/alternatives/x` becomes a relative link to the tree's own
//! `etc/alternatives/x`: what it names need not be in the tree, but it can never name the host's
//! file, and a link through `..` out of the tree stays refused.

use std::fs::File;
use std::io::{self, Read as _};

use super::ar::{self, Member};
use super::body::{At, Body};
use super::format::Compression;
use super::index::{Raw, RawKind};
use super::limits::Limits;
use super::links::inside;
use super::tar::Strictness;
use super::{Error, Format, inflate, tar};

/// The entries of a package's data.
pub(super) fn index(
    file: &File,
    archive: &str,
    limits: &Limits,
) -> Result<(Vec<Raw>, Body), Error> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated { archive: archive.to_owned() },
        _ => Error::Unreadable { archive: archive.to_owned(), format: Format::Deb, source },
    };
    let len = file.metadata().map_err(unreadable)?.len();
    let members = ar::members(file, len).map_err(unreadable)?;
    check_version(file, members.first()).map_err(unreadable)?;
    check_order(&members).map_err(unreadable)?;
    let mut data = members.iter().filter(|m| m.name.starts_with("data.tar"));
    let (Some(data), None) = (data.next(), data.next()) else {
        return Err(unreadable(invalid("it has no member `data.tar`, or several")));
    };
    let how = match data.name.as_str() {
        "data.tar" => None,
        "data.tar.gz" => Some(Compression::Gzip),
        "data.tar.xz" => Some(Compression::Xz),
        "data.tar.zst" => Some(Compression::Zstd),
        "data.tar.bz2" => Some(Compression::Bzip2),
        other => {
            return Err(Error::Unsupported {
                archive: archive.to_owned(),
                entry: other.to_owned(),
                what: "its compression".to_owned(),
            });
        }
    };
    let bytes = At { file, at: data.at }.take(data.size);
    let plain = match how {
        Some(how) => inflate::inflate(bytes, how, data.size, archive, Format::Deb, limits)?,
        None => inflate::copy(bytes, data.size, archive, Format::Deb, limits)?,
    };
    let (mut raws, body) = tar::index(plain, archive, limits, &mut Strictness::Refuse)?;
    for raw in &mut raws {
        if let RawKind::Symlink(target) = &mut raw.kind
            && target.starts_with(b"/")
        {
            *target = inside(&raw.name, target);
        }
    }
    Ok((raws, body))
}

/// `debian-binary` comes first and holds the format's version.
fn check_version(file: &File, first: Option<&Member>) -> io::Result<()> {
    let Some(first) = first.filter(|m| m.name == "debian-binary" && m.size <= 64) else {
        return Err(invalid("it does not begin with `debian-binary`"));
    };
    let mut text = String::new();
    At { file, at: first.at }.take(first.size).read_to_string(&mut text)?;
    match text.starts_with("2.") {
        true => Ok(()),
        false => Err(invalid("it is in another version of the format than 2")),
    }
}

/// `control.tar` comes once and before the data. Between them only members that begin with `_`, as
/// deb(5) has it; what follows the data is passed over.
fn check_order(members: &[Member]) -> io::Result<()> {
    let is_control = |m: &Member| m.name.starts_with("control.tar");
    if members.iter().filter(|m| is_control(m)).count() != 1 {
        return Err(invalid("it has no member `control.tar`, or several"));
    }
    let before = members.iter().skip(1).take_while(|m| !m.name.starts_with("data.tar"));
    let mut before = before.filter(|m| !m.name.starts_with('_'));
    match (before.next(), before.next()) {
        (Some(first), None) if is_control(first) => Ok(()),
        _ => Err(invalid("its members are not in order")),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
