//! `${…}` in profile values.
//!
//! Invariant: a [`Template`] that exists has balanced braces and only references of a known shape;
//! whether the name behind a reference exists is the profile's check. `$$` is a literal `$`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A value of the profile that a template can name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `${port.NAME}`
    Port(String),
    /// `${env.NAME}`
    Env(String),
    /// `${file.NAME}`: absolute path of a `[file]` entry in the environment.
    File(String),
    /// `${dep.NAME}`: absolute path of a dep's store object.
    Dep(String),
    /// `${project}`: absolute path of the project.
    Project,
    /// `${data}`: absolute path of the environment's data directory.
    Data,
    /// `${replica}`: the number of a service's copy, from 1.
    Replica,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(n) => write!(f, "port.{n}"),
            Self::Env(n) => write!(f, "env.{n}"),
            Self::File(n) => write!(f, "file.{n}"),
            Self::Dep(n) => write!(f, "dep.{n}"),
            Self::Project => f.write_str("project"),
            Self::Data => f.write_str("data"),
            Self::Replica => f.write_str("replica"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Reference(Reference),
}

/// A string with references in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    raw: String,
    parts: Vec<Part>,
}

impl Template {
    /// As written in the profile.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|p| match p {
            Part::Reference(r) => Some(r),
            Part::Text(_) => None,
        })
    }

    /// The references with the byte range each has in [`Template::as_str`], in order.
    pub fn located(&self) -> Vec<(Range<usize>, &Reference)> {
        let mut at = 0;
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                // Each `$` of the text is written twice.
                Part::Text(text) => at += text.len() + text.matches('$').count(),
                Part::Reference(reference) => {
                    let end = at + reference.to_string().len() + "${}".len();
                    out.push((at..end, reference));
                    at = end;
                }
            }
        }
        out
    }

    /// The value, if nothing in it has to be looked up.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The value with every reference replaced by what `lookup` gives for it.
    pub fn expand<E>(
        &self,
        mut lookup: impl FnMut(&Reference) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Reference(reference) => out.push_str(&lookup(reference)?),
            }
        }
        Ok(out)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.raw, f)
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// `${` without `}`.
    #[error("`${{` at byte {0} is never closed")]
    Unclosed(usize),
    /// `$` before something else than `{` or `$`.
    #[error("a single `$`; write `$$` for a dollar sign, `${{…}}` for a value")]
    Dollar(usize),
    /// `${what}` of no known shape.
    #[error("`${{{name}}}` is not a value a profile has")]
    Unknown {
        /// What stands between the braces.
        name: String,
        /// Byte offset of the `$`.
        at: usize,
    },
}

impl FromStr for Template {
    type Err = InvalidTemplate;
    fn from_str(raw: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = raw;
        while let Some(dollar) = rest.find('$') {
            let at = raw.len() - rest.len() + dollar;
            text.push_str(&rest[..dollar]);
            let after = &rest[dollar + 1..];
            if let Some(tail) = after.strip_prefix('$') {
                text.push('$');
                rest = tail;
                continue;
            }
            let inner = after.strip_prefix('{').ok_or(InvalidTemplate::Dollar(at))?;
            let close = inner.find('}').ok_or(InvalidTemplate::Unclosed(at))?;
            let name = &inner[..close];
            let reference = parse_reference(name)
                .ok_or_else(|| InvalidTemplate::Unknown { name: name.to_owned(), at })?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Reference(reference));
            rest = &inner[close + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { raw: raw.to_owned(), parts })
    }
}

fn parse_reference(name: &str) -> Option<Reference> {
    Some(match name.split_once('.') {
        Some((_, "")) => return None,
        Some(("port", n)) => Reference::Port(n.to_owned()),
        Some(("env", n)) => Reference::Env(n.to_owned()),
        Some(("file", n)) => Reference::File(n.to_owned()),
        Some(("dep", n)) => Reference::Dep(n.to_owned()),
        None if name == "project" => Reference::Project,
        None if name == "data" => Reference::Data,
        None if name == "replica" => Reference::Replica,
        _ => return None,
    })
}

impl TryFrom<String> for Template {
    type Error = InvalidTemplate;
    fn try_from(s: String) -> Result<Self, InvalidTemplate> {
        s.parse()
    }
}

impl From<Template> for String {
    fn from(value: Template) -> Self {
        value.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expands() {
        let t: Template = "a${port.x}b$$c${data}".parse().expect("template");
        let out = t.expand(|r| Ok::<_, ()>(format!("<{r}>"))).expect("expand");
        assert_eq!(out, "a<port.x>b$c<data>");
    }

    #[test]
    fn knows_where_its_references_are() {
        let t: Template = "a$$${port.x}ä${data}".parse().expect("template");
        let at: Vec<_> = t.located().into_iter().map(|(r, _)| &t.as_str()[r]).collect();
        assert_eq!(at, ["${port.x}", "${data}"]);
        assert_eq!(t.literal(), None);
        assert_eq!("a$$b".parse::<Template>().expect("template").literal(), Some("a$b"));
        assert_eq!("".parse::<Template>().expect("template").literal(), Some(""));
    }

    #[test]
    fn refuses() {
        for bad in ["$", "$x", "${", "${}", "${port}", "${port.}", "${nope.x}", "${home}"] {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}") {
            let _ = s.parse::<Template>();
        }
        #[test]
        fn text_without_dollar_is_itself(s in "[^$]{0,40}") {
            let t: Template = s.parse().expect("template");
            prop_assert_eq!(t.expand(|_| Err(())), Ok(s));
        }
    }
}
