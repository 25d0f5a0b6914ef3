//! `dep lock --merge` and the merge driver, with real git.

use infra::base::Platform;
use serde_json::Value;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Machine, executable, wheel};

/// A repository on `main` with one locked dep, and what its branches add.
struct Repository {
    env: TestEnv,
    upstream: FakeUpstream,
}

impl Repository {
    fn new() -> Self {
        let upstream = FakeUpstream::start();
        let env = TestEnv::new()
            .var("PIP_INDEX_URL", upstream.pypi_url())
            .var("GIT_CONFIG_NOSYSTEM", "1")
            .var("GIT_CONFIG_COUNT", "2")
            .var("GIT_CONFIG_KEY_0", "user.name")
            .var("GIT_CONFIG_VALUE_0", "t")
            .var("GIT_CONFIG_KEY_1", "user.email")
            .var("GIT_CONFIG_VALUE_1", "t@mirror.invalid");
        let it = Self { env, upstream };
        for (name, version) in [("middle", "1.0.0"), ("first", "1.0.0"), ("last", "1.0.0")] {
            it.publish(name, version);
        }
        it.env.write(
            "profiles/base.toml",
            format!(
                "platforms = [\"{}\"]\n\n[dep]\nmiddle = \"pypi:middle@^1\"\n",
                Platform::host()
            ),
        );
        it.env.write(".gitignore", ".infra/\n");
        it.env.ok(["dep", "lock"]);
        it.git(&["init", "-q", "-b", "main"]);
        it.commit("start");
        it
    }

    fn publish(&self, name: &str, version: &str) {
        let tags = match Platform::host().name() {
            "aarch64-linux" => "py3-none-manylinux_2_17_aarch64",
            "aarch64-darwin" => "py3-none-macosx_11_0_arm64",
            "x86_64-darwin" => "py3-none-macosx_11_0_x86_64",
            _ => "py3-none-manylinux_2_17_x86_64",
        };
        let body = executable(Machine::of(Platform::host()), &format!("{name} {version}"));
        let (file, bytes) = wheel(name, version, tags, &[(name, &body)]);
        self.upstream.pypi(name, &file, bytes);
    }

