//! An environment put over the caller's own: for a shell, a child process, or a file.
//!
//! Owns which variables are set, what `PATH` becomes, and what `--pure` keeps. Refuses nothing but
//! values that a format cannot carry. Invariant: the environment's `bin` is first in `PATH`, and no
//! other environment's is in it, so activating twice is activating once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::shell::{bash, dotenv, fish, github, json, zsh};
use super::values::Values;
use crate::base::ObjectName;
use crate::config::Environ;

/// What `--pure` keeps of the caller's variables, beside every `LC_*`: who and where the user is,
/// how the terminal speaks, and where temporary files go. No search path of any kind.
pub const KEPT_WHEN_PURE: &[&str] = &[
    "COLORTERM",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NO_COLOR",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// How much of the caller's environment stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purity {
    /// All of it, under the environment's variables; `PATH` goes on after the environment's `bin`.
    Inherit,
    /// Only [`KEPT_WHEN_PURE`]; `PATH` is the environment's `bin`.
    Pure,
}

/// What `env print` can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For `eval "$(infra env print --shell bash)"`.
    Bash,
    /// The same for zsh.
    Zsh,
    /// For `infra env print --shell fish | source`.
    Fish,
    /// One object of strings.
    Json,
    /// `NAME=value` lines.
    Dotenv,
    /// What GitHub Actions reads from `$GITHUB_ENV`.
    Github,
    /// What it reads from `$GITHUB_PATH`: the environment's `bin`.
    GithubPath,
}

impl Format {
    /// Every format's name on the command line.
    pub const ALL: [(&'static str, Self); 7] = [
        ("bash", Self::Bash),
        ("zsh", Self::Zsh),
        ("fish", Self::Fish),
        ("json", Self::Json),
        ("dotenv", Self::Dotenv),
        ("github", Self::Github),
        ("github-path", Self::GithubPath),
    ];
}

/// The variables of an activated environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The environment's name, for prompts. Safe in every shell's prompt syntax.
    pub name: String,
    /// Its `bin`.
    pub bin: PathBuf,
    /// `PATH` after `bin`.
    pub rest: Vec<OsString>,
    /// The variables, `PATH` not among them.
    pub variables: BTreeMap<String, String>,
}

impl Activation {
    /// Puts an environment over the caller's.
    pub fn new(values: &Values, environ: &Environ, purity: Purity) -> Self {
        let bin = values.bin();
        let rest = match purity {
            Purity::Pure => Vec::new(),
            Purity::Inherit => rest_of_path(environ, &bin),
        };
        let variables = values.variables().clone();
        Self { name: values.name().to_string(), bin, rest, variables }
    }

    /// `PATH`, entry by entry.
    pub fn path_entries(&self) -> impl Iterator<Item = &OsStr> {
        std::iter::once(self.bin.as_os_str()).chain(self.rest.iter().map(OsString::as_os_str))
    }

    /// `PATH`, as a process gets it.
    pub fn path(&self) -> OsString {
        let entries: Vec<_> = self.path_entries().collect();
        entries.join(OsStr::new(":"))
    }

    /// Every variable with `PATH`, sorted.
    pub(super) fn all(&self) -> BTreeMap<&str, OsString> {
        let own = self.variables.iter().map(|(name, value)| (name.as_str(), value.into()));
        own.chain([("PATH", self.path())]).collect()
    }
}

/// The whole environment of a process that runs in an environment.
pub fn process_environment(
    values: &Values,
    environ: &Environ,
    purity: Purity,
) -> BTreeMap<OsString, OsString> {
    let kept = |name: &OsStr| match purity {
        Purity::Inherit => true,
        Purity::Pure => name.to_str().is_some_and(is_kept),
    };
    let mut all: BTreeMap<_, _> = environ
        .all()
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in Activation::new(values, environ, purity).all() {
        all.insert(name.into(), value);
    }
    all
}

fn is_kept(name: &str) -> bool {
    KEPT_WHEN_PURE.contains(&name) || name.starts_with("LC_")
}

