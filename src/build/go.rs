//! Calling Go: which modules a command needs, and making the command. Blocking.
//!
//! `go install PACKAGE@VERSION` keeps the module's version in the command. It refuses modules whose
//! `go.mod` replaces or excludes others; those are built from their own directory, with their own
//! `go.sum`, and call themselves `(devel)`. Invariant: looking up may use the network, building
//! never does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::{self, DOWNLOADS, FLAGS};
use super::error::{Error, Result, tail};
use super::gomod::GoMod;
use super::proxy;
use super::run::{Call, Runner};
use super::sum::{self, Line};
use super::{names, run};
use crate::archive::{Archive, EntryKind, Format, Options};
use crate::base::{Arch, Os, Platform, Secret};
use crate::fs;

/// Where a build takes place.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Starts programs.
    pub runner: &'a dyn Runner,
    /// The `go` command, absolute.
    pub go: &'a Path,
    /// A directory of this build alone.
    pub dir: &'a Path,
    /// What Go compiled before, which other builds may share.
    pub cache: &'a Path,
}

/// What a profile adds to a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Build tags, sorted.
    pub tags: Vec<String>,
    /// Flags for the linker, without `${…}`.
    pub ldflags: Option<String>,
}

impl Flags {
    fn args(&self) -> Vec<String> {
        let mut out: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        // Ours last: what a profile says must not bring the build ID back.
        let ours = "-buildid=";
        out.push(match &self.ldflags {
            Some(theirs) => format!("-ldflags={theirs} {ours}"),
            None => format!("-ldflags={ours}"),
        });
        if !self.tags.is_empty() {
            out.push(format!("-tags={}", self.tags.join(",")));
        }
        out
    }
}

/// How modules are found when a command is locked: `GOPROXY`, `GOSUMDB` and the like, from the
/// configuration that Go itself would use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Variables; a proxy's URL may hold credentials.
    pub vars: BTreeMap<String, Secret>,
}

/// A system and processor as Go names them. Nothing is linked dynamically, so that one serves
/// either C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// `GOOS`
    pub os: &'static str,
    /// `GOARCH`
    pub arch: &'static str,
}

impl Target {
    /// A platform's.
    pub const fn of(platform: Platform) -> Self {
        let os = match platform.os() {
            Os::Linux => "linux",
            Os::Darwin => "darwin",
            Os::Windows => "windows",
        };
        let arch = match platform.arch() {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        };
        Self { os, arch }
    }

    /// `.exe` where commands end so.
    pub fn suffix(self) -> &'static str {
        if self.os == "windows" { ".exe" } else { "" }
    }

    /// `linux/amd64`
    pub fn shown(self) -> String {
        format!("{}/{}", self.os, self.arch)
    }
}

/// A command to build: package, version (with its `v`) and flags.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The package.
    pub package: &'a str,
    /// The version of its module.
    pub version: &'a str,
    /// What the profile adds.
    pub flags: &'a Flags,
}

/// What looking up found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Everything that was downloaded.
    pub lines: Vec<Line>,
    /// Targets that the package has no files for.
    pub absent: Vec<Target>,
    /// Whether the module replaces or excludes others.
    pub overrides: bool,
}

/// Lets Go find and download every module that building for the targets needs, with the network.
/// `module` has the package; Go is told that the wanted version is its only one, since it would ask
/// for the list of all otherwise, which some proxies refuse.
/// They lie in [`downloads`] of the site then.
pub fn discover(
    site: &Site<'_>,
    wish: &Wish<'_>,
    module: &str,
    targets: &[Target],
    network: &Network,
) -> Result<Discovered> {
    prepare(site)?;
    let seed = site.dir.join("seed");
    proxy::announce(&seed, module, wish.version)?;
    let mut out = Discovered::default();
    for target in targets {
        let mut env = environment::base(site.dir, site.cache, target.os, target.arch);
        for name in ["GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH"] {
            env.remove(&OsString::from(name));
        }
        env.extend(network.vars.iter().map(|(n, v)| (n.into(), v.expose().into())));
        if let Some(proxies) = network.vars.get("GOPROXY") {
            let mut all = OsString::from("file://");
            all.push(&seed);
            all.push(",");
            all.push(proxies.expose());
            env.insert("GOPROXY".into(), all);
        }
        let mut ended = call(site, install(wish, &["-n"]), &env, site.dir)?;
        if !ended.success && (out.overrides || overrides(site, wish)?) {
            out.overrides = true;
            let module = unpacked(site, &downloads(site), wish)?;
            ended = call(site, build(wish, &module, &["-n"], None), &env, &module.dir)?;
        }
        if ended.success {
            continue;
        }
        if has_no_files(&ended.stderr, wish.package) {
            out.absent.push(*target);
        } else {
            return Err(failed(site, wish, "looked up", None, &ended));
        }
    }
    if out.absent.len() < targets.len() {
        out.lines = proxy::downloaded(&downloads(site))?;
    }
    Ok(out)
}

