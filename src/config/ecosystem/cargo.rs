//! Where crates come from, as Cargo is told.
//!
//! 1. `[source.crate] url`
//! 2. the default registry: `CARGO_REGISTRY_DEFAULT`, then `[registry] default`, whose index is
//!    `CARGO_REGISTRIES_NAME_INDEX` or `[registries.NAME] index`
//! 3. what `[source.crates-io] replace-with` leads to
//! 4. the public registry, by the constant that the crate `tame-index` carries
//!
//! Files: `.cargo/config.toml` of the project and of each directory above it, then of `CARGO_HOME`;
//! the nearest counts. Tokens (`CARGO_REGISTRIES_NAME_TOKEN`, `credentials.toml`, the files) belong
//! to the registry of their name. The public registry's is for publishing and never sent. Refuses
//! indexes in git, which only a clone could read. Invariant: the base is that of a sparse index.
//! Reference: the Cargo book, "Configuration" and "Registries".

use std::path::{Path, PathBuf};

use tame_index::index::sparse::CRATES_IO_HTTP_INDEX;
use toml_edit::{DocumentMut, Item};

use super::super::{Environ, Error, Origin, Setting};
use super::{Endpoint, Machine, base, netrc, read};
use crate::base::Secret;

/// The name of the public registry in Cargo's configuration.
const PUBLIC: &str = "crates-io";

/// Most replacements that may follow one another.
const REPLACEMENTS: usize = 8;

/// Every file of Cargo's configuration, the nearest first.
struct Config {
    files: Vec<(PathBuf, DocumentMut)>,
}

impl Config {
    fn load(machine: &Machine<'_>, name: &str) -> Result<Self, Error> {
        let mut files = Vec::new();
        let mut directories: Vec<PathBuf> = Vec::new();
        if name == "config" {
            directories.extend(machine.project.ancestors().map(|above| above.join(".cargo")));
        }
        if let Some(home) = home(machine.environ)
            && !directories.contains(&home)
        {
            directories.push(home);
        }
        for directory in directories {
            // The name without an ending is the older one, and Cargo still prefers it.
            for file in [name.to_owned(), format!("{name}.toml")] {
                let path = directory.join(file);
                let Some(text) = read(&path)? else { continue };
                let document = text.parse().map_err(|e: toml_edit::TomlError| Error::Format {
                    path: path.clone(),
                    reason: e.message().lines().collect::<Vec<_>>().join(", "),
                })?;
                files.push((path, document));
                break;
            }
        }
        Ok(Self { files })
    }

    /// The nearest text at a path of keys.
    fn text(&self, keys: &[&str]) -> Option<Setting<String>> {
        self.files.iter().find_map(|(path, document)| {
            let mut item: &Item = document.as_item();
            for key in keys {
                item = item.get(key)?;
            }
            Some(Setting::file(path.clone(), item.as_str()?.to_owned()))
        })
    }
}

fn home(environ: &Environ) -> Option<PathBuf> {
    match environ.get_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Some(PathBuf::from(home)),
        None => environ.home().map(|home: &Path| home.join(".cargo")),
    }
}

/// A registry's variable: `CARGO_REGISTRIES_MY_OWN_INDEX` of `my-own`.
fn variable(environ: &Environ, registry: &str, what: &str) -> Option<Setting<String>> {
    let upper = registry.to_ascii_uppercase().replace('-', "_");
    let name = format!("CARGO_REGISTRIES_{upper}_{what}");
    let value = environ.get(&name).filter(|value| !value.is_empty())?.to_owned();
    Some(Setting::variable(name, value))
}

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<Endpoint, Error> {
    let ca = machine.common_ca()?;
    if let Some(profile) = profile {
        let (base, in_url) = base(profile)?;
        let authorization = match in_url {
            None => netrc::authorization(machine.environ, &base.value)?,
            some => some,
        };
        return Ok(Endpoint { base, authorization, ca, identity: None });
    }
    let config = Config::load(machine, "config")?;
    let (index, name) = index(machine.environ, &config)?;
    let Setting { value, origin } = index;
    let Some(url) = value.strip_prefix("sparse+") else {
        let accepted = "the URL of a sparse index, which begins with `sparse+`";
        return Err(Error::Value { origin, value: super::redacted(&value), accepted });
    };
    let (base, in_url) = base(Setting { value: url.to_owned(), origin })?;
    let authorization = match name.filter(|name| name != PUBLIC) {
        Some(name) => token(machine, &config, &name)?.or(in_url),
        None => in_url,
    };
    Ok(Endpoint { base, authorization, ca, identity: None })
}

/// The index, and the name of the registry in `[registries]` that it is of.
fn index(environ: &Environ, config: &Config) -> Result<(Setting<String>, Option<String>), Error> {
    let of_registry = |name: &str| {
        variable(environ, name, "INDEX").or_else(|| config.text(&["registries", name, "index"]))
    };
    let chosen = environ
        .get("CARGO_REGISTRY_DEFAULT")
        .filter(|name| !name.is_empty())
        .map(|name| Setting::variable("CARGO_REGISTRY_DEFAULT", name.to_owned()))
        .or_else(|| config.text(&["registry", "default"]));
    if let Some(Setting { value: name, origin }) = chosen
        && name != PUBLIC
    {
        return match of_registry(&name) {
            Some(index) => Ok((index, Some(name))),
            None => Err(Error::Value { origin, value: name, accepted: "a registry with an index" }),
        };
    }
    let mut name = PUBLIC.to_owned();
    let mut origin = Origin::Default;
    for _ in 0..REPLACEMENTS {
        if let Some(other) = config.text(&["source", &name, "replace-with"]) {
            (name, origin) = (other.value, other.origin);
            continue;
        }
        if let Some(index) = config.text(&["source", &name, "registry"]) {
            let registry = config.text(&["registries", &name, "index"]).is_some();
            return Ok((index, registry.then_some(name)));
        }
        if let Some(index) = of_registry(&name) {
            return Ok((index, Some(name)));
        }
        if name == PUBLIC {
            return Ok((Setting::default(CRATES_IO_HTTP_INDEX.to_owned()), None));
        }
        break;
    }
    Err(Error::Value { origin, value: name, accepted: "a source with a registry" })
}

