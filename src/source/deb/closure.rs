//! What a package depends on, by the lists of the repositories. Pure.
//!
//! Reference: Debian Policy 7 (relationships, virtual packages, alternatives) and 7.2 (what
//! `Depends` means). Of alternatives the first that can be had is taken, unless another is there
//! already; of several versions the newest; of several providers of a virtual package the first by
//! name. Left out is what every host has to give: libc with its loader, which must fit the kernel
//! and each other and of which a process has one; essential packages, on which packages may lean
//! without a word; and what only maintainer scripts use, since none is run. Invariant: the same
//! lists always give the same packages in the same order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use memchr::memmem;

use super::packages::{self, Package};
use crate::base::{SourceKind, Version};

/// Packages that are not brought, beside essential ones.
const HOST: [&str; 9] = [
    "adduser",
    "cdebconf",
    "debconf",
    "debconf-2.0",
    "libc-bin",
    "libc6",
    "passwd",
    "ucf",
    "update-inetd",
];

/// A dependency that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) package: String,
    pub(super) needs: String,
}

/// Why there is no closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Nothing satisfies a dependency.
    Missing(Missing),
    /// A list of the repository at this position cannot be understood.
    Malformed(usize, String),
}

/// A list with where its packages stand.
pub(super) struct Index<'l> {
    list: &'l [u8],
    at: usize,
    by_name: HashMap<&'l [u8], Vec<usize>>,
    /// Names that packages provide.
    provided: HashMap<&'l [u8], Vec<usize>>,
}

impl<'l> Index<'l> {
    /// Indexes a list; `at` is the repository's position.
    pub(super) fn of(list: &'l [u8], at: usize) -> Self {
        let mut out = Self { list, at, by_name: HashMap::new(), provided: HashMap::new() };
        let gap = memmem::Finder::new(b"\n\n");
        let mut start = 0;
        while start < list.len() {
            let end = gap.find(&list[start..]).map_or(list.len(), |gap| start + gap);
            let stanza = &list[start..end];
            if let Some(name) = field(stanza, b"Package: ") {
                out.by_name.entry(name).or_default().push(start);
            }
            if let Some(provides) = field(stanza, b"Provides: ") {
                for one in provides.split(|b| *b == b',') {
                    let one = one.trim_ascii();
                    let end = one.iter().position(|b| b" (:".contains(b)).unwrap_or(one.len());
                    out.provided.entry(&one[..end]).or_default().push(start);
                }
            }
            start = end + 2;
        }
        out
    }

    fn read(&self, places: Option<&Vec<usize>>) -> Result<Vec<(usize, Package)>, Flaw> {
        let mut out = Vec::new();
        for start in places.into_iter().flatten() {
            let rest = &self.list[*start..];
            let end = memmem::find(rest, b"\n\n").unwrap_or(rest.len());
            let stanza = String::from_utf8_lossy(&rest[..end]);
            if let Some(package) =
                packages::package(&stanza).map_err(|why| Flaw::Malformed(self.at, why))?
            {
                out.push((self.at, package));
            }
        }
        Ok(out)
    }
}

/// The value of a field of a stanza.
fn field<'s>(stanza: &'s [u8], name: &[u8]) -> Option<&'s [u8]> {
    let at = memmem::find_iter(stanza, name).find(|at| *at == 0 || stanza[at - 1] == b'\n')?;
    let value = &stanza[at + name.len()..];
    let end = value.iter().position(|b| *b == b'\n').unwrap_or(value.len());
    Some(value[..end].trim_ascii())
}

