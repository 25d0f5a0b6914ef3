//! Where Go modules come from, as the Go command is told.
//!
//! 1. `[source.go] url`
//! 2. `GOPROXY`
//! 3. the same in Go's own configuration file (`GOENV`, else `go/env` in the user's configuration
//!    directory)
//! 4. what an installed `go` reports (`go env GOPROXY`)
//!
//! A list of proxies: `,` goes on to the next where a module is not there, `|` after any failure.
//! `direct` is version control, which is not used: it is left out, with what comes after it, since
//! nothing there is a proxy's answer. `off` ends a list in the same way. Refuses a list without
//! any proxy. Credentials: what stands in a URL, else `.netrc`. Invariant: what Go is given for
//! looking modules up is what our own requests use. Reference: <https://go.dev/ref/mod#environment-variables>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use super::super::{Environ, Error, Origin, Setting, find_on_path};
use super::{Endpoint, Machine, ask, base, netrc, read};
use crate::base::Secret;

const VARIABLE: &str = "GOPROXY";
/// What a value must be, for messages.
const ACCEPTED: &str = "a list with a module proxy in it (`direct`, which needs version control, \
                        and `off` are none)";
/// Handed to Go as they are set, in the environment or in its file.
const ASKED: [&str; 2] = ["GOSUMDB", "GOINSECURE"];
/// Handed to Go from the environment.
const HANDED: [&str; 8] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// How Go modules are found.
#[derive(Clone, Debug)]
pub struct GoModules {
    /// Proxies, in order; at least one.
    pub proxies: Vec<Proxy>,
    /// Where the list comes from.
    pub origin: Origin,
    /// Patterns of modules that must not be asked of a proxy (`GONOPROXY`, else `GOPRIVATE`).
    pub private: String,
    /// Patterns of modules that the checksum database does not know (`GONOSUMDB`, else
    /// `GOPRIVATE`); `None` when it is not asked at all.
    pub unknown_to_database: Option<String>,
    /// Variables with which Go finds the same.
    pub vars: BTreeMap<String, Secret>,
}

/// One module proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its URL (`http`, `https` or `file`), without credentials, ending in `/`.
    pub base: Url,
    /// `Authorization` header for requests below the base.
    pub authorization: Option<Secret>,
    /// Whether the next one is asked after any failure, not just where a module is not there.
    pub after_any: bool,
}

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<Endpoint, Error> {
    let GoModules { proxies, origin, .. } = modules(machine, profile)?;
    let Some(Proxy { base, authorization, .. }) = proxies.into_iter().next() else {
        return Err(unknown(machine));
    };
    let base = Setting { value: base, origin };
    Ok(Endpoint { base, authorization, ca: machine.common_ca()?, identity: None })
}

pub(super) fn modules(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<GoModules, Error> {
    let file = file(machine)?;
    let set = |name: &str| -> Option<Setting<String>> {
        if let Some(value) = machine.environ.get(name) {
            return Some(Setting::variable(name, value.to_owned()));
        }
        let (path, values) = file.as_ref()?;
        Some(Setting::file(path.clone(), values.get(name).filter(|v| !v.is_empty())?.clone()))
    };
    let list = profile
        .or_else(|| set(VARIABLE))
        .or_else(|| installed(machine))
        .ok_or_else(|| unknown(machine))?;
    let Setting { value: text, origin } = list;
    let (proxies, spelled) = proxies(machine.environ, &text, &origin)?;
    if proxies.is_empty() {
        return Err(Error::Value { origin, value: super::redacted(&text), accepted: ACCEPTED });
    }
    let value = |name: &str| set(name).map(|s| s.value);
    let private = value("GOPRIVATE").unwrap_or_default();
    let no_proxy = value("GONOPROXY").unwrap_or_else(|| private.clone());
    let no_sums = value("GONOSUMDB").unwrap_or_else(|| private.clone());
    let off = value("GOSUMDB").is_some_and(|v| v.trim() == "off");
    let mut vars: BTreeMap<String, Secret> = BTreeMap::new();
    vars.insert(VARIABLE.to_owned(), Secret::new(spelled));
    for name in ASKED {
        if let Some(value) = value(name) {
            vars.insert(name.to_owned(), Secret::new(value));
        }
    }
    vars.insert("GONOPROXY".to_owned(), Secret::new(no_proxy.clone()));
    vars.insert("GONOSUMDB".to_owned(), Secret::new(no_sums.clone()));
    for name in HANDED {
        if let Some(value) = machine.environ.get(name) {
            vars.insert(name.to_owned(), Secret::new(value));
        }
    }
    // Go looks for it in the home directory, and is given another one.
    let netrc = match (machine.environ.get("NETRC"), machine.environ.home()) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, home) => home.map(|home| home.join(".netrc")),
    };
    if let Some(path) = netrc.as_deref().and_then(Path::to_str) {
        vars.insert("NETRC".to_owned(), Secret::new(path));
    }
    let unknown_to_database = (!off).then_some(no_sums);
    Ok(GoModules { proxies, origin, private: no_proxy, unknown_to_database, vars })
}

