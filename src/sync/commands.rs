//! Which files of a tree are commands. Pure, over a listing and the first bytes of files.
//!
//! A command is recorded by the file that is executed in the end: links inside the tree are
//! followed here, once. Invariant: every path in the answer is a file of the listing, and no two
//! files claim one command.

use std::collections::BTreeMap;

use crate::archive::{Entry, EntryKind};
use crate::base::{CommandName, RelPath, suggest};
use crate::binary;
use crate::source::Commands;

/// How many links may follow one another.
const MAX_LINKS: usize = 16;

/// Bytes of a file that are looked at; enough to tell a Java class from a Mach-O.
pub const HEAD: usize = 8;

/// Where a system's packages put commands (Filesystem Hierarchy Standard 3.0).
const SYSTEM: [&str; 5] = ["bin", "sbin", "usr/bin", "usr/games", "usr/sbin"];

/// The usual `PATH` of images, first to last.
const IMAGE: [&str; 6] = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];

/// Why the commands of a tree cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A command is to be a file that is not there.
    #[error("command `{command}` is to be `{path}`, which is no file of it")]
    NoSuchFile {
        /// The command.
        command: CommandName,
        /// Where it should be.
        path: RelPath,
        /// A file that may be meant.
        nearest: Option<String>,
    },
    /// Two files have the same command's name.
    #[error("command `{command}` could be `{first}` or `{second}`")]
    Ambiguous {
        /// The command.
        command: CommandName,
        /// One file.
        first: RelPath,
        /// The other.
        second: RelPath,
    },
}

impl Refusal {
    /// The next step, in words.
    pub(super) fn hints(&self) -> Vec<String> {
        match self {
            Self::NoSuchFile { nearest: Some(nearest), .. } => {
                vec![format!("did you mean `{nearest}`? correct `bin` in the profile")]
            }
            Self::NoSuchFile { nearest: None, .. } => {
                vec!["correct `bin` of the dep in the profile".to_owned()]
            }
            Self::Ambiguous { command, first, .. } => {
                vec![format!("say which in the profile: `bin = {{ {command} = \"{first}\" }}`")]
            }
        }
    }
}

/// Chooses the commands of a tree. `head` gives the first [`HEAD`] bytes of a file.
///
/// `scripts` lets files with the executable bit that begin with `#!` count where commands are
/// found by looking; a project's own directory may hold such, an artifact's would lean on an
/// interpreter of the host.
pub fn choose<E: From<Refusal>>(
    entries: &[Entry],
    commands: &Commands,
    scripts: bool,
    head: &mut dyn FnMut(&RelPath) -> Result<Vec<u8>, E>,
) -> Result<BTreeMap<CommandName, RelPath>, E> {
    let tree = Tree::of(entries);
    match commands {
        Commands::Named(named) => named
            .iter()
            .map(|(command, path)| Ok((command.clone(), tree.named(command, path)?)))
            .collect(),
        Commands::Wheel => {
            let chosen = tree.pick(scripts, head, |path| {
                let parts: Vec<_> = path.components().collect();
                matches!(parts[..], [data, "scripts", _] if data.ends_with(".data"))
            })?;
            if !chosen.is_empty() {
                return Ok(chosen);
            }
            tree.pick(scripts, head, |path| path.components().rev().nth(1) == Some("bin"))
        }
        Commands::System => tree.pick(scripts, head, |path| {
            path.as_str().rsplit_once('/').is_some_and(|(dir, _)| SYSTEM.contains(&dir))
        }),
        Commands::Image => {
            let mut all = BTreeMap::new();
            for place in IMAGE {
                let here = |path: &RelPath| {
                    path.as_str().rsplit_once('/').is_some_and(|(dir, _)| dir == place)
                };
                // As a shell would: the first directory that has it.
                for (command, path) in tree.pick(scripts, head, here)? {
                    all.entry(command).or_insert(path);
                }
            }
            if all.is_empty() {
                all = tree.pick(scripts, head, |path| !path.as_str().contains('/'))?;
            }
            Ok(all)
        }
        Commands::Found => {
            let mut base = String::new();
            loop {
                let bin = format!("{base}bin/");
                for place in [bin.as_str(), base.as_str()] {
                    let chosen = tree.pick(scripts, head, |path| {
                        path.as_str().strip_prefix(place).is_some_and(|rest| !rest.contains('/'))
                    })?;
                    if !chosen.is_empty() {
                        return Ok(chosen);
                    }
                }
                // An archive that wraps everything in one directory.
                match tree.only_directory(&base) {
                    Some(inner) if base.is_empty() => base = inner,
                    _ => return Ok(BTreeMap::new()),
                }
            }
        }
    }
}

