//! What a manifest means on this host: every template expanded.
//!
//! Owns the meaning of `${…}` and the variables we add. Refuses circles and names that nothing
//! defines. Invariant: the same manifest in the same [`Place`] gives the same values; the caller's
//! own environment plays no part here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::build::{BIN, ETC};
use super::error::{Error, Result};
use super::manifest::Manifest;
use crate::base::vars::exported;
use crate::base::{EnvName, TreeHash};
use crate::profile::template::{Reference, Template};

/// Where an environment is used.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The project's directory, absolute.
    pub project: &'a Path,
    /// The environment's directory in the store, absolute.
    pub object: &'a Path,
    /// The environment's digest.
    pub digest: &'a TreeHash,
    /// Its generation.
    pub generation: u64,
    /// Every port's number, see [`super::ports::assign`].
    pub ports: &'a BTreeMap<String, u16>,
}

/// The data directory of an environment, absolute.
pub fn data_dir(manifest: &Manifest, project: &Path) -> PathBuf {
    // Joining an absolute path gives that path.
    project.join(&manifest.data)
}

/// Why a profile cannot set a variable: it is ours, or no shell could set it. Checked again when an
/// environment is used, since names go into shell code as they are.
pub(super) fn why_not_settable(name: &str) -> Option<&'static str> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if name == "PATH" {
        Some("the environment's commands are its PATH")
    } else if name.starts_with("INFRA_ENV_") {
        Some("infra sets it")
    } else if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Some("a variable's name is letters, digits and `_`, and starts with no digit")
    } else {
        None
    }
}

/// An environment on this host.
#[derive(Clone, Debug)]
pub struct Values {
    name: EnvName,
    object: PathBuf,
    project: PathBuf,
    data: PathBuf,
    ports: BTreeMap<String, u16>,
    files: BTreeMap<String, PathBuf>,
    deps: BTreeMap<String, PathBuf>,
    variables: BTreeMap<String, String>,
    replica: Option<u32>,
}

impl Values {
    /// Expands a manifest's variables.
    pub fn new(manifest: &Manifest, place: &Place<'_>) -> Result<Self> {
        if place.object.as_os_str().as_encoded_bytes().iter().any(|b| b":\n".contains(b)) {
            return Err(Error::NotInPath { path: place.object.to_owned() });
        }
        for name in manifest.env.keys() {
            if let Some(why) = why_not_settable(name) {
                return Err(Error::ReservedVariable { name: name.clone(), why, excerpt: None });
            }
        }
        let store = place.object.parent().unwrap_or(place.object);
        let etc = place.object.join(ETC);
        let dep = |dep: &super::manifest::Dep| store.join(dep.object.to_string());
        let mut values = Self {
            name: manifest.name.clone(),
            object: place.object.to_owned(),
            project: place.project.to_owned(),
            data: data_dir(manifest, place.project),
            ports: place.ports.clone(),
            files: manifest.files.iter().map(|f| (f.to_string(), f.under(&etc))).collect(),
            deps: manifest.deps.iter().map(|(n, d)| (n.to_string(), dep(d))).collect(),
            variables: BTreeMap::new(),
            replica: None,
        };
        for name in manifest.env.keys() {
            values.add(name, &manifest.env, &mut Vec::new())?;
        }
        for (name, value) in [
            (exported::ENV_NAME, manifest.name.to_string()),
            (exported::ENV_DIGEST, place.digest.to_string()),
            (exported::ENV_GENERATION, place.generation.to_string()),
        ] {
            values.variables.insert(name.to_owned(), value);
        }
        Ok(values)
    }

    /// Expands one variable after those it names. `path` holds the names on the way to it.
    fn add(
        &mut self,
        name: &str,
        declared: &BTreeMap<String, Template>,
        path: &mut Vec<String>,
    ) -> Result<()> {
        if self.variables.contains_key(name) {
            return Ok(());
        }
        if let Some(start) = path.iter().position(|seen| seen == name) {
            let mut names = path[start..].to_vec();
            names.push(name.to_owned());
            return Err(Error::Cycle { names });
        }
        // A name that is not declared is reported where it is used.
        let Some(template) = declared.get(name) else { return Ok(()) };
        path.push(name.to_owned());
        for reference in template.references() {
            if let Reference::Env(other) = reference {
                self.add(other, declared, path)?;
            }
        }
        path.pop();
        let value = self.expand(template)?;
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }

