//! `infra dep outdated`

use std::process::ExitCode;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::outdated::State;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Deps to ask about; all when none is named
    pub(crate) names: Vec<DepName>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let rows = ops::outdated::outdated(&session.context, &args.names)?;
    if args.json {
        session.printer.json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    let style = session.printer.style();
    let mut table = Table::new(&["DEP", "CURRENT", "IN RANGE", "NEWEST", "REQUIREMENT", "STATE"]);
    let or_dash = |version: &Option<crate::base::Version>| {
        version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
    };
    let count = |state| rows.iter().filter(|r| r.state == state).count();
    let (update, major) = (count(State::Update), count(State::Major));
    for row in &rows {
        table.row([
            row.name.to_string(),
            or_dash(&row.current),
            or_dash(&row.in_range),
            or_dash(&row.newest),
            row.requirement.to_string(),
            match row.state {
                State::Current => style.green("current"),
                State::Update => style.yellow("update"),
                State::Major => style.yellow("major"),
                State::NotLocked => style.red("not locked"),
            },
        ]);
    }
    session.printer.data(&table.render(style));
    for row in rows.iter().filter(|row| row.yanked) {
        let (name, version) = (&row.name, or_dash(&row.current));
        let said = format!("`{name}` {version} was withdrawn by its publisher");
        session.printer.note(&said);
    }
    if update > 0 {
        session.printer.note(&format!("{update} can move with `infra dep update`"));
    }
    if major > 0 {
        session.printer.note(&format!("{major} can move with `infra dep update --major`"));
    }
    Ok(ExitCode::SUCCESS)
}
