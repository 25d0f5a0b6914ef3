//! A whole project against a fake upstream: the stage on which commands are tried.
//!
//! Owns the packages that the upstream serves (one of each source), the profiles that ask for them,
//! and how a command's outcome becomes a snapshot. Invariants: the same calls give the same
//! project, and whatever a test started in the background has ended when its world goes.

mod packages;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use infra::base::{Integrity, Platform};

use crate::support::{Outcome, TestEnv};
use crate::upstream::FakeUpstream;
use packages::publish_url;
pub(crate) use packages::{program, publish_npm, publish_pypi};

/// The platforms that the profiles declare.
pub(crate) const PLATFORMS: [Platform; 5] = [
    Platform::Aarch64Darwin,
    Platform::Aarch64Linux,
    Platform::X86_64Darwin,
    Platform::X86_64Linux,
    Platform::X86_64Windows,
];

/// Variables of the project's profiles.
const VARIABLES: &str = "[env]\nGREETING = \"hello\"\nWHERE = \"${project}/here\"\n";

/// A service's program: says it is ready, then works until it is asked to end.
const SERVE: &str = "#!/bin/sh\n\
    name=${1:-serve}\n\
    trap 'echo \"$name: asked to end\"; kill $! 2>/dev/null; exit 0' TERM INT\n\
    echo \"$name: ready\"\n\
    /bin/sleep 600 &\n\
    wait $!\n";

/// A program that ends with the code it is given.
const QUIT: &str = "#!/bin/sh\necho \"quitting with $1\"\nexit \"$1\"\n";

/// A project, a store and what the network has for them.
pub(crate) struct World {
    pub(crate) env: TestEnv,
    pub(crate) upstream: FakeUpstream,
}

impl World {
    /// An empty project and an upstream that has `alpha` (pypi), `beta` (npm) and `gamma` (url).
    pub(crate) fn empty() -> Self {
        let upstream = FakeUpstream::start();
        for version in ["1.0.0", "1.1.0"] {
            publish_pypi(&upstream, "alpha", version);
        }
        publish_npm(&upstream, "beta", "2.3.0");
        publish_url(&upstream, "gamma", "3.0.0");
        let env = TestEnv::new()
            .var("PIP_INDEX_URL", upstream.pypi_url())
            .var("NPM_CONFIG_REGISTRY", upstream.npm_url());
        Self { env, upstream }
    }

