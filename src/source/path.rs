//! A directory of the project as a dep.
//!
//! Its version is the exact one that the profile says, else `0`: a directory has no other, and the
//! tree hash in the lock tells its states apart. Refuses directories outside the project, through
//! `..` or through a link.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Candidate, Commands, Error, Location, Offer, Query, Result, Source, url};
use crate::base::{Platform, RelPath, SourceKind, Version, VersionReq};
use crate::fs;

/// The source.
pub(super) struct PathSource {
    project: PathBuf,
}

impl PathSource {
    pub(super) fn new(project: PathBuf) -> Self {
        Self { project }
    }
}

#[async_trait]
impl Source for PathSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Path
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        directory(&self.project, query)?;
        Ok(vec![Candidate::new(version(query)?)])
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
    ) -> Result<Offer> {
        let path = directory(&self.project, query)?;
        let commands = query.commands(Commands::Found);
        Ok(Offer::Directory { path: PathBuf::from(path.as_str()), commands })
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        Err(Error::NoFiles { subject: query.subject(), file: file.to_owned() })
    }
}

fn version(query: &Query<'_>) -> Result<Version> {
    let wanted = &query.requirement.version;
    let not_exact = || Error::NotExact { subject: query.subject(), wanted: wanted.clone() };
    if *wanted == VersionReq::any() {
        return "0".parse().map_err(|_| not_exact());
    }
    url::exact(wanted).ok_or_else(not_exact)
}

/// The directory, checked, relative to the project.
fn directory(project: &Path, query: &Query<'_>) -> Result<RelPath> {
    let written = query.package();
    let refuse = |why| Error::Path { subject: query.subject(), path: written.to_owned(), why };
    let io = |source| Error::PathIo { subject: query.subject(), source };
    let trimmed = written.strip_prefix("./").unwrap_or(written).trim_end_matches('/');
    let path = RelPath::new(trimmed).map_err(|_| refuse("it is no path inside the project"))?;
    let found = path.under(project);
    let Some(real) = fs::missing_is_none(fs::canonicalize(&found)).map_err(io)? else {
        return Err(refuse("there is no such directory"));
    };
    if !real.starts_with(fs::canonicalize(project).map_err(io)?) {
        return Err(refuse("it is a link that leaves the project"));
    }
    if !fs::lstat(&real).map_err(io)?.is_dir() {
        return Err(refuse("it is not a directory"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::sources::tests::requirement;
    use super::*;
    use crate::base::DepName;

    fn project() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("directory");
        fs::create_dir_all(&dir.path().join("tools/bin")).expect("directory");
        fs::write_atomic(&dir.path().join("file"), b"x").expect("file");
        fs::symlink(Path::new("/"), &dir.path().join("out")).expect("link");
        fs::symlink(Path::new("tools"), &dir.path().join("in")).expect("link");
        dir
    }

    fn with<T>(from: &str, version: &str, ask: impl FnOnce(&Query<'_>) -> T) -> T {
        let dep = DepName::new("t").expect("name");
        let requirement = requirement(from, version);
        ask(&Query::new(&dep, &requirement))
    }

    #[test]
    fn directories_of_the_project_only() {
        let project = project();
        let check = |path: &str| {
            with(&format!("path:{path}"), "*", |q| directory(project.path(), q))
                .map(|p| p.to_string())
                .map_err(|e| e.to_string())
        };
        for (path, want) in [("tools", "tools"), ("./tools/bin/", "tools/bin"), ("in", "in")] {
            assert_eq!(check(path).as_deref(), Ok(want));
        }
        for (path, why) in [
            ("..", "inside the project"),
            ("tools/../..", "inside the project"),
            ("/etc", "inside the project"),
            (".", "inside the project"),
            ("nope", "no such directory"),
            ("file", "not a directory"),
            ("out/usr", "leaves the project"),
        ] {
            let error = check(path).expect_err(path);
            assert!(error.contains(why) && error.contains("`t`"), "{error}");
        }
    }

    #[test]
    fn version_is_what_the_profile_says() {
        for (wanted, want) in [("*", "0"), ("=1.2.3", "1.2.3"), ("1.2.3", "1.2.3")] {
            let version = with("path:tools", wanted, version).expect("version");
            assert_eq!(version.as_str(), want);
            assert!(wanted.parse::<VersionReq>().expect("requirement").matches(&version));
        }
        assert!(matches!(with("path:tools", "^1.2", version), Err(Error::NotExact { .. })));
    }
}
