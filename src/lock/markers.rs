//! Conflict markers: the texts that a conflicted file was made from, and writing one.
//!
//! Knows git's two styles (`merge`, and `diff3` or `zdiff3`, which also show the base). Pure.
//! Invariant: [`sides`] of what [`conflicted`] writes are the texts it was given.

use super::Lock;
use super::error::Result;
use super::write::to_bytes;

/// The texts that a merge could not put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The current branch's.
    pub ours: String,
    /// The common ancestor's, when every conflict shows it.
    pub base: Option<String>,
    /// The other branch's.
    pub theirs: String,
}

/// Which text a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    All,
    Ours,
    Base,
    Theirs,
}

/// The sides of a conflicted text. `Ok(None)` when it has no conflict; the line (from 1) of a
/// marker that is out of place otherwise.
pub fn sides(text: &str) -> std::result::Result<Option<Sides>, usize> {
    let (mut ours, mut base, mut theirs) = (String::new(), String::new(), String::new());
    let (mut at, mut conflicts, mut bases) = (At::All, 0, 0);
    for (n, line) in text.split_inclusive('\n').enumerate() {
        at = match (at, marker(line)) {
            (At::All, Some('<')) => {
                conflicts += 1;
                At::Ours
            }
            (At::Ours, Some('|')) => {
                bases += 1;
                At::Base
            }
            (At::Ours | At::Base, Some('=')) => At::Theirs,
            (At::Theirs, Some('>')) => At::All,
            (_, Some(_)) => return Err(n + 1),
            (at, None) => {
                if matches!(at, At::All | At::Ours) {
                    ours.push_str(line);
                }
                if matches!(at, At::All | At::Base) {
                    base.push_str(line);
                }
                if matches!(at, At::All | At::Theirs) {
                    theirs.push_str(line);
                }
                continue;
            }
        };
    }
    match (at, conflicts) {
        (At::All, 0) => Ok(None),
        (At::All, _) => {
            let base = (bases == conflicts).then_some(base);
            Ok(Some(Sides { ours, base, theirs }))
        }
        _ => Err(text.lines().count()),
    }
}

/// The character of a marker: exactly seven of it begin the line. A conflict inside a base has
/// longer ones and is left in it.
fn marker(line: &str) -> Option<char> {
    let first = line.chars().next().filter(|c| "<|=>".contains(*c))?;
    let count = line.chars().take_while(|c| *c == first).count();
    (count == 7).then_some(first)
}

/// Two locks as one conflicted text, entry by entry.
pub fn conflicted(ours: &Lock, theirs: &Lock) -> Result<String> {
    let text = |lock: &Lock| -> Result<String> {
        Ok(String::from_utf8_lossy(&to_bytes(lock)?).into_owned())
    };
    let (ours, theirs) = (text(ours)?, text(theirs)?);
    let (ours, theirs) = (Chunks::of(&ours), Chunks::of(&theirs));
    let mut out = String::new();
    for n in 0..ours.head.len().max(theirs.head.len()) {
        let line = |side: &Chunks<'_>| side.head.get(n).copied().unwrap_or_default().to_owned();
        put(&mut out, &line(&ours), &line(&theirs));
    }
    let names: std::collections::BTreeSet<&str> =
        ours.entries.iter().chain(&theirs.entries).map(|(name, _)| *name).collect();
    for name in names {
        let entry = |side: &Chunks<'_>| {
            let found = side.entries.iter().find(|(n, _)| *n == name);
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        put(&mut out, &entry(&ours), &entry(&theirs));
    }
    put(&mut out, &ours.foot, &theirs.foot);
    Ok(out)
}

fn put(out: &mut String, ours: &str, theirs: &str) {
    if ours == theirs {
        out.push_str(ours);
    } else {
        out.push_str(&format!("<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"));
    }
}

/// A canonical text, cut where its entries begin.
struct Chunks<'a> {
    head: Vec<&'a str>,
    entries: Vec<(&'a str, String)>,
    foot: String,
}

impl<'a> Chunks<'a> {
    fn of(text: &'a str) -> Self {
        let mut out = Self { head: Vec::new(), entries: Vec::new(), foot: String::new() };
        let mut in_foot = false;
        for line in text.split_inclusive('\n') {
            if let Some(name) = line.strip_prefix("    \"").and_then(|l| l.split('"').next()) {
                out.entries.push((name, line.to_owned()));
                continue;
            }
            in_foot |= line.starts_with("  }") || line.starts_with('}');
            match out.entries.last_mut() {
                _ if in_foot => out.foot.push_str(line),
                Some((_, entry)) => entry.push_str(line),
                None => out.head.push(line),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, parse};
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn both_styles() {
        let text = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> topic\nd\n";
        let found = sides(text).expect("sides").expect("a conflict");
        assert_eq!((&*found.ours, found.base, &*found.theirs), ("a\nb\nd\n", None, "a\nc\nd\n"));
        let text = "<<<<<<< HEAD\nb\n||||||| 1234\n<<<<<<<<< x\n=========\n>>>>>>>>> y\n=======\nc\n>>>>>>> t\n";
        let found = sides(text).expect("sides").expect("a conflict");
        assert_eq!(found.base.as_deref(), Some("<<<<<<<<< x\n=========\n>>>>>>>>> y\n"));
        assert_eq!(sides("{}\n"), Ok(None));
        for (bad, line) in
            [("=======\n", 1), ("a\n<<<<<<< x\nb\n", 3), ("<<<<<<< x\n<<<<<<< y\n", 2)]
        {
            assert_eq!(sides(bad), Err(line), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn comes_back(a in fixture::any_lock(), b in fixture::any_lock()) {
            let text = conflicted(&a, &b).expect("text");
            match sides(&text).expect("sides") {
                None => prop_assert_eq!(&a, &b),
                Some(found) => {
                    prop_assert_eq!(parse(&found.ours, Path::new("x")).expect("ours"), a);
                    prop_assert_eq!(parse(&found.theirs, Path::new("x")).expect("theirs"), b);
                }
            }
        }
        #[test]
        fn never_panics(lines in proptest::collection::vec("(<{7}|={7}|>{7}|\\|{7}| )\\PC{0,5}", 0..8)) {
            let _ = sides(&lines.join("\n"));
        }
    }
}