/// Every package that one depends on, itself not, each with its repository's position, by name.
pub(super) fn closure(
    indexes: &[Index<'_>],
    root: &Package,
    architecture: &str,
) -> Result<Vec<(usize, Package)>, Flaw> {
    let mut chosen: BTreeMap<String, (usize, Package)> = BTreeMap::new();
    chosen.insert(root.name.clone(), (usize::MAX, root.clone()));
    let mut host: BTreeSet<String> = HOST.iter().map(|name| (*name).to_owned()).collect();
    let mut ahead = vec![root.clone()];
    while let Some(package) = ahead.pop() {
        for group in package.depends.split(',').map(str::trim).filter(|g| !g.is_empty()) {
            let wishes: Vec<Wish<'_>> =
                group.split('|').filter_map(|text| Wish::parse(text, architecture)).collect();
            let there = |wish: &Wish<'_>| {
                host.contains(wish.name)
                    || chosen.get(wish.name).is_some_and(|(_, p)| wish.takes(&p.version))
                    || chosen.values().any(|(_, p)| wish.is_provided_by(p))
            };
            if wishes.iter().any(there) {
                continue;
            }
            let mut found = None;
            for wish in &wishes {
                found = wish.find(indexes)?;
                if found.is_some() {
                    break;
                }
            }
            match found {
                Some((_, found)) if found.essential => {
                    host.insert(wishes.first().map_or("", |w| w.name).to_owned());
                    host.insert(found.name);
                }
                Some((at, found)) if !chosen.contains_key(&found.name) => {
                    ahead.push(found.clone());
                    chosen.insert(found.name.clone(), (at, found));
                }
                // There in a version that does not do, or not at all.
                _ => {
                    let (package, needs) = (package.name.clone(), group.to_owned());
                    return Err(Flaw::Missing(Missing { package, needs }));
                }
            }
        }
    }
    chosen.remove(&root.name);
    Ok(chosen.into_values().collect())
}

/// One alternative of a dependency.
#[derive(Debug, PartialEq, Eq)]
struct Wish<'a> {
    name: &'a str,
    /// Operator and version.
    version: Option<(&'a str, Version)>,
}

impl<'a> Wish<'a> {
    /// `None` for one that cannot be meant: of another architecture, or not to be understood.
    fn parse(text: &'a str, architecture: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find([' ', '(', '[', '<']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = match name.split_once(':') {
            None => name,
            Some((name, qualifier)) if ["any", "native", architecture].contains(&qualifier) => name,
            Some(_) => return None,
        };
        let version = match rest.trim_start().strip_prefix('(') {
            None => None,
            Some(rest) => {
                let inner = rest.split(')').next()?.trim();
                let end = inner.find(|c| !"<>=".contains(c))?;
                let (operator, version) = inner.split_at(end);
                Some((operator, Version::of(SourceKind::Deb, version.trim()).ok()?))
            }
        };
        (!name.is_empty()).then_some(Self { name, version })
    }

    fn takes(&self, version: &Version) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let Some((operator, wanted)) = &self.version else { return true };
        let order = version.cmp(wanted);
        match *operator {
            "<<" => order == Less,
            // Policy 7.1: the old spellings mean "or equal".
            "<=" | "<" => order != Greater,
            "=" => order == Equal,
            ">=" | ">" => order != Less,
            ">>" => order == Greater,
            _ => false,
        }
    }

    /// A virtual package has the version that its provider gives it, or none, which satisfies no
    /// wish for one (Policy 7.5).
    fn is_provided_by(&self, package: &Package) -> bool {
        package.provides.split(',').filter_map(|one| Wish::parse(one, "")).any(|one| {
            one.name == self.name
                && match (&self.version, &one.version) {
                    (None, _) => true,
                    (Some(_), Some((_, version))) => self.takes(version),
                    (Some(_), None) => false,
                }
        })
    }