/// Where [`discover`] leaves what it downloaded, and [`make`] what it used.
pub fn downloads(site: &Site<'_>) -> PathBuf {
    site.dir.join(DOWNLOADS)
}

/// Builds for a target from the modules in `proxy` (made by [`proxy::fill`], which gave `module`),
/// into `into`: `bin/NAME`, and the licence files of the module. Gives the command's file name.
pub fn make(
    site: &Site<'_>,
    wish: &Wish<'_>,
    target: Target,
    proxy: &Path,
    module: &str,
    into: &Path,
) -> Result<String> {
    prepare(site)?;
    let mut env = environment::base(site.dir, site.cache, target.os, target.arch);
    let mut url = OsString::from("file://");
    url.push(proxy);
    env.insert("GOPROXY".into(), url);
    let name = format!("{}{}", names::command(wish.package), target.suffix());
    let mod_file = proxy.join(sum::file(module, wish.version, "mod"));
    let made = if GoMod::read(&fs::read_to_string(&mod_file)?).overrides {
        let module = unpacked(site, proxy, wish)?;
        let file = site.dir.join("made");
        let args = build(wish, &module, &[], Some(&file));
        done(site, wish, target, call(site, args, &env, &module.dir)?)?;
        file
    } else {
        let bin = site.dir.join("path/bin");
        fs::remove_tree(&bin)?;
        done(site, wish, target, call(site, install(wish, &[]), &env, site.dir)?)?;
        // What is built for another system than Go runs on has a directory of its own.
        let own = bin.join(format!("{}_{}", target.os, target.arch)).join(&name);
        if fs::exists(&own)? { own } else { bin.join(&name) }
    };
    if !fs::exists(&made)? {
        return Err(Error::NoCommand { package: wish.package.to_owned() });
    }
    let bin = into.join("bin");
    fs::create_dir_all(&bin)?;
    fs::chmod(&bin, 0o755)?;
    fs::rename(&made, &bin.join(&name))?;
    fs::chmod(&bin.join(&name), 0o755)?;
    licences(&proxy.join(sum::file(module, wish.version, "zip")), into)?;
    Ok(name)
}

fn prepare(site: &Site<'_>) -> Result<()> {
    for place in environment::places() {
        fs::create_dir_all(&site.dir.join(place))?;
    }
    // No process of it may stay behind to write its statistics.
    for place in environment::TELEMETRY {
        let dir = site.dir.join(place);
        fs::create_dir_all(&dir)?;
        fs::write_atomic(&dir.join("mode"), b"off\n")?;
    }
    fs::create_dir_all(site.cache)?;
    Ok(())
}

fn install(wish: &Wish<'_>, more: &[&str]) -> Vec<OsString> {
    let mut args = vec!["install".to_owned()];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args.extend(wish.flags.args());
    args.push(format!("{}@{}", wish.package, wish.version));
    args.into_iter().map(Into::into).collect()
}

fn build(
    wish: &Wish<'_>,
    module: &Unpacked,
    more: &[&str],
    output: Option<&Path>,
) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["build".into(), "-mod=mod".into()];
    args.extend(more.iter().map(OsString::from));
    args.extend(wish.flags.args().into_iter().map(OsString::from));
    if let Some(output) = output {
        args.extend(["-o".into(), output.into()]);
    }
    let below = wish.package.strip_prefix(&module.path).unwrap_or_default();
    args.push(format!(".{below}").into());
    args
}

fn call(
    site: &Site<'_>,
    args: Vec<OsString>,
    env: &BTreeMap<OsString, OsString>,
    cwd: &Path,
) -> Result<run::Ended> {
    let call = Call { program: site.go.to_owned(), args, env: env.clone(), cwd: cwd.to_owned() };
    site.runner.run(&call).map_err(Error::Start)
}

fn done(site: &Site<'_>, wish: &Wish<'_>, target: Target, ended: run::Ended) -> Result<()> {
    if ended.success { Ok(()) } else { Err(failed(site, wish, "built", Some(target), &ended)) }
}

