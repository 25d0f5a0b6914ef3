//! What one profile file says, before and after `extends`.
//!
//! Owns the rule of overriding: by key, `false` takes an inherited key away. Invariant: every
//! value keeps the place it was written at, whichever file that was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::confine::Level;
use super::error::{Error, Result};
use super::flaw::Flaw;
use super::model::{Alive, OnDependencyRestart, OnExit, ServiceKind, When};
use super::model::{Logs, Port, Probe, Reload, Requirement, Restart, Run, SourceOverride, Stop};
use super::policy::PolicyLayer;
use super::read_confine::ConfineLayer;
use super::spot::{Spanned, Spot};
use super::template::Template;
use crate::base::suggest::nearest;
use crate::base::{CommandName, DepName, EnvName, Platform, RelPath, ServiceName, SourceKind};

/// A value that may be taken away with `false`.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    /// The key from the top of the file, for messages.
    pub(super) path: String,
    /// Where the key is written.
    pub(super) key: Spot,
    /// The value and its place; `None` for `false`.
    pub(super) value: Option<T>,
    /// Where the value is written.
    pub(super) spot: Spot,
}

/// A table whose keys are names that the user chooses.
pub(super) type Entries<K, T> = BTreeMap<K, Entry<T>>;

/// A profile file's content, or the sum of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) extends: Option<Spanned<EnvName>>,
    pub(super) platforms: Option<BTreeSet<Platform>>,
    pub(super) data: Option<PathBuf>,
    pub(super) deps: Entries<DepName, Requirement>,
    pub(super) ports: Entries<String, Port>,
    pub(super) env: Entries<String, Template>,
    pub(super) files: Entries<RelPath, RelPath>,
    pub(super) services: Entries<ServiceName, ServiceLayer>,
    pub(super) sources: BTreeMap<SourceKind, Spanned<SourceOverride>>,
    pub(super) policy: Option<Spanned<PolicyLayer>>,
    pub(super) cache: CacheLayer,
    pub(super) sandbox: Option<Level>,
    pub(super) logs: Logs,
    pub(super) run: Run,
    pub(super) prefer: BTreeMap<CommandName, Spanned<DepName>>,
}

/// What one file says of caches.
#[derive(Clone, Debug, Default)]
pub(super) struct CacheLayer {
    pub(super) url: Option<Vec<String>>,
    pub(super) keys: Option<Vec<String>>,
    pub(super) push: Option<String>,
}

/// What one file says of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceLayer {
    pub(super) command: Option<Spanned<Vec<Spanned<Template>>>>,
    pub(super) env: Entries<String, Template>,
    pub(super) cwd: Option<Entry<Spanned<Template>>>,
    pub(super) ready: Option<Entry<ReadyLayer>>,
    pub(super) after: Option<Entry<AfterLayer>>,
    pub(super) on_dependency_restart: Option<Entry<OnDependencyRestart>>,
    pub(super) kind: Option<Entry<ServiceKind>>,
    pub(super) schedule: Option<Entry<String>>,
    pub(super) replicas: Option<Entry<u32>>,
    pub(super) pre_start: Option<Entry<Words>>,
    pub(super) alive: Option<Entry<AliveLayer>>,
    pub(super) success_exit_codes: Option<Entry<BTreeSet<i32>>>,
    pub(super) on_exit: Option<Entry<OnExit>>,
    pub(super) reload: Option<Entry<ReloadLayer>>,
    pub(super) restart: Option<Entry<Restart>>,
    pub(super) stop: Option<Entry<StopLayer>>,
    pub(super) listen: Option<Entry<Vec<Spanned<String>>>>,
    pub(super) secrets: Option<Entry<BTreeSet<String>>>,
    pub(super) required: Option<bool>,
    pub(super) group: Option<Entry<BTreeSet<String>>>,
    pub(super) forward_signals: Option<Entry<BTreeSet<String>>>,
    pub(super) env_file: Option<Entry<RelPath>>,
    pub(super) confine: ConfineLayer,
    pub(super) logs: Logs,
}

/// A command: its words, each with its place.
pub(super) type Words = Vec<Spanned<Template>>;

/// Services that come first.
#[derive(Clone, Debug)]
pub(super) struct AfterLayer {
    pub(super) names: Vec<Spanned<ServiceName>>,
    /// Only those that are not about readiness.
    pub(super) conditions: BTreeMap<ServiceName, When>,
}

/// A readiness check and the places of its templates.
#[derive(Clone, Debug)]
pub(super) struct ReadyLayer {
    pub(super) probe: Probe,
    pub(super) spot: Spot,
    /// Of `exec`.
    pub(super) words: Words,
    pub(super) timeout: Duration,
}

/// A liveness check and the places of its templates.
#[derive(Clone, Debug)]
pub(super) struct AliveLayer {
    pub(super) value: Alive,
    pub(super) spot: Spot,
    pub(super) words: Words,
}

/// A reload and the places of its command's words.
#[derive(Clone, Debug)]
pub(super) struct ReloadLayer {
    pub(super) value: Reload,
    pub(super) words: Words,
}

