//! Where the registry's files come from, and at which state of it.
//!
//! Owns the state: the newest commit, asked for once in a run, for entries that are locked anew;
//! the locked one for those that stay. Refuses a file whose bytes are not those that were locked.
//! Invariant: every definition of a run that is not locked is of one state.

use std::sync::Arc;

use super::definition::{self, Definition};
use super::yaml::{self, Flaw, Node};
use crate::base::{Algorithm, Integrity, SourceKind, suggest};
use crate::config::ecosystem::Endpoint;
use crate::http;
use crate::lock::model::Definition as Locked;
use crate::source::access::{self, Access};
use crate::source::forge::{Forge, Repo};
use crate::source::memo::Memo;
use crate::source::mirrors::{self, Place};
use crate::source::{Error, Location, Query, Result};

/// The repository of the registry that everybody uses.
const REPO: Repo<'static> = Repo { owner: "aquaproj", name: "aqua-registry" };

/// All definitions in one file.
const ALL: &str = "registry.yaml";

/// What a mirror of the registry calls its newest state, below its base.
const HEAD: &str = "HEAD";

/// Most names that a message suggests.
const NEAR: usize = 5;

/// A definition and where it is from.
pub(super) struct Found {
    /// For the lock.
    pub(super) locked: Locked,
    /// What it says.
    pub(super) definition: Definition,
}

/// The registry.
pub(super) struct Registry {
    access: Arc<Access>,
    forge: Arc<Forge>,
    head: Memo<(), String>,
    /// By state, path and hash; `None` when there is no such file.
    files: Memo<(String, String, Option<String>), Option<Vec<u8>>>,
    /// By state and package.
    found: Memo<(String, String), Found>,
}

impl Registry {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>, forge: Arc<Forge>) -> Self {
        Self { access, forge, head: Memo::new(), files: Memo::new(), found: Memo::new() }
    }

    /// The definition of the query's package: the locked one, else the newest.
    pub(super) async fn find(&self, query: &Query<'_>) -> Result<Arc<Found>> {
        let package = query.package();
        if !is_name(package) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        if let Some(locked) = query.definition {
            let key = (locked.revision.clone(), package.to_owned());
            return self.found.get(key, self.locked(query, locked)).await;
        }
        let revision = self.head(query).await?;
        let key = (revision.as_ref().clone(), package.to_owned());
        self.found.get(key, self.newest(query, &revision)).await
    }

    async fn locked(&self, query: &Query<'_>, locked: &Locked) -> Result<Found> {
        let body = self.file(query, &locked.revision, &locked.file, Some(locked)).await?;
        let Some(body) = body.as_ref() else {
            return Err(self.undefined(query, &locked.file, Vec::new()));
        };
        let definition = self.read(query, &locked.file, body)?;
        Ok(Found { locked: locked.clone(), definition })
    }

    async fn newest(&self, query: &Query<'_>, revision: &str) -> Result<Found> {
        let mut file = path(query.package());
        let mut body = self.file(query, revision, &file, None).await?;
        if body.is_none() {
            file = path(&self.renamed(query, revision, &file).await?);
            body = self.file(query, revision, &file, None).await?;
        }
        let Some(body) = body.as_ref() else {
            return Err(self.undefined(query, &file, Vec::new()));
        };
        let definition = self.read(query, &file, body)?;
        let integrity = Integrity::sha256_of(body);
        Ok(Found { locked: Locked { revision: revision.to_owned(), file, integrity }, definition })
    }

    fn read(&self, query: &Query<'_>, file: &str, body: &[u8]) -> Result<Definition> {
        let refused = |flaw: Flaw| flawed(query, file, flaw);
        let document = document(body).map_err(refused)?;
        definition::find(&document, query.package())
            .map_err(refused)?
            .ok_or_else(|| self.undefined(query, file, Vec::new()))
    }

    /// The name that the package has now, from all definitions in one file.
    async fn renamed(&self, query: &Query<'_>, revision: &str, file: &str) -> Result<String> {
        let all = self.file(query, revision, ALL, None).await?;
        let Some(all) = all.as_ref() else {
            return Err(self.undefined(query, file, Vec::new()));
        };
        let refused = |flaw: Flaw| flawed(query, ALL, flaw);
        let document = document(all).map_err(refused)?;
        if let Some(found) = definition::find(&document, query.package()).map_err(refused)? {
            return found.name().map_err(refused);
        }
        let near = near(&document, query.package()).map_err(refused)?;
        Err(self.undefined(query, file, near))
    }

    fn undefined(&self, query: &Query<'_>, file: &str, near: Vec<String>) -> Error {
        Error::NotDefined { subject: query.subject(), file: file.to_owned(), near }
    }

    /// Whether a profile names a mirror of the registry.
    fn is_mirrored(&self) -> bool {
        self.access.overrides.get(&SourceKind::Aqua).is_some_and(|o| o.url.is_some())
    }

    /// The newest state.
    async fn head(&self, query: &Query<'_>) -> Result<Arc<String>> {
        let ask = async {
            if !self.is_mirrored() {
                return self.forge.head(query, REPO).await;
            }
            let read = |at: &Location, body: Vec<u8>| {
                let name = String::from_utf8_lossy(&body).trim().to_owned();
                let why = "it holds no name of a state".to_owned();
                let refused =
                    || Error::Malformed { subject: query.subject(), url: at.shown(), why };
                is_part(&name).then_some(name).ok_or_else(refused)
            };
            match self.mirrored(query, HEAD, read).await? {
                Some(name) => Ok(name),
                None => {
                    let indexes = self.access.indexes_of(query, SourceKind::Aqua, None).await?;
                    let shown = |e: &Endpoint| http::shown(&access::below(&e.base.value, HEAD));
                    let url = mirrors::shown(&indexes, shown);
                    Err(Error::UnknownPackage { subject: query.subject(), url })
                }
            }
        };
        self.head.get((), ask).await
    }

    /// What a mirror's document says, from the first mirror that has it. One that cannot be read
    /// is forgotten.
    async fn mirrored<T>(
        &self,
        query: &Query<'_>,
        path: &str,
        read: impl Fn(&Location, Vec<u8>) -> Result<T>,
    ) -> Result<Option<T>> {
        let indexes = self.access.indexes_of(query, SourceKind::Aqua, None).await?;
        let read = &read;
        let ask = async |place: Place<'_>| {
            let base = &place.endpoint.base.value;
            let at = access::located(place.endpoint, access::below(base, path));
            let page = self.access.page_of(place.last, query, &at, None).await?;
            let Some(page) = page else { return Ok(None) };
            read(&at, page.body).map(Some).inspect_err(|_| self.access.forget(&at))
        };
        self.access.first(&indexes, ask).await
    }

    /// A file at a state. Where it is locked, its bytes have the locked hash.
    async fn file(
        &self,
        query: &Query<'_>,
        revision: &str,
        file: &str,
        locked: Option<&Locked>,
    ) -> Result<Arc<Option<Vec<u8>>>> {
        let check = |body: &[u8]| match locked {
            None => Ok(()),
            Some(locked) => {
                let received = hash(locked.integrity.algorithm(), body);
                let refused = || Error::DefinitionHash {
                    subject: query.subject(),
                    file: file.to_owned(),
                    expected: Box::new(locked.integrity.clone()),
                    received: Box::new(received.clone()),
                };
                (received == locked.integrity).then_some(()).ok_or_else(refused)
            }
        };
        let fetch = async {
            if self.is_mirrored() {
                let read = |_: &Location, body: Vec<u8>| check(&body).map(|()| body);
                self.mirrored(query, &format!("{revision}/{file}"), read).await
            } else {
                self.forge.file(query, REPO, file, revision, check).await
            }
        };
        let hash = locked.map(|locked| locked.integrity.to_string());
        self.files.get((revision.to_owned(), file.to_owned(), hash), fetch).await
    }
}

