//! Keys of a service that only mean something together, and those that exclude each other.
//!
//! Invariant: a profile without an error here has no service that waits for ever by its own rules.

use std::collections::BTreeMap;

use super::check::{after, given};
use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::{Entry, Layer, ServiceLayer};
use super::model::{OnDependencyRestart, Restart, Service, ServiceKind, When};
use crate::base::ServiceName;

/// The restart rule: what is given, else what suits the kind.
pub(super) fn restart(says: &ServiceLayer) -> Restart {
    match (given(&says.restart), given(&says.kind)) {
        (Some(rule), _) => *rule,
        (None, Some(ServiceKind::Task)) => Restart::Never,
        (None, _) => Restart::Always,
    }
}

/// Checks every service.
pub(super) fn check(layer: &Layer, services: &BTreeMap<ServiceName, Service>) -> Result<()> {
    for (name, entry) in &layer.services {
        let (Some(says), Some(service)) = (&entry.value, services.get(name)) else { continue };
        match service.kind {
            ServiceKind::Task => task(says)?,
            ServiceKind::Service => lasting(says)?,
        }
        if service.on_dependency_restart == OnDependencyRestart::Reload && service.reload.is_none()
        {
            let hint = "write reload = { signal = \"SIGHUP\" }, or \"restart\"";
            refuse(&says.on_dependency_restart, "it has no `reload`", hint)?;
        }
        for (dep, when) in &service.conditions {
            let endless =
                |s: &&Service| s.kind == ServiceKind::Service && s.restart == Restart::Always;
            if *when == When::Completed
                && services.get(dep).is_some_and(|s| endless(&s))
                && let Some(at) = after(says).iter().find(|a| a.value == *dep)
            {
                let why = format!("`{dep}` never completes: it is started again whenever it ends");
                let hint = Some(format!("write kind = \"task\" in [service.{dep}]"));
                let key = format!("{}.after", entry.path);
                return Err(Error::at(&at.spot, Flaw::BadValue { key, why, hint }, "never"));
            }
        }
        copies(layer, name, says, service)?;
    }
    Ok(())
}

fn refuse<T>(entry: &Option<Entry<T>>, why: &str, hint: &str) -> Result<()> {
    match entry {
        Some(entry) if entry.value.is_some() => {
            let hint = (!hint.is_empty()).then(|| hint.to_owned());
            let flaw = Flaw::BadValue { key: entry.path.clone(), why: why.to_owned(), hint };
            Err(Error::at(&entry.spot, flaw, "cannot be used here"))
        }
        _ => Ok(()),
    }
}

fn task(says: &ServiceLayer) -> Result<()> {
    refuse(&says.ready, "a task is done when it has ended", "remove it")?;
    refuse(&says.alive, "a task is done when it has ended", "remove it")?;
    refuse(&says.reload, "a task runs to its end", "remove it")?;
    refuse(&says.replicas, "a task runs once", "remove it")?;
    if given(&says.restart) == Some(&Restart::Always) {
        refuse(&says.restart, "a task would never be done", "write \"on-failure\" or \"never\"")?;
    }
    Ok(())
}

fn lasting(says: &ServiceLayer) -> Result<()> {
    refuse(&says.schedule, "only a task runs by schedule", "write kind = \"task\" beside it")
}

/// Copies are called `NAME.1`, `NAME.2`, …
fn copies(layer: &Layer, name: &ServiceName, says: &ServiceLayer, service: &Service) -> Result<()> {
    for n in (1..=service.replicas).filter(|_| service.replicas > 1) {
        let copy = format!("{name}.{n}");
        if ServiceName::new(copy.as_str()).is_err() {
            let why = format!("`{copy}` is too long for a name");
            refuse(&says.replicas, &why, "give the service a shorter name")?;
        }
        if layer.services.contains_key(copy.as_str()) {
            let why = format!("there is a service `{copy}` beside it");
            refuse(&says.replicas, &why, "rename that one")?;
        }
    }
    Ok(())
}
