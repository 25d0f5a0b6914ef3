//! What to do about each error of this room, and which exit code it means.

use super::error::Error;
use crate::base::{CommandName, DepName, Diagnose, Excerpt, Hint, Kind, suggest};

/// The command that was probably meant.
fn near<'a>(program: &str, commands: &'a [CommandName]) -> Option<&'a str> {
    suggest::nearest(program, commands.iter().map(CommandName::as_str))
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::CommandConflict { .. }
            | Self::WrongPick { .. }
            | Self::UnknownProgram { .. }
            | Self::EmptyCommand { .. }
            | Self::DepNotHere { .. }
            | Self::ReservedVariable { .. }
            | Self::FileClash { .. }
            | Self::Cycle { .. } => Kind::Usage,
            Self::WrongObject { .. } | Self::CommandMissing { .. } | Self::LinkAstray { .. } => {
                Kind::Integrity
            }
            Self::MissingObject { .. } | Self::UnknownReference { .. } => Kind::Bug,
            Self::Store(e) => e.kind(),
            Self::Fs(e) | Self::ProjectFile { source: e, .. } => e.kind(),
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Store(e) => return e.hints(),
            Self::Fs(e) | Self::ProjectFile { source: e, .. } => return e.hints(),
            Self::Unavailable { dep, .. } => format!(
                "set `platforms` of `{dep}` to those that have it, or ask for another version or \
                 source"
            ),
            Self::NotLocked { .. } | Self::NoRow { .. } => {
                "run `infra dep lock`; a platform must also be in the profile's `platforms`"
                    .to_owned()
            }
            Self::CommandConflict { command, deps, .. } => {
                let dep = deps.first().map_or("NAME", DepName::as_str);
                format!("pick one in the profile: `[command]` with `{command} = \"{dep}\"`")
            }
            Self::UnknownProgram { program, commands, .. } => match near(program, commands) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "services run only commands of their environment; add the dep that offers \
                         it under `[dep]`"
                    .to_owned(),
            },
            Self::WrongObject { .. } | Self::CommandMissing { .. } => {
                "run `infra store verify`, then `infra dep sync`".to_owned()
            }
            Self::LinkAstray { .. } => "run `infra store verify`".to_owned(),
            Self::NotInPath { .. } => "set INFRA_STORE to another directory".to_owned(),
            Self::Collected { env, .. } => format!("run `infra env build {env}` again"),
            Self::Damaged { .. } => "run `infra env build` to make it again".to_owned(),
            Self::TooNew { .. } => "update infra".to_owned(),
            Self::NotBuilt(env) => format!("run `infra env build {env}`"),
            Self::NoGeneration { .. } | Self::NothingBefore { .. } => {
                "`infra env list --generations` shows what there is".to_owned()
            }
            Self::GenerationGone { env, .. } => {
                format!(
                    "check out the profiles and the lock of that time, and run `infra env build {env}`"
                )
            }
            Self::NoCommand { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::NoCommand { .. } => {
                "`infra dep list` shows the commands there are; `infra dep add` adds one".to_owned()
            }
            _ => return Vec::new(),
        };
        vec![Hint::new(hint)]
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Store(e) => e.details(),
            Self::Fs(e) => e.details(),
            Self::WrongObject { expected, received, .. } => vec![
                format!("expected  {expected}  from dep.lock.json"),
                format!("received  {received}  from the store"),
            ],
            Self::LinkAstray { expected, found, .. } => vec![
                format!("expected  a file in {}", expected.display()),
                format!("received  {}", found.display()),
            ],
            Self::UnknownProgram { program, commands, .. }
                if !commands.is_empty() && near(program, commands).is_none() =>
            {
                let names: Vec<_> = commands.iter().map(CommandName::as_str).collect();
                vec![format!("commands  {}", names.join(" "))]
            }
            Self::NoGeneration { have, .. } if !have.is_empty() => {
                let numbers: Vec<_> = have.iter().map(u64::to_string).collect();
                vec![format!("there are  {}", numbers.join(" "))]
            }
            _ => Vec::new(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::Store(e) => e.excerpt(),
            Self::Unavailable { excerpt, .. }
            | Self::CommandConflict { excerpt, .. }
            | Self::WrongPick { excerpt, .. }
            | Self::UnknownProgram { excerpt, .. }
            | Self::EmptyCommand { excerpt, .. }
            | Self::DepNotHere { excerpt, .. }
            | Self::ReservedVariable { excerpt, .. }
            | Self::FileClash { excerpt, .. } => excerpt.as_deref().cloned(),
            _ => None,
        }
    }
}
