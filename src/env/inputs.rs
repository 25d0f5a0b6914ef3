//! What an environment was made from, as one digest over a few small files.
//!
//! Owns the question "is the current generation still what the project asks for?" on the warm
//! path: the files that mattered are recorded with the generation, so that answering needs no
//! parser, only their bytes. A new file can matter only after one of the recorded ones changed.
//! Invariant: the digest is the same wherever the project lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::base::{Algorithm, Hasher, Integrity, Platform, RelPath};
use crate::fs;

use super::error::{Error, Result};

/// Changes whenever the meaning of the inputs or of `env.json` does, so that a newer infra builds
/// anew.
const DOMAIN: &str = "infra environment inputs 1";

/// The files an environment depends on, and the digest of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Paths relative to the project; absolute for files outside it.
    pub files: BTreeSet<String>,
    /// Over the platform and every file's name and bytes.
    pub digest: Integrity,
}

impl Inputs {
    /// The inputs of a profile: its files, the lock, and its `[file]`s.
    ///
    /// Collect first, then read for good what the environment is built from: a change in between
    /// then makes the generation out of date, which the next command mends, and not wrongly
    /// current. (The profile is loaded once more, since it says which files to collect.)
    pub fn collect(
        project: &Path,
        profile_files: &[PathBuf],
        lock: &Path,
        etc: &BTreeMap<RelPath, RelPath>,
        platform: Platform,
    ) -> Result<Self> {
        let mut files = BTreeSet::new();
        for path in profile_files.iter().map(PathBuf::as_path).chain([lock]) {
            let shown = path.strip_prefix(project).unwrap_or(path);
            let text = shown
                .to_str()
                .ok_or_else(|| Error::NotText { what: "path", path: path.to_owned() })?;
            files.insert(text.to_owned());
        }
        files.extend(etc.values().map(|path| path.as_str().to_owned()));
        let digest = digest(project, &files, platform)?;
        Ok(Self { files, digest })
    }

    /// The digest of the same files as they are now.
    pub fn again(&self, project: &Path, platform: Platform) -> Result<Integrity> {
        digest(project, &self.files, platform)
    }
}

/// A file that is not there counts as such: its later appearance must change the digest.
fn digest(project: &Path, files: &BTreeSet<String>, platform: Platform) -> Result<Integrity> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    // Each part is preceded by its length, so that no two lists of parts give one stream.
    let mut feed = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    feed(DOMAIN.as_bytes());
    feed(platform.to_string().as_bytes());
    for file in files {
        feed(file.as_bytes());
        match fs::missing_is_none(fs::read(&project.join(file)))? {
            Some(bytes) => {
                feed(b"file");
                feed(&bytes);
            }
            None => feed(b"missing"),
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(dir: &Path) -> Inputs {
        fs::create_dir_all(&dir.join("profiles")).expect("mkdir");
        fs::write_atomic(&dir.join("profiles/dev.toml"), b"[dep]\n").expect("write");
        fs::write_atomic(&dir.join("dep.lock.json"), b"{}\n").expect("write");
        fs::write_atomic(&dir.join("nats.conf"), b"port: 1\n").expect("write");
        let name = RelPath::new("nats.conf").expect("path");
        Inputs::collect(
            dir,
            &[dir.join("profiles/dev.toml")],
            &dir.join("dep.lock.json"),
            &BTreeMap::from([(name.clone(), name)]),
            Platform::X86_64Linux,
        )
        .expect("inputs")
    }

    #[test]
    fn follow_the_bytes_and_nothing_else() {
        let one = tempfile::tempdir().expect("tempdir");
        let two = tempfile::tempdir().expect("tempdir");
        let inputs = project(one.path());
        assert_eq!(inputs, project(two.path()), "the place does not matter");
        let now = |inputs: &Inputs| inputs.again(one.path(), Platform::X86_64Linux).expect("again");
        assert_eq!(now(&inputs), inputs.digest);
        for file in ["profiles/dev.toml", "dep.lock.json", "nats.conf"] {
            let path = one.path().join(file);
            let before = fs::read(&path).expect("read");
            fs::write_atomic(&path, b"other").expect("write");
            assert_ne!(now(&inputs), inputs.digest, "{file}");
            fs::write_atomic(&path, b"").expect("write");
            let empty = now(&inputs);
            fs::remove_file_if_exists(&path).expect("remove");
            assert_ne!(now(&inputs), empty, "an empty {file} is not a missing one");
            fs::write_atomic(&path, &before).expect("write");
            assert_eq!(now(&inputs), inputs.digest);
        }
        assert_ne!(inputs.again(one.path(), Platform::Aarch64Linux).expect("again"), inputs.digest);
    }
}