    /// With profiles `base`, `dev` and `test` that ask for one dep of each source; not locked.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.profiles(&world.base());
        world.tools();
        world
    }

    /// With profiles that ask for `tools` alone, and a stack: `second` comes after `first`.
    pub(crate) fn stack() -> Self {
        let world = Self::empty();
        world.tools();
        world.profiles(
            "[dep]\ntools = \"path:tools\"\n\n[port]\nmain = \"auto\"\n\n\
             [service.first]\ncommand = [\"serve\", \"first\"]\nready = { log = \"first: ready\" }\n\
             listen = [\"main\"]\n\n\
             [service.second]\ncommand = [\"serve\", \"second\"]\nafter = [\"first\"]\n\
             ready = { log = \"second: ready\" }\n",
        );
        world
    }

    /// Locked and synced.
    pub(crate) fn synced() -> Self {
        let world = Self::new();
        world.env.ok(["dep", "lock", "-q"]);
        world.env.ok(["dep", "sync", "-q"]);
        world
    }

    /// What `base.toml` says.
    pub(crate) fn base(&self) -> String {
        let names: Vec<_> = PLATFORMS.iter().map(|p| format!("\"{p}\"")).collect();
        format!(
            "platforms = [{}]\n\n[dep]\n\
             alpha = {{ from = \"pypi:alpha-bin\", version = \"^1\" }}\n\
             beta = {{ from = \"npm:beta\", version = \"^2\" }}\n\
             gamma = {{ from = \"url:/gamma-${{version}}-${{os}}-${{arch}}.tar.gz\", \
             version = \"=3.0.0\", checksum = \"/SHA256SUMS\" }}\n\
             tools = \"path:tools\"\n\n[source.url]\nurl = \"{}\"\n\n{VARIABLES}",
            names.join(", "),
            self.upstream.url("/url"),
        )
    }

    /// Writes `base.toml` and what extends it.
    pub(crate) fn profiles(&self, base: &str) -> &Self {
        self.env.write("profiles/base.toml", base);
        self.env.write("profiles/dev.toml", "extends = \"base\"\n");
        self.env.write("profiles/test.toml", "extends = \"base\"\ndata = \".data-test\"\n");
        self
    }

    /// The directory that `path:tools` names.
    fn tools(&self) -> &Self {
        self.script("tools/bin/serve", SERVE).script("tools/bin/quit", QUIT)
    }

    /// An executable file of the project.
    pub(crate) fn script(&self, path: &str, text: &str) -> &Self {
        self.env.write(path, text);
        let file = self.env.project().join(path);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("mode");
        self
    }

    /// Changes a file of the project.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) -> &Self {
        let text = self.env.read(path);
        assert!(text.contains(from), "`{from}` is in {path}: {text}");
        self.env.write(path, text.replace(from, to));
        self
    }

    /// Removes parts of the store, e.g. `store`, `meta`; all of it when none is named.
    pub(crate) fn lose(&self, parts: &[&str]) -> &Self {
        let store = self.env.store();
        writable(&store);
        let all = [store.clone()];
        let parts = parts.iter().map(|part| store.join(part)).collect::<Vec<_>>();
        for part in if parts.is_empty() { &all[..] } else { &parts } {
            if part.exists() {
                std::fs::remove_dir_all(part).expect("remove");
            }
        }
        self
    }

    /// Every file of the project, and of the store what a command may have changed for good: its
    /// objects, registrations, roots and half-made things. Not the caches of documents and
    /// artifacts, which only save work.
    pub(crate) fn listing(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        list(&self.env.project(), "project", &mut out);
        for part in ["store", "meta", "roots", "tmp", "evidence"] {
            list(&self.env.store().join(part), &format!("store/{part}"), &mut out);
        }
        out.retain(|_, what| what != "directory");
        out
    }

    /// Runs a command that must fail with `code`, say why once, say what to do next, and change
    /// nothing; keeps what it said as the snapshot `name`.
    pub(crate) fn refused<S: AsRef<OsStr>>(
        &self,
        name: &str,
        code: i32,
        args: impl IntoIterator<Item = S>,
    ) -> Outcome {
        let before = self.listing();
        let outcome = self.env.infra(args);
        self.check_refusal(name, code, &outcome);
        assert_eq!(before, self.listing(), "{name} changed something: {}", outcome.stderr);
        outcome
    }

    /// The words and code of a refusal.
    pub(crate) fn check_refusal(&self, name: &str, code: i32, outcome: &Outcome) {
        let said = &outcome.stderr;
        assert_eq!(outcome.code, Some(code), "{name}: {said}");
        let errors = said.lines().filter(|l| l.starts_with("error:")).count();
        assert_eq!(errors, 1, "{name} says what is wrong once: {said}");
        let next = ["hint:", "tip:", "help:", "For more information"];
        assert!(next.iter().any(|n| said.contains(n)), "{name} says what to do next: {said}");
        assert_eq!(outcome.stdout, "", "{name}: stdout is for data");
        self.snapshot(name, outcome);
    }

    /// Compares an outcome with the snapshot `name`.
    pub(crate) fn snapshot(&self, name: &str, outcome: &Outcome) {
        self.compare(name, &self.env.snapshot(outcome));
    }

    /// Compares a text with the snapshot `name`, accidents of this run replaced.
    pub(crate) fn compare(&self, name: &str, text: &str) {
        let text = text.replace(self.upstream.url("").trim_start_matches("http://"), "[UPSTREAM]");
        compare(name, &text);
    }

    /// The JSON that a successful command prints.
    pub(crate) fn json<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> serde_json::Value {
        let outcome = self.env.ok(args);
        serde_json::from_str(&outcome.stdout).expect("one JSON document on stdout")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for (env, data) in [("dev", ".data"), ("test", ".data-test")] {
            if self.env.project().join(data).exists() {
                let _ = self.env.infra(["runtime", "down", "--env", env]);
            }
        }
        writable(self.env.root());
    }
}

/// Says what a test leaves out on this machine.
#[allow(clippy::print_stderr, reason = "whoever reads the test's output must see it")]
pub(crate) fn passed_over(why: &str) {
    eprintln!("passed over: {why}");
}

/// Copies a file that is to be executed from where it is put. By a process of its own: while this
/// one had it open for writing, a child that another test starts would have it open too, and then
/// it could not be executed.
pub(crate) fn install(from: &Path, to: &Path) {
    let done = std::process::Command::new("install").args(["-m", "755"]).arg(from).arg(to).status();
    assert!(done.is_ok_and(|s| s.success()), "install {}", to.display());
}

/// Compares a text with the snapshot `name`, hashes, process ids and times replaced.
pub(crate) fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"sha(256|512)-[A-Za-z0-9+/]{40,}=*", "sha$1-[HASH]");
    settings.add_filter(r"\b[0-9a-z]{32}-([a-z])", "[DIGEST]-$1");
    settings.add_filter(r"\([0-9a-z]{32}\)", "([DIGEST])");
    settings.add_filter(r"\bpid \d+", "pid [PID]");
    settings.add_filter(r"\b\d+ ms\b", "[MS] ms");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[TIME]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Everything below a directory: what it is, and for files their mode and bytes.
fn list(dir: &Path, shown: &str, out: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let entry = entry.expect("entry");
        let path = entry.path();
        let name = format!("{shown}/{}", entry.file_name().to_string_lossy());
        let meta = std::fs::symlink_metadata(&path).expect("metadata");
        let what = if meta.is_dir() {
            list(&path, &name, out);
            "directory".to_owned()
        } else if meta.is_symlink() {
            format!("link to {}", std::fs::read_link(&path).expect("link").display())
        } else if meta.is_file() {
            let hash = Integrity::sha256_of(&std::fs::read(&path).expect("bytes"));
            format!("{:o} {hash}", meta.permissions().mode())
        } else {
            "special file".to_owned()
        };
        out.insert(name, what);
    }
}

/// Lets the temporary directory be removed: store objects are read-only.
fn writable(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            let _ = std::fs::set_permissions(entry.path(), PermissionsExt::from_mode(0o700));
            writable(&entry.path());
        }
    }
}
