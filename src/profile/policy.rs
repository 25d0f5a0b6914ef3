//! `[policy]`: what a project accepts into its lock.
//!
//! Plain data and the questions asked of it. Invariant: an empty policy accepts everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::base::{DepName, Proof, RelPath, SourceKind, SourceRef};

/// What may be locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `minimum-age`: versions younger than this are not chosen.
    pub minimum_age: Option<Duration>,
    /// `allow-young`: deps whose versions may be younger.
    pub allow_young: BTreeSet<DepName>,
    /// `sources`: where deps may come from; anywhere when `None`.
    pub sources: Option<Vec<SourcePattern>>,
    /// `require`: what must vouch for deps of a source.
    pub require: BTreeMap<Whom, BTreeSet<Proof>>,
    /// `trusted-root`: the project's own trust root in place of the public one.
    pub trusted_root: Option<RelPath>,
}

/// Whom a requirement of proof is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom {
    /// `"*"`: every dep.
    All,
    /// Deps of one source.
    Source(SourceKind),
}

/// Packages that deps may come from: a source, or `SOURCE:PATTERN` in which `*` stands for any
/// characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePattern {
    /// The source.
    pub kind: SourceKind,
    /// A pattern of the package's name; any when `None`.
    pub package: Option<String>,
}

impl Policy {
    /// Whether a dep may come from there.
    pub fn allows(&self, from: &SourceRef) -> bool {
        match &self.sources {
            // A directory of the project is the project's own.
            Some(patterns) => {
                from.kind() == SourceKind::Path || patterns.iter().any(|p| p.matches(from))
            }
            None => true,
        }
    }

    /// What must vouch for deps of a source.
    pub fn required(&self, kind: SourceKind) -> BTreeSet<Proof> {
        if kind == SourceKind::Path {
            return BTreeSet::new();
        }
        let of = |whom| self.require.get(&whom).into_iter().flatten().copied();
        of(Whom::All).chain(of(Whom::Source(kind))).collect()
    }

    /// How old a dep's version must be.
    pub fn age_of(&self, dep: &DepName) -> Option<Duration> {
        self.minimum_age.filter(|_| !self.allow_young.contains(dep))
    }

    /// One line that says all of it.
    pub fn canonical(&self) -> String {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { minimum_age, allow_young, sources, require, trusted_root } = self;
        let mut words = Vec::new();
        words.extend(minimum_age.map(|age| format!("minimum-age={}s", age.as_secs())));
        words.extend(allow_young.iter().map(|dep| format!("allow-young={dep}")));
        for pattern in sources.iter().flatten() {
            words.push(format!("source={pattern}"));
        }
        for (whom, proofs) in require {
            let names: Vec<_> = proofs.iter().map(|p| p.name()).collect();
            words.push(format!("require.{whom}={}", names.join(",")));
        }
        words.extend(trusted_root.iter().map(|path| format!("trusted-root={path}")));
        words.join(" ")
    }
}

impl SourcePattern {
    fn matches(&self, from: &SourceRef) -> bool {
        let fits = |pattern: &String| glob(pattern, from.package());
        self.kind == from.kind() && self.package.as_ref().is_none_or(fits)
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(mut part) = parts.next() else { return rest.is_empty() };
    for next in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        part = next;
    }
    rest.ends_with(part)
}

impl fmt::Display for SourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.package {
            Some(package) => write!(f, "{}:{package}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Source(kind) => kind.fmt(f),
        }
    }
}

/// What one file says of the policy.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyLayer {
    pub(super) minimum_age: Option<Duration>,
    pub(super) allow_young: Option<BTreeSet<DepName>>,
    pub(super) sources: Option<Vec<SourcePattern>>,
    pub(super) require: Option<BTreeMap<Whom, BTreeSet<Proof>>>,
    pub(super) trusted_root: Option<RelPath>,
}

impl PolicyLayer {
    /// What holds when `child` extends `self`: by key.
    pub(super) fn overridden_by(self, child: Self) -> Self {
        Self {
            minimum_age: child.minimum_age.or(self.minimum_age),
            allow_young: child.allow_young.or(self.allow_young),
            sources: child.sources.or(self.sources),
            require: child.require.or(self.require),
            trusted_root: child.trusted_root.or(self.trusted_root),
        }
    }

    pub(super) fn into_policy(self) -> Policy {
        let Self { minimum_age, allow_young, sources, require, trusted_root } = self;
        Policy {
            minimum_age,
            allow_young: allow_young.unwrap_or_default(),
            sources,
            require: require.unwrap_or_default(),
            trusted_root,
        }
    }
}

/// Reads an age: a whole number with `h`, `d` or `w`.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    const RULE: &str = "an age is a whole number with `h`, `d` or `w`, e.g. `3d`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| RULE.to_owned())?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        _ => return Err(RULE.to_owned()),
    };
    match number.checked_mul(hours) {
        Some(hours) if hours <= 10 * 365 * 24 => Ok(Duration::from_secs(hours * 3600)),
        _ => Err("it must be at most ten years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ages() {
        assert_eq!(age("3d"), Ok(Duration::from_secs(3 * 86_400)));
        assert_eq!(age("2w"), age("336h"));
        assert_eq!(age("0h"), Ok(Duration::ZERO));
        for bad in ["", "3", "d", "-1d", "1.5d", "3 d", "3m", "99999999999999999999d", "9999w"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns() {
        let from = |text: &str| text.parse::<SourceRef>().expect("source");
        let pattern = |text: &str| match text.split_once(':') {
            Some((kind, package)) => SourcePattern {
                kind: kind.parse().expect("kind"),
                package: Some(package.to_owned()),
            },
            None => SourcePattern { kind: text.parse().expect("kind"), package: None },
        };
        for (given, source, want) in [
            ("pypi", "pypi:x", true),
            ("pypi", "npm:x", false),
            ("npm:@scope/*", "npm:@scope/x", true),
            ("npm:@scope/*", "npm:@scope2/x", false),
            ("github:o/*", "github:o/r", true),
            ("github:o/r", "github:o/r", true),
            ("github:o/r", "github:o/r2", false),
            ("github:*/r", "github:o/r", true),
            ("github:a*b*c", "github:aXbc", true),
        ] {
            let policy = Policy { sources: Some(vec![pattern(given)]), ..Policy::default() };
            assert_eq!(policy.allows(&from(source)), want, "{given} {source}");
            assert!(policy.allows(&from("path:tools")));
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_was_made_from(a in "[a-z]{0,4}", b in "[a-z]{0,4}", c in "[a-z]{0,4}", x in "[a-z/]{0,6}", y in "[a-z/]{0,6}") {
            let pattern = format!("{a}*{b}*{c}");
            let text = format!("{a}{x}{b}{y}{c}");
            prop_assert!(glob(&pattern, &text));
            let (longer, later) = (["#", &text].concat(), [&text, "#"].concat());
            prop_assert!(!glob(&pattern, &longer) || a.is_empty());
            prop_assert!(!glob(&pattern, &later) || c.is_empty());
        }

        #[test]
        fn never_panics(p in "\\PC{0,20}", t in "\\PC{0,20}") {
            let _ = (glob(&p, &t), age(&t));
        }
    }
}
