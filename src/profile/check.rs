//! Merged layers → [`Profile`]: every name that a value mentions must exist.
//!
//! Owns the checks that need the whole profile: `${…}`, `after`, `[command]`, `[file]`. Ports have
//! their own file. Invariant: see [`super::model`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::{Entries, Entry, Layer, ServiceLayer};
use super::model::{Caches, Probe, Profile, Ready, Service};
use super::node::unknown_name;
use super::spot::{Spanned, Spot};
use super::template::{Reference, Template};
use super::{circles, ports, service_rules};
use crate::base::suggest::nearest;
use crate::base::{EnvName, Platform, RelPath, ServiceName};
use crate::fs;

/// Locked for when a profile names no platforms.
pub const DEFAULT_PLATFORMS: [Platform; 5] = [
    Platform::Aarch64Darwin,
    Platform::Aarch64Linux,
    Platform::X86_64Darwin,
    Platform::X86_64Linux,
    Platform::X86_64Windows,
];

/// Checks the sum of a profile's layers.
pub(super) fn profile(
    name: &EnvName,
    files: Vec<PathBuf>,
    project: &Path,
    layer: &Layer,
) -> Result<Profile> {
    let names = Names { layer, in_service: false };
    for entry in layer.env.values() {
        if let Some(template) = &entry.value {
            names.check(template, &entry.spot)?;
        }
    }
    circles::variables(&layer.env)?;
    etc(project, &layer.files)?;
    for dep in layer.prefer.values() {
        if !layer.deps.contains_key(&dep.value) {
            let known = layer.deps.keys().map(AsRef::as_ref);
            return Err(unknown_name(&dep.spot, "dep", dep.value.as_str(), known));
        }
    }
    let names = Names { layer, in_service: true };
    let mut services = BTreeMap::new();
    for (service, entry) in &layer.services {
        if let Some(says) = &entry.value {
            services.insert(service.clone(), self::service(&names, service, entry, says)?);
        }
    }
    circles::services(layer)?;
    service_rules::check(layer, &services)?;
    ports::assign(layer, &mut services)?;
    Ok(Profile {
        name: name.clone(),
        files,
        platforms: layer.platforms.clone().unwrap_or_else(|| DEFAULT_PLATFORMS.into()),
        deps: values(&layer.deps),
        ports: values(&layer.ports),
        env: values(&layer.env),
        etc: values(&layer.files),
        services,
        sources: layer.sources.iter().map(|(k, v)| (*k, v.value.clone())).collect(),
        policy: layer.policy.as_ref().map(|p| p.value.clone().into_policy()).unwrap_or_default(),
        cache: Caches {
            url: layer.cache.url.clone().unwrap_or_default(),
            keys: layer.cache.keys.clone().unwrap_or_default(),
            push: layer.cache.push.clone(),
        },
        run: layer.run,
        prefer: layer.prefer.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect(),
        data: layer.data.clone().unwrap_or_else(|| default_data(name)),
    })
}

/// Tests get a data directory of their own, so that they never touch what is being worked with.
fn default_data(name: &EnvName) -> PathBuf {
    PathBuf::from(if name.as_str() == "test" { ".data-test" } else { ".data" })
}

fn values<K: Ord + Clone, T: Clone>(entries: &Entries<K, T>) -> BTreeMap<K, T> {
    entries.iter().filter_map(|(k, e)| Some((k.clone(), e.value.clone()?))).collect()
}

/// What a profile defines.
struct Names<'a> {
    layer: &'a Layer,
    /// Whether what is checked belongs to a service.
    in_service: bool,
}