/// The proxies of a list, and the list as Go is given it: with nothing but them in it.
fn proxies(environ: &Environ, text: &str, origin: &Origin) -> Result<(Vec<Proxy>, String), Error> {
    let mut out = Vec::new();
    let mut spelled = String::new();
    for part in text.split_inclusive([',', '|']) {
        let after_any = part.ends_with('|');
        let entry = part.trim_end_matches([',', '|']).trim();
        match entry {
            "" => continue,
            "direct" | "off" => break,
            _ => {}
        }
        let setting = Setting { value: entry.to_owned(), origin: origin.clone() };
        let (base, authorization) = if entry.starts_with("file:") {
            (local(setting)?, None)
        } else {
            let (base, in_url) = base(setting)?;
            let authorization = match in_url {
                None => netrc::authorization(environ, &base.value)?,
                some => some,
            };
            (base.value, authorization)
        };
        if !spelled.is_empty() {
            spelled.push(if out.last().is_some_and(|p: &Proxy| p.after_any) { '|' } else { ',' });
        }
        spelled.push_str(entry);
        out.push(Proxy { base, authorization, after_any });
    }
    Ok((out, spelled))
}

/// A `file://` URL of an absolute path.
fn local(setting: Setting<String>) -> Result<Url, Error> {
    let url = Url::parse(&setting.value).ok();
    let whole = setting.value.starts_with("file:///");
    let url = url.filter(|url| whole && url.to_file_path().is_ok());
    let Some(mut url) = url else {
        let accepted = "a file:// URL of a directory";
        return Err(Error::Value { origin: setting.origin, value: setting.value, accepted });
    };
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// A file, and what it sets.
type File = (PathBuf, BTreeMap<String, String>);

/// Go's configuration file and what it sets; `None` when there is none or it is switched off.
fn file(machine: &Machine<'_>) -> Result<Option<File>, Error> {
    let path = match machine.environ.get("GOENV") {
        Some("off") => return Ok(None),
        Some(path) => PathBuf::from(path),
        None => {
            let directory = if cfg!(target_os = "macos") {
                machine.environ.home().map(|home| home.join("Library/Application Support"))
            } else {
                machine.environ.config_home()
            };
            match directory {
                Some(directory) => directory.join("go/env"),
                None => return Ok(None),
            }
        }
    };
    let Some(text) = read(&path)? else { return Ok(None) };
    Ok(Some((path, assignments(&text))))
}

/// `NAME=VALUE` lines; `#` begins a comment.
fn assignments(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

fn installed(machine: &Machine<'_>) -> Option<Setting<String>> {
    let go = find_on_path(machine.environ, "go")?;
    // One that is told to be another version of itself would look for that first.
    // Other variables of its own may be such that it refuses every command.
    let mut vars = machine.environ.all().clone();
    vars.retain(|name, _| {
        let name = name.to_string_lossy();
        !name.starts_with("GO") || ["GOENV", "GOROOT"].contains(&name.as_ref())
    });
    vars.insert("GOTOOLCHAIN".into(), "local".into());
    let environ = Environ::from_vars(vars);
    let quiet = Machine { environ: &environ, ..*machine };
    let value = ask::ask(&quiet, "go-proxy", &go, &["env", VARIABLE])?;
    Some(Setting { value, origin: Origin::Client(go.display().to_string()) })
}

fn unknown(machine: &Machine<'_>) -> Error {
    let client = match find_on_path(machine.environ, "go") {
        Some(go) => format!("{}: it has none, or did not answer", go.display()),
        None => "go: it is not on PATH".to_owned(),
    };
    Error::NoEndpoint {
        ecosystem: "go",
        variable: VARIABLE,
        tried: vec![VARIABLE.to_owned(), "the go/env configuration file".to_owned(), client],
    }
}

#[cfg(test)]
mod tests {
    use super::super::basic;
    use super::super::testing::Fake;
    use super::*;
    use crate::base::{Diagnose as _, SourceKind};
    use proptest::prelude::*;

    fn found(fake: &Fake, url: Option<&str>) -> Result<GoModules, Error> {
        let profile = url.map(|u| Setting::file("profiles", u.to_owned()));
        modules(&fake.machine(), profile)
    }

    fn bases(fake: &Fake, url: Option<&str>) -> Vec<String> {
        let proxies = found(fake, url).unwrap().proxies;
        let shown = |p: Proxy| format!("{}{}", p.base, if p.after_any { "|" } else { "" });
        proxies.into_iter().map(shown).collect()
    }

    #[test]
    fn one_after_the_other() {
        let fake = Fake::new(&[]);
        fake.script("go", "test \"$*\" = 'env GOPROXY' && echo http://client.invalid,direct");
        assert_eq!(bases(&fake, None), ["http://client.invalid/"]);
        let file = if cfg!(target_os = "macos") {
            "home/Library/Application Support/go/env"
        } else {
            "home/.config/go/env"
        };
        fake.write(file, "# mine\nGOPROXY=http://file.invalid\nGOSUMDB=off\n");
        assert_eq!(bases(&fake, None), ["http://file.invalid/"]);
        assert_eq!(found(&fake, None).unwrap().unknown_to_database, None);
        assert_eq!(bases(&fake, Some("http://profile.invalid/go")), ["http://profile.invalid/go/"]);

        let fake = Fake::new(&[("GOPROXY", "http://var.invalid"), ("GOENV", "off")]);
        fake.write(file, "GOPROXY=http://file.invalid\nGOSUMDB=off\n");
        assert_eq!(bases(&fake, None), ["http://var.invalid/"]);
        assert_eq!(found(&fake, None).unwrap().unknown_to_database.as_deref(), Some(""));
    }

    #[test]
    fn lists() {
        for (text, want, spelled) in [
            ("http://a.invalid,direct", vec!["http://a.invalid/"], "http://a.invalid"),
            (
                "http://a.invalid|http://b.invalid, file:///srv/go",
                vec!["http://a.invalid/|", "http://b.invalid/", "file:///srv/go/"],
                "http://a.invalid|http://b.invalid,file:///srv/go",
            ),
            (
                "http://a.invalid,off,http://b.invalid",
                vec!["http://a.invalid/"],
                "http://a.invalid",
            ),
        ] {
            let fake = Fake::new(&[("GOPROXY", text)]);
            assert_eq!(bases(&fake, None), want, "{text}");
            let vars = found(&fake, None).unwrap().vars;
            assert_eq!(vars["GOPROXY"].expose(), spelled, "{text}");
        }
        for text in ["direct", "off", "direct,http://a.invalid", ",", "ftp://a.invalid", "file:x"] {
            let error = found(&Fake::new(&[("GOPROXY", text)]), None).unwrap_err();
            assert!(error.to_string().starts_with("GOPROXY is `"), "{text}: {error}");
        }
        let error = found(&Fake::new(&[("GOPROXY", "direct")]), None).unwrap_err();
        assert!(error.hints()[0].0.contains("version control"), "{error}");
    }

    #[test]
    fn private_modules() {
        let vars = [("GOPROXY", "http://a.invalid"), ("GOPRIVATE", "corp.invalid")];
        let modules = found(&Fake::new(&vars), None).unwrap();
        assert_eq!(modules.private, "corp.invalid");
        assert_eq!(modules.unknown_to_database.as_deref(), Some("corp.invalid"));
        assert_eq!(modules.vars["GONOPROXY"].expose(), "corp.invalid");
        let vars = [vars[0], vars[1], ("GONOPROXY", "none")];
        let modules = found(&Fake::new(&vars), None).unwrap();
        assert_eq!(modules.private, "none");
        assert_eq!(modules.vars["GONOSUMDB"].expose(), "corp.invalid");
    }

    #[test]
    fn credentials() {
        let fake = Fake::new(&[("GOPROXY", "http://me:pw@a.invalid|http://b.invalid")]);
        fake.write("home/.netrc", "machine b.invalid login you password x");
        let modules = found(&fake, None).unwrap();
        assert_eq!(modules.proxies[0].authorization, Some(basic("me", "pw")));
        assert_eq!(modules.proxies[1].authorization, Some(basic("you", "x")));
        assert_eq!(modules.vars["NETRC"].expose(), fake.at("home/.netrc").to_str().unwrap());
        assert!(!format!("{modules:?}").contains("pw"), "{modules:?}");
        let endpoint = fake.endpoint(SourceKind::Go, None, None).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "http://a.invalid/");
    }

    #[test]
    fn nothing_is_an_error_that_names_the_variable() {
        let error = found(&Fake::new(&[]), None).unwrap_err();
        let hint = &error.hints()[0].0;
        assert!(hint.contains("GOPROXY") && hint.contains("[source.go]"), "{hint}");
    }

    proptest! {
        #[test]
        fn any_list_is_read(text in "[a-z:/.,| ]{0,40}") {
            let environ = Environ::default();
            if let Ok((list, spelled)) = proxies(&environ, &text, &Origin::Default) {
                let (again, same) = proxies(&environ, &spelled, &Origin::Default).expect("again");
                prop_assert_eq!(&spelled, &same);
                prop_assert_eq!(list.len(), again.len());
            }
        }
    }
}
