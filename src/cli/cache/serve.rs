//! `infra cache serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory of a cache; the store's own objects unless given
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
    /// Let whoever sends INFRA_CACHE_TOKEN push into the directory
    #[arg(long)]
    pub(crate) allow_push: bool,
    /// File with the secret key to sign the store's objects with
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    pub(crate) key: Option<PathBuf>,
    /// The address as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let how = ops::cache::Serve {
        directory: args.directory.as_deref(),
        listen: args.listen,
        allow_push: args.allow_push,
        key: args.key.as_deref(),
    };
    ops::cache::serve(&session.context, &how, |address| {
        let url = format!("http://{address}");
        if args.json {
            session.printer.json(&json!({ "url": url }));
        } else {
            session.printer.line(&url);
            if !address.ip().is_loopback() {
                session.printer.warn("whoever reaches this address may read everything it serves");
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