/// The caller's `PATH` without the `bin` of any environment in the same store: after a sync, the
/// one of the previous generation must not answer for a command that is gone.
fn rest_of_path(environ: &Environ, bin: &Path) -> Vec<OsString> {
    let store = bin.parent().and_then(Path::parent);
    let is_environment = |entry: &Path| {
        let Some(object) = entry.parent().filter(|_| entry.file_name() == bin.file_name()) else {
            return false;
        };
        let name = object.file_name().and_then(OsStr::to_str);
        let name = name.and_then(|name| name.parse::<ObjectName>().ok());
        object.parent() == store && name.is_some_and(|name| name.name().starts_with("env-"))
    };
    let Some(path) = environ.all().get(OsStr::new("PATH")).filter(|path| !path.is_empty()) else {
        return Vec::new();
    };
    path.as_bytes()
        .split(|byte| *byte == b':')
        .map(OsStr::from_bytes)
        .filter(|entry| Path::new(entry) != bin && !is_environment(Path::new(entry)))
        .map(OsStr::to_owned)
        .collect()
}

/// Writes an activation in a format, as bytes to print.
pub fn render(format: Format, activation: &Activation) -> Result<Vec<u8>> {
    for (name, value) in activation.all() {
        if value.as_bytes().contains(&0) {
            let format = "a variable";
            let why = "it has a NUL byte";
            return Err(Error::Unprintable { name: name.to_owned(), format, why });
        }
    }
    match format {
        Format::Bash => Ok(bash::print(activation)),
        Format::Zsh => Ok(zsh::print(activation)),
        Format::Fish => Ok(fish::print(activation)),
        Format::Json => json::print(activation),
        Format::Dotenv => Ok(dotenv::print(activation)),
        Format::Github => Ok(github::print(activation)),
        Format::GithubPath => Ok(github::path(activation)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn environ(path: &str) -> Environ {
        Environ::from_vars([
            ("PATH", path),
            ("HOME", "/home/u"),
            ("LC_ALL", "C"),
            ("LD_PRELOAD", "/tmp/x.so"),
            ("NATS_URL", "of the caller"),
        ])
    }

    #[test]
    fn path_starts_with_this_environment_and_has_no_other() {
        let site = testing::Site::new();
        let values = site.values();
        let old = "/store/store/00000000000000000000000000000000-env-dev/bin";
        let dep = "/store/store/00000000000000000000000000000000-nats-1/bin";
        let path = format!("/store/store/env/bin:{old}:/usr/bin:{dep}::/bin");
        let activation = Activation::new(&values, &environ(&path), Purity::Inherit);
        let expected = format!("/store/store/env/bin:/usr/bin:{dep}::/bin");
        assert_eq!(activation.path().to_str(), Some(expected.as_str()));
        let again = Activation::new(&values, &environ(&expected), Purity::Inherit);
        assert_eq!(again, activation, "activating twice is activating once");
        let alone = Activation::new(&values, &environ(""), Purity::Inherit);
        assert_eq!(alone.path(), "/store/store/env/bin", "no empty entry: that is the cwd");
    }

    #[test]
    fn pure_keeps_the_short_list() {
        let site = testing::Site::new();
        let values = site.values();
        let pure = process_environment(&values, &environ("/usr/bin"), Purity::Pure);
        let get = |name: &str| pure.get(OsStr::new(name)).and_then(|value| value.to_str());
        assert_eq!(get("PATH"), Some("/store/store/env/bin"));
        assert_eq!(get("HOME"), Some("/home/u"));
        assert_eq!(get("LC_ALL"), Some("C"));
        assert_eq!(get("LD_PRELOAD"), None);
        assert_eq!(get("NATS_URL"), Some("nats://127.0.0.1:4222"));
        let all = process_environment(&values, &environ("/usr/bin"), Purity::Inherit);
        assert_eq!(all[OsStr::new("LD_PRELOAD")], "/tmp/x.so");
        assert_eq!(all[OsStr::new("PATH")], "/store/store/env/bin:/usr/bin");
    }

    #[test]
    fn the_short_list_is_sorted() {
        assert!(KEPT_WHEN_PURE.is_sorted());
    }
}
