//! Applying changes of the profile or of the lock to a running stack as they are made.
//!
//! Looks at the files an environment is made from a few times a second: they are few and known, an
//! editor that replaces a file is seen like one that writes it, and it works on every file system.
//! Invariants: nothing is locked here; what cannot be applied is said once and leaves running what
//! runs.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::{Context, Result, environment, plan};
use crate::base::{EnvName, Problem};
use crate::env::Generations;
use crate::fs;
use crate::profile::{self, Profiles};
use crate::supervise::plan::Plan;

/// How often files are looked at. A change is taken up at the first look that finds nothing more
/// changed since the one before.
const LOOK: Duration = Duration::from_millis(250);

/// What became of a change.
#[derive(Debug)]
pub enum News {
    /// It was applied; what was done.
    Applied(Box<Plan>),
    /// It cannot be; what runs goes on.
    Kept(Problem),
}

/// Watches until `ended` says so. `tell` gets what becomes of each change.
pub fn watch(
    context: &Context,
    name: &EnvName,
    ended: impl Fn() -> bool,
    mut tell: impl FnMut(News),
) -> Result<()> {
    // What was changed before the first look counts, too.
    let mut seen = Looks::default();
    let mut before = Looks::of(context, name);
    while !ended() {
        std::thread::sleep(LOOK);
        let now = Looks::of(context, name);
        let settled = now == before;
        before = now.clone();
        if !settled || now == seen {
            continue;
        }
        // A supervisor that is just starting is asked a look later.
        if matches!(super::run::connect(context, name), Ok(None)) {
            continue;
        }
        seen = now;
        match apply(context, name) {
            Ok(None) => {}
            Ok(Some(plan)) => tell(News::Applied(Box::new(plan))),
            Err(_) if ended() => return Ok(()),
            Err(problem) => tell(News::Kept(problem)),
        }
    }
    Ok(())
}

/// Builds and applies what the files ask for now; `None` when that is what runs already.
fn apply(context: &Context, name: &EnvName) -> Result<Option<Plan>> {
    environment::ensure(context, name)?;
    let mut client = super::run::require(context, name)?;
    let running = client.status()?.generation;
    let current = Generations::new(context.project(), name).current()?.map(|g| g.number);
    if current == Some(running) {
        return Ok(None);
    }
    plan::apply(context, name).map(|(plan, _)| Some(plan))
}

/// What files look like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Looks(BTreeMap<PathBuf, Option<(u64, u64, i64, i64)>>);

impl Looks {
    /// Of every file that the environment is made from, and of the link to its generation.
    fn of(context: &Context, name: &EnvName) -> Self {
        let project = context.project();
        let mut paths = profile::source_files(project, name).unwrap_or_default();
        if let Ok(profile) = Profiles::load_one(project, name) {
            paths.extend(profile.inputs(project));
        }
        // A profile that is broken now is watched at least itself.
        paths.push(project.join("profiles").join(format!("{name}.toml")));
        paths.push(context.lock_path());
        paths.push(Generations::new(project, name).link());
        let look = |path: PathBuf| {
            let meta = fs::lstat_if_exists(&path).ok().flatten();
            (path, meta.map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec())))
        };
        Self(paths.into_iter().map(look).collect())
    }
}
