//! A project with a dep of every source and a service, and what a disk looks like afterwards.
//!
//! Invariant: two projects of one [`Upstream`] have the same files, so that they can be compared.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use infra::base::{Integrity, Platform};
use serde_json::{Value, json};

use crate::support::{Outcome, TestEnv};
use crate::upstream::{FakeUpstream, Machine, NpmPackage, Tree, executable, tar_gz, tgz, wheel};

/// Platforms that the projects declare: this host and one that is not.
const PLATFORMS: [&str; 3] = ["x86_64-linux", "aarch64-linux", "aarch64-darwin"];

/// The fake registries, with everything that a [`project`] asks for.
pub(crate) struct Upstream(pub(crate) FakeUpstream);

impl std::ops::Deref for Upstream {
    type Target = FakeUpstream;
    fn deref(&self) -> &FakeUpstream {
        &self.0
    }
}

/// File name of the wheel of `tool` for this host.
pub(crate) fn tool_wheel(version: &str) -> String {
    tool_wheel_for(version, Platform::host())
}

/// File name of the wheel of `tool` for a platform.
pub(crate) fn tool_wheel_for(version: &str, platform: Platform) -> String {
    wheel_of("tool-bin", version, platform).0
}

/// File name of a project's wheel for a platform.
pub(crate) fn wheel_for(project: &str, version: &str, platform: Platform) -> String {
    wheel_of(project, version, platform).0
}

fn wheel_of(project: &str, version: &str, platform: Platform) -> (String, Vec<u8>) {
    let tags = match platform.name() {
        "x86_64-linux" => "py3-none-manylinux2014_x86_64",
        "aarch64-linux" => "py3-none-manylinux2014_aarch64",
        _ => "py3-none-macosx_11_0_arm64",
    };
    let name = project.trim_end_matches("-bin");
    let program = |line: &str| executable(Machine::of(platform), line);
    let first = program(&format!("{name} {version}"));
    let second = program(&format!("{name}-helper {version}"));
    let scripts = [(name, first.as_slice()), (&format!("{name}-helper"), second.as_slice())];
    wheel(project, version, tags, &scripts)
}

fn platforms() -> impl Iterator<Item = Platform> {
    PLATFORMS.iter().map(|name| name.parse().expect("platform"))
}

/// Path of the archive of `extra` for a platform.
pub(crate) fn extra_archive(platform: Platform) -> String {
    let (arch, os) = platform.name().split_once('-').expect("a double");
    format!("/dist/extra-3.0.0-{os}-{arch}.tar.gz")
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let up = Self(FakeUpstream::start());
        up.publish_wheels("tool-bin", "1.0.0");
        up.publish_hello("2.0.0");
        for platform in platforms() {
            up.file(&extra_archive(platform), extra(platform));
        }
        up
    }

    /// Publishes a version of a project whose name ends in `-bin`.
    pub(crate) fn publish_wheels(&self, project: &str, version: &str) {
        for platform in platforms() {
            let (file, bytes) = wheel_of(project, version, platform);
            self.pypi(project, &file, bytes);
        }
    }

    /// Publishes a version of `hello`: one tarball for every platform, with other things in it.
    pub(crate) fn publish_hello(&self, version: &str) {
        let names: Vec<String> = platforms().map(|p| format!("hello-{}", p.name())).collect();
        for (platform, name) in platforms().zip(&names) {
            let program = executable(Machine::of(platform), &format!("hello {version}"));
            let tree = Tree::new().executable("bin/hello", program).file("README.md", "hello\n");
            let (cpu, os) = platform.name().split_once('-').expect("a double");
            let cpu = if cpu == "x86_64" { "x64" } else { "arm64" };
            let package = NpmPackage::new(name, version, tgz(name, version, &tree));
            self.npm(package.on(os, cpu, ""));
        }
        let tree = Tree::new().file("bin/hello", "#!/usr/bin/env node\n").file("a/b/c.js", "1\n");
        let optional: Vec<_> = names.iter().map(|n| (n.as_str(), version)).collect();
        let package = NpmPackage::new("hello", version, tgz("hello", version, &tree));
        self.npm(package.set("bin", json!({"hello": "bin/hello"})).optional(&optional));
    }

    /// Publishes a package of one script for every platform.
    pub(crate) fn publish_script(&self, name: &str, version: &str) {
        let tree = Tree::new().file("bin/run", "#!/usr/bin/env node\n");
        let package = NpmPackage::new(name, version, tgz(name, version, &tree));
        self.npm(package.set("bin", json!({ name: "bin/run" })));
    }

    /// A project that asks for it all, not locked yet.
    pub(crate) fn project(&self) -> TestEnv {
        let env = TestEnv::new();
        self.write(&env);
        env
    }

    /// Writes the project's files.
    pub(crate) fn write(&self, env: &TestEnv) {
        env.write("profiles/base.toml", self.base("^1.0"))
            .write("profiles/dev.toml", "extends = \"base\"\n")
            .write("profiles/test.toml", "extends = \"base\"\ndata = \".data-test\"\n")
            .write("profiles/prod.toml", "extends = \"base\"\n[env]\nMODE = \"prod\"\n")
            .write("profiles/files/a.conf", "a = 1\n")
            .write("tools/bin/sleeper", "#!/bin/sh\nexec /bin/sleep 100000\n")
            .write("tools/share/text", "text\n");
        let sleeper = env.project().join("tools/bin/sleeper");
        std::fs::set_permissions(sleeper, PermissionsExt::from_mode(0o755)).expect("chmod");
    }

    /// `profiles/base.toml` with a requirement for `tool`.
    pub(crate) fn base(&self, tool: &str) -> String {
        format!(
            r#"platforms = {PLATFORMS:?}

[source.pypi]
url = "{}"

[source.npm]
url = "{}"

[dep]
tool = {{ from = "pypi:tool-bin", version = "{tool}" }}
hello = {{ from = "npm:hello", version = "^2.0" }}
extra = {{ from = "url:{}", version = "3.0.0" }}
local = {{ from = "path:tools" }}

[env]
MODE = "any"

[file]
"a.conf" = "profiles/files/a.conf"

[service.sleeper]
command = ["sleeper"]
"#,
            self.pypi_url(),
            self.npm_url(),
            self.url("/dist/extra-${version}-${os}-${arch}.tar.gz"),
        )
    }
}

