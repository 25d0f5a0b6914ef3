//! Why an archive is refused.
//!
//! Owns the room's errors. [`Refusal`] is what is wrong with one entry; [`Error`] adds the archive.
//! Everything that a well-meant archive never holds is an integrity error; what we merely do not
//! read, or the user asked for wrongly, is the user's to change.

use std::io;
use std::path::PathBuf;

use super::Format;
use super::names::{is_control, is_ignored};
use crate::base::{Diagnose, Hint, Kind};

/// Why one entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is not Unicode.
    #[error("its name is not UTF-8")]
    NotUtf8,
    /// The name is empty, or means the root.
    #[error("it has no name")]
    Nameless,
    /// The name begins with `/` or a drive.
    #[error("its path is absolute")]
    Absolute,
    /// A `..` in the name.
    #[error("its path leaves the tree through `..`")]
    Parent,
    /// An empty or `.` component.
    #[error("its path has an empty or `.` component")]
    OddComponent,
    /// A backslash, which some systems take for a slash.
    #[error("its path has a backslash")]
    Backslash,
    /// NUL, line feed, escape and the like; characters that turn the direction of text.
    #[error("its path has a control character")]
    Control,
    /// A name that Windows reserves or cannot hold.
    #[error("its path has the component `{0}`, which Windows cannot hold")]
    Windows(String),
    /// Extended headers that readers understand differently.
    #[error("its extended headers are ambiguous: {0}")]
    Ambiguous(&'static str),
    /// A path or component that is too long.
    #[error("its path is too long (at most 4096 bytes, 255 for each component)")]
    TooLong,
    /// Too many components.
    #[error("its path is too deep (at most 128 components)")]
    TooDeep,
    /// The same path twice.
    #[error("the path occurs twice")]
    Duplicate,
    /// A path that some filesystems take for another one.
    #[error("the path is the same as `{0}` where case or Unicode form do not count")]
    Collides(String),
    /// A file with something below it.
    #[error("its parent `{0}` is a file")]
    BelowFile(String),
    /// A link with something below it.
    #[error("its parent `{0}` is a symbolic link")]
    BelowLink(String),
    /// A link out of the tree.
    #[error("it links to `{0}`, outside the tree")]
    LinkEscapes(String),
    /// Links that go in circles, or too far to follow.
    #[error("it links to `{0}`, which leads through too many links")]
    LinkLoops(String),
    /// A target that is empty, too long or holds odd characters.
    #[error("it links to `{0}`, which is no path")]
    LinkTarget(String),
    /// A hard link to something that is not an earlier file of the archive.
    #[error("it is a hard link to `{0}`, which is no earlier file of the archive")]
    HardLink(String),
    /// A device, a pipe, a socket.
    #[error("it is a {0}")]
    Special(&'static str),
    /// A set-user-ID or set-group-ID file.
    #[error("it has the set-user-ID or set-group-ID bit")]
    SetId,
    /// A link or directory with contents, which programs read differently.
    #[error("it is no file but has contents")]
    Contents,
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry is hostile.
    #[error("{archive} is refused because of its entry `{entry}`: {why}")]
    Refused {
        /// The archive, as shown.
        archive: String,
        /// The entry, odd characters escaped.
        entry: String,
        /// What is wrong with it.
        why: Refusal,
    },
    /// The bytes are not of the format, or end early.
    #[error("{archive} is not a readable {format} archive")]
    Unreadable {
        /// The archive, as shown.
        archive: String,
        /// What it should have been.
        format: Format,
        /// What its reader says.
        source: io::Error,
    },
    /// The archive ends before its contents do.
    #[error("{archive} is cut short")]
    Truncated {
        /// The archive, as shown.
        archive: String,
    },
    /// Too many entries.
    #[error("{archive} has more than {limit} entries")]
    TooManyEntries {
        /// The archive, as shown.
        archive: String,
        /// Most entries accepted.
        limit: usize,
    },
    /// Too many archives over each other.
    #[error("{archive} is made of more than {limit} archives")]
    TooManyLayers {
        /// The stack, as shown.
        archive: String,
        /// Most archives accepted.
        limit: usize,
    },
    /// A program or library that cannot be told where its libraries are.
    #[error("`{entry}` in {archive} cannot be linked to the libraries of its tree: {why}")]
    Unlinkable {
        /// The archive, as shown.
        archive: String,
        /// The program or library.
        entry: String,
        /// What is in the way.
        why: &'static str,
    },
    /// Too many bytes.
    #[error("{archive} expands to more than {limit} bytes")]
    TooLarge {
        /// The archive, as shown.
        archive: String,
        /// Most bytes accepted.
        limit: u64,
    },
    /// A compression bomb.
    #[error("{archive} expands to more than {limit} times its size")]
    Ratio {
        /// The archive, as shown.
        archive: String,
        /// Highest ratio accepted.
        limit: u64,
    },
    /// Zip entries that share bytes.
    #[error("{archive} has entries that overlap each other")]
    Overlap {
        /// The archive, as shown.
        archive: String,
    },
    /// Bytes that no entry claims.
    #[error("{archive} has data at byte {at} that belongs to none of its entries")]
    Trailing {
        /// The archive, as shown.
        archive: String,
        /// Where they begin, in the archive without its compression.
        at: u64,
    },
    /// Two headers of one zip entry.
    #[error("`{entry}` in {archive} has two headers that disagree about {what}")]
    Disagree {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
        /// What they say differently.
        what: &'static str,
    },
    /// Paths of a size that no well-meant archive has.
    #[error("{archive} has paths of more than {limit} bytes together")]
    Names {
        /// The archive, as shown.
        archive: String,
        /// Most bytes accepted.
        limit: usize,
    },
    /// Contents of another size than the index says.
    #[error("`{entry}` in {archive} does not have the {announced} bytes that its header announces")]
    Size {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
        /// Bytes announced.
        announced: u64,
    },
    /// Contents that cannot be decompressed, or whose checksum is wrong.
    #[error("`{entry}` in {archive} is damaged")]
    Damaged {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
        /// What the decompressor says.
        source: io::Error,
    },
    /// An encrypted entry.
    #[error("`{entry}` in {archive} is encrypted")]
    Encrypted {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
    },
    /// A feature of the format that is not read.
    #[error("`{entry}` in {archive} needs {what}, which is not supported")]
    Unsupported {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
        /// What it needs.
        what: String,
    },
    /// Stripping would leave an entry without a name.
    #[error(
        "nothing is left of the path `{entry}` in {archive} without its first {strip} components"
    )]
    Stripped {
        /// The archive, as shown.
        archive: String,
        /// The entry.
        entry: String,
        /// Components to drop.
        strip: u8,
    },
    /// A path that names no file of the tree.
    #[error("{archive} has no file `{entry}`")]
    NoFile {
        /// The archive, as shown.
        archive: String,
        /// The path asked for.
        entry: String,
    },
    /// The place to unpack into holds something already.
    #[error("cannot unpack into `{}`: it is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The index and the serialiser disagree.
    #[error("cannot serialise the tree of {archive}")]
    Serialise {
        /// The archive, as shown.
        archive: String,
        /// What the serialiser says.
        source: crate::nar::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Fs(#[from] crate::fs::Error),
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::Truncated { .. }
            | Self::TooManyEntries { .. }
            | Self::TooManyLayers { .. }
            | Self::TooLarge { .. }
            | Self::Ratio { .. }
            | Self::Overlap { .. }
            | Self::Trailing { .. }
            | Self::Disagree { .. }
            | Self::Names { .. }
            | Self::Size { .. }
            | Self::Damaged { .. } => Kind::Integrity,
            Self::Encrypted { .. }
            | Self::Unsupported { .. }
            | Self::Unlinkable { .. }
            | Self::Stripped { .. }
            | Self::NoFile { .. } => Kind::User,
            Self::NotEmpty { .. } | Self::Serialise { .. } => Kind::Bug,
            Self::Fs(e) => e.kind(),
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Refused { why: Refusal::Collides(_), .. } => {
                "the tree would differ between Linux and macOS; choose a version or another \
                 artifact without such names"
            }
            Self::Refused { why: Refusal::Windows(_), .. } => {
                "not every system can hold this tree; choose a version or another artifact without \
                 such names"
            }
            Self::Refused { .. }
            | Self::TooManyEntries { .. }
            | Self::TooManyLayers { .. }
            | Self::TooLarge { .. }
            | Self::Ratio { .. }
            | Self::Overlap { .. }
            | Self::Trailing { .. }
            | Self::Disagree { .. }
            | Self::Names { .. } => {
                "nothing was installed; do not use this artifact, and tell its publisher"
            }
            Self::Unreadable { .. }
            | Self::Truncated { .. }
            | Self::Size { .. }
            | Self::Damaged { .. } => {
                "nothing was installed; if the publisher's own download differs, clear the mirror's \
                 copy and run the same command again"
            }
            Self::Encrypted { .. } | Self::Unsupported { .. } => {
                "choose another artifact of this dep: zip (stored or deflated), tar, 7z, deb and single \
                 files are read, the latter also in gzip, xz, zstd and bzip2"
            }
            Self::Unlinkable { .. } => {
                "leave `closure` out, or choose another version of the package"
            }
            Self::Stripped { .. } => "lower `strip` in the profile",
            Self::NoFile { .. } => "check the path of the command in the profile's `bin`",
            Self::Fs(e) => return e.hints(),
            Self::NotEmpty { .. } | Self::Serialise { .. } => return Vec::new(),
        };
        vec![Hint::new(hint)]
    }
}

/// What went wrong with an entry's bytes, before it is known whose they are.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not the announced number of bytes.
    Size(u64),
    /// They cannot be decompressed.
    Damaged(io::Error),
    /// Their taker failed.
    Taker(Error),
}

impl Fault {
    /// The error of an entry.
    pub(super) fn of(self, archive: &str, entry: &str) -> Error {
        let (archive, entry) = (archive.to_owned(), entry.to_owned());
        match self {
            Self::Size(announced) => Error::Size { archive, entry, announced },
            Self::Damaged(source) => Error::Damaged { archive, entry, source },
            Self::Taker(error) => error,
        }
    }
}

/// A name from an archive as it can be shown.
pub(super) fn shown(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) => text
            .chars()
            .take(300)
            .flat_map(|c| {
                let hidden = is_control(c) || is_ignored(c);
                let odd = hidden.then(|| c.escape_default());
                let plain = (!hidden).then_some(c);
                odd.into_iter().flatten().chain(plain)
            })
            .collect(),
        Err(_) => name[..name.len().min(300)].escape_ascii().to_string(),
    }
}