fn failed(
    site: &Site<'_>,
    wish: &Wish<'_>,
    what: &'static str,
    target: Option<Target>,
    ended: &run::Ended,
) -> Error {
    let modules = site.dir.join("modules").display().to_string();
    let hide = [(format!("{modules}/"), ""), (site.dir.display().to_string(), "…")];
    Error::Failed {
        what,
        package: wish.package.to_owned(),
        version: wish.version.to_owned(),
        on: target.map(Target::shown),
        said: tail(&ended.stderr, &hide),
    }
}

/// Whether Go says that the package itself, not one that it imports, has no files for a target.
fn has_no_files(said: &str, package: &str) -> bool {
    said.lines().any(|line| {
        let line = line.strip_prefix("package ").unwrap_or(line);
        let rest = line.strip_prefix(package).and_then(|rest| rest.strip_prefix(": "));
        rest.is_some_and(|rest| rest.starts_with("build constraints exclude all Go files"))
    })
}

/// Whether the module that was downloaded for the package replaces or excludes others.
fn overrides(site: &Site<'_>, wish: &Wish<'_>) -> Result<bool> {
    let top = downloads(site);
    for module in names::prefixes(wish.package) {
        let has_zip = fs::exists(&top.join(sum::file(module, wish.version, "zip")))?;
        let file = top.join(sum::file(module, wish.version, "mod"));
        if let (true, Some(text)) = (has_zip, fs::read_to_string_if_exists(&file)?) {
            return Ok(GoMod::read(&text).overrides);
        }
    }
    Ok(false)
}

/// A module's own directory.
struct Unpacked {
    path: String,
    dir: PathBuf,
}

/// Unpacks the module of the package from a directory in a proxy's layout, anew.
fn unpacked(site: &Site<'_>, top: &Path, wish: &Wish<'_>) -> Result<Unpacked> {
    for path in names::prefixes(wish.package) {
        let zip = top.join(sum::file(path, wish.version, "zip"));
        if !fs::exists(&zip)? {
            continue;
        }
        let dir = site.dir.join("module");
        fs::remove_tree(&dir)?;
        fs::create_dir_all(&dir)?;
        open(&zip, path)?.unpack(&dir).map_err(|e| unreadable(&zip, e))?;
        for file in ["go.mod", "go.sum"] {
            if fs::exists(&dir.join(file))? {
                fs::chmod(&dir.join(file), 0o644)?;
            }
        }
        return Ok(Unpacked { path: path.to_owned(), dir });
    }
    let (package, version) = (wish.package.to_owned(), wish.version.to_owned());
    Err(Error::NoModule { package, version })
}

/// A module's zip as its directory: everything in it lies below `PATH@VERSION/`.
fn open(zip: &Path, module: &str) -> Result<Archive> {
    let strip = u8::try_from(module.split('/').count()).unwrap_or(u8::MAX);
    let options = Options { format: Format::Zip, strip, file_name: String::new() };
    Archive::open(fs::open(zip)?, &zip.display().to_string(), &options)
        .map_err(|e| unreadable(zip, e))
}

fn unreadable(zip: &Path, source: crate::archive::Error) -> Error {
    Error::Zip { path: zip.to_owned(), source: Box::new(source) }
}

/// Largest licence file that is kept, in bytes.
const LICENCE: u64 = 1 << 20;

/// Copies the licence files on top of a module.
fn licences(zip: &Path, into: &Path) -> Result<()> {
    // Its directory's name is `PATH@VERSION`, so that the module's path tells the depth.
    let first = Options { format: Format::Zip, strip: 0, file_name: String::new() };
    let mut archive = Archive::open(fs::open(zip)?, &zip.display().to_string(), &first)
        .map_err(|e| unreadable(zip, e))?;
    for entry in archive.entries().to_vec() {
        let EntryKind::File { size, .. } = entry.kind else { continue };
        let path = entry.path.as_str();
        let Some((_, below)) = path.split_once('@').and_then(|(_, rest)| rest.split_once('/'))
        else {
            continue;
        };
        let upper = below.to_ascii_uppercase();
        let starts = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS", "UNLICENSE"];
        if below.contains('/') || size > LICENCE || !starts.iter().any(|s| upper.starts_with(s)) {
            continue;
        }
        let bytes = archive.read(&entry.path).map_err(|e| unreadable(zip, e))?;
        let target = into.join(below);
        fs::write_atomic(&target, &bytes)?;
        fs::chmod(&target, 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "go_tests.rs"]
mod tests;
