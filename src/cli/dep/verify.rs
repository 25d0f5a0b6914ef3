//! `infra dep verify`

use std::process::ExitCode;

use serde_json::json;

use crate::base::{DepName, Kind};
use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::provenance::Status;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Deps to look at, with `--provenance`; all when none is named
    #[arg(requires = "provenance")]
    pub(crate) names: Vec<DepName>,
    /// Verify again who signed each platform's artifact, from the evidence that was kept
    #[arg(long)]
    pub(crate) provenance: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    if args.provenance {
        return provenance(args, session);
    }
    let verified = ops::verify::deps(&session.context)?;
    if args.json {
        let objects: Vec<_> =
            verified.iter().map(|o| json!({ "object": o.name, "tree": o.tree })).collect();
        session.printer.json(&json!({ "objects": objects }));
        return Ok(ExitCode::SUCCESS);
    }
    for object in &verified {
        session.printer.line(&format!("{}  {}", object.tree, object.name));
    }
    session.printer.note(&format!("{} objects match dep.lock.json", verified.len()));
    Ok(ExitCode::SUCCESS)
}

fn provenance(args: &Args, session: &Session) -> Outcome {
    let rows = ops::provenance::verify(&session.context, &args.names)?;
    let refused = rows.iter().any(|row| row.status == Some(Status::Refused));
    let code =
        if refused { ExitCode::from(Kind::Integrity.exit_code()) } else { ExitCode::SUCCESS };
    if args.json {
        session.printer.json(&json!({ "rows": rows }));
        return Ok(code);
    }
    for row in &rows {
        let about = format!("{} {} {}", row.name, row.version, row.platform);
        let (Some(kind), Some(signer), Some(status)) = (row.kind, &row.signer, row.status) else {
            let vouched: Vec<_> = row.verified.iter().map(|proof| proof.name()).collect();
            session.printer.line(&format!("unsigned   {about}  ({})", vouched.join(", ")));
            continue;
        };
        let word = match status {
            Status::Verified | Status::Fetched => "verified ",
            Status::Unchecked => "unchecked",
            Status::Refused => "REFUSED  ",
        };
        session.printer.line(&format!("{word}  {about}  {kind} by {signer}"));
        if let Some(why) = &row.why {
            session.printer.line(&format!("           {why}"));
        }
    }
    let count = |status| rows.iter().filter(|row| row.status == Some(status)).count();
    let good = count(Status::Verified) + count(Status::Fetched);
    let unsigned = rows.iter().filter(|row| row.status.is_none()).count();
    session.printer.note(&format!(
        "{good} verified, {} unchecked, {} refused; {unsigned} rows have no signature",
        count(Status::Unchecked),
        count(Status::Refused)
    ));
    Ok(code)
}
