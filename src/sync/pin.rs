//! From bytes at hand to a pin: commands, what the executables say, tree hash. Blocking.
//!
//! Invariant: the options and executables that a pin was hashed with follow from the pin alone, so
//! that syncing unpacks the same tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::commands::{self, Refusal};
use super::error::{Error, Result};
use super::execute::shown;
use super::{listing, needs};
use crate::archive::{Archive, Format, Note, Options, Part};
use crate::base::{CommandName, DepName, Platform, RelPath, TreeHash, Version};
use crate::binary::Needs;
use crate::fs;
use crate::lock::model::Linking;
use crate::lock::object_suffix;
use crate::source::Commands;
use crate::store::Store;

/// What a pin says beside its artifact and proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// NAR hash of the tree.
    pub tree: TreeHash,
    /// Its commands.
    pub bin: BTreeMap<CommandName, RelPath>,
    /// What they expect of the host.
    pub needs: Option<Needs>,
    /// What of an image the tree does not keep.
    pub notes: Vec<Note>,
}

/// Whom it is about, for messages.
#[derive(Clone, Debug)]
pub struct About {
    /// The dep.
    pub dep: DepName,
    /// The version that is pinned.
    pub version: Version,
    /// The platform of the row.
    pub platform: Platform,
}

impl About {
    /// Dep, version and platform.
    pub fn shown(&self) -> String {
        shown(&self.dep, self.version.as_str(), self.platform)
    }
}

/// How an artifact is unpacked: `bin` are the commands that the profile or source names, or, once
/// it is locked, those of its pin. Both give the same.
///
/// A single file is called as its only command's path says, else as the dep, so that
/// `tool-2.1-linux-amd64` is `tool`; `.exe` is kept.
pub fn options(
    dep: &DepName,
    file: &str,
    format: Format,
    strip: u8,
    bin: &BTreeMap<CommandName, RelPath>,
) -> Options {
    let own = file.rsplit('/').next().unwrap_or(file);
    let file_name = if format.is_file() {
        let mut paths: Vec<_> = bin.values().collect();
        paths.dedup();
        let name = match paths[..] {
            [only] => only.file_name(),
            _ => dep.as_str(),
        };
        // `tool.exe.gz` holds `tool.exe`.
        let own = match format.compression() {
            Some(_) => own.rsplit_once('.').map_or(own, |(stem, _)| stem),
            None => own,
        };
        let is_exe = |name: &str| name.to_ascii_lowercase().ends_with(".exe");
        let suffix = if is_exe(own) && !is_exe(name) { ".exe" } else { "" };
        format!("{name}{suffix}")
    } else {
        own.to_owned()
    };
    Options { format, strip, file_name }
}

/// The commands that are named before a tree is looked at.
pub fn named(commands: &Commands) -> BTreeMap<CommandName, RelPath> {
    match commands {
        Commands::Named(named) => named.clone(),
        Commands::Wheel | Commands::Found | Commands::System | Commands::Image => BTreeMap::new(),
    }
}

/// Why commands could not be chosen, before it is known whom for.
enum Failure {
    Refused(Refusal),
    Other(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    fn of(self, about: &About) -> Error {
        match self {
            Self::Other(e) => e,
            Self::Refused(refusal) => {
                Error::Commands { shown: about.shown(), source: Box::new(refusal) }
            }
        }
    }
}

/// Reads the artifacts that lie at `files`, each laid over those before it.
///
/// # Errors
/// [`Error::Contradiction`] when a command is for another platform than `about` says.
pub fn from_archives(
    files: &[(PathBuf, Options)],
    about: &About,
    linking: Option<Linking>,
    commands: &Commands,
) -> Result<Found> {
    let part = |(file, options): &(PathBuf, Options)| {
        Ok::<_, Error>(Part { file: fs::open(file)?, options: options.clone() })
    };
    let parts = files.iter().map(part).collect::<Result<_>>()?;
    let mut archive = Archive::open_stack(parts, &about.shown())?;
    if linking == Some(Linking::Origin) {
        archive.link()?;
    }
    let entries = archive.entries().to_vec();
    let bin = commands::choose(&entries, commands, false, &mut |path| {
        archive.read_head(path, commands::HEAD).map_err(|e| Failure::Other(e.into()))
    })
    .map_err(|failure| failure.of(about))?;
    let executables: BTreeSet<_> = bin.values().cloned().collect();
    let needs = needs::of_tree(&entries, &executables, about.platform, &mut |path| {
        Ok::<_, Error>(archive.read(path)?)
    })?;
    let needs = needs.map_err(|refused| Error::Contradiction {
        shown: about.shown(),
        file: refused.file.to_string(),
        what: refused.what,
        libc_only: refused.libc_only,
    })?;
    archive.set_executable(&executables)?;
    let notes = archive.notes().to_vec();
    let (tree, _) = archive.hash()?;
    Ok(Found { tree, bin, needs, notes })
}

/// Reads a directory of the project, and adds it to the store; its row for each platform, or why
/// there is none. One directory serves every platform that its executables run on.
pub fn from_directory(
    store: &Store,
    directory: &Path,
    dep: &DepName,
    version: &Version,
    platforms: &[(Platform, Commands)],
) -> Result<Vec<(Platform, std::result::Result<Found, String>)>> {
    let entries = listing::list(directory)?;
    let mut rows = Vec::new();
    for (platform, commands) in platforms {
        let about = About { dep: dep.clone(), version: version.clone(), platform: *platform };
        let bin = commands::choose(&entries, commands, true, &mut |path| {
            listing::head(&path.under(directory), commands::HEAD)
                .map_err(|e| Failure::Other(e.into()))
        })
        .map_err(|failure| failure.of(&about))?;
        let executables: BTreeSet<_> = bin.values().cloned().collect();
        let needs = needs::of_tree(&entries, &executables, *platform, &mut |path| {
            fs::read(&path.under(directory))
        })?;
        let row = match needs {
            Err(refused) => Err(format!("`{}` {}", refused.file, refused.what)),
            Ok(needs) => {
                let name = object_suffix(dep, version);
                let object =
                    store.add_directory(directory, &name, &executables, None, &about.shown())?;
                Ok(Found { tree: *object.tree(), bin, needs, notes: Vec::new() })
            }
        };
        rows.push((*platform, row));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(command: &str, path: &str) -> BTreeMap<CommandName, RelPath> {
        [(CommandName::new(command).expect("command"), RelPath::new(path).expect("path"))].into()
    }

    #[test]
    fn a_single_file_is_called_as_its_command() {
        let dep = DepName::new("tool").expect("name");
        let name = |file: &str, format, bin: &BTreeMap<CommandName, RelPath>| {
            options(&dep, file, format, 0, bin).file_name
        };
        let none = BTreeMap::new();
        assert_eq!(name("v2/tool-2.1-linux-amd64", Format::File, &none), "tool");
        assert_eq!(name("tool-2.1-windows-amd64.EXE", Format::File, &none), "tool.exe");
        assert_eq!(name("x.exe", Format::File, &bin("t", "other")), "other.exe");
        // What is chosen in it leads syncing to the same name.
        assert_eq!(name("x.exe", Format::File, &bin("t", "other.exe")), "other.exe");
        assert_eq!(name("x", Format::File, &bin("tool", "tool")), "tool");
        assert_eq!(name("x_windows_amd64.exe.gz", Format::FileGz, &none), "tool.exe");
        assert_eq!(name("x_linux_amd64.bz2", Format::FileBz2, &none), "tool");
        assert_eq!(name("a/tool.zip", Format::Zip, &bin("t", "other")), "tool.zip");
    }
}
