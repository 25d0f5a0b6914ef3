//! Asking a running stack for single services, and what its supervisor is given for itself.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::environment::{self, Environment};
use super::run;
use super::secrets::Secrets;
use super::select::{self, Selection};
use super::{Context, Error, Result, stack};
use crate::base::vars::CONTROL_TOKEN;
use crate::base::{EnvName, Problem, Secret, ServiceName};
use crate::env::ports::InUse;
use crate::env::{replicas, values};
use crate::profile::Profiles;
use crate::store::Lease;
use crate::supervise::spec::{Stack, Wishes};
use crate::supervise::status::StackStatus;

/// The current generation of an environment, for the supervisor that runs an earlier one.
pub struct Current {
    context: Context,
    name: EnvName,
    select: Selection,
    /// Keep what was handed out from garbage collection while the supervisor lives.
    leases: Mutex<Vec<Lease>>,
}

impl Current {
    pub(super) fn new(context: &Context, name: &EnvName, select: &Selection) -> Self {
        Self {
            context: context.clone(),
            name: name.clone(),
            select: select.clone(),
            leases: Mutex::default(),
        }
    }

    /// Keeps this, too.
    pub(super) fn keep(&self, lease: Lease) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
    }

    /// What another program in this process goes on with: each lease's name and descriptor.
    pub(super) fn leases(&self) -> Vec<(PathBuf, RawFd)> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = leases.iter().filter_map(Lease::descriptor);
        parts.map(|(stem, fd)| (stem.to_owned(), fd)).collect()
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Wishes for Current {
    fn current(&self) -> std::result::Result<Stack, Problem> {
        let (context, name) = (&self.context, &self.name);
        let Some(environment) = environment::pointed_at(context, name)? else {
            return Err(Error::GenerationLost(name.clone()).into());
        };
        environment::check(&context.store(), &environment)?;
        let stack = stack::assemble(context, &environment, &self.select, InUse::Keep)?;
        let lease = context.store().hold(&environment.objects(), &format!("running {name}"))?;
        self.keep(lease);
        Ok(stack)
    }
}

/// Ports of `[port]` that are the supervisor's own: `control` and `metrics`, where no service
/// opens them.
#[derive(Clone, Debug, Default)]
pub struct OwnPorts {
    pub(super) control: Option<u16>,
    pub(super) metrics: Option<u16>,
    pub(super) token: Option<Secret>,
}

pub(super) fn own_ports(context: &Context, environment: &Environment) -> Result<OwnPorts> {
    let manifest = &environment.manifest;
    let own = |name: &str| {
        manifest.ports.contains_key(name)
            && !manifest.services.values().any(|s| s.listen.contains(name))
    };
    if !own("control") && !own("metrics") {
        return Ok(OwnPorts::default());
    }
    let data = values::data_dir(manifest, context.project());
    let wait = context.settings().lock_timeout.value;
    let numbers = crate::env::ports::assign(&data, &manifest.ports, InUse::Keep, wait)?;
    let number = |name: &str| numbers.get(name).copied().filter(|_| own(name));
    Ok(OwnPorts {
        control: number("control"),
        metrics: number("metrics"),
        token: Secrets::load(context)?.get(CONTROL_TOKEN.name),
    })
}

/// The services of a running stack that words mean.
pub(super) fn names(
    context: &Context,
    name: &EnvName,
    words: &[String],
    status: &StackStatus,
) -> Result<Vec<ServiceName>> {
    let groups = groups(context, name);
    let none = std::collections::BTreeSet::new();
    let known = status.services.iter().map(|s| select::Known {
        name: &s.name,
        shared: s.replica_of.as_ref(),
        groups: groups.get(s.replica_of.as_ref().unwrap_or(&s.name)).unwrap_or(&none),
    });
    select::resolve_all(words, known)
}

/// The services of a profile that words mean; all of them when there are none.
pub fn declared(context: &Context, name: &EnvName, words: &[String]) -> Result<Vec<ServiceName>> {
    let profile = Profiles::load_one(context.project(), name)?;
    let copies = |n: &ServiceName, replicas| -> Vec<ServiceName> {
        replicas::names(n, replicas).into_iter().map(|(_, name)| name).collect()
    };
    let all = profile.services.iter();
    let all: Vec<_> = all.map(|(n, s)| (n, copies(n, s.replicas), &s.group)).collect();
    if words.is_empty() {
        return Ok(all.into_iter().flat_map(|(_, names, _)| names).collect());
    }
    let known = all.iter().flat_map(|(shared, copies, groups)| {
        let shared = (copies.len() > 1).then_some(*shared);
        copies.iter().map(move |name| select::Known { name, shared, groups })
    });
    select::resolve_all(words, known)
}

type Groups = std::collections::BTreeMap<ServiceName, std::collections::BTreeSet<String>>;

/// The groups of each service; none when the profile is broken now.
fn groups(context: &Context, name: &EnvName) -> Groups {
    let profile = Profiles::load_one(context.project(), name);
    profile.map_or_else(
        |_| Groups::new(),
        |p| p.services.into_iter().map(|(n, s)| (n, s.group)).collect(),
    )
}

/// Metrics of the running stack, in the Prometheus text format.
pub fn metrics(context: &Context, name: &EnvName) -> Result<String> {
    Ok(run::require(context, name)?.metrics()?)
}
