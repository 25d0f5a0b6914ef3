//! Where symbolic links lead.
//!
//! Refuses a link that leads out of the tree, also by way of other links of the tree, and on a
//! filesystem that ignores case. A link to nothing is allowed as long as its path stays inside.

use std::collections::HashMap;

use super::error::shown;
use super::limits::{MAX_DEPTH, MAX_TARGET};
use super::names::{fold, is_control};
use super::{Entry, EntryKind, Refusal};

/// As many links as Linux follows for one path.
const MAX_HOPS: usize = 40;

/// Components followed for all links of an archive together, so that links through links cannot
/// hold the processor.
const MAX_STEPS: usize = 8_000_000;

/// Checks a target's spelling: relative, no odd characters.
pub(super) fn check_target(target: &[u8]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(target).map_err(|_| Refusal::LinkTarget(shown(target)))?;
    let odd = text.is_empty()
        || text.len() as u64 > MAX_TARGET
        || text.contains('\\')
        || text.chars().any(is_control);
    if odd {
        return Err(Refusal::LinkTarget(shown(target)));
    }
    let drive = matches!(text.as_bytes(), [d, b':', ..] if d.is_ascii_alphabetic());
    if text.starts_with('/') || drive {
        return Err(Refusal::LinkEscapes(text.to_owned()));
    }
    Ok(text.to_owned())
}

/// Checks that every link stays inside; `folded` finds an entry by its folded path.
pub(super) fn check(
    entries: &[Entry],
    folded: &HashMap<String, usize>,
) -> Result<(), (usize, Refusal)> {
    let mut steps = MAX_STEPS;
    for (at, entry) in entries.iter().enumerate() {
        if let EntryKind::Symlink { target } = &entry.kind {
            follow(entries, folded, entry.path.as_str(), target, &mut steps)
                .map_err(|why| (at, why))?;
        }
    }
    Ok(())
}

/// Walks a link's target as the system would, from the directory that holds the link.
fn follow(
    entries: &[Entry],
    folded: &HashMap<String, usize>,
    link: &str,
    target: &str,
    steps: &mut usize,
) -> Result<(), Refusal> {
    let mut here = fold(link);
    up(&mut here);
    let mut ahead = Vec::new();
    push(&mut ahead, target);
    let mut hops = 0;
    while let Some(component) = ahead.pop() {
        *steps = steps.checked_sub(1).ok_or_else(|| Refusal::LinkLoops(target.to_owned()))?;
        match component.as_str() {
            "" | "." => {}
            ".." if here.is_empty() => return Err(Refusal::LinkEscapes(target.to_owned())),
            ".." => up(&mut here),
            name => {
                if !here.is_empty() {
                    here.push('/');
                }
                here.push_str(name);
                let found = folded.get(&here).map(|at| &entries[*at].kind);
                if let Some(EntryKind::Symlink { target: next }) = found {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err(Refusal::LinkLoops(target.to_owned()));
                    }
                    up(&mut here);
                    push(&mut ahead, next);
                } else if here.split('/').count() > MAX_DEPTH {
                    return Err(Refusal::LinkTarget(target.to_owned()));
                }
            }
        }
    }
    Ok(())
}

/// To the parent; the root is the empty path.
fn up(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or(0));
}

/// Puts a target's components before everything that is still ahead.
fn push(ahead: &mut Vec<String>, target: &str) {
    ahead.extend(fold(target).rsplit('/').map(str::to_owned));
}
