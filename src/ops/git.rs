//! What is asked of git.
//!
//! Owns the questions; [`tool`] starts the program. Invariant: a name that a user gives is never
//! taken for an option.

use super::{Context, Error, Result};
use crate::supervise::tool::{self, Finished};

/// Runs git in the project.
pub(super) fn run(context: &Context, args: &[&str]) -> Result<Finished> {
    Ok(tool::run("git", args, context.environ(), context.project())?)
}

/// A file of the project at a revision; `None` when it was not there.
pub(super) fn show(context: &Context, revision: &str, file: &str) -> Result<Option<String>> {
    let wanted = format!("{revision}^{{commit}}");
    let found = run(context, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])?;
    if !found.success() {
        let (revision, said) = (revision.to_owned(), found.stderr);
        return Err(Error::UnknownRevision { revision, said }.into());
    }
    let commit = found.text();
    let listed = run(context, &["ls-tree", "--name-only", &commit, "--", file])?;
    if !listed.success() || listed.text().is_empty() {
        return Ok(None);
    }
    let shown = run(context, &["show", &format!("{commit}:./{file}")])?;
    if !shown.success() {
        return Err(Error::Git { what: "show a file", said: shown.stderr }.into());
    }
    Ok(Some(String::from_utf8_lossy(&shown.stdout).into_owned()))
}
