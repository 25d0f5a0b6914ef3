//! Which services of an environment are meant.
//!
//! Owns the meaning of names, `@groups` and of `--only`, `--skip` and `--with`. Invariant: a name
//! that nothing has is an error with the nearest right one, never ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::{Error, Result};
use crate::base::{ServiceName, suggest};
use crate::env::manifest::Service;

/// What the command line says. A word is a service or, with `@`, a group of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These, with what they come after.
    pub with: Vec<String>,
    /// These, without.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

impl Selection {
    /// The services that are meant; all of them when nothing is said.
    pub(super) fn of(
        &self,
        services: &BTreeMap<ServiceName, Service>,
    ) -> Result<BTreeSet<ServiceName>> {
        let mut chosen = expand(services, &self.only)?;
        let mut open: Vec<ServiceName> = expand(services, &self.with)?.into_iter().collect();
        if self.only.is_empty() && self.with.is_empty() {
            chosen = services.keys().cloned().collect();
        }
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if let Some(service) = services.get(&name)
                && seen.insert(name.clone())
            {
                open.extend(service.after.iter().cloned());
                chosen.insert(name);
            }
        }
        for name in expand(services, &self.skip)? {
            chosen.remove(&name);
        }
        Ok(chosen)
    }

    /// The words of a command line that mean the same.
    pub(super) fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        for (flag, names) in [("--only", &self.only), ("--skip", &self.skip)] {
            for name in names {
                words.extend([OsString::from(flag), name.into()]);
            }
        }
        words.extend(self.with.iter().map(OsString::from));
        words
    }
}

/// Names and groups as names.
fn expand(
    services: &BTreeMap<ServiceName, Service>,
    words: &[String],
) -> Result<BTreeSet<ServiceName>> {
    let mut out = BTreeSet::new();
    let known = services.iter().map(|(n, s)| (n, &s.group));
    for word in words {
        out.extend(resolve(word, known.clone())?);
    }
    Ok(out)
}

/// The services of one word, among these with their groups.
pub(super) fn resolve<'a>(
    word: &str,
    known: impl Iterator<Item = (&'a ServiceName, &'a BTreeSet<String>)> + Clone,
) -> Result<Vec<ServiceName>> {
    let Some(group) = word.strip_prefix('@') else {
        return match known.clone().find(|(n, _)| n.as_str() == word) {
            Some((name, _)) => Ok(vec![name.clone()]),
            None => {
                let nearest = suggest::nearest(word, known.map(|(n, _)| n.as_str()));
                let nearest = nearest.map(str::to_owned);
                Err(Error::UnknownService { name: word.to_owned(), nearest }.into())
            }
        };
    };
    let members: Vec<ServiceName> =
        known.clone().filter(|(_, g)| g.contains(group)).map(|(n, _)| n.clone()).collect();
    if members.is_empty() {
        let groups = known.flat_map(|(_, g)| g.iter().map(String::as_str));
        let nearest = suggest::nearest(group, groups).map(|g| format!("@{g}"));
        return Err(Error::UnknownGroup { name: word.to_owned(), nearest }.into());
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> BTreeMap<ServiceName, Service> {
        let service = |after: &[&str], groups: &[&str]| Service {
            command: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            ready: None,
            after: after.iter().map(|n| ServiceName::new(*n).unwrap()).collect(),
            restart: "always".to_owned(),
            stop_signal: "SIGTERM".to_owned(),
            stop_grace_ms: 1,
            listen: BTreeSet::new(),
            secrets: BTreeSet::new(),
            required: true,
            group: groups.iter().map(|g| (*g).to_owned()).collect(),
        };
        [
            ("bus", service(&[], &["back"])),
            ("db", service(&["bus"], &["back"])),
            ("web", service(&["db"], &["front"])),
            ("mail", service(&[], &[])),
        ]
        .map(|(n, s)| (ServiceName::new(n).unwrap(), s))
        .into()
    }

    fn chosen(with: &[&str], only: &[&str], skip: &[&str]) -> Result<Vec<String>> {
        let words = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect();
        let selection = Selection { with: words(with), only: words(only), skip: words(skip) };
        Ok(selection.of(&services())?.into_iter().map(String::from).collect())
    }

    #[test]
    fn names_groups_and_what_they_need() {
        let ok = |with: &[&str], only: &[&str], skip: &[&str]| chosen(with, only, skip).unwrap();
        assert_eq!(ok(&[], &[], &[]), ["bus", "db", "mail", "web"]);
        assert_eq!(ok(&["web"], &[], &[]), ["bus", "db", "web"]);
        assert_eq!(ok(&[], &["web"], &[]), ["web"]);
        assert_eq!(ok(&["db"], &["mail"], &[]), ["bus", "db", "mail"]);
        assert_eq!(ok(&[], &[], &["web", "mail"]), ["bus", "db"]);
        assert_eq!(ok(&["@front"], &[], &["@back"]), ["web"]);
        let error = chosen(&["wev"], &[], &[]).unwrap_err();
        assert!(error.inner().hints().iter().any(|h| h.0.contains("web")), "{error}");
        let error = chosen(&["@frond"], &[], &[]).unwrap_err();
        assert!(error.inner().hints().iter().any(|h| h.0.contains("@front")), "{error}");
    }
}
