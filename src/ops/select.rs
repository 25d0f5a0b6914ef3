//! Which services of an environment are meant.
//!
//! Owns the meaning of names, `@groups` and of `--only`, `--skip` and `--with`. Invariant: a name
//! that nothing has is an error with the nearest right one, never ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::{Error, Result};
use crate::base::{ServiceName, suggest};
use crate::env::manifest::Service;
use crate::env::replicas;
use crate::supervise::Reset;
use crate::supervise::spec::{ServiceSpec, Stack};

/// What the command line says. A word is a service, one of its copies (`web.2`) or, with `@`, a
/// group of services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These, with what they come after.
    pub with: Vec<String>,
    /// These, without.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// Start also what somebody stopped in an earlier run.
    pub all: bool,
}

/// Copies that are wanted, for services of which not all are.
pub(super) type Copies = BTreeMap<ServiceName, BTreeSet<ServiceName>>;

/// What a word can mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) name: &'a ServiceName,
    /// The name that it shares with others, as copies of one service do.
    pub(super) shared: Option<&'a ServiceName>,
    pub(super) groups: &'a BTreeSet<String>,
}

impl Selection {
    /// The services that are meant (all of them when nothing is said), and which copies of those
    /// of which not all are.
    pub(super) fn of(
        &self,
        services: &BTreeMap<ServiceName, Service>,
    ) -> Result<(BTreeSet<ServiceName>, Copies)> {
        let (mut chosen, mut whole, mut copies) = (BTreeSet::new(), BTreeSet::new(), Copies::new());
        let mut open = Vec::new();
        for (words, closed) in [(&self.only, false), (&self.with, true)] {
            for (service, copy) in expand(services, words)? {
                match copy {
                    Some(copy) => _ = copies.entry(service.clone()).or_default().insert(copy),
                    None => _ = whole.insert(service.clone()),
                }
                if closed {
                    open.push(service);
                } else {
                    chosen.insert(service);
                }
            }
        }
        if self.only.is_empty() && self.with.is_empty() {
            chosen = services.keys().cloned().collect();
        }
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if let Some(service) = services.get(&name)
                && seen.insert(name.clone())
            {
                // What others come after is needed whole.
                whole.extend(service.after.iter().cloned());
                open.extend(service.after.iter().cloned());
                chosen.insert(name);
            }
        }
        copies.retain(|name, _| !whole.contains(name));
        for (service, copy) in expand(services, &self.skip)? {
            let Some(copy) = copy else {
                chosen.remove(&service);
                continue;
            };
            let all = services.get(&service).map(|s| replicas::names(&service, s.replicas));
            let all = || all.into_iter().flatten().map(|(_, n)| n).collect();
            copies.entry(service).or_insert_with(all).remove(&copy);
        }
        Ok((chosen, copies))
    }

    /// Whose wish to stay stopped a start ends: what is named, or everybody's.
    pub(super) fn reset(
        &self,
        stack: &Stack,
        services: &BTreeMap<ServiceName, Service>,
    ) -> Result<Reset> {
        if self.all {
            return Ok(Reset::All);
        }
        let mut named = expand(services, &self.only)?;
        named.extend(expand(services, &self.with)?);
        let meant = |s: &&ServiceSpec| {
            let of = s.replica_of.as_ref().unwrap_or(&s.name);
            named.iter().any(|(n, copy)| n == of && copy.as_ref().is_none_or(|c| *c == s.name))
        };
        Ok(Reset::Named(stack.services.values().filter(meant).map(|s| s.name.clone()).collect()))
    }

    /// The words of a command line that mean the same.
    pub(super) fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.all.then(|| "--all".into()).into_iter().collect();
        for (flag, names) in [("--only", &self.only), ("--skip", &self.skip)] {
            for name in names {
                words.extend([OsString::from(flag), name.into()]);
            }
        }
        words.extend(self.with.iter().map(OsString::from));
        words
    }
}

