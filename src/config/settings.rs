//! Our own settings: flags over `INFRA_*` variables over defaults.
//!
//! On the path of every command, the instant ones too: a few `stat` calls, no file is read.
//! Invariant: a value that cannot be used is an error, never replaced by a default.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Environ, Error, Origin, Setting};
use crate::base::EnvName;
use crate::base::vars::{self, Var};
use crate::fs;

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--store`
    pub store: Option<PathBuf>,
    /// `--project`
    pub project: Option<PathBuf>,
    /// `--env`
    pub env: Option<EnvName>,
    /// `--offline`
    pub offline: bool,
    /// `--jobs`
    pub jobs: Option<usize>,
    /// `--cache`, as often as it was given
    pub cache: Vec<String>,
}

/// Every setting.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store's directory, absolute.
    pub store: Setting<PathBuf>,
    /// The artifact cache's directory, absolute.
    pub artifacts: Setting<PathBuf>,
    /// The project's directory, absolute.
    pub project: Setting<PathBuf>,
    /// The environment when a command names none; `dev` unless set.
    pub env: Setting<EnvName>,
    /// No network.
    pub offline: Setting<bool>,
    /// Downloads and unpackings at once.
    pub jobs: Setting<usize>,
    /// Binary caches to ask; the profiles' when not given.
    pub cache: Setting<Option<Vec<String>>>,
    /// Wait for a lock that another process holds.
    pub lock_timeout: Setting<Duration>,
    /// Connect time-out.
    pub connect_timeout: Setting<Duration>,
    /// Longest time without a byte, once there is a connection.
    pub stall_timeout: Setting<Duration>,
    /// Tries after the first failed one.
    pub retries: Setting<u32>,
}

impl Settings {
    /// Resolves flags over variables over defaults. `cwd` is where the command was typed.
    pub fn resolve(flags: &Flags, environ: &Environ, cwd: &Path) -> Result<Self, Error> {
        let Flags { store, project, env, offline, jobs, cache } = flags;
        let store = match path(store.as_deref(), "--store", environ, vars::STORE, cwd) {
            Some(store) => store,
            None => Setting::default(data_home(environ).ok_or(Error::NoHome)?.join("infra")),
        };
        let artifacts = path(None, "", environ, vars::ARTIFACTS, cwd)
            .unwrap_or_else(|| Setting::default(store.value.join("artifacts")));
        let project = project_of(project.as_deref(), environ, cwd)?;
        let env = env_of(env.as_ref(), environ, &project.value)?;
        let offline = match offline {
            true => Setting::flag("--offline", true),
            false => truth(environ, vars::OFFLINE)?,
        };
        let jobs = match *jobs {
            Some(jobs) => {
                let origin = Origin::Flag("--jobs".to_owned());
                Setting { value: in_range(jobs, 1..=MAX_JOBS, &origin, JOBS)?, origin }
            }
            None => number(environ, vars::JOBS, 1..=MAX_JOBS, JOBS, default_jobs)?,
        };
        let cache = match (cache.as_slice(), environ.get(vars::CACHE.name)) {
            ([], None) => Setting::default(None),
            ([], Some(text)) => Setting::variable(vars::CACHE.name, Some(words(text))),
            (given, _) => Setting::flag("--cache", Some(given.to_vec())),
        };
        let seconds = "a whole number of seconds, at most 86400";
        Ok(Self {
            store,
            artifacts,
            project,
            env,
            offline,
            jobs,
            cache,
            lock_timeout: duration(environ, vars::LOCK_TIMEOUT, 0..=86_400, seconds, 600)?,
            connect_timeout: duration(environ, vars::CONNECT_TIMEOUT, 1..=600, PATIENCE, 5)?,
            stall_timeout: duration(environ, vars::STALL_TIMEOUT, 1..=600, PATIENCE, 30)?,
            retries: number(environ, vars::RETRIES, 0..=100, "a whole number from 0 to 100", || 3)?,
        })
    }

    /// Name, value and origin of every setting, for `config print`.
    pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        fn row<T>(
            name: &'static str,
            setting: &Setting<T>,
            show: impl Fn(&T) -> String,
        ) -> (&'static str, String, Origin) {
            (name, show(&setting.value), setting.origin.clone())
        }
        // Destructured, so that a new setting cannot be forgotten here.
        let Self {
            store,
            artifacts,
            project,
            env,
            offline,
            jobs,
            cache,
            lock_timeout,
            connect_timeout,
            stall_timeout,
            retries,
        } = self;
        let path = |p: &PathBuf| p.display().to_string();
        let seconds = |d: &Duration| format!("{} s", d.as_secs());
        vec![
            row("store", store, path),
            row("artifacts", artifacts, path),
            row("project", project, path),
            row("env", env, EnvName::to_string),
            row("offline", offline, bool::to_string),
            row("jobs", jobs, usize::to_string),
            row("cache", cache, |caches| match caches {
                None => "as in the profiles".to_owned(),
                Some(caches) if caches.is_empty() => "none".to_owned(),
                Some(caches) => {
                    caches.iter().map(|c| without_login(c)).collect::<Vec<_>>().join(" ")
                }
            }),
            row("lock-timeout", lock_timeout, seconds),
            row("connect-timeout", connect_timeout, seconds),
            row("stall-timeout", stall_timeout, seconds),
            row("retries", retries, u32::to_string),
        ]
    }
}

const PATIENCE: &str = "a whole number of seconds from 1 to 600";
const MAX_JOBS: usize = 256;
const JOBS: &str = "a whole number from 1 to 256";

fn words(text: &str) -> Vec<String> {
    // An empty variable counts as unset, as everywhere.
    let none = text.trim() == "none";
    text.split_whitespace().filter(|_| !none).map(str::to_owned).collect()
}

/// `https://me:secret@host/x` without what stands before the `@`.
fn without_login(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            let slash = if rest.contains('/') { "/" } else { "" };
            format!("{scheme}://{host}{slash}{path}")
        }
        None => text.to_owned(),
    }
}

