//! Where images come from, and who asks, as containers' own tools are told.
//!
//! 1. `[source.oci] url`
//! 2. `registries.conf` (`CONTAINERS_REGISTRIES_CONF`, the user's, the system's): the registries of
//!    `unqualified-search-registries`, each after its mirrors
//! 3. `registry-mirrors` of Docker's `daemon.json`
//!
//! Credentials: what stands in the base URL; the files of `containers-auth.json(5)`
//! (`REGISTRY_AUTH_FILE`, the runtime directory's, the user's), Docker's `config.json`
//! (`DOCKER_CONFIG`); `.netrc`. Helpers that keep credentials elsewhere are not started. Invariant:
//! an entry of a credentials file serves the host that it names alone.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::DocumentMut;
use url::Url;

use super::super::{Environ, Error, Setting};
use super::{Endpoint, Machine, base, basic, netrc, read};
use crate::base::Secret;

/// Every registry, best first. Each may serve any image: what it must be is in the lock.
///
/// # Errors
/// There is none, or a configuration file cannot be read.
pub fn registries(
    url: Option<&str>,
    repository: &str,
    environ: &Environ,
    project: &Path,
) -> Result<Vec<Endpoint>, Error> {
    let machine = Machine { environ, project, cache: None, root: Path::new("/") };
    of_machine(&machine, url, repository)
}

