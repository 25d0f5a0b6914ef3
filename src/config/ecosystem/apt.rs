//! Which Debian-style repositories this machine uses, as apt is told.
//!
//! 1. `[source.deb]` of a profile
//! 2. `/etc/apt/sources.list`, then `/etc/apt/sources.list.d/*.list` and `*.sources`
//!
//! References: sources.list(5), apt-secure(8), deb822(5). Keys are those that apt itself would
//! take: `Signed-By`, else `/etc/apt/trusted.gpg` and `trusted.gpg.d`. Options that make apt trust
//! or skip less (`trusted=yes`, `allow-insecure=yes`) are passed over: what is not signed is not
//! used. So is `arch=`, which is about this host, while a lock is for every platform. Invariant:
//! only http(s) repositories come out, in apt's order.

use std::path::{Path, PathBuf};

use url::Url;

use super::super::{Environ, Error, Setting};
use super::{Machine, base, netrc, read};
use crate::base::Secret;
use crate::fs;

/// One suite of a repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Base URL, without credentials, ending in `/`.
    pub base: Setting<Url>,
    /// `Authorization` header for requests below the base.
    pub authorization: Option<Secret>,
    /// Other places that serve the same, in the order they are asked, with their own credentials.
    pub mirrors: Vec<(Setting<Url>, Option<Secret>)>,
    /// The suite below `dists/`; one that ends in `/` is a path of a flat repository.
    pub suite: String,
    /// Its components to look at; none in a flat repository.
    pub components: Vec<String>,
    /// Who may sign it.
    pub keys: Keys,
    /// Whether an index that says it is out of date is refused. True unless the configuration
    /// says otherwise, as archived releases need.
    pub check_valid_until: bool,
}

/// Keys that may sign a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Files with keys, armored or not.
    pub files: Vec<PathBuf>,
    /// A key written into the configuration itself, armored.
    pub inline: Option<String>,
    /// Only these keys of them, by fingerprint in upper-case hex; all when empty.
    pub fingerprints: Vec<String>,
}

/// What a profile says instead of apt's configuration.
#[derive(Clone, Debug)]
pub struct Instead {
    /// Base URL.
    pub url: String,
    /// Base URLs of mirrors.
    pub mirrors: Vec<String>,
    /// Suite.
    pub suite: String,
    /// Components.
    pub components: Vec<String>,
    /// A file with keys, absolute; what apt trusts when `None`.
    pub signed_by: Option<PathBuf>,
}

/// Every repository, best first.
///
/// # Errors
/// There is none, or its configuration cannot be read.
pub fn repositories(
    instead: Option<Instead>,
    environ: &Environ,
    project: &Path,
) -> Result<Vec<Repository>, Error> {
    let machine = Machine { environ, project, cache: None, root: Path::new("/") };
    of_machine(&machine, instead)
}

fn of_machine(machine: &Machine<'_>, instead: Option<Instead>) -> Result<Vec<Repository>, Error> {
    let etc = machine.root.join("etc/apt");
    let mut found = Vec::new();
    let mut others = Vec::new();
    if let Some(Instead { url, mirrors, suite, components, signed_by }) = instead {
        others = mirrors;
        let origin = machine.project.join("profiles");
        let signed_by = signed_by.map(|path| path.to_string_lossy().into_owned());
        found.push(Line {
            origin,
            uri: url,
            suite,
            components,
            signed_by,
            check_valid_until: true,
        });
    } else {
        for file in files(&etc)? {
            let Some(text) = read(&file)? else { continue };
            let lines = match file.extension().and_then(|e| e.to_str()) {
                Some("sources") => deb822(&text, &file),
                _ => one_line(&text, &file),
            };
            found.extend(lines);
        }
    }
    let mut out = Vec::new();
    for line in found {
        if !["http://", "https://"].iter().any(|scheme| line.uri.starts_with(scheme)) {
            continue;
        }
        let place = |uri: String| {
            let (base, authorization) = base(Setting::file(&line.origin, uri))?;
            let authorization = match authorization {
                None => netrc::authorization(machine.environ, &base.value)?,
                some => some,
            };
            Ok::<_, Error>((base, authorization))
        };
        let (base, authorization) = place(line.uri.clone())?;
        out.push(Repository {
            base,
            authorization,
            mirrors: others.iter().cloned().map(place).collect::<Result<_, _>>()?,
            keys: keys(&etc, line.signed_by.as_deref())?,
            suite: line.suite,
            components: line.components,
            check_valid_until: line.check_valid_until,
        });
    }
    if out.is_empty() {
        return Err(Error::NoEndpoint {
            ecosystem: "deb",
            variable: "the sources of apt",
            tried: vec![etc.join("sources.list").display().to_string()],
        });
    }
    Ok(out)
}