fn path(
    flag: Option<&Path>,
    flag_name: &str,
    environ: &Environ,
    var: Var,
    cwd: &Path,
) -> Option<Setting<PathBuf>> {
    let setting = match flag {
        Some(path) => Setting::flag(flag_name, path),
        None => Setting::variable(var.name, Path::new(environ.get_os(var.name)?)),
    };
    Some(Setting { value: absolute(setting.value, cwd), origin: setting.origin })
}

/// Below `cwd` unless absolute, without `.`; `..` stays, since it may follow a link.
fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    cwd.join(path).components().collect()
}

/// Where the user's data lies: `XDG_DATA_HOME`, else the platform's place in the home.
fn data_home(environ: &Environ) -> Option<PathBuf> {
    if let Some(path) = environ.absolute("XDG_DATA_HOME") {
        return Some(path.to_owned());
    }
    let below = match cfg!(target_os = "macos") {
        true => "Library/Application Support",
        false => ".local/share",
    };
    Some(environ.home()?.join(below))
}

fn project_of(
    flag: Option<&Path>,
    environ: &Environ,
    cwd: &Path,
) -> Result<Setting<PathBuf>, Error> {
    if let Some(project) = path(flag, "--project", environ, vars::PROJECT, cwd) {
        let Setting { value: path, origin } = project;
        if !path.is_dir() {
            return Err(Error::Missing { origin, path, what: "a directory" });
        }
        // A project is known by its path: one spelling, without `..`.
        let dotted = path.components().any(|c| c == Component::ParentDir);
        let value = if dotted { fs::canonicalize(&path)? } else { path };
        return Ok(Setting { value, origin });
    }
    let found = cwd.ancestors().find_map(|dir| {
        let profiles = dir.join("profiles");
        profiles.is_dir().then(|| Setting::file(profiles, dir.to_owned()))
    });
    Ok(found.unwrap_or_else(|| Setting::default(cwd.to_owned())))
}

fn env_of(
    flag: Option<&EnvName>,
    environ: &Environ,
    project: &Path,
) -> Result<Setting<EnvName>, Error> {
    let asked = match (flag, environ.get_os(vars::ENV.name)) {
        (Some(name), _) => Setting::flag("--env", name.as_str().into()),
        (None, Some(text)) => Setting::variable(vars::ENV.name, text.to_string_lossy()),
        (None, None) => Setting::default("dev".into()),
    };
    let Setting { value: text, origin } = asked;
    // Words other tools use, unless the project has a profile of that very name.
    let name = match &*text {
        "development" | "production"
            if !project.join("profiles").join(format!("{text}.toml")).is_file() =>
        {
            if text == "development" { "dev" } else { "prod" }
        }
        other => other,
    };
    match EnvName::new(name) {
        Ok(value) => Ok(Setting { value, origin }),
        Err(_) => Err(Error::Value {
            origin,
            value: text.into_owned(),
            accepted: "an environment's name (letters, digits, `-`, `_`, `.`, `+`)",
        }),
    }
}

fn truth(environ: &Environ, var: Var) -> Result<Setting<bool>, Error> {
    let Some(text) = environ.get_os(var.name) else { return Ok(Setting::default(false)) };
    let text = text.to_string_lossy();
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(Setting::variable(var.name, true)),
        "0" | "false" | "no" | "off" => Ok(Setting::variable(var.name, false)),
        _ => Err(Error::Value {
            origin: Origin::Variable(var.name.to_owned()),
            value: text.into_owned(),
            accepted: "`1` or `0` (`true`, `false`, `yes`, `no`, `on`, `off`)",
        }),
    }
}

fn number<T: FromStr + PartialOrd + ToString>(
    environ: &Environ,
    var: Var,
    range: std::ops::RangeInclusive<T>,
    accepted: &'static str,
    default: impl FnOnce() -> T,
) -> Result<Setting<T>, Error> {
    let Some(text) = environ.get_os(var.name) else { return Ok(Setting::default(default())) };
    let text = text.to_string_lossy();
    let origin = Origin::Variable(var.name.to_owned());
    match text.trim().parse() {
        Ok(value) => Ok(Setting { value: in_range(value, range, &origin, accepted)?, origin }),
        Err(_) => Err(Error::Value { origin, value: text.into_owned(), accepted }),
    }
}

fn in_range<T: PartialOrd + ToString>(
    value: T,
    range: std::ops::RangeInclusive<T>,
    origin: &Origin,
    accepted: &'static str,
) -> Result<T, Error> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(Error::Value { origin: origin.clone(), value: value.to_string(), accepted }),
    }
}

fn duration(
    environ: &Environ,
    var: Var,
    range: std::ops::RangeInclusive<u64>,
    accepted: &'static str,
    default: u64,
) -> Result<Setting<Duration>, Error> {
    let Setting { value, origin } = number(environ, var, range, accepted, || default)?;
    Ok(Setting { value: Duration::from_secs(value), origin })
}

fn default_jobs() -> usize {
    (cpus() * 2).clamp(4, 16)
}

/// CPUs this process may use. Not `available_parallelism` on Linux: that also reads the cgroup's
/// files, which takes longer than everything else here.
fn cpus() -> usize {
    #[cfg(target_os = "linux")]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        return set.count() as usize;
    }
    std::thread::available_parallelism().map_or(2, usize::from)
}

#[cfg(test)]
mod tests;
