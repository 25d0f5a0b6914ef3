//! `infra runtime watch`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::watch::News;
use crate::supervise::plan::Step;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn run(_args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    ops::run::require(&session.context, name)?;
    session.printer.note(&format!("watching the files of {name}"));
    let ended = || matches!(ops::run::connect(&session.context, name), Ok(None));
    ops::watch::watch(&session.context, name, ended, |news| show_news(news, session))?;
    session.printer.note(&format!("{name} is stopped"));
    Ok(ExitCode::SUCCESS)
}

/// What became of a change.
pub(crate) fn show_news(news: News, session: &Session) {
    match news {
        News::Applied(plan) => {
            let words = |step: Step| {
                let names: Vec<&str> = plan.with(step).map(|n| n.as_str()).collect();
                (!names.is_empty()).then(|| format!("{} {}", step.as_str(), names.join(", ")))
            };
            let parts: Vec<String> =
                [Step::Stop, Step::Restart, Step::Start].into_iter().filter_map(words).collect();
            let what =
                if parts.is_empty() { "nothing to restart".to_owned() } else { parts.join("; ") };
            session.printer.note(&format!("generation {} applied: {what}", plan.to));
        }
        News::Kept(problem) => {
            session.printer.problem(&problem);
            session.printer.note("nothing was changed; what runs goes on");
        }
    }
}
