//! Secrets of services: from the caller's environment, else from the project's `.env`.
//!
//! Invariant: values leave only through [`Secret::expose`], into the environment of the one service
//! that names them; they are in no store object, digest or log of ours.

use std::collections::BTreeMap;

use super::{Context, Result};
use crate::base::Secret;
use crate::config::Environ;
use crate::fs;
use crate::supervise::env_file;

/// Where secrets are looked up.
pub(super) struct Secrets<'a> {
    environ: &'a Environ,
    file: BTreeMap<String, Secret>,
}

impl<'a> Secrets<'a> {
    /// Reads the project's `.env` if there is one.
    pub(super) fn load(context: &'a Context) -> Result<Self> {
        let text = fs::read_to_string_if_exists(&context.project().join(".env"))?;
        let file = parse(&text.unwrap_or_default());
        Ok(Self { environ: context.environ(), file })
    }

    /// A secret; the caller's environment wins.
    pub(super) fn get(&self, variable: &str) -> Option<Secret> {
        self.environ.get(variable).map(Secret::new).or_else(|| self.file.get(variable).cloned())
    }
}

/// What is understood of it: other tools read this file, too.
fn parse(text: &str) -> BTreeMap<String, Secret> {
    let known = env_file::parse(text).filter_map(|(_, line)| line);
    known.map(|(name, value)| (name.to_owned(), Secret::new(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let found = parse("# c\nA=1\nexport B = 'two words'\nC=\"x=y\"\n\nnonsense\nD=\n");
        let value = |n: &str| found.get(n).map(|s| s.expose().to_owned());
        assert_eq!(value("A").as_deref(), Some("1"));
        assert_eq!(value("B").as_deref(), Some("two words"));
        assert_eq!(value("C").as_deref(), Some("x=y"));
        assert_eq!(value("D").as_deref(), Some(""));
        assert_eq!(found.len(), 4);
    }
}
