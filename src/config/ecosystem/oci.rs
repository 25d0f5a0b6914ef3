//! Where images come from, and who asks, as containers' own tools are told.
//!
//! 1. `[source.oci] url`
//! 2. `registries.conf` (`CONTAINERS_REGISTRIES_CONF`, the user's, the system's, the last two with
//!    the files of `registries.conf.d` laid over them): the registries of
//!    `unqualified-search-registries`, each after its mirrors
//! 3. `registry-mirrors` of Docker's `daemon.json`
//!
//! Credentials: what stands in the base URL, else what [`docker`] finds. Invariant: a registry that
//! is blocked is never asked.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::DocumentMut;

use super::super::{Environ, Error, Setting};
use super::docker::{self, Login};
use super::{Endpoint, Machine, base, read};
use crate::fs;

/// A registry, and who asks there.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it is. What the files of containers' tools say of who asks is `login`'s.
    pub endpoint: Endpoint,
    /// Who asks.
    pub login: Option<Login>,
}

/// Every registry.
#[derive(Clone, Debug)]
pub struct Registries {
    /// Best first. Each may serve any image: what it must be is in the lock.
    pub all: Vec<Registry>,
    /// What a person should know of how credentials were looked for.
    pub notes: Vec<String>,
}

/// Every registry, best first. May start credential helpers and wait for them, up to 10 s each: not
/// for the async thread.
///
/// # Errors
/// There is none, or a configuration file cannot be read.
pub fn registries(
    url: Option<&str>,
    repository: &str,
    environ: &Environ,
    project: &Path,
) -> Result<Registries, Error> {
    let machine = Machine { environ, project, cache: None, root: Path::new("/") };
    of_machine(&machine, url, repository)
}

fn of_machine(
    machine: &Machine<'_>,
    url: Option<&str>,
    repository: &str,
) -> Result<Registries, Error> {
    let mut found = Vec::new();
    let mut tried = Vec::new();
    match url {
        Some(url) => {
            found.push(Setting::file(machine.project.join("profiles"), url.to_owned()));
        }
        None => {
            for file in registries_files(machine) {
                tried.push(file.display().to_string());
                let mut texts = Vec::new();
                texts.extend(read(&file)?.map(|text| (file.clone(), text)));
                for over in laid_over(machine, &file)? {
                    texts.extend(read(&over)?.map(|text| (over, text)));
                }
                found.extend(registries_conf(&texts)?);
                // The user's file stands for the system's.
                if !found.is_empty() {
                    break;
                }
            }
            for file in daemon_files(machine) {
                tried.push(file.display().to_string());
                let Some(text) = read(&file)? else { continue };
                let urls =
                    daemon(&text).map_err(|reason| Error::Format { path: file.clone(), reason })?;
                found.extend(urls.into_iter().map(|url| Setting::file(&file, url)));
            }
        }
    }
    if found.is_empty() {
        let variable = "`unqualified-search-registries` in registries.conf";
        return Err(Error::NoEndpoint { ecosystem: "oci", variable, tried });
    }
    let (mut all, mut notes): (Vec<Registry>, _) = (Vec::new(), Vec::new());
    for setting in found {
        let (base, in_url) = base(setting)?;
        if all.iter().any(|known| known.endpoint.base.value == base.value) {
            continue;
        }
        let login = match in_url {
            Some(in_url) => Some(Login::Header(in_url)),
            None => {
                let (login, said) = docker::login(machine, &base.value, repository)?;
                notes.extend(said);
                login
            }
        };
        let ca = machine.common_ca()?;
        let endpoint = Endpoint { base, authorization: None, ca, identity: None };
        all.push(Registry { endpoint, login });
    }
    Ok(Registries { all, notes })
}

/// The files that are laid over one, in the order in which they are.
fn laid_over(machine: &Machine<'_>, file: &Path) -> Result<Vec<PathBuf>, Error> {
    // A file that is named stands alone (`containers-registries.conf(5)`).
    if machine.environ.get_os("CONTAINERS_REGISTRIES_CONF").is_some() {
        return Ok(Vec::new());
    }
    let directory = file.with_extension("conf.d");
    let names = fs::read_dir_names_if_exists(&directory)?;
    let mut all: Vec<PathBuf> = names.into_iter().map(|name| directory.join(name)).collect();
    all.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    all.sort();
    Ok(all)
}

pub(super) fn config_home(environ: &Environ) -> Option<PathBuf> {
    let own = environ.get_os("XDG_CONFIG_HOME").map(PathBuf::from);
    own.or_else(|| Some(environ.home()?.join(".config")))
}

fn registries_files(machine: &Machine<'_>) -> Vec<PathBuf> {
    if let Some(file) = machine.environ.get_os("CONTAINERS_REGISTRIES_CONF") {
        return vec![PathBuf::from(file)];
    }
    let user = config_home(machine.environ).map(|home| home.join("containers/registries.conf"));
    user.into_iter().chain([machine.root.join("etc/containers/registries.conf")]).collect()
}

fn daemon_files(machine: &Machine<'_>) -> Vec<PathBuf> {
    let user = config_home(machine.environ).map(|home| home.join("docker/daemon.json"));
    user.into_iter().chain([machine.root.join("etc/docker/daemon.json")]).collect()
}