impl Names<'_> {
    /// Every reference of a template leads somewhere.
    fn check(&self, template: &Template, spot: &Spot) -> Result<()> {
        for (range, reference) in template.located() {
            let at = || inside(spot, template, range.clone());
            let layer = self.layer;
            match reference {
                Reference::Port(n) => known(at, "port", n, layer.ports.keys())?,
                Reference::Env(n) => known(at, "variable", n, layer.env.keys())?,
                Reference::File(n) => {
                    known(at, "file", n, layer.files.keys().map(RelPath::as_str))?
                }
                Reference::Dep(n) => known(at, "dep", n, layer.deps.keys())?,
                Reference::Replica if !self.in_service => {
                    let why = "`${replica}` is the number of a service's copy".to_owned();
                    let hint = Some("use it in `[service.NAME]`".to_owned());
                    let flaw = Flaw::BadValue { key: "env".to_owned(), why, hint };
                    return Err(Error::at(&at(), flaw, "outside of a service"));
                }
                Reference::Project | Reference::Data | Reference::Replica => {}
            }
        }
        Ok(())
    }
}

fn inside(spot: &Spot, template: &Template, range: Range<usize>) -> Spot {
    spot.inside(template.as_str(), range)
}

fn known<S: AsRef<str>>(
    at: impl Fn() -> Spot,
    what: &'static str,
    name: &str,
    names: impl Iterator<Item = S>,
) -> Result<()> {
    let names: Vec<S> = names.collect();
    if names.iter().any(|n| n.as_ref() == name) {
        return Ok(());
    }
    Err(unknown_name(&at(), what, name, names.iter().map(AsRef::as_ref)))
}

fn service(
    names: &Names<'_>,
    name: &ServiceName,
    entry: &Entry<ServiceLayer>,
    says: &ServiceLayer,
) -> Result<Service> {
    let Some(command) = &says.command else {
        let others =
            names.layer.services.iter().filter(|(n, e)| {
                *n != name && e.value.as_ref().is_some_and(|s| s.command.is_some())
            });
        let hint = match nearest(name.as_str(), others.map(|(n, _)| n.as_str())) {
            Some(near) => format!("did you mean `[service.{near}]`?"),
            None => "write command = [\"PROGRAM\", \"ARGUMENT\", …]".to_owned(),
        };
        let flaw = Flaw::Missing { table: format!("`[{}]`", entry.path), key: "command", hint };
        return Err(Error::at(&entry.key, flaw, "`command` is missing"));
    };
    for word in &command.value {
        names.check(&word.value, &word.spot)?;
    }
    for entry in says.env.values() {
        if let Some(template) = &entry.value {
            names.check(template, &entry.spot)?;
        }
    }
    let cwd = says.cwd.as_ref().and_then(|e| e.value.as_ref());
    if let Some(cwd) = cwd {
        names.check(&cwd.value, &cwd.spot)?;
    }
    let ready = says.ready.as_ref().and_then(|e| e.value.as_ref());
    if let Some(ready) = ready {
        match &ready.probe {
            Probe::Http(template) | Probe::Tcp(template) => names.check(template, &ready.spot)?,
            Probe::Log(_) | Probe::Exec(_) | Probe::Notify | Probe::Watchdog(_) => {}
        }
    }
    for template in says.confine.templates() {
        names.check(&template.value, &template.spot)?;
    }
    let alive = given(&says.alive);
    if let Some(alive) = alive
        && let Probe::Http(template) | Probe::Tcp(template) = &alive.value.probe
    {
        names.check(template, &alive.spot)?;
    }
    let words = [
        ready.map(|r| &r.words),
        alive.map(|a| &a.words),
        given(&says.pre_start),
        given(&says.reload).map(|r| &r.words),
        given(&says.stop).map(|s| &s.words),
    ];
    for word in words.into_iter().flatten().flatten() {
        names.check(&word.value, &word.spot)?;
    }
    for other in after(says) {
        let services = &names.layer.services;
        if !services.contains_key(&other.value) {
            let known = services.keys().filter(|n| *n != name).map(AsRef::as_ref);
            return Err(unknown_name(&other.spot, "service", other.value.as_str(), known));
        }
    }
    Ok(Service {
        command: command.value.iter().map(|w| w.value.clone()).collect(),
        env: values(&says.env),
        cwd: cwd.map(|c| c.value.clone()),
        ready: ready.map(|r| Ready { probe: r.probe.clone(), timeout: r.timeout }),
        after: after(says).iter().map(|a| a.value.clone()).collect(),
        conditions: given(&says.after).map(|a| a.conditions.clone()).unwrap_or_default(),
        on_dependency_restart: given(&says.on_dependency_restart).copied().unwrap_or_default(),
        kind: given(&says.kind).copied().unwrap_or_default(),
        schedule: given(&says.schedule).cloned(),
        replicas: given(&says.replicas).copied().unwrap_or(1),
        pre_start: given(&says.pre_start)
            .map(|words| words.iter().map(|w| w.value.clone()).collect()),
        alive: alive.map(|a| a.value.clone()),
        success_exit_codes: given(&says.success_exit_codes).cloned().unwrap_or_default(),
        on_exit: given(&says.on_exit).copied().unwrap_or_default(),
        reload: given(&says.reload).map(|r| r.value.clone()),
        restart: service_rules::restart(says),
        stop: given(&says.stop).map(|s| s.value.clone()).unwrap_or_default(),
        // `ports::assign` fills it in: who listens depends on the other services.
        listen: BTreeSet::new(),
        secrets: given(&says.secrets).cloned().unwrap_or_default(),
        required: says.required.unwrap_or(true),
        group: given(&says.group).cloned().unwrap_or_default(),
        env_file: given(&says.env_file).cloned(),
        forward_signals: given(&says.forward_signals).cloned().unwrap_or_default(),
        confine: says.confine.model(names.layer.sandbox),
        logs: names.layer.logs.overridden_by(says.logs),
    })
}

