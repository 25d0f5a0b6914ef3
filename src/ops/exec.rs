//! Running one command inside an environment, in the place of this process.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::host::Host;
use super::{Context, Error, Result, environment, host_needs};
use crate::base::{CommandName, EnvName, Problem, suggest};
use crate::config;
use crate::env::activate::{Purity, process_environment};
use crate::env::ports::InUse;
use crate::env::program;
use crate::supervise::hand_over;

/// Replaces this process by the command; returns only when that failed.
pub fn replace(context: &Context, name: &EnvName, pure: bool, command: &[OsString]) -> Problem {
    match prepare(context, name, pure, command) {
        Ok((program, env)) => hand_over::exec(&program, command, &env).into(),
        Err(problem) => problem,
    }
}

type Environment = std::collections::BTreeMap<OsString, OsString>;

fn prepare(
    context: &Context,
    name: &EnvName,
    pure: bool,
    command: &[OsString],
) -> Result<(PathBuf, Environment)> {
    let environment = environment::ensure(context, name)?;
    let values = Host::new(context, &environment, InUse::Keep)?.values;
    let purity = if pure { Purity::Pure } else { Purity::Inherit };
    let env = process_environment(&values, context.environ(), purity);
    let first = command.first().cloned().unwrap_or_default();
    let shown = first.to_string_lossy().into_owned();
    if Path::new(&first).components().count() > 1 || shown.starts_with('/') {
        return Ok((context.cwd().join(first), env));
    }
    let commands = &environment.manifest.commands;
    if let Some(dep) = commands.get(shown.as_str()) {
        environment::check_dep(&context.store(), &environment, dep)?;
        let program = program::find(environment.object.path(), &environment.manifest, &shown)?;
        host_needs::check(context, &environment, dep, &program)?;
        return Ok((program, env));
    }
    // Not one of ours: the host's, where the caller's PATH is part of the environment.
    let path = env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    if let Some(program) = config::find_in(&path, &first) {
        return Ok((program, env));
    }
    let nearest = suggest::nearest(&shown, commands.keys().map(CommandName::as_str))
        .and_then(|n| CommandName::new(n).ok());
    let hidden = config::find_on_path(context.environ(), &shown).is_some();
    Err(Error::UnknownCommand { command: shown, env: name.clone(), nearest, hidden }.into())
}
