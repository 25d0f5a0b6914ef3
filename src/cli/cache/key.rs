//! `infra cache key …`

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write a new secret key into a file and print its public key
    #[command(after_help = "Example:\n  infra cache key generate cache.example.com-1 secret.key")]
    Generate(Generate),
    /// Print the public key of a secret key
    #[command(after_help = "Example:\n  infra cache key public secret.key")]
    Public(Public),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Generate {
    /// Name of the key, by which others know it; by custom the cache's host and a number
    pub(crate) name: String,
    /// File for the secret key; must not exist
    pub(crate) file: PathBuf,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Public {
    /// File with the secret key
    pub(crate) file: PathBuf,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(command: &Command, session: &Session) -> Outcome {
    let (key, json) = match command {
        Command::Generate(Generate { name, file, json }) => {
            (ops::cache::generate_key(&session.context, name, file)?, *json)
        }
        Command::Public(Public { file, json }) => {
            (ops::cache::public_key(&session.context, file)?, *json)
        }
    };
    match json {
        true => session.printer.json(&json!({ "name": key.name(), "public": key.to_string() })),
        false => session.printer.line(&key.to_string()),
    }
    Ok(ExitCode::SUCCESS)
}
