//! Where Python packages come from, as pip and uv are told.
//!
//! 1. `[source.pypi] url`
//! 2. `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`
//! 3. uv.toml: `UV_CONFIG_FILE`, else the project's, the user's, the system's
//! 4. pip.conf: `PIP_CONFIG_FILE`, the virtual environment's, the user's, the system's
//! 5. the default that the installed pip holds
//!
//! Extra indexes are other indexes, not mirrors: `UV_INDEX`, `UV_EXTRA_INDEX_URL`,
//! `PIP_EXTRA_INDEX_URL`, then uv.toml, then pip.conf, the first of these that has some. They come
//! before the usual one, as with uv, and the first index that has a project is the only one that
//! is looked at for it: pip's way, the best version of all of them, lets whoever may publish at
//! one index replace a project of another.
//!
//! References: pip's "Configuration" and uv's "Configuration files" pages.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item};

use super::super::{Error, Origin, Setting, find_on_path};
use super::ini::{self, Dialect};
use super::{Endpoint, Machine, ask, base, ca_variables, keyring, netrc, read};
use crate::base::Secret;

const VARIABLES: [&str; 3] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"];
const EXTRA: [&str; 3] = ["UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"];
/// A file with a certificate and its key, as uv and pip are told.
const IDENTITY: [&str; 2] = ["SSL_CLIENT_CERT", "PIP_CLIENT_CERT"];
const KEYRING: [&str; 2] = ["UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER"];
const PYTHONS: [&str; 2] = ["python3", "python"];
/// Prints the simple index that pip itself falls back to.
const QUESTION: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<Endpoint, Error> {
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
    authorized(machine, found, &pip)
}

/// The extra indexes, in the order they are asked.
pub(super) fn extra(machine: &Machine<'_>) -> Result<Vec<Endpoint>, Error> {
    let pip = pip_files(machine)?;
    let variable = EXTRA.iter().find_map(|name| {
        let urls = machine.environ.get(name)?.split_whitespace().map(|url| unnamed(url).to_owned());
        Some(urls.map(|url| Setting::variable(*name, url)).collect::<Vec<_>>())
    });
    let found = match variable {
        Some(found) => found,
        None => match uv_files(machine)?.find_map(|(path, file)| {
            let urls = uv_extra(&file);
            (!urls.is_empty()).then(|| urls.into_iter().map(|u| Setting::file(&path, u)).collect())
        }) {
            Some(found) => found,
            None => pip_value(&pip, "extra-index-url").into_iter().flat_map(split).collect(),
        },
    };
    let mut out: Vec<Endpoint> = Vec::new();
    for setting in found {
        let one = authorized(machine, setting, &pip)?;
        if !out.iter().any(|other| other.base.value == one.base.value) {
            out.push(one);
        }
    }
    Ok(out)
}

fn split(setting: Setting<String>) -> Vec<Setting<String>> {
    let Setting { value, origin } = setting;
    let words = value.split_whitespace();
    words.map(|url| Setting { value: url.to_owned(), origin: origin.clone() }).collect()
}

/// A base with what may be sent to it.
fn authorized(
    machine: &Machine<'_>,
    found: Setting<String>,
    pip: &[PipFile],
) -> Result<Endpoint, Error> {
    let environ = machine.environ;
    let user = url::Url::parse(found.value.trim())
        .ok()
        .filter(|url| !url.username().is_empty() && url.password().is_none())
        .map(|url| super::percent_decoded(url.username()));
    let (base, authorization) = base(found)?;
    let netrc = || netrc::authorization(environ, &base.value);
    let authorization = match (user, authorization) {
        (Some(user), alone) => {
            let keyring = match asks_keyring(machine, pip)? {
                true => keyring::authorization(machine, &base.value, &user),
                false => None,
            };
            match keyring {
                None => netrc()?.or(alone),
                some => some,
            }
        }
        (None, None) => netrc()?,
        (None, some) => some,
    };
    let (ca, identity) = (ca_of(machine, pip)?, identity(machine, pip)?);
    Ok(Endpoint { base, authorization, ca, identity })
}

/// Whether pip or uv is told to ask the `keyring` command.
fn asks_keyring(machine: &Machine<'_>, pip: &[PipFile]) -> Result<bool, Error> {
    let variable = KEYRING.iter().find_map(|name| machine.environ.get(name)).map(str::to_owned);
    let provider = match variable {
        Some(provider) => Some(provider),
        None => match uv_files(machine)?.find_map(|(_, file)| {
            let pip = file.get("pip").and_then(|pip| pip.get("keyring-provider"));
            file.get("keyring-provider").or(pip)?.as_str().map(str::to_owned)
        }) {
            Some(provider) => Some(provider),
            None => pip_value(pip, "keyring-provider").map(|setting| setting.value),
        },
    };
    Ok(provider.as_deref() == Some("subprocess"))
}

/// The certificate that pip (`client-cert`) or uv shows to its indexes: one file with its key.
fn identity(machine: &Machine<'_>, pip: &[PipFile]) -> Result<Option<Secret>, Error> {
    let variable = IDENTITY.iter().find_map(|name| {
        Some(Setting::variable(*name, PathBuf::from(machine.environ.get_os(name)?)))
    });
    let configured = || {
        let Setting { value, origin } = pip_value(pip, "client-cert")?;
        Some(Setting { value: PathBuf::from(value), origin })
    };
    let found = variable.or_else(configured);
    found.map(|found| super::identity(machine.environ, found, None)).transpose()
}

/// The root certificates that pip is told to trust.
pub(super) fn ca(machine: &Machine<'_>) -> Result<Option<PathBuf>, Error> {
    ca_of(machine, &pip_files(machine)?)
}

