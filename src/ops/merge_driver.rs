//! The merge driver that git calls for the lock, and telling git about it.
//!
//! The driver knows three texts and neither profiles nor network: git may not have merged the
//! profiles yet. What it cannot settle it leaves as a conflict for `dep lock --merge`. Invariant:
//! whatever happens, the file git gets has either no conflict or markers.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Context, Error, Result, git};
use crate::base::DepName;
use crate::config::find_on_path;
use crate::fs;
use crate::lock::{self, Entries, markers, merge};

/// The driver's name in git's configuration.
const NAME: &str = "infra-lock";

/// What was set up.
#[derive(Clone, Debug, Serialize)]
pub struct Installed {
    /// What git runs.
    pub driver: String,
    /// The attributes file, when a line was added to it.
    pub attributes: Option<PathBuf>,
}

/// Registers the driver in the repository's configuration and attributes.
pub fn install(context: &Context) -> Result<Installed> {
    let driver = format!("{} dep merge-driver run %O %A %B", program(context)?);
    for (key, value) in [("name", "merge dep.lock.json entry by entry"), ("driver", &driver)] {
        let key = format!("merge.{NAME}.{key}");
        let done = git::run(context, &["config", "--local", &key, value])?;
        if !done.success() {
            return Err(Error::Git { what: "keep the merge driver", said: done.stderr }.into());
        }
    }
    let path = context.project().join(".gitattributes");
    let mut text = fs::read_to_string_if_exists(&path)?.unwrap_or_default();
    let line = format!("{} merge={NAME}", lock::FILE);
    let attributes = if text.lines().any(|l| l.trim() == line) {
        None
    } else {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&line);
        text.push('\n');
        fs::write_atomic(&path, text.as_bytes())?;
        Some(path)
    };
    Ok(Installed { driver, attributes })
}

/// How git's shell finds this program: by its name where `PATH` has this very one, so that the
/// configuration survives an upgrade; else by its place.
fn program(context: &Context) -> Result<String> {
    let own = std::env::current_exe().map_err(Error::OwnPath)?;
    let found = find_on_path(context.environ(), "infra").and_then(|p| fs::canonicalize(&p).ok());
    if found.is_some() && found == fs::canonicalize(&own).ok() {
        return Ok("infra".to_owned());
    }
    // git hands the line to a shell, and reads `%` in it.
    let quoted = own.to_string_lossy().replace('\'', "'\\''").replace('%', "%%");
    Ok(format!("'{quoted}'"))
}

/// What a run of the driver came to.
#[derive(Clone, Debug)]
pub enum Ran {
    /// The file has no conflict.
    Clean,
    /// These entries are left as conflicts.
    Open(Vec<DepName>),
    /// A side cannot be read, so the texts were merged line by line.
    Lines(String),
}

/// Merges `theirs` into `ours` on disk, with their common ancestor `base`.
pub fn run(context: &Context, base: &Path, ours: &Path, theirs: &Path) -> Result<Ran> {
    let at = |path: &Path| context.cwd().join(path);
    let (base, ours, theirs) = (at(base), at(ours), at(theirs));
    let sides = match (read(&ours), read(&theirs)) {
        (Ok(our), Ok(their)) => (our, their),
        (Err(e), _) | (_, Err(e)) => return lines(context, [&ours, &base, &theirs], e),
    };
    // An ancestor that git made by merging may have conflicts of its own; then there is none.
    let before = read(&base).ok();
    let merged = lock::merge(before.as_ref(), &sides.0, &sides.1, None);
    if merged.open.is_empty() {
        fs::write_atomic(&ours, &lock::to_bytes(&merged.lock)?)?;
        return Ok(Ran::Clean);
    }
    let text = markers::conflicted(&merged.side(false), &merged.side(true))?;
    fs::write_atomic(&ours, text.as_bytes())?;
    Ok(Ran::Open(merged.open.into_keys().collect()))
}

/// An empty file is git's way to say that a side has none.
fn read(path: &Path) -> lock::Result<Entries> {
    let text = fs::read_to_string(path)?;
    if text.trim().is_empty() {
        return Ok(Entries::default());
    }
    merge::entries(&text, path)
}

fn lines(context: &Context, files: [&Path; 3], why: lock::Error) -> Result<Ran> {
    let [ours, base, theirs] = files.map(|f| f.to_string_lossy().into_owned());
    let labels = ["-L", "ours", "-L", "base", "-L", "theirs"];
    let args = ["merge-file"].into_iter().chain(labels).chain(["--", &ours, &base, &theirs]);
    let done = git::run(context, &args.collect::<Vec<_>>())?;
    match done.code {
        // The number of conflicts; 255 and above are failures.
        Some(0..=127) => Ok(Ran::Lines(why.to_string())),
        _ => Err(Error::Git { what: "merge the file by lines", said: done.stderr }.into()),
    }
}
