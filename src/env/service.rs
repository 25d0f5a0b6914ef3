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
use crate::profile::template::Template;

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
    /// Liveness.
    pub alive: Option<AliveValues>,
    /// Runs to its end before each start.
    pub pre_start: Option<CommandValues>,
    /// Reloads it.
    pub reload: Option<CommandValues>,
    /// Asks it to end.
    pub stop: Option<CommandValues>,
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
    /// Command that ends with 0.
    Exec(CommandValues),
    /// It says so itself.
    Notify,
}

/// A command of the environment with every value expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandValues {
    /// Absolute path of its program, in the store.
    pub program: PathBuf,
    /// Arguments after the program.
    pub args: Vec<String>,
}

/// Liveness with every value expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliveValues {
    /// What is looked at; `Err` holds the time between two signs of life that it gives itself.
    pub probe: std::result::Result<ProbeValues, Duration>,
    /// Time between two looks.
    pub interval: Duration,
    /// How long a look may take.
    pub timeout: Duration,
    /// Failed looks in a row.
    pub failures: u32,
}

impl ServiceValues {
    /// Expands a service.
    pub fn new(
        service: &Service,
        manifest: &Manifest,
        values: &Values,
        place: &Place<'_>,
    ) -> Result<Self> {
        let command = |words: &Vec<Template>| -> Result<CommandValues> {
            // Resolving refused an empty command; a manifest without one has no such program
            // either.
            let name = words.first().map_or("", |word| word.as_str());
            let program = program::find(place.object, manifest, name)?;
            let args = words.iter().skip(1).map(|word| values.expand(word));
            Ok(CommandValues { program, args: args.collect::<Result<_>>()? })
        };
        let optional = |words: &Option<Vec<Template>>| words.as_ref().map(command).transpose();
        let CommandValues { program, args } = command(&service.command)?;
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
            args,
            env: env.collect::<Result<_>>()?,
            cwd,
            ready: ready(service, values, command)?,
            alive: alive(service, values, command)?,
            pre_start: optional(&service.pre_start)?,
            reload: optional(&service.reload_command)?,
            stop: optional(&service.stop_command)?,
            ports: ports.collect(),
        })
    }
}

fn ready(
    service: &Service,
    values: &Values,
    command: impl Fn(&Vec<Template>) -> Result<CommandValues>,
) -> Result<Option<ReadyValues>> {
    let Some(ready) = &service.ready else { return Ok(None) };
    let probe = if let Some(url) = &ready.http {
        ProbeValues::Http(values.expand(url)?)
    } else if let Some(address) = &ready.tcp {
        ProbeValues::Tcp(values.expand(address)?)
    } else if let Some(text) = &ready.log {
        ProbeValues::Log(text.clone())
    } else if let Some(words) = &ready.exec {
        ProbeValues::Exec(command(words)?)
    } else if ready.notify {
        ProbeValues::Notify
    } else {
        return Ok(None);
    };
    Ok(Some(ReadyValues { probe, timeout: Duration::from_millis(ready.timeout_ms) }))
}

fn alive(
    service: &Service,
    values: &Values,
    command: impl Fn(&Vec<Template>) -> Result<CommandValues>,
) -> Result<Option<AliveValues>> {
    let Some(alive) = &service.alive else { return Ok(None) };
    let probe = if let Some(url) = &alive.http {
        Ok(ProbeValues::Http(values.expand(url)?))
    } else if let Some(address) = &alive.tcp {
        Ok(ProbeValues::Tcp(values.expand(address)?))
    } else if let Some(words) = &alive.exec {
        Ok(ProbeValues::Exec(command(words)?))
    } else if let Some(period) = alive.watchdog_ms {
        Err(Duration::from_millis(period))
    } else {
        return Ok(None);
    };
    Ok(Some(AliveValues {
        probe,
        interval: Duration::from_millis(alive.interval_ms),
        timeout: Duration::from_millis(alive.timeout_ms),
        failures: alive.failures,
    }))
}
