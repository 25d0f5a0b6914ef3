//! `infra run`

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::runtime::lines::Lines;
use super::{Outcome, Session, screen};
use crate::ops;
use crate::ops::run::Prepared;
use crate::ops::select::Selection;
use crate::supervise;
use crate::supervise::init;
use crate::supervise::plan::Plan;
use crate::tui;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  infra run                     the default environment\n  infra run --env test\n  infra run nats pocketbase     these and what they come after\n  infra run --plan              what would start, stop, restart and stay\n  infra run --watch --skip @edge"
)]
pub(crate) struct Args {
    /// Which services.
    #[command(flatten)]
    pub(crate) select: Select,
    /// Say what would start, stop, restart and stay, and why; do nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// The plan as JSON
    #[arg(long, requires = "plan")]
    pub(crate) json: bool,
    /// Lines instead of the live screen, on a terminal too
    #[arg(long)]
    pub(crate) plain: bool,
    /// Apply changes of the profile or of the lock as they are made
    #[arg(long, conflicts_with = "plan")]
    pub(crate) watch: bool,
    /// Behave as a container's init, as the first process of a container does by itself
    #[arg(long, conflicts_with = "plan")]
    pub(crate) init: bool,
    /// How long the ordered end may take, SIGKILL included, e.g. `8s`; services get less time where needed
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "plan")]
    pub(crate) stop_within: Option<Duration>,
}

/// A time as profiles write it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    crate::profile::duration(text)
}

/// Which services a run is about.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Select {
    /// Services or @groups to run, with what they come after; all unless given
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// A service or @group to run, with what it comes after; may be repeated
    #[arg(long, value_name = "SERVICE")]
    pub(crate) with: Vec<String>,
    /// A service or @group to run, without what it comes after; may be repeated
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Vec<String>,
    /// A service or @group not to run; may be repeated
    #[arg(long, value_name = "SERVICE")]
    pub(crate) skip: Vec<String>,
    /// Refuse to start unless every sandbox is fully held
    #[arg(long)]
    pub(crate) require_sandbox: bool,
    /// Start also what was stopped with `runtime stop`
    #[arg(long)]
    pub(crate) all: bool,
}

impl Select {
    /// As operations have it.
    pub(crate) fn selection(&self) -> Selection {
        let with = self.services.iter().chain(&self.with).cloned().collect();
        Selection { with, only: self.only.clone(), skip: self.skip.clone(), all: self.all }
    }
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let select = args.select.selection();
    if args.plan {
        let plan = ops::plan::plan(&session.context, name, &select)?;
        return Ok(show_plan(&plan, args.json, session));
    }
    let first = init::is_first();
    if first {
        // Before anything that may take long: until then the kernel throws signals away.
        if let Err(e) = init::begin(tui::is_possible()) {
            session.printer.warn(&format!("signals are not heard before the stack runs: {e}"));
        }
    }
    let mut prepared = ops::run::prepare_or_go_on(&session.context, name, &select)?;
    if first || args.init {
        prepared = prepared.as_init();
    }
    let prepared = prepared.stopping_within(args.stop_within);
    if args.select.require_sandbox {
        ops::run::require_sandbox(&prepared)?;
    }
    if let Some(headline) = prepared.headline() {
        session.printer.note(&format!("{name}: {headline}"));
    }
    let mut lines = Lines::new(session.printer.clone(), prepared.services().iter());
    let outcome = if !args.watch && !args.plain && tui::is_possible() {
        screen::run(prepared, lines, session)?
    } else if args.watch {
        watched(prepared, lines, session)?
    } else {
        ops::run::foreground(prepared, move |event| lines.show(&event))?
    };
    if outcome.down.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for service in &outcome.down {
        session.printer.warn(&format!("the required service `{service}` was not up"));
    }
    Ok(ExitCode::FAILURE)
}

/// Runs in the foreground while another thread applies what changes.
fn watched(
    prepared: Prepared,
    mut lines: Lines,
    session: &Session,
) -> ops::Result<supervise::Outcome> {
    let name = &session.context.settings().env.value;
    let ended = AtomicBool::new(false);
    supervise::leave_signals();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let tell = |news| super::runtime::show_news(news, session);
            ops::watch::watch(&session.context, name, || ended.load(Ordering::Relaxed), tell)
        });
        let outcome = ops::run::foreground(prepared, move |event| lines.show(&event));
        ended.store(true, Ordering::Relaxed);
        // Its errors were told as they came.
        let _ = watcher.join();
        outcome
    })
}

/// A plan, for people or programs.
pub(super) fn show_plan(plan: &Plan, json: bool, session: &Session) -> ExitCode {
    if json {
        session.printer.json(plan);
        return ExitCode::SUCCESS;
    }
    let from = plan.from.map_or_else(|| "nothing runs".to_owned(), |n| format!("generation {n}"));
    session.printer.note(&format!("{}: {from} → generation {}", plan.env, plan.to));
    let style = session.printer.style();
    let mut table = Table::new(&["SERVICE", "STEP", "WHY"]);
    for planned in &plan.services {
        let word = planned.step.as_str();
        let step = match planned.step {
            supervise::plan::Step::Keep => style.dim(word),
            supervise::plan::Step::Stop => style.red(word),
            _ => style.yellow(word),
        };
        table.row([planned.service.to_string(), step, planned.reasons.join("; ")]);
    }
    session.printer.data(&table.render(style));
    ExitCode::SUCCESS
}