    fn find(&self, indexes: &[Index<'_>]) -> Result<Option<(usize, Package)>, Flaw> {
        let mut real: Vec<(usize, Package)> = Vec::new();
        let mut providers: Vec<(usize, Package)> = Vec::new();
        for index in indexes {
            let name = self.name.as_bytes();
            real.extend(index.read(index.by_name.get(name))?);
            providers.extend(index.read(index.provided.get(name))?);
        }
        real.retain(|(_, package)| self.takes(&package.version));
        if let Some(best) = newest(real) {
            return Ok(Some(best));
        }
        providers.retain(|(_, package)| self.is_provided_by(package));
        let first = providers.iter().map(|(_, package)| package.name.clone()).min();
        providers.retain(|(_, package)| Some(&package.name) == first.as_ref());
        Ok(newest(providers))
    }
}

/// The newest; of equal ones that of the first repository.
fn newest(found: Vec<(usize, Package)>) -> Option<(usize, Package)> {
    let mut best: Option<(usize, Package)> = None;
    for one in found {
        if best.as_ref().is_none_or(|(_, best)| best.version < one.1.version) {
            best = Some(one);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stanza(name: &str, version: &str, more: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\n{more}Filename: pool/{name}_{version}.deb\n\
             Size: 5\nSHA256: {}\n",
            "0".repeat(64)
        )
    }

    fn of(list: &str, root: &str) -> Result<Vec<String>, Flaw> {
        let indexes = [Index::of(list.as_bytes(), 0)];
        let root = packages::find(list.as_bytes(), root).expect("read").remove(0);
        let found = closure(&indexes, &root, "amd64")?;
        Ok(found.into_iter().map(|(_, p)| format!("{} {}", p.name, p.version)).collect())
    }

    fn list(stanzas: &[(&str, &str, &str)]) -> String {
        let text: Vec<_> =
            stanzas.iter().map(|(name, version, more)| stanza(name, version, more)).collect();
        text.join("\n")
    }

    #[test]
    fn brings_libraries_and_no_host() {
        let list = list(&[
            (
                "tool",
                "1",
                "Depends: libb (>= 2:1.0), libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0\n",
            ),
            ("libb", "1:9", ""),
            ("libb", "2:1.0-1", "Pre-Depends: dpkg (>= 1.17)\nDepends: liba:any\n"),
            ("liba", "3", "Depends: libc6, tool (= 1)\n"),
            ("dpkg", "1.21", "Essential: yes\nDepends: tar\n"),
            ("libc6", "2.36", "Depends: libgcc-s1\n"),
        ]);
        assert_eq!(of(&list, "tool"), Ok(vec!["liba 3".to_owned(), "libb 2:1.0-1".to_owned()]));
    }

    #[test]
    fn alternatives_and_virtual_packages() {
        let list = list(&[
            ("first", "1", "Depends: gone | b | a\n"),
            ("second", "1", "Depends: a, b | a\n"),
            ("third", "1", "Depends: mta\n"),
            ("fourth", "1", "Depends: mta (>= 2)\n"),
            ("fifth", "1", "Depends: mta (>= 3)\n"),
            ("sixth", "1", "Depends: a (<< 1), c\n"),
            ("seventh", "1", "Depends: a:arm64 | b:amd64\n"),
            ("a", "1", ""),
            ("b", "1", ""),
            ("z-mail", "1", "Provides: mta (= 2)\n"),
            ("y-mail", "1", "Provides: x, mta\n"),
        ]);
        let one = |name: &str| Ok(vec![format!("{name} 1")]);
        assert_eq!(of(&list, "first"), one("b"));
        assert_eq!(of(&list, "second"), one("a"));
        assert_eq!(of(&list, "third"), one("y-mail"));
        assert_eq!(of(&list, "fourth"), one("z-mail"));
        assert_eq!(of(&list, "seventh"), one("b"));
        for (name, needs) in [("fifth", "mta (>= 3)"), ("sixth", "a (<< 1)")] {
            let (package, needs) = (name.to_owned(), needs.to_owned());
            assert_eq!(of(&list, name), Err(Flaw::Missing(Missing { package, needs })));
        }
    }

    #[test]
    fn versions_compare_as_dpkg_does() {
        let takes = |wish: &str, version: &str| {
            let version = Version::of(SourceKind::Deb, version).expect("version");
            Wish::parse(wish, "amd64").expect(wish).takes(&version)
        };
        for (wish, version, good) in [
            ("a (>= 1.0~rc1)", "1.0", true),
            ("a (>= 1.0)", "1.0~rc1", false),
            ("a (<< 1:0)", "99", true),
            ("a (= 1.0-1)", "1.0-1", true),
            ("a (= 1.0-1)", "1.0-2", false),
            ("a (>> 1.0)", "1.0", false),
            ("a [amd64] <!nocheck>", "1", true),
        ] {
            assert_eq!(takes(wish, version), good, "{wish} {version}");
        }
        assert_eq!(Wish::parse("a:i386", "amd64"), None);
    }

    proptest! {
        #[test]
        fn any_relation_is_read(text in "[a-z:()<>=|,. 0-9\\[\\]]{0,40}") {
            let list = stanza("a", "1", &format!("Depends: {text}\nProvides: {text}\n"));
            let _ = of(&list, "a");
        }
    }
}