/// Words as declared services, each with the one copy that is meant or with none for all of them.
fn expand(
    services: &BTreeMap<ServiceName, Service>,
    words: &[String],
) -> Result<Vec<(ServiceName, Option<ServiceName>)>> {
    let copies: Vec<(&ServiceName, ServiceName)> = services
        .iter()
        .filter(|(_, s)| s.replicas > 1)
        .flat_map(|(n, s)| {
            replicas::names(n, s.replicas).into_iter().map(move |(_, copy)| (n, copy))
        })
        .collect();
    let mut out = Vec::new();
    for word in words {
        if let Some((name, copy)) = copies.iter().find(|(_, copy)| copy.as_str() == word) {
            out.push(((*name).clone(), Some(copy.clone())));
            continue;
        }
        let known = services.iter();
        let known = known.map(|(name, s)| Known { name, shared: None, groups: &s.group });
        out.extend(resolve(word, known)?.into_iter().map(|name| (name, None)));
    }
    Ok(out)
}

/// The services of several words, among these, each once.
pub(super) fn resolve_all<'a>(
    words: &[String],
    known: impl Iterator<Item = Known<'a>> + Clone,
) -> Result<Vec<ServiceName>> {
    let mut out = Vec::new();
    for word in words {
        for found in resolve(word, known.clone())? {
            if !out.contains(&found) {
                out.push(found);
            }
        }
    }
    Ok(out)
}

/// The services of one word, among these.
pub(super) fn resolve<'a>(
    word: &str,
    known: impl Iterator<Item = Known<'a>> + Clone,
) -> Result<Vec<ServiceName>> {
    let Some(group) = word.strip_prefix('@') else {
        let is_meant = |k: &Known<'_>| {
            k.name.as_str() == word || k.shared.is_some_and(|shared| shared.as_str() == word)
        };
        let found: Vec<ServiceName> =
            known.clone().filter(is_meant).map(|k| k.name.clone()).collect();
        if found.is_empty() {
            let nearest = suggest::nearest(word, known.map(|k| k.name.as_str()));
            let nearest = nearest.map(str::to_owned);
            return Err(Error::UnknownService { name: word.to_owned(), nearest }.into());
        }
        return Ok(found);
    };
    let members: Vec<ServiceName> =
        known.clone().filter(|k| k.groups.contains(group)).map(|k| k.name.clone()).collect();
    if members.is_empty() {
        let groups = known.flat_map(|k| k.groups.iter().map(String::as_str));
        let nearest = suggest::nearest(group, groups).map(|g| format!("@{g}"));
        return Err(Error::UnknownGroup { name: word.to_owned(), nearest }.into());
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> BTreeMap<ServiceName, Service> {
        let service = |after: &[&str], groups: &[&str], replicas| {
            let mut service = crate::env::testing::declared();
            service.after = after.iter().map(|n| ServiceName::new(*n).unwrap()).collect();
            service.group = groups.iter().map(|g| (*g).to_owned()).collect();
            service.replicas = replicas;
            service
        };
        [
            ("bus", service(&[], &["back"], 1)),
            ("db", service(&["bus"], &["back"], 1)),
            ("web", service(&["db"], &["front"], 1)),
            ("mail", service(&[], &[], 3)),
        ]
        .map(|(n, s)| (ServiceName::new(n).unwrap(), s))
        .into()
    }

    fn chosen(with: &[&str], only: &[&str], skip: &[&str]) -> Result<Vec<String>> {
        let words = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect();
        let (with, only, skip) = (words(with), words(only), words(skip));
        let (chosen, copies) = Selection { with, only, skip, all: false }.of(&services())?;
        let copies = |n: &ServiceName| copies.get(n).map(|some| some.iter().cloned().collect());
        let all = chosen.into_iter();
        Ok(all.flat_map(|n| copies(&n).unwrap_or_else(|| vec![n])).map(String::from).collect())
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
        assert_eq!(ok(&["mail.2", "bus"], &[], &[]), ["bus", "mail.2"]);
        assert_eq!(ok(&["mail.2", "mail"], &[], &[]), ["mail"]);
        assert_eq!(ok(&["mail"], &[], &["mail.1"]), ["mail.2", "mail.3"]);
        let error = chosen(&["wev"], &[], &[]).unwrap_err();
        assert!(error.inner().hints().iter().any(|h| h.0.contains("web")), "{error}");
        let error = chosen(&["@frond"], &[], &[]).unwrap_err();
        assert!(error.inner().hints().iter().any(|h| h.0.contains("@front")), "{error}");
    }
}