/// A tarball with directories and files of several kinds.
fn extra(platform: Platform) -> Vec<u8> {
    let program = executable(Machine::of(platform), "extra 3.0.0");
    tar_gz(
        &Tree::new()
            .executable("bin/extra", program)
            .file("lib/deep/er/data", vec![7_u8; 70_000])
            .file("lib/empty", "")
            .executable("lib/run", "#!/bin/sh\n"),
    )
}

/// Every path below a directory, with kind, mode, time and content. Directories' own times are
/// left out where `times` is not asked for.
pub(crate) fn walk(root: &Path, times: bool) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).expect("list") {
            let path = entry.expect("entry").path();
            let meta = std::fs::symlink_metadata(&path).expect("look");
            let shown = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            let what = if meta.is_dir() {
                open.push(path);
                "dir".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).expect("link").display())
            } else if !meta.is_file() {
                "special".to_owned()
            } else {
                Integrity::sha256_of(&std::fs::read(&path).expect("read")).to_string()
            };
            let time = if times {
                format!(" {}.{}", meta.mtime(), meta.mtime_nsec())
            } else {
                String::new()
            };
            out.insert(shown, format!("{:o}{time} {what}", meta.mode()));
        }
    }
    out
}

/// What two runs must agree on: the project and the store, without accidents such as times, pids,
/// kept index documents and lock files.
pub(crate) fn state(env: &TestEnv) -> BTreeMap<String, String> {
    let root = std::fs::canonicalize(env.root()).expect("canonical").display().to_string();
    let mut out = BTreeMap::new();
    for (path, what) in walk(env.root(), false) {
        let in_store = path.strip_prefix("store/");
        let skip = path.ends_with(".lock")
            || path.starts_with("home")
            // Where a file was going to be written; swept a day later, since it may be anybody's.
            || (path.starts_with("cache/tmp/") && what.ends_with("dir"))
            || in_store.is_some_and(|p| p.starts_with("index") || p.starts_with("locks/"));
        if skip {
            continue;
        }
        let what = what.replace(&root, "[ROOT]");
        let file = env.root().join(&path);
        match in_store {
            // A root is named by a hash of its absolute path.
            Some(p) if p.starts_with("roots/") => {
                out.insert(format!("root {what}"), String::new());
            }
            Some(p) if p.starts_with("meta/") => {
                // One tree serves several platforms: which of them it was made for first is chance.
                out.insert(path, without(&file, &["added", "moment", "stamp", "origin"]));
            }
            None if path.contains(".infra/env/") && path.ends_with(".json") => {
                out.insert(path, without(&file, &["created"]));
            }
            _ => {
                out.insert(path, what);
            }
        }
    }
    out
}

fn without(file: &Path, keys: &[&str]) -> String {
    let mut value: Value =
        serde_json::from_slice(&std::fs::read(file).expect("read")).expect("whole JSON");
    for key in keys {
        let object = value.as_object_mut().expect("object");
        assert!(object.remove(*key).is_some(), "{key} in {}", file.display());
    }
    value.to_string()
}

/// The first differences of two states, in words.
#[track_caller]
pub(crate) fn assert_same(
    what: &str,
    want: &BTreeMap<String, String>,
    have: &BTreeMap<String, String>,
) {
    let mut lines = Vec::new();
    for (path, value) in want {
        match have.get(path) {
            Some(there) if there == value => {}
            Some(there) => lines.push(format!("{path}\n  want {value}\n  have {there}")),
            None => lines.push(format!("{path}\n  want {value}\n  have nothing")),
        }
    }
    let more = have.iter().filter(|(path, _)| !want.contains_key(*path));
    lines.extend(more.map(|(path, value)| format!("{path}\n  want nothing\n  have {value}")));
    assert!(lines.is_empty(), "{what}: {} differences\n{}", lines.len(), lines.join("\n"));
}