fn token(machine: &Machine<'_>, config: &Config, name: &str) -> Result<Option<Secret>, Error> {
    let found = match variable(machine.environ, name, "TOKEN") {
        Some(token) => Some(token),
        None => {
            let keys = ["registries", name, "token"];
            let credentials = Config::load(machine, "credentials")?;
            credentials.text(&keys).or_else(|| config.text(&keys))
        }
    };
    // Cargo sends a token as it is.
    Ok(found.map(|token| Secret::new(token.value.trim())))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;
    use crate::base::{Diagnose as _, SourceKind};

    fn found(fake: &Fake) -> Endpoint {
        fake.endpoint(SourceKind::Crate, None, None).unwrap()
    }

    fn host(fake: &Fake) -> String {
        found(fake).base.value.host_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_public_registry_when_nothing_is_said() {
        let fake = Fake::new(&[("CARGO_REGISTRY_TOKEN", "publish")]);
        let endpoint = found(&fake);
        let public = CRATES_IO_HTTP_INDEX.strip_prefix("sparse+").unwrap();
        assert_eq!(endpoint.base.value.as_str(), public);
        assert_eq!((endpoint.base.origin, endpoint.authorization), (Origin::Default, None));
    }

    #[test]
    fn order() {
        let fake = Fake::new(&[("CARGO_HOME", "$T/cargo")]);
        let replaced = "[source.crates-io]\nreplace-with = \"one\"\n[source.one]\n\
                        replace-with = \"two\"\n[source.two]\nregistry = \"sparse+http://two.invalid/i/\"\n";
        fake.write("cargo/config.toml", replaced);
        assert_eq!(host(&fake), "two.invalid");
        // A registry can replace as well, and the nearest file counts.
        fake.write(
            "project/.cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"own\"\n[registries.own]\nindex = \"sparse+http://own.invalid\"\n",
        );
        assert_eq!(host(&fake), "own.invalid");
        fake.write(
            "cargo/config.toml",
            &format!("{replaced}[registry]\ndefault = \"corp\"\n[registries.corp]\nindex = \"sparse+http://corp.invalid/\"\n"),
        );
        assert_eq!(host(&fake), "corp.invalid");
        let url = Some("http://profile.invalid/index");
        let endpoint = fake.endpoint(SourceKind::Crate, url, None).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "http://profile.invalid/index/");
    }

    #[test]
    fn variables_over_files() {
        let fake = Fake::new(&[
            ("CARGO_REGISTRY_DEFAULT", "my-own"),
            ("CARGO_REGISTRIES_MY_OWN_INDEX", "sparse+http://variable.invalid/"),
            ("CARGO_REGISTRIES_MY_OWN_TOKEN", "Bearer t\n"),
        ]);
        fake.write(
            "home/.cargo/config",
            "[registries.my-own]\nindex = \"sparse+http://file.invalid/\"\n",
        );
        let endpoint = found(&fake);
        assert_eq!(endpoint.base.value.as_str(), "http://variable.invalid/");
        assert_eq!(endpoint.authorization, Some(Secret::new("Bearer t")));
    }

    #[test]
    fn tokens_from_files() {
        let fake = Fake::new(&[("CARGO_REGISTRY_DEFAULT", "own")]);
        let index = "[registries.own]\nindex = \"sparse+http://own.invalid/\"\n";
        fake.write("home/.cargo/config.toml", &format!("{index}token = \"config\"\n"));
        assert_eq!(found(&fake).authorization, Some(Secret::new("config")));
        fake.write("home/.cargo/credentials.toml", "[registries.own]\ntoken = \"kept\"\n");
        assert_eq!(found(&fake).authorization, Some(Secret::new("kept")));
    }

    #[test]
    fn refusals_name_the_setting() {
        for (text, what) in [
            ("[registries.own]\nindex = \"https://own.invalid/git\"", "sparse+"),
            ("[registries.own]\nindex = \"sparse+ftp://own.invalid/\"", "http"),
            ("", "a registry with an index"),
        ] {
            let fake = Fake::new(&[("CARGO_REGISTRY_DEFAULT", "own")]);
            fake.write("home/.cargo/config.toml", text);
            let error = fake.endpoint(SourceKind::Crate, None, None).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        let fake = Fake::new(&[]);
        fake.write("home/.cargo/config.toml", "[source.crates-io]\nreplace-with = \"crates-io\"");
        assert!(fake.endpoint(SourceKind::Crate, None, None).is_err(), "a circle");
        let path = fake.write("home/.cargo/config.toml", "[source");
        let error = fake.endpoint(SourceKind::Crate, None, None).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(error.kind(), crate::base::Kind::User);
    }
}
