//! Archive formats, and how a file name tells them.

use serde::{Deserialize, Serialize};

/// How an artifact is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A zip archive; wheels are these.
    Zip,
    /// A tar archive compressed with gzip; npm tarballs are these.
    TarGz,
    /// A tar archive.
    Tar,
    /// One executable file.
    File,
}

impl Format {
    /// By the file's name; `None` for an archive format that is not read.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|s| name.ends_with(s));
        if ends(&[".whl", ".zip"]) {
            Some(Self::Zip)
        } else if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::TarGz)
        } else if ends(&[".tar"]) {
            Some(Self::Tar)
        } else if ends(&[
            ".xz", ".bz2", ".zst", ".7z", ".gz", ".txz", ".tbz", ".deb", ".rpm", ".dmg", ".msi",
        ]) {
            None
        } else {
            Some(Self::File)
        }
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
            ("tool.tar", Some(Format::Tar)),
            ("tool", Some(Format::File)),
            ("tool.exe", Some(Format::File)),
            ("tool-1.0", Some(Format::File)),
            ("tool.tar.xz", None),
            ("tool.tar.zst", None),
            ("tool.gz", None),
            ("tool.deb", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }
}