/// A value that was set and not taken away.
pub(super) fn given<T>(entry: &Option<Entry<T>>) -> Option<&T> {
    entry.as_ref().and_then(|e| e.value.as_ref())
}

pub(super) fn after(says: &ServiceLayer) -> &[Spanned<ServiceName>] {
    given(&says.after).map_or(&[], |a| a.names.as_slice())
}

/// `[file]` entries are files of the project.
fn etc(project: &Path, files: &Entries<RelPath, RelPath>) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut resolved = None;
    for (name, entry) in files {
        let Some(path) = &entry.value else { continue };
        if let Some(other) = files.keys().find(|o| is_inside(name, o)) {
            let why = format!("`{other}` is a file, so nothing can lie in it");
            let flaw = Flaw::BadValue { key: entry.path.clone(), why, hint: None };
            return Err(Error::at(&entry.key, flaw, "inside a file"));
        }
        let no = |why, label: &str| {
            let flaw = Flaw::NoFile { key: entry.path.clone(), path: path.to_string(), why };
            Err(Error::at(&entry.spot, flaw, label))
        };
        if is_plain_file(project, path) {
            continue;
        }
        // There is a link on the way, or something is wrong: look closely.
        let root = match resolved.take() {
            Some(root) => root,
            None => fs::canonicalize(project)?,
        };
        let root = &*resolved.insert(root);
        let real = match fs::canonicalize(&path.under(root)) {
            Ok(real) => real,
            Err(e) if matches!(e.io_kind(), Some(NotFound | NotADirectory)) => {
                return no("does not exist", "no such file");
            }
            Err(e) => return Err(e.into()),
        };
        if !real.starts_with(root) {
            return no("is a link that leaves the project", "outside the project");
        }
        if !fs::lstat(&real)?.is_file() {
            return no("is not a file", "not a file");
        }
    }
    Ok(())
}

/// Whether a path is a file of the project without any link on the way. This is on the way of every
/// command, and resolving links costs several times as much.
fn is_plain_file(project: &Path, path: &RelPath) -> bool {
    let mut at = project.to_owned();
    let mut last = false;
    for part in path.components() {
        at.push(part);
        match fs::lstat(&at) {
            Ok(meta) if !meta.is_symlink() => last = meta.is_file(),
            _ => return false,
        }
    }
    last
}

fn is_inside(name: &RelPath, other: &RelPath) -> bool {
    name.as_str().strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
}
