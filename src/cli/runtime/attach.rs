//! `infra runtime attach`

use std::process::ExitCode;
use std::sync::mpsc;

use super::lines::Lines;
use crate::cli::{Outcome, Session, screen};
use crate::ops;
use crate::ops::attach::Heard;
use crate::tui;

/// Events that may wait to be written.
const QUEUE: usize = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Lines instead of the live screen, on a terminal too
    #[arg(long)]
    pub(crate) plain: bool,
    /// Without the live screen: begin with the last N lines of each service
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) tail: usize,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let left = if args.plain || !tui::is_possible() {
        plain(args.tail, session)?;
        false
    } else {
        screen::attach(session)?
    };
    session.printer.note(&if left {
        format!("{name} goes on; `infra runtime down --env {name}` stops it")
    } else {
        format!("{name} is stopped")
    });
    Ok(ExitCode::SUCCESS)
}

/// Lines until the stack is down.
fn plain(tail: usize, session: &Session) -> ops::Result<()> {
    let name = &session.context.settings().env.value;
    let status = ops::run::require(&session.context, name)?.status()?;
    let names = status.services.iter().map(|service| &service.name);
    let mut lines = Lines::new(session.printer.clone(), names);
    let (told, heard) = mpsc::sync_channel(QUEUE);
    ops::attach::hear(&session.context, name, tail, move |heard| told.send(heard).is_ok())?;
    while let Ok(Heard::Event(event)) = heard.recv() {
        lines.show(&event);
    }
    Ok(())
}
