//! Archive formats, and how a file name tells them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an artifact is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A zip archive; wheels are these.
    Zip,
    /// A tar archive compressed with gzip; npm tarballs are these.
    TarGz,
    /// A tar archive compressed with xz.
    TarXz,
    /// A tar archive compressed with zstd.
    TarZst,
    /// A tar archive compressed with bzip2.
    #[serde(rename = "tar-bz2")]
    TarBz2,
    /// A tar archive.
    Tar,
    /// A 7z archive.
    #[serde(rename = "7z")]
    SevenZ,
    /// A Debian package: the tree of its `data.tar`.
    Deb,
    /// A layer of a container image: a tar archive over what lies below it.
    Layer,
    /// A layer compressed with gzip.
    LayerGz,
    /// A layer compressed with zstd.
    LayerZst,
    /// One executable file compressed with gzip.
    FileGz,
    /// One executable file compressed with xz.
    FileXz,
    /// One executable file compressed with zstd.
    FileZst,
    /// One executable file compressed with bzip2.
    #[serde(rename = "file-bz2")]
    FileBz2,
    /// One executable file.
    File,
}

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// The .xz file format, version 1.2.1.
    Xz,
    /// RFC 8878.
    Zstd,
    /// bzip2 1.0.
    Bzip2,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::Zip,
        Self::TarGz,
        Self::TarXz,
        Self::TarZst,
        Self::TarBz2,
        Self::Tar,
        Self::SevenZ,
        Self::Deb,
        Self::Layer,
        Self::LayerGz,
        Self::LayerZst,
        Self::FileGz,
        Self::FileXz,
        Self::FileZst,
        Self::FileBz2,
        Self::File,
    ];

    /// By the file's name; `None` for an archive format that is not read.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|s| name.ends_with(s));
        if ends(&[".whl", ".zip"]) {
            Some(Self::Zip)
        } else if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::TarGz)
        } else if ends(&[".tar.xz", ".txz"]) {
            Some(Self::TarXz)
        } else if ends(&[".tar.zst", ".tzst"]) {
            Some(Self::TarZst)
        } else if ends(&[".tar.bz2", ".tbz2", ".tbz"]) {
            Some(Self::TarBz2)
        } else if ends(&[".tar"]) {
            Some(Self::Tar)
        } else if ends(&[".7z"]) {
            Some(Self::SevenZ)
        } else if ends(&[".deb"]) {
            Some(Self::Deb)
        } else if ends(&[".tar.lz", ".tar.lzma", ".tar.z", ".tar.br", ".tar.lz4"]) {
            None
        } else if ends(&[".gz"]) {
            Some(Self::FileGz)
        } else if ends(&[".xz"]) {
            Some(Self::FileXz)
        } else if ends(&[".zst"]) {
            Some(Self::FileZst)
        } else if ends(&[".bz2"]) {
            Some(Self::FileBz2)
        } else if ends(&[".lz", ".lzma", ".rpm", ".apk", ".dmg", ".pkg", ".msi", ".rar", ".cab"]) {
            None
        } else {
            Some(Self::File)
        }
    }

    /// Whether it is a layer of a container image, whose names may remove what lies below and whose
    /// absolute links mean the image's root.
    pub fn is_layer(self) -> bool {
        matches!(self, Self::Layer | Self::LayerGz | Self::LayerZst)
    }

    /// Whether the tree is one executable file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::FileGz | Self::FileXz | Self::FileZst | Self::FileBz2)
    }

    /// How the whole artifact is compressed, where it is. The entries of zip and 7z and a Debian
    /// package's members have compressions of their own.
    pub fn compression(self) -> Option<Compression> {
        match self {
            Self::TarGz | Self::LayerGz | Self::FileGz => Some(Compression::Gzip),
            Self::TarXz | Self::FileXz => Some(Compression::Xz),
            Self::TarZst | Self::LayerZst | Self::FileZst => Some(Compression::Zstd),
            Self::TarBz2 | Self::FileBz2 => Some(Compression::Bzip2),
            Self::Zip | Self::Tar | Self::SevenZ | Self::Deb | Self::Layer | Self::File => None,
        }
    }
}

impl fmt::Display for Format {
    /// As file names end, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zip => "zip",
            Self::TarGz => "tar.gz",
            Self::TarXz => "tar.xz",
            Self::TarZst => "tar.zst",
            Self::TarBz2 => "tar.bz2",
            Self::Tar => "tar",
            Self::SevenZ => "7z",
            Self::Deb => "deb",
            Self::Layer => "image layer",
            Self::LayerGz => "gzip-compressed image layer",
            Self::LayerZst => "zstd-compressed image layer",
            Self::FileGz => "gz",
            Self::FileXz => "xz",
            Self::FileZst => "zst",
            Self::FileBz2 => "bz2",
            Self::File => "single-file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_by_name() {
        for (name, format) in [
            ("tool-1.0-py3-none-any.whl", Some(Format::Zip)),
            ("TOOL.ZIP", Some(Format::Zip)),
            ("tool-1.0.tgz", Some(Format::TarGz)),
            ("tool-1.0.tar.gz", Some(Format::TarGz)),
            ("tool.tar.xz", Some(Format::TarXz)),
            ("tool.txz", Some(Format::TarXz)),
            ("tool.tar.zst", Some(Format::TarZst)),
            ("tool.tar.bz2", Some(Format::TarBz2)),
            ("tool.tbz", Some(Format::TarBz2)),
            ("tool.tar", Some(Format::Tar)),
            ("tool_1.0-1_amd64.deb", Some(Format::Deb)),
            ("tool.gz", Some(Format::FileGz)),
            ("tool.exe.xz", Some(Format::FileXz)),
            ("tool.zst", Some(Format::FileZst)),
            ("tool.bz2", Some(Format::FileBz2)),
            ("tool", Some(Format::File)),
            ("tool.exe", Some(Format::File)),
            ("tool-1.0", Some(Format::File)),
            ("tool.AppImage", Some(Format::File)),
            ("tool.tar.lz", None),
            ("tool.7z", Some(Format::SevenZ)),
            ("tool.7z.001", Some(Format::File)),
            ("tool.rpm", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }

    #[test]
    fn names_in_the_lock() {
        let names = Format::ALL.map(|f| serde_json::to_string(&f).expect("json"));
        let want = [
            "zip",
            "tar-gz",
            "tar-xz",
            "tar-zst",
            "tar-bz2",
            "tar",
            "7z",
            "deb",
            "layer",
            "layer-gz",
            "layer-zst",
            "file-gz",
            "file-xz",
            "file-zst",
            "file-bz2",
            "file",
        ];
        assert_eq!(names, want.map(|name| format!("\"{name}\"")));
    }
}
