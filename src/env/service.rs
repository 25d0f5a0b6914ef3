//! A service of an environment on this host: what to start, and how to see that it is ready.
//!
//! Owns the expansion of `[service.*]`. The caller adds secrets and turns texts into addresses.
//! Invariant: the program is a file inside the object of the dep that provides the command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Result;
use super::manifest::{Manifest, Service};
use super::program;
use super::values::{Place, Values};

/// A service with every value expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceValues {
    /// Absolute path of its program, in the store.
    pub program: PathBuf,
    /// Arguments after the program.
    pub args: Vec<String>,
    /// Variables for it alone, over the environment's.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// Readiness.
    pub ready: Option<ReadyValues>,
    /// Ports it opens: name → number.
    pub ports: BTreeMap<String, u16>,
}

/// Readiness with every value expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyValues {
    /// What is looked at.
    pub probe: ProbeValues,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a readiness check looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeValues {
    /// URL to GET.
    Http(String),
    /// Address to connect to.
    Tcp(String),
    /// Text to wait for in its output.
    Log(String),
}

impl ServiceValues {
    /// Expands a service.
    pub fn new(
        service: &Service,
        manifest: &Manifest,
        values: &Values,
        place: &Place<'_>,
    ) -> Result<Self> {
        // Resolving refused an empty command; a manifest without one has no such program either.
        let name = service.command.first().map_or("", |word| word.as_str());
        let program = program::find(place.object, manifest, name)?;
        let args = service.command.iter().skip(1).map(|word| values.expand(word));
        let env = service.env.iter().map(|(key, value)| Ok((key.clone(), values.expand(value)?)));
        let cwd = match &service.cwd {
            Some(cwd) => place.project.join(values.expand(cwd)?),
            None => place.project.to_owned(),
        };
        let ports = service.listen.iter().filter_map(|port| {
            values.ports().get_key_value(port).map(|(name, number)| (name.clone(), *number))
        });
        Ok(Self {
            program,
            args: args.collect::<Result<_>>()?,
            env: env.collect::<Result<_>>()?,
            cwd,
            ready: ready(service, values)?,
            ports: ports.collect(),
        })
    }
}

fn ready(service: &Service, values: &Values) -> Result<Option<ReadyValues>> {
    let Some(ready) = &service.ready else { return Ok(None) };
    let probe = match (&ready.http, &ready.tcp, &ready.log) {
        (Some(url), _, _) => ProbeValues::Http(values.expand(url)?),
        (_, Some(address), _) => ProbeValues::Tcp(values.expand(address)?),
        (_, _, Some(text)) => ProbeValues::Log(text.clone()),
        (None, None, None) => return Ok(None),
    };
    Ok(Some(ReadyValues { probe, timeout: Duration::from_millis(ready.timeout_ms) }))
}