/// A repository as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    origin: PathBuf,
    uri: String,
    suite: String,
    components: Vec<String>,
    signed_by: Option<String>,
    check_valid_until: bool,
}

/// The files of sources, in the order of apt.
fn files(etc: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut out = vec![etc.join("sources.list")];
    let dir = etc.join("sources.list.d");
    out.extend(named(&dir, &["list", "sources"])?);
    Ok(out)
}

/// The files of a directory with these suffixes, sorted.
fn named(dir: &Path, suffixes: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let names = fs::read_dir_names_if_exists(dir)?;
    Ok(names
        .into_iter()
        .map(|name| dir.join(name))
        .filter(|p| p.extension().and_then(|e| e.to_str()).is_some_and(|e| suffixes.contains(&e)))
        .collect())
}

/// `deb [option=value …] uri suite [component …]`
fn one_line(text: &str, file: &Path) -> Vec<Line> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        let Some(rest) = line.strip_prefix("deb") else { continue };
        if !rest.starts_with([' ', '\t']) {
            continue;
        }
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').unwrap_or(("", "")),
            None => ("", rest),
        };
        let option = |name: &str| {
            options.split_whitespace().find_map(|word| {
                let (key, value) = word.split_once('=')?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else { continue };
        out.push(Line {
            origin: file.to_owned(),
            uri,
            suite,
            components: words.collect(),
            signed_by: option("signed-by").map(|value| value.replace(',', " ")),
            check_valid_until: option("check-valid-until").is_none_or(|value| is_on(&value)),
        });
    }
    out
}

/// Stanzas of `Types`, `URIs`, `Suites`, `Components`.
fn deb822(text: &str, file: &Path) -> Vec<Line> {
    let mut out = Vec::new();
    for stanza in stanzas(text) {
        let get = |name: &str| {
            let found = stanza.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let words = |name: &str| get(name).unwrap_or("").split_whitespace();
        if !words("Types").any(|word| word == "deb") || !get("Enabled").is_none_or(is_on) {
            continue;
        }
        for uri in words("URIs") {
            for suite in words("Suites") {
                out.push(Line {
                    origin: file.to_owned(),
                    uri: uri.to_owned(),
                    suite: suite.to_owned(),
                    components: words("Components").map(str::to_owned).collect(),
                    signed_by: get("Signed-By").map(str::to_owned),
                    check_valid_until: get("Check-Valid-Until").is_none_or(is_on),
                });
            }
        }
    }
    out
}

/// Fields of each stanza; a continued line keeps its line break, ` .` is an empty one.
fn stanzas(text: &str) -> Vec<Vec<(String, String)>> {
    let mut out: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines() {
        if line.starts_with('#') {
            continue;
        }
        let Some(last) = out.last_mut() else { continue };
        if line.trim().is_empty() {
            if !last.is_empty() {
                out.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = last.last_mut() {
                let more = line.trim();
                value.push('\n');
                value.push_str(if more == "." { "" } else { more });
            }
        } else if let Some((key, value)) = line.split_once(':') {
            last.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    out
}

fn is_on(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "no" | "false" | "off" | "0" | "without")
}

/// `Signed-By`: paths, fingerprints, or a key; without it everything that apt trusts.
fn keys(etc: &Path, signed_by: Option<&str>) -> Result<Keys, Error> {
    let mut keys = Keys::default();
    match signed_by {
        Some(text) if text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") => {
            keys.inline = Some(text.trim().to_owned());
            return Ok(keys);
        }
        Some(text) => {
            for word in text.split_whitespace() {
                if word.starts_with('/') {
                    keys.files.push(PathBuf::from(word));
                } else {
                    keys.fingerprints.push(word.trim_end_matches('!').to_ascii_uppercase());
                }
            }
        }
        None => {}
    }
    if keys.files.is_empty() {
        let single = etc.join("trusted.gpg");
        keys.files.extend(fs::exists(&single)?.then_some(single));
        keys.files.extend(named(&etc.join("trusted.gpg.d"), &["asc", "gpg"])?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::Fake;
    use super::*;

    fn shown(all: &[Repository]) -> Vec<String> {
        all.iter()
            .map(|r| format!("{} {} {}", r.base.value, r.suite, r.components.join(",")))
            .collect()
    }

    #[test]
    fn reads_both_forms_in_order() {
        let fake = Fake::new(&[]);
        fake.write(
            "root/etc/apt/sources.list",
            "# comment\n\
             deb http://a.invalid/debian stable main contrib # why\n\
             deb-src http://src.invalid/debian stable main\n\
             deb [arch=amd64 signed-by=/k/a.gpg,/k/b.gpg check-valid-until=no] https://b.invalid s m\n\
             deb cdrom:[disc]/ stable main\n\
             deb http://flat.invalid/x ./\n\
             deb http://broken.invalid\n",
        );
        fake.write(
            "root/etc/apt/sources.list.d/z.sources",
            "Types: deb deb-src\nURIs: http://c.invalid/d http://me:pw@d.invalid/d\n\
             Suites: one one-updates\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n\n\
             # another\nTypes: deb\nEnabled: no\nURIs: http://off.invalid\nSuites: x\n",
        );
        fake.write("root/etc/apt/sources.list.d/a.list", "deb http://e.invalid s m\n");
        fake.write("root/etc/apt/sources.list.d/a.list.bak", "deb http://bak.invalid s m\n");
        fake.write("root/etc/apt/trusted.gpg.d/k.asc", "");
        fake.write("root/etc/apt/trusted.gpg.d/readme", "");
        let all = of_machine(&fake.machine(), None).expect("sources");
        assert_eq!(
            shown(&all),
            [
                "http://a.invalid/debian/ stable main,contrib",
                "https://b.invalid/ s m",
                "http://flat.invalid/x/ ./ ",
                "http://e.invalid/ s m",
                "http://c.invalid/d/ one main",
                "http://c.invalid/d/ one-updates main",
                "http://d.invalid/d/ one main",
                "http://d.invalid/d/ one-updates main",
            ]
        );
        assert_eq!(all[0].keys.files, [fake.at("root/etc/apt/trusted.gpg.d/k.asc")]);
        assert_eq!(all[1].keys.files, [Path::new("/k/a.gpg"), Path::new("/k/b.gpg")]);
        assert!(all[0].check_valid_until && !all[1].check_valid_until);
        let inline = all[4].keys.inline.as_deref();
        assert_eq!(inline, Some("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc"));
        assert!(all[4].authorization.is_none() && all[6].authorization.is_some());
    }

    #[test]
    fn a_profile_comes_first() {
        let fake = Fake::new(&[]);
        fake.write("root/etc/apt/sources.list", "deb http://a.invalid s m\n");
        let instead = |signed_by: Option<&str>| Instead {
            url: "http://mirror.invalid/debian".to_owned(),
            mirrors: vec!["http://second.invalid/debian".to_owned()],
            suite: "stable".to_owned(),
            components: vec!["main".to_owned()],
            signed_by: signed_by.map(PathBuf::from),
        };
        let all = of_machine(&fake.machine(), Some(instead(Some("/p/k.asc")))).expect("one");
        assert_eq!(shown(&all), ["http://mirror.invalid/debian/ stable main"]);
        assert_eq!(all[0].keys.files, [Path::new("/p/k.asc")]);
        let all = of_machine(&fake.machine(), Some(instead(None))).expect("one");
        assert_eq!(all[0].keys, Keys::default(), "nothing is trusted here");
    }

    #[test]
    fn a_machine_without_apt_says_what_to_set() {
        use crate::base::Diagnose as _;
        let error = of_machine(&Fake::new(&[]).machine(), None).expect_err("none");
        assert!(error.hints()[0].0.contains("[source.deb]"), "{:?}", error.hints());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(deb|Types: deb|URIs:|\\[|\\]|=|,| |\n|\\PC){0,60}") {
            let _ = one_line(&text, Path::new("x"));
            let _ = deb822(&text, Path::new("x"));
        }
    }
}
