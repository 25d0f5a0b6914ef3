//! `infra dep sbom`

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{Outcome, Session};
use crate::ops;

/// Which standard.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// CycloneDX 1.6
    Cyclonedx,
    /// SPDX 2.3
    Spdx,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which standard, in its JSON form
    #[arg(long, value_enum, default_value = "cyclonedx")]
    pub(crate) format: Format,
    /// The project's name in it; its directory's unless given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// As JSON, which it always is
    #[arg(long, hide = true)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let format = match args.format {
        Format::Cyclonedx => ops::sbom::Format::Cyclonedx,
        Format::Spdx => ops::sbom::Format::Spdx,
    };
    let document = ops::sbom::sbom(&session.context, format, args.name.as_deref())?;
    session.printer.json(&document);
    Ok(ExitCode::SUCCESS)
}
