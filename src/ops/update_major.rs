//! Moving deps beyond what their requirement allows: the requirement in the profiles is raised
//! first, then the lock follows; both or neither.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Result, versions};
use crate::base::{DepName, SourceKind, Version, VersionReq};
use crate::fs;
use crate::lock::Change;
use crate::profile::edit::{self, EditError};
use crate::sync::Accept;

/// A requirement that was raised.
#[derive(Clone, Debug, Serialize)]
pub struct Raised {
    /// The dep.
    pub name: DepName,
    /// What the profiles accepted.
    pub from: VersionReq,
    /// What they accept now.
    pub to: VersionReq,
    /// The files that say so.
    pub files: Vec<PathBuf>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requirements that were raised.
    pub raised: Vec<Raised>,
    /// What changed in the lock.
    pub changes: Vec<Change>,
}

/// Moves deps (all when none is named) to the newest version there is. When the lock cannot
/// follow, the profiles are put back as they were.
pub fn update(context: &Context, names: &[DepName], accept: Accept) -> Result<Report> {
    let profiles = context.profiles()?;
    let union = profiles.union()?;
    let published = versions::published(context, &union, names)?;
    let mut before: Vec<(PathBuf, String)> = Vec::new();
    let mut raised = Vec::new();
    for (name, candidates) in &published {
        let Some(requirement) = union.requirements.get(name) else { continue };
        if matches!(requirement.from.kind(), SourceKind::Url | SourceKind::Path) {
            // There is no index that could name a newer one.
            continue;
        }
        let Some(newest) = versions::newest(candidates, None) else { continue };
        if requirement.version.matches(newest) {
            continue;
        }
        let Some(to) = raise(&requirement.version, newest) else {
            context.reporter().warn(&format!(
                "`{name}` stays in `{}`: no requirement for {newest} can be written",
                requirement.version
            ));
            continue;
        };
        let mut files = Vec::new();
        for file in profiles.iter().filter_map(|p| p.files.first()) {
            let text = fs::read_to_string(file)?;
            match edit::set_version(&text, name, &to) {
                Ok(new) => {
                    if !before.iter().any(|(known, _)| known == file) {
                        before.push((file.clone(), text));
                    }
                    fs::write_atomic(file, new.as_bytes())?;
                    files.push(file.clone());
                }
                Err(EditError::Unknown { .. }) => {}
                Err(e) => {
                    restore(&before)?;
                    return Err(e.into());
                }
            }
        }
        raised.push(Raised { name: name.clone(), from: requirement.version.clone(), to, files });
    }
    match super::lock::update(context, names, accept) {
        Ok(changes) => Ok(Report { raised, changes }),
        Err(problem) => {
            restore(&before)?;
            Err(problem)
        }
    }
}

/// Puts files back as they were.
pub(super) fn restore(before: &[(PathBuf, String)]) -> Result<()> {
    for (file, text) in before {
        fs::write_atomic(file, text.as_bytes())?;
    }
    Ok(())
}

/// A requirement in the old one's manner that accepts a version.
fn raise(old: &VersionReq, newest: &Version) -> Option<VersionReq> {
    let text = newest.as_str().trim_start_matches('v');
    let numbers: Vec<&str> = text
        .split(['.', '-', '+'])
        .take_while(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let series = numbers.iter().take(2).copied().collect::<Vec<_>>().join(".");
    let release = numbers.iter().take(3).copied().collect::<Vec<_>>().join(".");
    let manner = old.as_str().trim();
    let simple = !manner.contains(',');
    let first = match manner.chars().next() {
        Some('~') if simple => format!("~{series}"),
        Some('=') if simple => format!("={text}"),
        Some('0'..='9') if simple => series.clone(),
        _ => format!("^{series}"),
    };
    [first, format!("={release}"), format!("^{series}"), format!("={text}"), format!(">={text}")]
        .iter()
        .filter_map(|wish| wish.parse::<VersionReq>().ok())
        .find(|wish| wish.matches(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_in_the_same_manner() {
        for (old, newest, want) in [
            ("^2.15", "3.1.4", "^3.1"),
            ("~0.40", "0.41.2", "~0.41"),
            ("=1.2.3", "2.0.0", "=2.0.0"),
            ("=1.2.3", "2.0.0.post1", "=2.0.0"),
            ("1.10", "2.3.4", "2.3"),
            (">=1, <3", "4.5.6", "^4.5"),
            ("^1", "v2.0.1", "^2.0"),
            ("^1", "3", "^3"),
        ] {
            let old = old.parse().expect("requirement");
            let newest = newest.parse().expect("version");
            let got = raise(&old, &newest).map(|r| r.to_string());
            assert_eq!(got.as_deref(), Some(want), "{old} → {newest}");
        }
    }
}
