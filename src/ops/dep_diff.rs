//! What the working lock changes against a revision, for whoever reviews it.

use std::path::Path;

use serde::Serialize;

use super::{Context, Result, git};
use crate::base::{DepName, Platform};
use crate::lock::{self, Change, Lock};

/// A change, taken apart for a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The dep.
    pub dep: DepName,
    /// What happened, in a word or two.
    pub change: &'static str,
    /// The platform, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Who vouches for it now: kinds of proof and signers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Whether a reviewer must not overlook it.
    pub alarming: bool,
    /// All of it as a sentence.
    pub words: String,
}

/// Every change from a revision's lock to the working one; a revision without a lock has an empty
/// one.
pub fn diff(context: &Context, revision: &str) -> Result<Vec<Line>> {
    let old = match git::show(context, revision, lock::FILE)? {
        Some(text) => lock::parse(&text, Path::new(&format!("{revision}:{}", lock::FILE)))?,
        None => Lock::default(),
    };
    let new = context.lock()?;
    Ok(lock::diff(&old, &new).iter().map(|change| line(change, &old, &new)).collect())
}

fn line(change: &Change, old: &Lock, new: &Lock) -> Line {
    let source = |lock: &Lock, dep: &DepName| {
        lock.deps.get(dep).map(|d| format!("{} from {}", d.version, d.source))
    };
    let text = |value: &dyn ToString| Some(value.to_string());
    let (dep, what, platform, from, to) = match change {
        Change::Added { dep, .. } => (dep, "added", None, None, source(new, dep)),
        Change::Removed { dep, .. } => (dep, "removed", None, source(old, dep), None),
        Change::Source { dep, from, to } => (dep, "other source", None, text(from), text(to)),
        Change::Version { dep, from, to } => {
            let what = if to.cmp_meaning(from).is_lt() { "downgraded" } else { "updated" };
            (dep, what, None, text(from), text(to))
        }
        Change::Requirement { dep } => {
            let words = |lock: &Lock| lock.deps.get(dep).map(|d| d.requirement.clone());
            (dep, "other requirement", None, words(old), words(new))
        }
        Change::PlatformAdded { dep, platform } => {
            (dep, "platform added", Some(*platform), None, None)
        }
        Change::PlatformRemoved { dep, platform } => {
            (dep, "platform removed", Some(*platform), None, None)
        }
        Change::Available { dep, platform } => (dep, "available", Some(*platform), None, None),
        Change::Unavailable { dep, platform, reason } => {
            (dep, "no longer available", Some(*platform), None, text(reason))
        }
        Change::SameVersionOtherBytes { dep, platform, from, to, .. } => {
            (dep, "OTHER BYTES, same version", Some(*platform), text(from), text(to))
        }
        Change::OtherFile { dep, platform, from, to } => {
            (dep, "other file", Some(*platform), text(from), text(to))
        }
        Change::Built { dep, from, to } if from == to => (dep, "other inputs", None, None, None),
        Change::Built { dep, from, to } => (dep, "other toolchain", None, from.clone(), to.clone()),
        Change::Proof { dep, platforms, shift } => {
            let what = match (&shift.before, &shift.now) {
                (Some(_), None) => "LESS PROOF",
                (None, _) => "more proof",
                _ if shift.is_weaker() => "ANOTHER SIGNER",
                _ => "fewer signers",
            };
            let on: Vec<_> = platforms.iter().map(|platform| platform.name()).collect();
            let words = format!("{dep}: {} ({})", shift.words(), on.join(", "));
            let told = |signers: &Option<Vec<String>>| {
                Some(match signers.as_deref() {
                    None => format!("no {}", shift.kind),
                    Some([]) => shift.kind.to_string(),
                    Some(all) => format!("{} by {}", shift.kind, all.join(", ")),
                })
            };
            let (from, to) = (told(&shift.before), told(&shift.now));
            let (dep, proof, alarming) = (dep.clone(), None, change.is_alarming());
            // All platforms are told in the words; one alone has its own place.
            let platform = match platforms.as_slice() {
                [only] => Some(*only),
                _ => None,
            };
            return Line { dep, change: what, platform, from, to, proof, alarming, words };
        }
        Change::Details { dep, platform } => (dep, "other details", Some(*platform), None, None),
    };
    let mut words = sentence(dep, what, platform, from.as_deref(), to.as_deref());
    let moves =
        matches!(change, Change::Added { .. } | Change::Source { .. } | Change::Version { .. });
    let proof = new.deps.get(dep).filter(|_| moves).map(|locked| {
        let pins = locked.platforms.iter().filter_map(|(p, row)| Some((*p, row.pin()?)));
        lock::proofs::said_of(pins)
    });
    if let Some(proof) = &proof {
        words.push_str(&format!("; vouched for by {proof}"));
    }
    let dep = dep.clone();
    Line { dep, change: what, platform, from, to, proof, alarming: change.is_alarming(), words }
}

fn sentence(
    dep: &DepName,
    what: &str,
    platform: Option<Platform>,
    from: Option<&str>,
    to: Option<&str>,
) -> String {
    let mut out = format!("{dep}: {what}");
    if let Some(platform) = platform {
        out.push_str(&format!(" on {platform}"));
    }
    match (from, to) {
        (Some(from), Some(to)) => out.push_str(&format!(", {from} → {to}")),
        (Some(one), None) | (None, Some(one)) => out.push_str(&format!(", {one}")),
        (None, None) => {}
    }
    out
}

/// The lines as a Markdown table.
pub fn markdown(lines: &[Line]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let code = |text: Option<&String>| text.map_or_else(String::new, |t| format!("`{}`", cell(t)));
    let mut out =
        String::from("| dep | change | from | to | vouched for by |\n|---|---|---|---|---|\n");
    for line in lines {
        let what = match line.platform {
            Some(platform) => format!("{} ({platform})", line.change),
            None => line.change.to_owned(),
        };
        let what = if line.alarming { format!("**{what}**") } else { what };
        let (from, to) = (code(line.from.as_ref()), code(line.to.as_ref()));
        let proof = line.proof.as_deref().map(cell).unwrap_or_default();
        let dep = cell(line.dep.as_str());
        out.push_str(&format!("| {dep} | {what} | {from} | {to} | {proof} |\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_table() {
        let dep = DepName::new("caddy").expect("name");
        let words = sentence(&dep, "updated", None, Some("2.9.0"), Some("2.10.0"));
        assert_eq!(words, "caddy: updated, 2.9.0 → 2.10.0");
        let line = Line {
            dep,
            change: "no longer available",
            platform: Some(Platform::X86_64Windows),
            from: None,
            to: Some("a | b".to_owned()),
            proof: Some("registry-hash".to_owned()),
            alarming: true,
            words,
        };
        assert_eq!(
            markdown(&[line]).lines().last(),
            Some(
                "| caddy | **no longer available (x86_64-windows)** |  | `a \\| b` | registry-hash |"
            )
        );
    }
}
