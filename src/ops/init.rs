//! Starting a project: the starter set of profiles.

use std::path::{Path, PathBuf};

use super::{Context, Error, Result};
use crate::base::RelPath;
use crate::fs;
use crate::profile;

/// What was written.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files, relative to the project.
    pub written: Vec<RelPath>,
}

/// Lines that a project's `.gitignore` needs.
const IGNORED: [&str; 4] = [".infra/", ".data/", ".data-test/", ".env"];

/// Writes the starter set into `dir`. Nothing is written when any of its files is there, unless it
/// is exactly what would be written: then an earlier start was cut short and is finished.
pub fn init(context: &Context, dir: &Path) -> Result<Report> {
    let dir: PathBuf = context.cwd().join(dir).components().collect();
    let name = match dir.file_name() {
        Some(name) if name != "." => name.to_string_lossy().into_owned(),
        _ => fs::canonicalize(&dir)
            .ok()
            .and_then(|d| d.file_name().map(|n| n.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "project".to_owned()),
    };
    let files = profile::init_files(&name);
    let mut missing = Vec::new();
    let mut same = None;
    for (path, text) in files {
        let place = path.under(&dir);
        match fs::exists(&place)? {
            false => missing.push((path, text)),
            true if fs::read(&place)? == text.as_bytes() => same = Some(place),
            true => return Err(Error::AlreadyInitialised { path: place }.into()),
        }
    }
    let ignored = ignore(&dir)?;
    if let (true, None, Some(path)) = (missing.is_empty(), &ignored, same) {
        return Err(Error::AlreadyInitialised { path }.into());
    }
    let mut written = Vec::new();
    for (path, text) in missing {
        let place = path.under(&dir);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write_atomic(&place, text.as_bytes())?;
        written.push(path);
    }
    if let Some((path, text)) = ignored {
        fs::write_atomic(&path.under(&dir), text.as_bytes())?;
        written.push(path);
    }
    Ok(Report { written })
}

/// What `.gitignore` should say, so that git does not see what is ours; `None` when it does.
fn ignore(dir: &Path) -> Result<Option<(RelPath, String)>> {
    let path = dir.join(".gitignore");
    let mut text = fs::read_to_string_if_exists(&path)?.unwrap_or_default();
    let missing: Vec<_> = IGNORED.iter().filter(|l| !text.lines().any(|t| t == **l)).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for line in missing {
        text.push_str(line);
        text.push('\n');
    }
    Ok(RelPath::new(".gitignore").ok().map(|path| (path, text)))
}
