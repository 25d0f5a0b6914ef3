//! Where the registry's files come from, and at which state of it.
//!
//! Owns the state: the newest commit, asked for once in a run, for entries that are locked anew;
//! the locked one for those that stay. Refuses a file whose bytes are not those that were locked.
//! Invariant: every definition of a run that is not locked is of one state.

use std::sync::Arc;

use super::definition::{self, Definition};
use super::yaml::{self, Flaw, Node};
use crate::base::{Algorithm, Integrity, SourceKind, suggest};
use crate::lock::model::Definition as Locked;
use crate::source::access::{self, Access};
use crate::source::forge::{Forge, Repo};
use crate::source::memo::Memo;
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
    /// By state and path; `None` when there is no such file.
    files: Memo<(String, String), Option<Vec<u8>>>,
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
        let body = self.file(query, &locked.revision, &locked.file).await?;
        let Some(body) = body.as_ref() else {
            return Err(self.undefined(query, &locked.file, Vec::new()));
        };
        let received = hash(locked.integrity.algorithm(), body);
        if received != locked.integrity {
            // It was kept on disk; the next run asks anew.
            self.access.forget(&self.place(query, &locked.revision, &locked.file).await?);
            return Err(Error::DefinitionHash {
                subject: query.subject(),
                file: locked.file.clone(),
                expected: Box::new(locked.integrity.clone()),
                received: Box::new(received),
            });
        }
        let definition = self.read(query, &locked.file, body)?;
        Ok(Found { locked: locked.clone(), definition })
    }

    async fn newest(&self, query: &Query<'_>, revision: &str) -> Result<Found> {
        let mut file = path(query.package());
        let mut body = self.file(query, revision, &file).await?;
        if body.is_none() {
            file = path(&self.renamed(query, revision, &file).await?);
            body = self.file(query, revision, &file).await?;
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
        let all = self.file(query, revision, ALL).await?;
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
            let at = self.mirrored(query, HEAD).await?;
            let Some(body) = self.access.get(query, &at, None).await? else {
                return Err(Error::UnknownPackage { subject: query.subject(), url: at.shown() });
            };
            let name = String::from_utf8_lossy(&body).trim().to_owned();
            if is_part(&name) {
                return Ok(name);
            }
            let why = "it holds no name of a state".to_owned();
            Err(Error::Malformed { subject: query.subject(), url: at.shown(), why })
        };
        self.head.get((), ask).await
    }

    async fn mirrored(&self, query: &Query<'_>, path: &str) -> Result<Location> {
        let endpoint = self.access.endpoint_of(query, SourceKind::Aqua, None).await?;
        Ok(access::located(&endpoint, access::below(&endpoint.base.value, path)))
    }

    /// Where a file lies at a state.
    async fn place(&self, query: &Query<'_>, revision: &str, file: &str) -> Result<Location> {
        if self.is_mirrored() {
            self.mirrored(query, &format!("{revision}/{file}")).await
        } else {
            self.forge.content(query, REPO, file, revision).await
        }
    }

    async fn file(
        &self,
        query: &Query<'_>,
        revision: &str,
        file: &str,
    ) -> Result<Arc<Option<Vec<u8>>>> {
        let fetch = async {
            if self.is_mirrored() {
                let at = self.place(query, revision, file).await?;
                self.access.get(query, &at, None).await
            } else {
                self.forge.file(query, REPO, file, revision).await
            }
        };
        self.files.get((revision.to_owned(), file.to_owned()), fetch).await
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