/// What is wrong with a definition.
pub(super) fn flawed(query: &Query<'_>, file: &str, flaw: Flaw) -> Error {
    Error::Definition {
        subject: query.subject(),
        file: file.to_owned(),
        line: flaw.line,
        why: flaw.why,
    }
}

fn document(body: &[u8]) -> std::result::Result<Node, Flaw> {
    let text = std::str::from_utf8(body).map_err(|_| Flaw::new(1, "it is not UTF-8"))?;
    yaml::parse(text)
}

fn hash(algorithm: Algorithm, body: &[u8]) -> Integrity {
    let mut digest = crate::base::Hasher::new(algorithm);
    digest.update(body);
    digest.finish()
}

fn path(package: &str) -> String {
    format!("pkgs/{package}/registry.yaml")
}

/// Whether a text can be one part of a path.
fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@~".contains(&b))
}

fn is_name(package: &str) -> bool {
    package.contains('/') && package.split('/').all(is_part)
}

/// Packages that may be meant: of the same last name, found by a search word, or spelled alike.
fn near(document: &Node, package: &str) -> std::result::Result<Vec<String>, Flaw> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let wanted = last(package);
    let (mut alike, mut names) = (Vec::new(), Vec::new());
    for node in document.list_at("packages")? {
        let name = Definition::of(node).name()?;
        let mut words = node.list_at("search_words")?.iter().map(|word| word.text("search_words"));
        let mut found = last(&name) == wanted;
        while let Some(word) = words.next().transpose()? {
            found |= word.eq_ignore_ascii_case(&wanted);
        }
        if found && alike.len() < NEAR {
            alike.push(name.clone());
        }
        names.push(name);
    }
    if alike.is_empty() {
        let names = names.iter().map(String::as_str);
        alike.extend(suggest::nearest(package, names).map(str::to_owned));
    }
    Ok(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["cli/cli", "a.b/c/d", "x/@y"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["cli", "a//b", "../b", "a/..", "a/b?c", "/a", "a/", "a/b#c", "a/%2e"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn suggests() {
        let text = "packages:\n  - repo_owner: some\n    repo_name: tool\n  - name: other/grep\n    \
                    search_words: [ripper]\n";
        let document = document(text.as_bytes()).expect("yaml");
        for (package, want) in [
            ("wrong/tool", &["some/tool"][..]),
            ("x/Ripper", &["other/grep"]),
            ("some/tol", &["some/tool"]),
            ("quite/different", &[]),
        ] {
            assert_eq!(near(&document, package).expect("names"), want, "{package}");
        }
    }
}