fn of_machine(
    machine: &Machine<'_>,
    url: Option<&str>,
    repository: &str,
) -> Result<Vec<Endpoint>, Error> {
    let mut found = Vec::new();
    let mut tried = Vec::new();
    match url {
        Some(url) => {
            found.push(Setting::file(machine.project.join("profiles"), url.to_owned()));
        }
        None => {
            for file in registries_files(machine) {
                tried.push(file.display().to_string());
                let Some(text) = read(&file)? else { continue };
                let urls = registries_conf(&text)
                    .map_err(|reason| Error::Format { path: file.clone(), reason })?;
                found.extend(urls.into_iter().map(|url| Setting::file(&file, url)));
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
    let mut out: Vec<Endpoint> = Vec::new();
    for setting in found {
        let (base, in_url) = base(setting)?;
        if out.iter().any(|known| known.base.value == base.value) {
            continue;
        }
        let authorization = match in_url {
            Some(in_url) => Some(in_url),
            None => credentials(machine, &base.value, repository)?,
        };
        out.push(Endpoint { base, authorization, ca: machine.common_ca()? });
    }
    Ok(out)
}

fn config_home(environ: &Environ) -> Option<PathBuf> {
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

/// Base URLs of `registries.conf`, version 2 of its format.
fn registries_conf(text: &str) -> Result<Vec<String>, String> {
    let document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| e.message().to_owned())?;
    let text = |item: &dyn toml_edit::TableLike, key: &str| {
        item.get(key).and_then(|v| v.as_str()).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let is = |item: &dyn toml_edit::TableLike, key: &str| {
        item.get(key).and_then(toml_edit::Item::as_bool).unwrap_or(false)
    };
    let url = |location: &str, insecure: bool| {
        format!("{}://{location}", if insecure { "http" } else { "https" })
    };
    let search = document.get("unqualified-search-registries").and_then(|v| v.as_array());
    let names = search.into_iter().flatten().filter_map(toml_edit::Value::as_str);
    let tables: Vec<_> = document
        .get("registry")
        .and_then(|item| item.as_array_of_tables())
        .into_iter()
        .flatten()
        .collect();
    let mut out = Vec::new();
    for name in names {
        let named = tables.iter().find(|table| {
            let prefix = text(**table as &dyn toml_edit::TableLike, "prefix")
                .or_else(|| text(**table, "location"));
            prefix.as_deref() == Some(name)
        });
        let Some(table) = named else {
            out.push(url(name, false));
            continue;
        };
        if is(*table, "blocked") {
            continue;
        }
        for mirror in
            table.get("mirror").and_then(|item| item.as_array_of_tables()).into_iter().flatten()
        {
            out.extend(text(mirror, "location").map(|at| url(&at, is(mirror, "insecure"))));
        }
        let location = text(*table, "location").unwrap_or_else(|| name.to_owned());
        out.push(url(&location, is(*table, "insecure")));
    }
    Ok(out)
}

/// Base URLs of Docker's `daemon.json`.
fn daemon(text: &str) -> Result<Vec<String>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mirrors = value["registry-mirrors"].as_array().into_iter().flatten();
    Ok(mirrors.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn credentials(
    machine: &Machine<'_>,
    base: &Url,
    repository: &str,
) -> Result<Option<Secret>, Error> {
    let environ = machine.environ;
    let home = environ.home();
    let containers = |dir: PathBuf| dir.join("containers/auth.json");
    let docker = match environ.get_os("DOCKER_CONFIG") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => home.map(|home| home.join(".docker")),
    };
    let files = [
        environ.get_os("REGISTRY_AUTH_FILE").map(PathBuf::from),
        environ.get_os("XDG_RUNTIME_DIR").map(PathBuf::from).map(containers),
        config_home(environ).map(containers),
        docker.map(|dir| dir.join("config.json")),
    ];
    for file in files.into_iter().flatten() {
        let Some(text) = read(&file)? else { continue };
        let found = auth_file(&text, base, repository)
            .map_err(|reason| Error::Format { path: file.clone(), reason })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    netrc::authorization(environ, base)
}

/// The entry of a credentials file for a registry: the longest name that is the host, or the host
/// and the beginning of the repository's path.
fn auth_file(text: &str, base: &Url, repository: &str) -> Result<Option<Secret>, String> {
    // What the parser says of a broken file could quote it.
    let value: Value = serde_json::from_str(text)
        .map_err(|e| format!("line {}, column {}", e.line(), e.column()))?;
    let Some(auths) = value["auths"].as_object() else { return Ok(None) };
    let host = base.host_str().unwrap_or_default();
    let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let full = format!("{host}/{}{repository}", base.path().trim_start_matches('/'));
    let mut best: Option<(usize, &Value)> = None;
    for (key, entry) in auths {
        let name = key.trim_start_matches("https://").trim_start_matches("http://");
        // Older entries are URLs of the API.
        let name = name.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2");
        let fits = full.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        if fits && best.is_none_or(|(longest, _)| name.len() > longest) {
            best = Some((name.len(), entry));
        }
    }
    let Some((_, entry)) = best else { return Ok(None) };
    let get = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    if let Some(token) = get("registrytoken") {
        return Ok(Some(Secret::new(format!("Bearer {token}"))));
    }
    if let (Some(user), Some(password)) = (get("username"), get("password")) {
        return Ok(Some(basic(user, password)));
    }
    let Some(auth) = get("auth") else { return Ok(None) };
    let plain = data_encoding::BASE64
        .decode(auth.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or("an `auth` in it is no base64")?;
    let plain = plain.trim_end_matches('\0');
    Ok(plain.split_once(':').map(|(user, password)| basic(user, password)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    fn bases(fake: &Fake, url: Option<&str>) -> Vec<String> {
        let found = of_machine(&fake.machine(), url, "library/tool").expect("registries");
        found.into_iter().map(|e| e.base.value.to_string()).collect()
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

    #[test]
    fn credentials_of_the_longest_name() {
        let auth = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        let file = serde_json::json!({"auths": {
            "hub.invalid": {"auth": auth("a:b")},
            "https://hub.invalid/library/": {"username": "c", "password": "d:e"},
            "hub.invalid/lib": {"auth": auth("no:no")},
            "old.invalid/v1/": {"auth": auth("f:g\0")},
            "token.invalid": {"registrytoken": "t"},
            "port.invalid:5000": {"auth": auth("h:i")},
            "kept.invalid": {},
        }})
        .to_string();
        let found = |base: &str, repository: &str| {
            let base = base.parse().expect("url");
            auth_file(&file, &base, repository).expect("read").map(|s| s.expose().to_owned())
        };
        let basic = |user, password| Some(super::basic(user, password).expose().to_owned());
        assert_eq!(found("https://hub.invalid/", "other/x"), basic("a", "b"));
        assert_eq!(found("https://hub.invalid/", "library/x"), basic("c", "d:e"));
        assert_eq!(found("https://hub.invalid/library/", "x"), basic("c", "d:e"));
        assert_eq!(found("https://old.invalid/", "x"), basic("f", "g"));
        assert_eq!(found("https://token.invalid/", "x").as_deref(), Some("Bearer t"));
        assert_eq!(found("http://port.invalid:5000/", "x"), basic("h", "i"));
        assert_eq!(found("http://port.invalid/", "x"), None);
        assert_eq!(found("https://hub.invalid.example/", "x"), None);
        assert_eq!(found("https://kept.invalid/", "x"), None);
        let error =
            auth_file("{\"auths\": secret", &"https://a.invalid/".parse().expect("url"), "x");
        assert!(!error.expect_err("broken").contains("secret"));
    }

    #[test]
    fn files_in_their_order() {
        let base: Url = "https://hub.invalid/".parse().expect("url");
        let fake = Fake::new(&[("REGISTRY_AUTH_FILE", "$T/first.json")]);
        let found = || credentials(&fake.machine(), &base, "x").expect("read");
        fake.write("home/.netrc", "machine hub.invalid login n password n");
        assert_eq!(found(), Some(basic("n", "n")));
        let of = |user: &str| {
            format!(
                "{{\"auths\": {{\"hub.invalid\": {{\"username\": \"{user}\", \"password\": \"p\"}}}}}}"
            )
        };
        fake.write("home/.docker/config.json", &of("docker"));
        assert_eq!(found(), Some(basic("docker", "p")));
        fake.write("home/.config/containers/auth.json", &of("containers"));
        assert_eq!(found(), Some(basic("containers", "p")));
        fake.write("first.json", &of("first"));
        assert_eq!(found(), Some(basic("first", "p")));
    }
}
