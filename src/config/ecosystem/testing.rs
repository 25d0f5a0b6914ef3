//! A machine made up of a home, a root and a search path. Tests only.

use std::path::{Path, PathBuf};

use super::super::{Environ, Error};
use super::{Endpoint, Machine};
use crate::base::SourceKind;
use crate::fs;

pub(super) struct Fake {
    dir: tempfile::TempDir,
    environ: Environ,
    project: PathBuf,
    cache: PathBuf,
    root: PathBuf,
}

impl Fake {
    /// `HOME` is `home`, `PATH` is `bin`; `$T` in a value is the directory all of it is in.
    pub(super) fn new(vars: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for name in ["home", "bin", "project"] {
            fs::create_dir_all(&dir.path().join(name)).unwrap();
        }
        let mut all = vec![("HOME".to_owned(), at("home")), ("PATH".to_owned(), at("bin"))];
        for (name, value) in vars {
            all.push(((*name).to_owned(), value.replace("$T", dir.path().to_str().unwrap())));
        }
        let (project, cache, root) = (at("project"), at("cache/clients.json"), at("root"));
        Self {
            environ: Environ::from_vars(all),
            project: project.into(),
            cache: cache.into(),
            root: root.into(),
            dir,
        }
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine {
            environ: &self.environ,
            project: &self.project,
            cache: Some(&self.cache),
            root: &self.root,
        }
    }

    pub(super) fn endpoint(
        &self,
        kind: SourceKind,
        url: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Option<Endpoint>, Error> {
        self.machine().endpoint(kind, url, scope)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write_atomic(&path, text.as_bytes()).unwrap();
        path
    }

    /// An executable in `bin`.
    pub(super) fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{body}\n"));
        fs::chmod(&path, 0o755).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(&self.at(name)).unwrap()
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        fs::exists(&self.at(name)).unwrap()
    }
}