    fn git_may_fail(&self, args: &[&str]) -> (bool, String) {
        let mut command = std::process::Command::new("git");
        let like = self.env.command([""; 0]);
        for (name, value) in like.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let done = command.args(args).current_dir(self.env.project()).output().expect("git");
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn git(&self, args: &[&str]) -> String {
        let (success, said) = self.git_may_fail(args);
        assert!(success, "{args:?}: {said}");
        said
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    /// A branch from `main` on which a profile adds a dep.
    fn branch_adding(&self, name: &str) {
        self.git(&["checkout", "-q", "-b", name, "main"]);
        self.env.write(
            &format!("profiles/{name}.toml"),
            format!("extends = \"base\"\n\n[dep]\n{name} = \"pypi:{name}@^1\"\n"),
        );
        self.env.ok(["dep", "lock"]);
        self.commit(name);
    }

    /// A branch from `main` on which `middle` is updated to what is newest then.
    fn branch_updating(&self, name: &str, version: &str) {
        self.git(&["checkout", "-q", "-b", name, "main"]);
        self.publish("middle", version);
        self.env.ok(["dep", "update", "middle"]);
        self.commit(name);
    }

    /// Deps and versions of the lock.
    fn locked(&self) -> Vec<(String, String)> {
        let lock: Value = serde_json::from_str(&self.env.read("dep.lock.json")).expect("a lock");
        let deps = lock["deps"].as_object().expect("deps");
        deps.iter()
            .map(|(name, dep)| (name.clone(), dep["version"].as_str().expect("v").to_owned()))
            .collect()
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

const THREE: [(&str, &str); 3] = [("first", "1.0.0"), ("last", "1.0.0"), ("middle", "1.0.0")];

#[test]
fn the_driver_merges_two_added_deps_without_network() {
    let it = Repository::new();
    let out = it.env.ok(["dep", "merge-driver", "install"]);
    assert!(out.stderr.contains("added a line to .gitattributes"), "{}", out.stderr);
    assert_eq!(it.env.read(".gitattributes"), "dep.lock.json merge=infra-lock\n");
    it.env.ok(["dep", "merge-driver", "install"]);
    assert_eq!(it.env.read(".gitattributes"), "dep.lock.json merge=infra-lock\n", "once");
    it.commit("driver");
    it.branch_adding("first");
    it.branch_adding("last");
    it.upstream.forget();
    it.git(&["merge", "-q", "-m", "both", "first"]);
    assert_eq!(it.locked(), pairs(&THREE));
    assert!(it.git(&["status", "--porcelain"]).is_empty());
    it.env.ok(["dep", "lock", "--check"]);
    let merged = it.env.read("dep.lock.json");
    it.env.ok(["dep", "lock", "--offline"]);
    assert_eq!(it.env.read("dep.lock.json"), merged, "it was canonical");
    assert!(it.upstream.requests().is_empty(), "{:?}", it.upstream.requests());
}

#[test]
fn markers_of_both_styles_are_resolved_without_network() {
    for style in ["merge", "diff3", "zdiff3"] {
        let it = Repository::new();
        it.git(&["config", "merge.conflictStyle", style]);
        it.branch_adding("first");
        it.branch_adding("last");
        let (success, said) = it.git_may_fail(&["merge", "-m", "both", "first"]);
        assert!(!success, "{said}");
        assert!(it.env.read("dep.lock.json").contains("<<<<<<<"));
        let refused = it.env.infra(["dep", "lock"]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("`infra dep lock --merge`"), "{}", refused.stderr);
        it.upstream.forget();
        let out = it.env.ok(["dep", "lock", "--merge", "--offline"]);
        assert!(out.stderr.contains("nothing was asked of a source"), "{}", out.stderr);
        assert_eq!(it.locked(), pairs(&THREE), "{style}");
        assert!(it.upstream.requests().is_empty());
        it.env.ok(["dep", "lock", "--check"]);
        it.commit("both");
        let again = it.env.ok(["dep", "lock", "--merge"]);
        assert!(again.stderr.contains("had no conflict"), "{}", again.stderr);
    }
}

#[test]
fn only_what_both_changed_is_locked_anew() {
    for driver in [true, false] {
        let it = Repository::new();
        if driver {
            it.env.ok(["dep", "merge-driver", "install"]);
            it.commit("driver");
        }
        it.branch_updating("one", "1.1.0");
        it.git(&["checkout", "-q", "main"]);
        it.branch_updating("two", "1.2.0");
        it.git(&["checkout", "-q", "-b", "adding", "two"]);
        it.env.write(
            "profiles/first.toml",
            "extends = \"base\"\n\n[dep]\nfirst = \"pypi:first@^1\"\n",
        );
        it.env.ok(["dep", "lock"]);
        it.commit("adding");
        let (success, said) = it.git_may_fail(&["merge", "-m", "both", "one"]);
        assert!(!success, "both changed `middle`: {said}");
        assert_eq!(said.contains("both sides changed middle"), driver, "{said}");
        assert!(it.env.read("dep.lock.json").contains("<<<<<<<"), "{said}");

        let before = it.env.read("dep.lock.json");
        let offline = it.env.infra(["dep", "lock", "--merge", "--offline"]);
        if offline.code != Some(0) {
            assert_eq!(it.env.read("dep.lock.json"), before, "a failure leaves it as it was");
        }
        it.env.write("dep.lock.json", &before);
        it.publish("middle", "1.3.0");
        it.upstream.forget();
        let out: Value =
            serde_json::from_str(&it.env.ok(["dep", "lock", "--merge", "--json"]).stdout)
                .expect("json");
        assert_eq!(out["resolved"], serde_json::json!(["middle"]));
        assert_eq!(it.locked(), pairs(&[("first", "1.0.0"), ("middle", "1.3.0")]));
        assert_eq!(it.upstream.count(&FakeUpstream::pypi_page("first")), 0, "it was known");
        it.env.ok(["dep", "lock", "--check"]);
    }
}

#[test]
fn a_side_that_cannot_be_read_is_merged_by_lines() {
    let it = Repository::new();
    let lock = it.env.read("dep.lock.json");
    let newer = lock.replace("\"version\": 1,", "\"version\": 99,");
    let other = lock.replace("\"version\": 1,", "\"version\": 98,");
    it.env.write("o", &lock).write("a", newer).write("b", other);
    let out = it.env.infra(["dep", "merge-driver", "run", "o", "a", "b"]);
    assert_eq!(out.code, Some(1), "{}", out.stderr);
    assert!(out.stderr.contains("merged line by line"), "{}", out.stderr);
    assert!(it.env.read("a").contains("<<<<<<< ours"), "{}", it.env.read("a"));
}