/// Gives every directory below `dir` back to its owner, so that it can be removed.
pub(crate) fn make_writable(dir: &Path) {
    for (path, what) in walk(dir, false) {
        if what.ends_with("dir") {
            let path = dir.join(path);
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("chmod");
        }
    }
}

/// A prepared state, to be put back as often as it is needed.
pub(crate) struct Prepared {
    pub(crate) env: TestEnv,
    kept: tempfile::TempDir,
    settles: bool,
}

impl Prepared {
    /// Keeps a copy of everything below the environment's root.
    pub(crate) fn new(env: TestEnv) -> Self {
        let kept = tempfile::Builder::new().prefix("infra-it-kept-").tempdir().expect("tempdir");
        copy(env.root(), kept.path());
        Self { env, kept, settles: false }
    }

    /// What a case starts from.
    pub(crate) fn of(case: &super::points::Case, up: &Upstream) -> Self {
        let mut prepared = Self::new((case.prepare)(up));
        prepared.settles(case);
        prepared
    }

    /// Settled after each time it is put back, where the case needs that.
    pub(crate) fn settles(&mut self, case: &super::points::Case) {
        self.settles = case.settles;
    }

    /// As it was when it was kept; inodes and status times differ, as after a move.
    pub(crate) fn restore(&self) -> &TestEnv {
        clear(self.env.root());
        copy(self.kept.path(), self.env.root());
        if self.settles {
            self.env.ok(["store", "verify"]);
        }
        &self.env
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        clear(self.kept.path());
    }
}

/// Removes everything below a directory, read-only directories included.
pub(crate) fn clear(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("list") {
        let entry = entry.expect("entry");
        if !entry.file_type().expect("type").is_dir() {
            std::fs::remove_file(entry.path()).expect("remove");
        } else if std::fs::remove_dir_all(entry.path()).is_err() {
            // Not root: objects are read-only.
            make_writable(&entry.path());
            std::fs::remove_dir_all(entry.path()).expect("remove");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .args(["-a", "--reflink=auto", "--"])
        .args([from.join("."), to.to_owned()])
        .status();
    assert!(copied.expect("cp").success(), "cp from {}", from.display());
}

/// Names below `dir` that end in `.tmp`, anywhere.
pub(crate) fn temporary(dir: &Path) -> Vec<String> {
    walk(dir, false).into_keys().filter(|path| path.ends_with(".tmp")).collect()
}

/// The directory of the one object whose name ends in `-<suffix>`.
#[track_caller]
pub(crate) fn object(env: &TestEnv, suffix: &str) -> PathBuf {
    let end = format!("-{suffix}");
    let mut found: Vec<PathBuf> = std::fs::read_dir(env.store().join("store"))
        .expect("list")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.to_string_lossy().ends_with(&end))
        .collect();
    assert_eq!(found.len(), 1, "objects that end in {end}: {found:?}");
    found.remove(0)
}

/// Inverts one byte, keeping mode and times, as a bad disk or a careful stranger would.
#[track_caller]
pub(crate) fn flip(file: &Path, at: usize) {
    disturb(file, |bytes| {
        let at = at % bytes.len();
        bytes[at] = !bytes[at];
    });
}

/// Changes a file's bytes in place, keeping mode and times.
#[track_caller]
pub(crate) fn disturb(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let meta = std::fs::metadata(file).expect("look");
    let mut bytes = std::fs::read(file).expect("read");
    change(&mut bytes);
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).expect("chmod");
    // In place: the inode stays.
    std::fs::write(file, bytes).expect("write");
    let handle = std::fs::File::options().write(true).open(file).expect("open");
    handle.set_modified(meta.modified().expect("time")).expect("set time");
    std::fs::set_permissions(file, meta.permissions()).expect("chmod");
}

/// Where a command of a wheel lies in its object.
pub(crate) fn script(object: &Path, command: &str) -> PathBuf {
    let name = object.file_name().expect("name").to_string_lossy().into_owned();
    let version = name.rsplit('-').next().expect("version");
    object.join(format!("tool_bin-{version}.data/scripts/{command}"))
}

/// A field of a dep's row for this host in the lock.
pub(crate) fn locked(env: &TestEnv, dep: &str, field: &str) -> String {
    let lock: Value = serde_json::from_str(&env.read("dep.lock.json")).expect("JSON");
    let row = &lock["deps"][dep]["platforms"][Platform::host().name()];
    row[field].as_str().unwrap_or_else(|| panic!("{dep} has no {field}: {row}")).to_owned()
}

/// The cached artifact of a dep for this host.
pub(crate) fn cached(env: &TestEnv, dep: &str) -> PathBuf {
    let integrity: Integrity = locked(env, dep, "integrity").parse().expect("integrity");
    let dir = env.store().join("artifacts").join(integrity.algorithm().name());
    dir.join(integrity.hex())
}

/// Insists on success, with the command in the message.
#[track_caller]
pub(crate) fn success(what: &str, outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{what}: {:?}\n{}", outcome.signal, outcome.stderr);
}
