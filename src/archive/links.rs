//! Where symbolic links lead.
//!
//! Refuses a link that leads out of the tree, also by way of other links of the tree, and on a
//! filesystem that ignores case. A link to nothing is allowed as long as its path stays inside.

use std::collections::HashMap;

use super::error::shown;
use super::limits::{MAX_DEPTH, MAX_TARGET};
use super::names::{self, is_control};
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

/// Checks that every link stays inside; `known` finds an entry by its path as `spell` folds it.
pub(super) fn check(
    entries: &[Entry],
    known: &HashMap<String, usize>,
    spell: fn(&str) -> String,
) -> Result<(), (usize, Refusal)> {
    let mut steps = MAX_STEPS;
    let tree = Tree { entries, known, spell };
    for (at, entry) in entries.iter().enumerate() {
        if let EntryKind::Symlink { target } = &entry.kind {
            tree.follow(entry.path.as_str(), target, &mut steps).map_err(|why| (at, why))?;
        }
    }
    Ok(())
}

/// The tree that links lead through.
struct Tree<'a> {
    entries: &'a [Entry],
    known: &'a HashMap<String, usize>,
    spell: fn(&str) -> String,
}

impl Tree<'_> {
    /// Walks a link's target as the system would, from the directory that holds the link.
    fn follow(&self, link: &str, target: &str, steps: &mut usize) -> Result<(), Refusal> {
        let mut here = (self.spell)(link);
        up(&mut here);
        let mut ahead = Vec::new();
        self.push(&mut ahead, target);
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
                    let found = self.known.get(&here).map(|at| &self.entries[*at].kind);
                    if let Some(EntryKind::Symlink { target: next }) = found {
                        hops += 1;
                        if hops > MAX_HOPS {
                            return Err(Refusal::LinkLoops(target.to_owned()));
                        }
                        up(&mut here);
                        self.push(&mut ahead, next);
                    } else if here.split('/').count() > MAX_DEPTH {
                        return Err(Refusal::LinkTarget(target.to_owned()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts a target's components before everything that is still ahead.
    fn push(&self, ahead: &mut Vec<String>, target: &str) {
        ahead.extend((self.spell)(target).rsplit('/').map(str::to_owned));
    }
}

/// To the parent; the root is the empty path.
fn up(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or(0));
}

/// An absolute target as one relative to the link at `name`. Names that are refused later are
/// handed on as they are.
pub(super) fn inside(name: &[u8], target: &[u8]) -> Vec<u8> {
    let Ok(path) = names::clean(name) else { return target.to_vec() };
    let mut out = b"../".repeat(path.matches('/').count());
    let rest = target.iter().position(|b| *b != b'/').map_or(&b""[..], |at| &target[at..]);
    out.extend_from_slice(rest);
    if out.is_empty() {
        out.push(b'.');
    }
    out
}

/// A relative target without the `..` that lead above the root, where the system would stay at the
/// root, too.
pub(super) fn clamp(name: &str, target: &str) -> String {
    let mut above = name.matches('/').count();
    let mut out: Vec<&str> = Vec::new();
    let mut leading = true;
    for part in target.split('/') {
        match part {
            ".." if leading && above == 0 => continue,
            ".." if leading => above -= 1,
            "" | "." => {}
            _ => leading = false,
        }
        out.push(part);
    }
    if out.is_empty() { ".".to_owned() } else { out.join("/") }
}

#[cfg(test)]
mod tests {
    use super::{clamp, inside};

    #[test]
    fn absolute_targets_stay_inside() {
        for (name, target, want) in [
            ("./usr/bin/x", "/etc/alternatives/x", "../../etc/alternatives/x"),
            ("usr/bin/x", "//lib/y", "../../lib/y"),
            ("x", "/y", "y"),
            ("x", "/", "."),
            ("a/x", "/", "../"),
            ("a/x", "/../y", "../../y"),
        ] {
            let got = inside(name.as_bytes(), target.as_bytes());
            assert_eq!(String::from_utf8_lossy(&got), want, "{name} {target}");
        }
    }

    #[test]
    fn nothing_is_above_the_root() {
        for (name, target, want) in [
            ("x", "../y", "y"),
            ("a/x", "../../../y/../z", "../y/../z"),
            ("a/b/x", "../y", "../y"),
            ("x", "../..", "."),
            ("x", "./../y", "./y"),
            ("a/x", "y", "y"),
        ] {
            assert_eq!(clamp(name, target), want, "{name} {target}");
        }
    }
}