/// Base URLs of `registries.conf`, version 2 of its format, and of files that are laid over it: the
/// last list counts, and the last table of a registry.
fn registries_conf(files: &[(PathBuf, String)]) -> Result<Vec<Setting<String>>, Error> {
    let mut documents: Vec<(&Path, DocumentMut)> = Vec::new();
    for (path, text) in files {
        let document = text.parse().map_err(|e: toml_edit::TomlError| Error::Format {
            path: path.clone(),
            reason: e.message().to_owned(),
        })?;
        documents.push((path, document));
    }
    let text = |item: &dyn toml_edit::TableLike, key: &str| {
        item.get(key).and_then(|v| v.as_str()).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let is = |item: &dyn toml_edit::TableLike, key: &str| {
        item.get(key).and_then(toml_edit::Item::as_bool).unwrap_or(false)
    };
    let url = |location: &str, insecure: bool| {
        format!("{}://{location}", if insecure { "http" } else { "https" })
    };
    let search = documents.iter().rev().find_map(|(path, document)| {
        Some((*path, document.get("unqualified-search-registries")?.as_array()?))
    });
    let Some((listed, names)) = search else { return Ok(Vec::new()) };
    let names = names.iter().filter_map(toml_edit::Value::as_str);
    let tables: Vec<_> = documents
        .iter()
        .rev()
        .flat_map(|(path, document)| {
            let tables = document.get("registry").and_then(|item| item.as_array_of_tables());
            tables.into_iter().flatten().map(|table| (*path, table))
        })
        .collect();
    let mut out = Vec::new();
    for name in names {
        let named = tables.iter().find(|(_, table)| {
            let prefix = text(*table as &dyn toml_edit::TableLike, "prefix")
                .or_else(|| text(*table, "location"));
            prefix.as_deref() == Some(name)
        });
        let Some((path, table)) = named else {
            out.push(Setting::file(listed, url(name, false)));
            continue;
        };
        if is(*table, "blocked") {
            continue;
        }
        for mirror in
            table.get("mirror").and_then(|item| item.as_array_of_tables()).into_iter().flatten()
        {
            let at = text(mirror, "location").map(|at| url(&at, is(mirror, "insecure")));
            out.extend(at.map(|at| Setting::file(*path, at)));
        }
        let location = text(*table, "location").unwrap_or_else(|| name.to_owned());
        out.push(Setting::file(*path, url(&location, is(*table, "insecure"))));
    }
    Ok(out)
}

/// Base URLs of Docker's `daemon.json`.
fn daemon(text: &str) -> Result<Vec<String>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mirrors = value["registry-mirrors"].as_array().into_iter().flatten();
    Ok(mirrors.filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    fn bases(fake: &Fake, url: Option<&str>) -> Vec<String> {
        let found = of_machine(&fake.machine(), url, "library/tool").expect("registries");
        found.all.into_iter().map(|r| r.endpoint.base.value.to_string()).collect()
    }

    #[test]
    fn mirrors_before_their_registry() {
        let fake = Fake::new(&[]);
        fake.write(
            "root/etc/containers/registries.conf",
            "unqualified-search-registries = [\"hub.invalid\", \"other.invalid\", \"no.invalid\"]\n\
             [[registry]]\nprefix = \"hub.invalid\"\nlocation = \"hub.invalid/x\"\n\
             [[registry.mirror]]\nlocation = \"mirror.invalid:5000/hub\"\ninsecure = true\n\
             [[registry]]\nlocation = \"no.invalid\"\nblocked = true\n",
        );
        fake.write(
            "root/etc/docker/daemon.json",
            "{\"registry-mirrors\": [\"https://d.invalid\"]}",
        );
        assert_eq!(
            bases(&fake, None),
            [
                "http://mirror.invalid:5000/hub/",
                "https://hub.invalid/x/",
                "https://other.invalid/",
                "https://d.invalid/"
            ]
        );
        assert_eq!(bases(&fake, Some("http://own.invalid")), ["http://own.invalid/"]);
        // Files that are laid over it: the last of each counts.
        let directory = "root/etc/containers/registries.conf.d";
        fake.write(
            &format!("{directory}/20-b.conf"),
            "unqualified-search-registries = [\"hub.invalid\"]\n\
             [[registry]]\nprefix = \"hub.invalid\"\nlocation = \"late.invalid\"\n",
        );
        fake.write(
            &format!("{directory}/10-a.conf"),
            "unqualified-search-registries = [\"x.invalid\"]",
        );
        fake.write(&format!("{directory}/30-c"), "unqualified-search-registries = [\"y.invalid\"]");
        assert_eq!(bases(&fake, None), ["https://late.invalid/", "https://d.invalid/"]);
        let named = Fake::new(&[("CONTAINERS_REGISTRIES_CONF", "$T/own.conf")]);
        named.write("own.conf", "unqualified-search-registries = [\"named.invalid\"]");
        assert_eq!(bases(&named, None), ["https://named.invalid/"]);
    }

    #[test]
    fn nothing_is_an_error_that_says_what_to_set() {
        use crate::base::Diagnose as _;
        let fake = Fake::new(&[]);
        let error = of_machine(&fake.machine(), None, "x").expect_err("none");
        let hint = &error.hints()[0].0;
        assert!(hint.contains("[source.oci]") && hint.contains("registries.conf"), "{hint}");
        assert!(error.details().iter().any(|line| line.contains("daemon.json")));
        fake.write("root/etc/docker/daemon.json", "{");
        let error = of_machine(&fake.machine(), None, "x").expect_err("broken");
        assert!(error.to_string().contains("daemon.json"), "{error}");
    }
}