    /// The same for one copy of a service, with its own ports over the environment's.
    pub fn for_replica(&self, number: u32, ports: BTreeMap<String, u16>) -> Self {
        let mut values = self.clone();
        values.replica = Some(number);
        values.ports.extend(ports);
        values
    }

    /// A template with every reference replaced.
    pub fn expand(&self, template: &Template) -> Result<String> {
        template.expand(|reference| {
            let unknown = || Error::UnknownReference {
                reference: reference.to_string(),
                env: self.name.clone(),
            };
            match reference {
                Reference::Port(name) => {
                    self.ports.get(name).map(u16::to_string).ok_or_else(unknown)
                }
                Reference::Env(name) => self.variables.get(name).cloned().ok_or_else(unknown),
                Reference::File(name) => text("file", self.files.get(name).ok_or_else(unknown)?),
                Reference::Dep(name) => {
                    text("store directory", self.deps.get(name).ok_or_else(unknown)?)
                }
                Reference::Project => text("project directory", &self.project),
                Reference::Data => text("data directory", &self.data),
                Reference::Replica => Ok(self.replica.unwrap_or(1).to_string()),
            }
        })
    }

    /// The environment's name.
    pub fn name(&self) -> &EnvName {
        &self.name
    }

    /// The environment's variables and ours, `PATH` not among them.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The directory of its commands, absolute.
    pub fn bin(&self) -> PathBuf {
        self.object.join(BIN)
    }

    /// The data directory, absolute.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Every port's number.
    pub fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }
}

fn text(what: &'static str, path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::NotText { what, path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn expand_in_order_of_need() {
        let place = testing::Site::new();
        let manifest = testing::resolved().manifest;
        let values = Values::new(&manifest, &place.place()).expect("values");
        let value = |name: &str| values.variables()[name].as_str();
        assert_eq!(value("A_URL"), "nats://127.0.0.1:4222/x");
        assert_eq!(value("NATS_URL"), "nats://127.0.0.1:4222");
        assert_eq!(value("CONF"), "/store/store/env/etc/nats.conf");
        assert_eq!(value("WHERE"), "/project:/project/.data");
        let nats = format!("/store/store/{}", manifest.deps["nats"].object);
        assert_eq!(value("NATS_DIR"), nats);
        assert_eq!(value("INFRA_ENV_NAME"), "dev");
        assert_eq!(value("INFRA_ENV_GENERATION"), "7");
        assert!(value("INFRA_ENV_DIGEST").starts_with("sha256-"));
        assert!(!values.variables().contains_key("PATH"));
    }

    #[test]
    fn circles_are_shown_and_end() {
        let place = testing::Site::new();
        let mut manifest = testing::resolved().manifest;
        for (name, template) in [("X", "${env.Y}"), ("Y", "${env.Z}"), ("Z", "${env.Y}")] {
            manifest.env.insert(name.to_owned(), template.parse().expect("template"));
        }
        let error = Values::new(&manifest, &place.place()).expect_err("a circle");
        assert_eq!(error.to_string(), "variables name each other in a circle: Y → Z → Y");
        manifest.env.retain(|name, _| name == "X");
        let error = Values::new(&manifest, &place.place()).expect_err("unknown");
        assert!(matches!(error, Error::UnknownReference { reference, .. } if reference == "env.Y"));
    }

    #[test]
    fn what_would_become_shell_code_is_refused() {
        let site = testing::Site::new();
        for name in ["X;id", "X=1", "X Y", "$(id)", "PATH", "INFRA_ENV_NAME"] {
            let mut manifest = testing::resolved().manifest;
            manifest.env.insert(name.to_owned(), "1".parse().expect("template"));
            let error = Values::new(&manifest, &site.place()).expect_err(name);
            assert!(matches!(error, Error::ReservedVariable { .. }), "{name}: {error}");
        }
        for object in ["/st:ore/store/env", "/st\nore/store/env"] {
            let place = Place { object: Path::new(object), ..site.place() };
            let error = Values::new(&testing::resolved().manifest, &place).expect_err(object);
            assert!(matches!(error, Error::NotInPath { .. }), "{error}");
        }
    }
}