/// A listing by path.
pub(super) struct Tree<'a> {
    entries: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Tree<'a> {
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        Self { entries: entries.iter().map(|e| (e.path.as_str(), e)).collect() }
    }

    /// The file at a path, through links that stay inside the tree.
    pub(super) fn file(&self, path: &str) -> Option<&'a Entry> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let entry = *self.entries.get(path.as_str())?;
            match &entry.kind {
                EntryKind::File { .. } => return Some(entry),
                EntryKind::Directory => return None,
                EntryKind::Symlink { target } => path = join(&path, target)?,
            }
        }
        None
    }

    fn named(&self, command: &CommandName, path: &RelPath) -> Result<RelPath, Refusal> {
        let found = self
            .file(path.as_str())
            // The same profile serves Windows, where the file has a suffix.
            .or_else(|| self.file(&format!("{path}.exe")));
        match found {
            Some(entry) => Ok(entry.path.clone()),
            None => {
                let files: Vec<&str> = self
                    .entries
                    .values()
                    .filter(|e| matches!(e.kind, EntryKind::File { .. }))
                    .map(|e| e.path.as_str())
                    .collect();
                let same_name =
                    files.iter().copied().find(|f| f.rsplit('/').next() == Some(path.file_name()));
                let nearest =
                    same_name.or_else(|| suggest::nearest(path.as_str(), files.iter().copied()));
                Err(Refusal::NoSuchFile {
                    command: command.clone(),
                    path: path.clone(),
                    nearest: nearest.map(str::to_owned),
                })
            }
        }
    }

    /// The programs among the entries whose own path is accepted.
    fn pick<E: From<Refusal>>(
        &self,
        scripts: bool,
        head: &mut dyn FnMut(&RelPath) -> Result<Vec<u8>, E>,
        accept: impl Fn(&RelPath) -> bool,
    ) -> Result<BTreeMap<CommandName, RelPath>, E> {
        let mut out: BTreeMap<CommandName, RelPath> = BTreeMap::new();
        for entry in self.entries.values().filter(|e| accept(&e.path)) {
            let Some(command) = command_of(entry.path.file_name()) else { continue };
            let Some(file) = self.file(entry.path.as_str()) else { continue };
            let EntryKind::File { executable, .. } = file.kind else { continue };
            let bytes = head(&file.path)?;
            let script = scripts && executable && bytes.starts_with(b"#!");
            if !script && !binary::is_executable_magic(&bytes) {
                continue;
            }
            match out.get(&command) {
                Some(first) if *first != file.path => {
                    return Err(Refusal::Ambiguous {
                        command,
                        first: first.clone(),
                        second: file.path.clone(),
                    }
                    .into());
                }
                _ => {
                    out.insert(command, file.path.clone());
                }
            }
        }
        Ok(out)
    }

    /// The directory that holds everything below `base`, with a `/` at its end.
    fn only_directory(&self, base: &str) -> Option<String> {
        let mut only = None;
        for path in self.entries.keys() {
            let rest = path.strip_prefix(base)?;
            let first = rest.split('/').next()?;
            match only {
                None => only = Some(first),
                Some(only) if only == first => {}
                Some(_) => return None,
            }
        }
        let inner = format!("{base}{}", only?);
        let is_dir = self.entries.keys().any(|path| path.starts_with(&format!("{inner}/")));
        is_dir.then(|| format!("{inner}/"))
    }
}

/// A command's name by its file's, `None` for libraries and names that no command can have.
fn command_of(file: &str) -> Option<CommandName> {
    const LIBRARIES: [&str; 8] = [".so", ".dylib", ".dll", ".node", ".pyd", ".a", ".lib", ".o"];
    let lower = file.to_ascii_lowercase();
    if LIBRARIES.iter().any(|end| lower.ends_with(end)) || lower.contains(".so.") {
        return None;
    }
    let name = if lower.ends_with(".exe") { &file[..file.len() - 4] } else { file };
    CommandName::new(name).ok()
}

/// Where a link at `from` leads; `None` when it leaves the tree.
pub(super) fn join(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
#[path = "commands_tests.rs"]
mod tests;