fn ca_of(machine: &Machine<'_>, pip: &[PipFile]) -> Result<Option<PathBuf>, Error> {
    let environ = machine.environ;
    let cert = ca_variables(environ, &["PIP_CERT"])
        .or_else(|| {
            let Setting { value, origin } = pip_value(pip, "cert")?;
            Some(Setting { value: PathBuf::from(value), origin })
        })
        .or_else(|| ca_variables(environ, &["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]));
    super::ca(environ, cert)
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
    Ok(uv_files(machine)?
        .find_map(|(path, file)| Some(Setting::file(path, uv_index(&file)?.to_owned()))))
}

/// uv's files, the one that wins first.
fn uv_files(
    machine: &Machine<'_>,
) -> Result<impl Iterator<Item = (PathBuf, DocumentMut)> + use<>, Error> {
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
    let mut out = Vec::new();
    for path in files {
        let Some(text) = read(&path)? else { continue };
        let file: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| Error::Format {
            path: path.clone(),
            reason: e.message().to_owned(),
        })?;
        out.push((path, file));
    }
    Ok(out.into_iter())
}

/// Indexes that are neither the default nor only for what names them, then the older spelling.
fn uv_extra(file: &DocumentMut) -> Vec<String> {
    let is = |index: &toml_edit::Table, key: &str| {
        index.get(key).and_then(Item::as_bool).unwrap_or_default()
    };
    let indexes = file.get("index").and_then(Item::as_array_of_tables).into_iter().flatten();
    let mut out: Vec<String> = indexes
        .filter(|index| !is(index, "default") && !is(index, "explicit"))
        .filter_map(|index| Some(index.get("url")?.as_str()?.to_owned()))
        .collect();
    let older = file.get("extra-index-url").or_else(|| file.get("pip")?.get("extra-index-url"));
    let older = older.and_then(Item::as_array).into_iter().flatten();
    out.extend(older.filter_map(|url| Some(url.as_str()?.to_owned())));
    out
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
        fake.endpoint(SourceKind::Pypi, url, None).unwrap()
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

    fn indexes(fake: &Fake) -> Vec<String> {
        let indexes = fake.machine().indexes(SourceKind::Pypi, &[], None).unwrap();
        let hosts = indexes.iter().map(|mirrors| {
            assert_eq!(mirrors.len(), 1, "no index is a mirror of another");
            mirrors[0].base.value.host_str().unwrap().to_owned()
        });
        hosts.collect()
    }

    #[test]
    fn extra_indexes_come_before_the_usual_one() {
        let fake = Fake::new(&[]);
        fake.script("python3", "echo http://client.invalid/simple");
        assert_eq!(indexes(&fake), ["client.invalid"]);
        let pip = "[global]\nextra-index-url =\n  http://a.invalid/simple\n  http://b.invalid/";
        fake.write("home/.pip/pip.conf", pip);
        assert_eq!(indexes(&fake), ["a.invalid", "b.invalid", "client.invalid"]);
        fake.write(
            "project/uv.toml",
            "[[index]]\nurl = \"http://c.invalid\"\n[[index]]\nurl = \"http://d.invalid\"\n\
             default = true\n[[index]]\nurl = \"http://e.invalid\"\nexplicit = true",
        );
        assert_eq!(indexes(&fake), ["c.invalid", "d.invalid"]);

        let all = [
            ("PIP_INDEX_URL", "http://usual.invalid/simple"),
            ("PIP_EXTRA_INDEX_URL", "http://f.invalid http://g.invalid/ http://f.invalid/"),
            ("UV_INDEX", "corp=http://h.invalid http://usual.invalid/simple/"),
        ];
        assert_eq!(indexes(&Fake::new(&all[..2])), ["f.invalid", "g.invalid", "usual.invalid"]);
        assert_eq!(indexes(&Fake::new(&all)), ["h.invalid", "usual.invalid"]);
        assert_eq!(indexes(&Fake::new(&all[1..2])), ["f.invalid", "g.invalid"]);
        let urls = ["http://m.invalid".to_owned(), "http://n.invalid".to_owned()];
        let only = Fake::new(&all).machine().indexes(SourceKind::Pypi, &urls, None).unwrap();
        assert_eq!((only.len(), only[0].len()), (1, 2), "a profile's are mirrors, and all");
        assert!(Fake::new(&[]).machine().indexes(SourceKind::Pypi, &[], None).is_err());
    }

    #[test]
    fn the_keyring_is_asked_where_it_is_to_be() {
        let url = ("PIP_INDEX_URL", "http://me@mirror.invalid:81/simple");
        let provider = ("PIP_KEYRING_PROVIDER", "subprocess");
        let by_host = "test \"$*\" = 'get mirror.invalid:81 me' && echo k3y";
        let by_url = "test \"$*\" = 'get http://mirror.invalid:81/simple/ me' && echo k3y";
        for (vars, script, want) in [
            (&[url, provider][..], by_host, "k3y"),
            (&[url, provider], by_url, "k3y"),
            (&[url, provider], "exit 1", ""),
            (&[url], by_host, ""),
        ] {
            let fake = Fake::new(vars);
            fake.script("keyring", script);
            assert_eq!(found(&fake, None).authorization, Some(basic("me", want)), "{script}");
            assert!(!fake.exists("cache/clients.json"), "a password is kept");
        }
        let fake = Fake::new(&[url]);
        fake.script("keyring", by_host);
        fake.write("home/.pip/pip.conf", "[global]\nkeyring-provider = subprocess");
        assert_eq!(found(&fake, None).authorization, Some(basic("me", "k3y")));
        // One who is named in a file is better than one who is not.
        let fake = Fake::new(&[url]);
        fake.write("home/_netrc", "machine mirror.invalid login me password n3t");
        assert_eq!(found(&fake, None).authorization, Some(basic("me", "n3t")));
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
