//! Where Python packages come from, as pip and uv are told.
//!
//! 1. `[source.pypi] url`
//! 2. `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`
//! 3. uv.toml: `UV_CONFIG_FILE`, else the project's, the user's, the system's
//! 4. pip.conf: `PIP_CONFIG_FILE`, the virtual environment's, the user's, the system's
//! 5. the default that the installed pip holds
//!
//! References: pip's "Configuration" and uv's "Configuration files" pages.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item};

use super::super::{Error, Origin, Setting, find_on_path};
use super::ini::{self, Dialect};
use super::{Endpoint, Machine, ask, base, ca, ca_variables, netrc, read};

const VARIABLES: [&str; 3] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"];
const PYTHONS: [&str; 2] = ["python3", "python"];
/// Prints the simple index that pip itself falls back to.
const QUESTION: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<Endpoint, Error> {
    let environ = machine.environ;
    let pip = pip_files(machine)?;
    let found = match profile {
        Some(profile) => profile,
        None => match variable(machine) {
            Some(variable) => variable,
            None => match uv_file(machine)? {
                Some(file) => file,
                None => match pip_value(&pip, "index-url").or_else(|| installed(machine)) {
                    Some(found) => found,
                    None => return Err(unknown(machine)),
                },
            },
        },
    };
    let (base, authorization) = base(found)?;
    let authorization = match authorization {
        None => netrc::authorization(environ, &base.value)?,
        some => some,
    };
    let cert = ca_variables(environ, &["PIP_CERT"])
        .or_else(|| {
            let Setting { value, origin } = pip_value(&pip, "cert")?;
            Some(Setting { value: PathBuf::from(value), origin })
        })
        .or_else(|| ca_variables(environ, &["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]));
    Ok(Endpoint { base, authorization, ca: ca(environ, cert)? })
}

fn variable(machine: &Machine<'_>) -> Option<Setting<String>> {
    VARIABLES.iter().find_map(|name| {
        let text = machine.environ.get(name)?;
        Some(Setting::variable(*name, unnamed(text).to_owned()))
    })
}

/// uv lets an index have a name: `NAME=URL`.
fn unnamed(text: &str) -> &str {
    match text.split_once('=') {
        Some((name, url)) if !name.contains(':') => url,
        _ => text,
    }
}

fn uv_file(machine: &Machine<'_>) -> Result<Option<Setting<String>>, Error> {
    let environ = machine.environ;
    let files = match environ.get_os("UV_CONFIG_FILE") {
        Some(file) => vec![PathBuf::from(file)],
        None if environ.get("UV_NO_CONFIG").is_some() => Vec::new(),
        None => [
            Some(machine.project.join("uv.toml")),
            environ.config_home().map(|dir| dir.join("uv/uv.toml")),
            Some(machine.root.join("etc/uv/uv.toml")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    for path in files {
        let Some(text) = read(&path)? else { continue };
        let file: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| Error::Format {
            path: path.clone(),
            reason: e.message().to_owned(),
        })?;
        if let Some(url) = uv_index(&file) {
            return Ok(Some(Setting::file(path, url.to_owned())));
        }
    }
    Ok(None)
}

fn uv_index(file: &DocumentMut) -> Option<&str> {
    let indexes = file.get("index").and_then(Item::as_array_of_tables);
    let default = indexes
        .into_iter()
        .flatten()
        .find(|index| index.get("default").and_then(Item::as_bool).unwrap_or_default());
    default
        .and_then(|index| index.get("url"))
        .or_else(|| file.get("index-url"))
        .or_else(|| file.get("pip")?.get("index-url"))?
        .as_str()
}

type PipFile = (PathBuf, Vec<ini::Entry>);

/// pip's files, the one that wins first.
fn pip_files(machine: &Machine<'_>) -> Result<Vec<PipFile>, Error> {
    let environ = machine.environ;
    let named = environ.get_os("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> = named.into_iter().collect();
    paths.extend(environ.absolute("VIRTUAL_ENV").map(|dir| dir.join("pip.conf")));
    if let (true, Some(home)) = (cfg!(target_os = "macos"), environ.home()) {
        paths.push(home.join("Library/Application Support/pip/pip.conf"));
    }
    paths.extend(environ.config_home().map(|dir| dir.join("pip/pip.conf")));
    paths.extend(environ.home().map(|home| home.join(".pip/pip.conf")));
    paths.push(machine.root.join("etc/pip.conf"));
    match environ.get_os("XDG_CONFIG_DIRS") {
        Some(dirs) => paths.extend(std::env::split_paths(dirs).map(|dir| dir.join("pip/pip.conf"))),
        None => paths.push(machine.root.join("etc/xdg/pip/pip.conf")),
    }
    let mut files = Vec::new();
    for path in paths {
        if let Some(text) = read(&path)? {
            files.push((path, ini::parse(&text, Dialect::Pip)));
        }
    }
    Ok(files)
}

fn pip_value(files: &[PipFile], key: &str) -> Option<Setting<String>> {
    files.iter().find_map(|(path, entries)| {
        Some(Setting::file(path, ini::value(entries, "global", key)?.to_owned()))
    })
}

fn installed(machine: &Machine<'_>) -> Option<Setting<String>> {
    PYTHONS.iter().find_map(|name| {
        let python = find_on_path(machine.environ, name)?;
        let value = ask::ask(machine, "pip-index", &python, &["-c", QUESTION])?;
        Some(Setting { value, origin: Origin::Client(format!("pip of {}", python.display())) })
    })
}

fn unknown(machine: &Machine<'_>) -> Error {
    let python = PYTHONS.iter().find_map(|name| find_on_path(machine.environ, name));
    let client = match python {
        Some(python) => format!("pip of {}: it has none, or did not answer", python.display()),
        None => "pip: there is no python3 on PATH".to_owned(),
    };
    Error::NoEndpoint {
        ecosystem: "pypi",
        variable: "PIP_INDEX_URL",
        tried: vec![VARIABLES.join(", "), "uv.toml and pip.conf".to_owned(), client],
    }
}

#[cfg(test)]
mod tests {
    use super::super::basic;
    use super::super::testing::Fake;
    use super::*;
    use crate::base::{Diagnose as _, SourceKind};

    fn found(fake: &Fake, url: Option<&str>) -> Endpoint {
        fake.endpoint(SourceKind::Pypi, url, None).unwrap().unwrap()
    }

    fn host(fake: &Fake) -> String {
        found(fake, None).base.value.host_str().unwrap().to_owned()
    }

    #[test]
    fn one_after_the_other() {
        // Each step adds a place that wins over all before it.
        let fake = Fake::new(&[("VIRTUAL_ENV", "$T/venv")]);
        fake.script("python3", "echo http://client.invalid/simple");
        let base = found(&fake, None).base;
        assert_eq!(base.value.as_str(), "http://client.invalid/simple/");
        assert!(base.origin.to_string().starts_with("reported by pip of /"), "{}", base.origin);
        for (n, file) in [
            "root/etc/xdg/pip/pip.conf",
            "root/etc/pip.conf",
            "home/.pip/pip.conf",
            "home/.config/pip/pip.conf",
            "venv/pip.conf",
        ]
        .into_iter()
        .enumerate()
        {
            let path =
                fake.write(file, &format!("[global]\nindex-url = http://file{n}.invalid/simple\n"));
            assert_eq!(host(&fake), format!("file{n}.invalid"));
            assert_eq!(found(&fake, None).base.origin, Origin::File(path));
        }
        for (n, (file, text)) in [
            ("root/etc/uv/uv.toml", "[pip]\nindex-url = \"http://uv0.invalid/simple\""),
            ("home/.config/uv/uv.toml", "index-url = \"http://uv1.invalid/simple\""),
            (
                "project/uv.toml",
                "[[index]]\nurl = \"http://extra.invalid\"\n\
                 [[index]]\nurl = \"http://uv2.invalid/simple\"\ndefault = true",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            fake.write(file, text);
            assert_eq!(host(&fake), format!("uv{n}.invalid"));
        }
        let profile = found(&fake, Some("http://profile.invalid")).base;
        assert_eq!(profile.value.as_str(), "http://profile.invalid/");
    }

    #[test]
    fn variables_over_files() {
        let all = [
            ("PIP_CONFIG_FILE", "$T/pip.conf"),
            ("PIP_INDEX_URL", "http://pip.invalid/simple"),
            ("UV_INDEX_URL", "http://uv.invalid/simple"),
            ("UV_DEFAULT_INDEX", "corp=http://uv-default.invalid/simple?a=b"),
        ];
        let wants = ["file.invalid", "pip.invalid", "uv.invalid", "uv-default.invalid"];
        for (n, want) in wants.into_iter().enumerate() {
            let fake = Fake::new(&all[..=n]);
            fake.write("pip.conf", "[global]\nindex-url: http://file.invalid/simple");
            fake.write("home/.pip/pip.conf", "[global]\nindex-url: http://user.invalid/simple");
            assert_eq!(host(&fake), want);
        }
    }

    #[test]
    fn files_can_be_switched_off() {
        let fake = Fake::new(&[("PIP_CONFIG_FILE", "/dev/null"), ("UV_NO_CONFIG", "1")]);
        fake.write("home/.pip/pip.conf", "[global]\nindex-url: http://user.invalid/simple");
        fake.write("project/uv.toml", "index-url = \"http://uv.invalid/simple\"");
        fake.script("python", "echo http://client.invalid/simple");
        assert_eq!(host(&fake), "client.invalid");
    }

    #[test]
    fn a_python_without_pip_is_passed_over() {
        let fake = Fake::new(&[]);
        fake.script("python3", "exit 1");
        fake.script("python", "test \"$1\" = -c && echo http://client.invalid/simple");
        assert_eq!(host(&fake), "client.invalid");
    }

    #[test]
    fn credentials_from_url_or_netrc() {
        let fake = Fake::new(&[("PIP_INDEX_URL", "http://me:pw@mirror.invalid/simple")]);
        fake.write("home/.netrc", "machine mirror.invalid login other password x");
        let endpoint = found(&fake, None);
        assert_eq!(endpoint.authorization, Some(basic("me", "pw")));
        assert_eq!(endpoint.base.value.as_str(), "http://mirror.invalid/simple/");
        let endpoint = found(&fake, Some("http://mirror.invalid/simple"));
        assert_eq!(endpoint.authorization, Some(basic("other", "x")));
    }

    #[test]
    fn certificates() {
        let url = ("PIP_INDEX_URL", "http://mirror.invalid/simple");
        let all = [
            url,
            ("SSL_CERT_FILE", "$T/ssl.pem"),
            ("REQUESTS_CA_BUNDLE", "$T/requests.pem"),
            ("PIP_CERT", "$T/pip.pem"),
        ];
        for (n, want) in ["ssl.pem", "requests.pem", "pip.pem"].into_iter().enumerate() {
            let fake = Fake::new(&all[..n + 2]);
            let want = fake.write(want, "");
            assert_eq!(found(&fake, None).ca, Some(want));
        }
        let fake = Fake::new(&all[..3]);
        let want = fake.write("home/ca.pem", "");
        fake.write("home/.pip/pip.conf", "[global]\ncert = ~/ca.pem\n");
        assert_eq!(found(&fake, None).ca, Some(want));
    }

    #[test]
    fn nothing_is_an_error_that_names_the_variable() {
        let fake = Fake::new(&[]);
        let error = fake.endpoint(SourceKind::Pypi, None, None).unwrap_err();
        assert!(error.hints()[0].0.contains("PIP_INDEX_URL"));
        assert!(error.hints()[0].0.contains("[source.pypi]"));
        assert_eq!(error.details().len(), 3);
    }

    #[test]
    fn a_broken_uv_toml_is_named() {
        let fake = Fake::new(&[]);
        let path = fake.write("project/uv.toml", "index-url = ");
        let error = fake.endpoint(SourceKind::Pypi, None, None).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}
