//! `infra dep why`

use std::process::ExitCode;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The dep
    pub(crate) name: DepName,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let why = ops::why::why(&session.context, &args.name)?;
    if args.json {
        session.printer.json(&why);
        return Ok(ExitCode::SUCCESS);
    }
    let commands: Vec<_> = why.commands.iter().map(ToString::to_string).collect();
    if commands.is_empty() {
        session.printer.line(why.name.as_str());
    } else {
        session.printer.line(&format!("{}  offers {}", why.name, commands.join(", ")));
    }
    for place in &why.uses {
        let at = match (&place.file, place.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => "profiles".to_owned(),
        };
        let profiles: Vec<_> = place.profiles.iter().map(ToString::to_string).collect();
        session.printer.line(&format!("  {at}  {}  [{}]", place.what, profiles.join(" ")));
    }
    let used = why.uses.iter().any(|place| !place.what.starts_with("asks for "));
    if !used {
        session.printer.note("no service, variable or preference uses it");
    }
    Ok(ExitCode::SUCCESS)
}
