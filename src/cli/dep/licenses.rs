//! `infra dep licenses`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let deps = ops::licenses::list(&session.context)?;
    if args.json {
        session.printer.json(&deps);
        return Ok(ExitCode::SUCCESS);
    }
    let style = session.printer.style();
    let mut table = Table::new(&["DEP", "VERSION", "LICENSE", "FROM"]);
    let mut absent = 0;
    for dep in &deps {
        let found = dep.found.as_ref();
        absent += usize::from(found.is_none());
        let from = match found {
            None => "not in the store".to_owned(),
            Some(found) => found.from.clone().unwrap_or_else(|| found.files.join(", ")),
        };
        table.row([
            dep.name.to_string(),
            dep.version.to_string(),
            match found.and_then(|f| f.licence.clone()) {
                Some(licence) => licence,
                None => style.yellow("unknown"),
            },
            from,
        ]);
    }
    session.printer.data(&table.render(style));
    if absent > 0 {
        session.printer.note(&format!("{absent} not in the store; `infra dep sync` fetches them"));
    }
    Ok(ExitCode::SUCCESS)
}
