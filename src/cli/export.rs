//! `infra export`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use super::{Outcome, Session};
use crate::base::DepName;
use crate::fs;
use crate::ops;

/// For which tool.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// A DotSlash file per command
    Dotslash,
    /// A multitool.lock.json
    Multitool,
    /// ARG lines for a Dockerfile
    DockerfileArgs,
    /// Lines for $GITHUB_ENV
    GithubEnv,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  infra export dotslash --out bin\n  infra export multitool > multitool.lock.json\n  infra export github-env >> \"$GITHUB_ENV\""
)]
pub(crate) struct Args {
    /// For which tool
    #[arg(value_enum)]
    pub(crate) format: Format,
    /// Deps to export; all when none is named
    pub(crate) names: Vec<DepName>,
    /// Write files into this directory instead of printing them
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// As JSON: file names, texts, and what was left out
    #[arg(long, conflicts_with = "out")]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (format, executable) = match args.format {
        Format::Dotslash => (ops::export::Format::Dotslash, true),
        Format::Multitool => (ops::export::Format::Multitool, false),
        Format::DockerfileArgs => (ops::export::Format::DockerfileArgs, false),
        Format::GithubEnv => (ops::export::Format::GithubEnv, false),
    };
    let written = ops::export::export(&session.context, format, &args.names)?;
    if args.json {
        let files: Vec<_> =
            written.files.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
        session.printer.json(&json!({"files": files, "left": written.left}));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(out) = &args.out {
        let out = session.context.cwd().join(out);
        fs::create_dir_all(&out)?;
        for (name, text) in &written.files {
            let path = out.join(name);
            fs::write_atomic(&path, text.as_bytes())?;
            if executable {
                fs::chmod(&path, 0o755)?;
            }
            session.printer.note(&format!("wrote {}", path.display()));
        }
    } else {
        for (_, text) in &written.files {
            session.printer.data(text);
        }
        if written.files.len() > 1 {
            session.printer.note("several files were printed; `--out DIR` writes each on its own");
        }
    }
    for left in &written.left {
        session.printer.warn(&format!("left out {left}"));
    }
    Ok(ExitCode::SUCCESS)
}