/// How it is asked to end, and the places of its command's words.
#[derive(Clone, Debug)]
pub(super) struct StopLayer {
    pub(super) value: Stop,
    pub(super) words: Words,
}

impl Layer {
    /// What holds when `child` extends `self`.
    pub(super) fn overridden_by(mut self, child: Self) -> Result<Self> {
        over_map(&mut self.deps, child.deps)?;
        over_map(&mut self.ports, child.ports)?;
        over_map(&mut self.env, child.env)?;
        over_map(&mut self.files, child.files)?;
        over_services(&mut self.services, child.services)?;
        self.sources.extend(child.sources);
        self.prefer.extend(child.prefer);
        if let Some(policy) = child.policy {
            self.policy = Some(match self.policy.take() {
                Some(inherited) => Spanned {
                    value: inherited.value.overridden_by(policy.value),
                    spot: policy.spot,
                },
                None => policy,
            });
        }
        // Destructured, so that a new key cannot be forgotten here.
        let CacheLayer { url, keys, push } = child.cache;
        self.cache.url = url.or(self.cache.url);
        self.cache.keys = keys.or(self.cache.keys);
        self.cache.push = push.or(self.cache.push);
        self.logs = self.logs.overridden_by(child.logs);
        self.run = self.run.overridden_by(child.run);
        Ok(Self {
            extends: child.extends,
            platforms: child.platforms.or(self.platforms),
            data: child.data.or(self.data),
            sandbox: child.sandbox.or(self.sandbox),
            ..self
        })
    }
}

impl ServiceLayer {
    fn overridden_by(&mut self, child: Self) -> Result<()> {
        // Destructured, so that a new key cannot be forgotten here.
        let Self {
            command,
            env,
            cwd,
            ready,
            after,
            on_dependency_restart,
            kind,
            schedule,
            replicas,
            pre_start,
            alive,
            success_exit_codes,
            on_exit,
            reload,
            restart,
            stop,
            listen,
            secrets,
            required,
            group,
            forward_signals,
            env_file,
            confine,
            logs,
        } = child;
        over(&mut self.on_dependency_restart, on_dependency_restart)?;
        over(&mut self.kind, kind)?;
        over(&mut self.schedule, schedule)?;
        over(&mut self.replicas, replicas)?;
        over(&mut self.pre_start, pre_start)?;
        over(&mut self.alive, alive)?;
        over(&mut self.success_exit_codes, success_exit_codes)?;
        over(&mut self.on_exit, on_exit)?;
        over(&mut self.reload, reload)?;
        over_map(&mut self.env, env)?;
        over(&mut self.cwd, cwd)?;
        over(&mut self.ready, ready)?;
        over(&mut self.after, after)?;
        over(&mut self.restart, restart)?;
        over(&mut self.stop, stop)?;
        over(&mut self.listen, listen)?;
        over(&mut self.secrets, secrets)?;
        over(&mut self.group, group)?;
        over(&mut self.forward_signals, forward_signals)?;
        over(&mut self.env_file, env_file)?;
        self.command = command.or(self.command.take());
        self.required = required.or(self.required);
        self.confine.overridden_by(confine)?;
        self.logs = self.logs.overridden_by(logs);
        Ok(())
    }
}

fn nothing_to_remove<T>(entry: &Entry<T>, near: Option<&str>) -> Error {
    let flaw = Flaw::NothingToRemove { key: entry.path.clone(), near: near.map(str::to_owned) };
    Error::at(&entry.key, flaw, "not inherited")
}

pub(super) fn over<T>(parent: &mut Option<Entry<T>>, child: Option<Entry<T>>) -> Result<()> {
    match child {
        None => {}
        Some(entry) if entry.value.is_some() => *parent = Some(entry),
        Some(entry) => {
            parent.take().ok_or_else(|| nothing_to_remove(&entry, None))?;
        }
    }
    Ok(())
}

fn remove<K: Ord + AsRef<str>, T>(
    parent: &mut Entries<K, T>,
    key: &K,
    entry: &Entry<T>,
) -> Result<()> {
    if parent.remove(key).is_some() {
        return Ok(());
    }
    Err(nothing_to_remove(entry, nearest(key.as_ref(), parent.keys().map(AsRef::as_ref))))
}

fn over_map<K: Ord + AsRef<str>, T>(
    parent: &mut Entries<K, T>,
    child: Entries<K, T>,
) -> Result<()> {
    for (key, entry) in child {
        if entry.value.is_some() {
            parent.insert(key, entry);
        } else {
            remove(parent, &key, &entry)?;
        }
    }
    Ok(())
}

fn over_services(
    parent: &mut Entries<ServiceName, ServiceLayer>,
    child: Entries<ServiceName, ServiceLayer>,
) -> Result<()> {
    for (name, mut entry) in child {
        let Some(says) = entry.value.take() else {
            remove(parent, &name, &entry)?;
            continue;
        };
        // A new service starts from nothing, so that `false` in it is checked as well.
        let mut service =
            parent.remove(&name).and_then(|inherited| inherited.value).unwrap_or_default();
        service.overridden_by(says)?;
        entry.value = Some(service);
        parent.insert(name, entry);
    }
    Ok(())
}
