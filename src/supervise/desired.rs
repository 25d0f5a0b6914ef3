//! What somebody asked to stay stopped, over restarts of the supervisor.
//!
//! Owns `<data>/run/desired.json`. Only the holder of the run directory's lock writes it, in one
//! rename. Invariant: a file that cannot be understood means that everything is wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::base::ServiceName;
use crate::fs;

/// The version of the file that is written, and the only one that is understood.
const VERSION: u32 = 1;

/// The file and what it says.
#[derive(Debug)]
pub(super) struct Desired {
    path: PathBuf,
    stopped: BTreeSet<ServiceName>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    stopped: BTreeSet<ServiceName>,
}

impl Desired {
    /// Reads the file of a run directory.
    pub(super) fn read(run: &Path) -> Result<Self, Error> {
        let path = run.join("desired.json");
        let text =
            fs::read_to_string_if_exists(&path).map_err(|source| Error::RunDirectory { source })?;
        let stopped = text
            .and_then(|t| serde_json::from_str::<Document>(&t).ok())
            .filter(|d| d.version == VERSION)
            .map(|d| d.stopped)
            .unwrap_or_default();
        Ok(Self { path, stopped })
    }

    /// Services that stay stopped.
    pub(super) fn stopped(&self) -> &BTreeSet<ServiceName> {
        &self.stopped
    }

    /// Changes what stays stopped; nothing is written when nothing changes.
    pub(super) fn set<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a ServiceName>,
        stopped: bool,
    ) -> Result<(), Error> {
        let before = self.stopped.len();
        for name in names {
            if stopped {
                self.stopped.insert(name.clone());
            } else {
                self.stopped.remove(name);
            }
        }
        if self.stopped.len() == before {
            return Ok(());
        }
        let step = |source| Error::RunDirectory { source };
        if self.stopped.is_empty() {
            return fs::remove_file_if_exists(&self.path).map_err(step);
        }
        let document = Document { version: VERSION, stopped: self.stopped.clone() };
        let mut bytes = serde_json::to_vec(&document).unwrap_or_default();
        bytes.push(b'\n');
        fs::write_atomic(&self.path, &bytes).map_err(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_and_forgets() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (ServiceName::new("a").unwrap(), ServiceName::new("b").unwrap());
        let mut desired = Desired::read(dir.path()).unwrap();
        desired.set([&a, &b], true).unwrap();
        desired.set([&a], false).unwrap();
        let again = Desired::read(dir.path()).unwrap();
        assert_eq!(again.stopped().iter().collect::<Vec<_>>(), [&b]);
        desired.set([&b], false).unwrap();
        assert!(!fs::exists(&dir.path().join("desired.json")).unwrap());
        for damaged in ["", "{", "{\"version\":2,\"stopped\":[\"a\"]}"] {
            fs::write_atomic(&dir.path().join("desired.json"), damaged.as_bytes()).unwrap();
            assert!(Desired::read(dir.path()).unwrap().stopped().is_empty(), "{damaged}");
        }
    }
}
