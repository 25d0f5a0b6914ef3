//! Artifacts: changed where they are served, or in the cache.

use infra::base::{Integrity, Platform};
use serde_json::json;

use super::{names_both, nothing_of, refused};
use crate::crashes::fixture::{self, Upstream, success};
use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Fault, Machine, NpmPackage, Tree, executable, tgz, wheel};

/// Locked, and nothing of it cached.
fn locked(up: &Upstream) -> TestEnv {
    let env = up.project();
    env.ok(["dep", "lock"]);
    for dep in ["tool", "hello", "extra"] {
        std::fs::remove_file(fixture::cached(&env, dep)).expect("remove");
    }
    env
}

fn path_of(dep: &str) -> String {
    let host = Platform::host();
    match dep {
        "tool" => FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0")),
        "hello" => FakeUpstream::npm_tarball(&format!("hello-{}", host.name()), "2.0.0"),
        _ => fixture::extra_archive(host),
    }
}

const DEPS: [(&str, &str); 3] = [("tool", "1.0.0"), ("hello", "2.0.0"), ("extra", "3.0.0")];

#[test]
fn a_registry_that_serves_other_bytes() {
    let up = Upstream::start();
    for (dep, version) in DEPS {
        for at in [0, 57, 400, usize::MAX] {
            let what = format!("{dep} with byte {at} changed");
            let env = locked(&up);
            up.fault_always(&path_of(dep), Fault::Tamper(at));
            let outcome = env.infra(["dep", "sync"]);
            let shown = format!("`{dep}` {version} ({})", Platform::host().name());
            let expected = fixture::locked(&env, dep, "integrity");
            refused(&what, &outcome, &[&shown, &expected, "from dep.lock.json"]);
            names_both(&what, &outcome);
            nothing_of(&what, &env, &format!("{dep}-{version}"));
            assert!(!fixture::cached(&env, dep).exists(), "{what}: it was cached");
            success(&what, &env.infra(["store", "verify"]));
            // Nor does anything that would start it.
            let outcome = env.infra(["run"]);
            refused(&what, &outcome, &[&expected]);
            assert!(!env.project().join(".infra/env/dev").exists(), "{what}");

            up.heal();
            success("the truth", &env.infra(["dep", "sync"]));
            success("the truth", &env.infra(["dep", "verify"]));
        }
    }
}

/// The index promises a hash: what does not match it is not locked.
#[test]
fn a_registry_that_serves_other_bytes_while_locking() {
    let up = Upstream::start();
    let env = up.project();
    let foreign: Platform = "aarch64-darwin".parse().expect("platform");
    for dep in ["tool", "hello"] {
        for platform in [Platform::host(), foreign] {
            let path = match dep {
                "tool" => FakeUpstream::pypi_file(&fixture::tool_wheel_for("1.0.0", platform)),
                _ => FakeUpstream::npm_tarball(&format!("hello-{}", platform.name()), "2.0.0"),
            };
            let what = format!("{dep} for {platform}");
            up.fault_always(&path, Fault::Tamper(200));
            let outcome = env.infra(["dep", "lock"]);
            refused(&what, &outcome, &[&format!("`{dep}`"), platform.name()]);
            names_both(&what, &outcome);
            assert!(!env.project().join("dep.lock.json").exists(), "{what} was locked");
            up.heal();
        }
    }
    success("the truth", &env.infra(["dep", "lock"]));
}

#[test]
fn a_cached_artifact_that_changed() {
    let up = Upstream::start();
    for (dep, version) in DEPS {
        let what = format!("the cached {dep}");
        let env = up.project();
        env.ok(["dep", "lock"]);
        let artifact = fixture::cached(&env, dep);
        fixture::flip(&artifact, 123);
        let outcome = env.infra(["dep", "sync"]);
        let expected = fixture::locked(&env, dep, "integrity");
        refused(&what, &outcome, &[&format!("`{dep}` {version}"), &expected]);
        names_both(&what, &outcome);
        nothing_of(&what, &env, &format!("{dep}-{version}"));
        let outcome = env.infra(["store", "verify"]);
        refused(&what, &outcome, &[&expected]);
        names_both(&what, &outcome);

        success("repair", &env.infra(["store", "repair"]));
        assert!(!artifact.exists(), "{what} is still there");
        success("verify", &env.infra(["store", "verify"]));
        success("sync", &env.infra(["dep", "sync"]));
        success("verify", &env.infra(["dep", "verify"]));
    }
}

/// Where a document names two places for a file, a liar is warned of and the other asked.
#[test]
fn a_mirror_that_lies_and_one_that_does_not() {
    let (up, other) = (FakeUpstream::start(), FakeUpstream::start());
    let program = executable(Machine::of(Platform::host()), "two");
    let tarball = tgz("two", "1.0.0", &Tree::new().executable("bin/two", program));
    let package = |bytes: &[u8]| {
        NpmPackage::new("two", "1.0.0", bytes.to_vec()).set("bin", json!({"two": "bin/two"}))
    };
    up.npm(package(&tarball).tarball_at(&other.url("/npm")));
    let path = FakeUpstream::npm_tarball("two", "1.0.0");
    other.file(&path, tarball.clone());

    let env = TestEnv::new();
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [\"{}\"]\n[source.npm]\nurl = \"{}\"\n[dep]\n\
             two = {{ from = \"npm:two\", version = \"1.0.0\" }}\n",
            Platform::host().name(),
            up.npm_url()
        ),
    );
    env.write("profiles/dev.toml", "extends = \"base\"\n");
    env.ok(["dep", "lock"]);
    let forget = || {
        let _ = std::fs::remove_file(fixture::cached(&env, "two"));
        env.ok(["store", "gc", "--artifacts"]);
    };

    for liar in [&up, &other] {
        forget();
        liar.fault_always(&path, Fault::Tamper(50));
        let outcome = env.infra(["dep", "sync"]);
        success("one tells the truth", &outcome);
        success("one tells the truth", &env.infra(["dep", "verify"]));
        liar.heal();
    }
    forget();
    up.fault_always(&path, Fault::Tamper(50));
    other.fault_always(&path, Fault::Tamper(60));
    let outcome = env.infra(["dep", "sync"]);
    refused("both lie", &outcome, &[&fixture::locked(&env, "two", "integrity")]);
    nothing_of("both lie", &env, "two-1.0.0");
}

/// A file name says for which platform a wheel is; the executables in it say it truly.
#[test]
fn a_wheel_that_lies_about_its_platform() {
    let up = FakeUpstream::start();
    let env = TestEnv::new();
    let other: Platform = match Platform::host().name() {
        "x86_64-linux" => "aarch64-linux".parse().expect("platform"),
        _ => "x86_64-linux".parse().expect("platform"),
    };
    let tag = match Platform::host().name() {
        "x86_64-linux" => "manylinux2014_x86_64",
        "aarch64-linux" => "manylinux2014_aarch64",
        _ => "macosx_11_0_universal2",
    };
    let program = executable(Machine::of(other), "for another machine");
    let (file, bytes) =
        wheel("liar-bin", "1.0.0", &format!("py3-none-{tag}"), &[("liar", program.as_slice())]);
    let integrity = Integrity::sha256_of(&bytes);
    up.pypi("liar-bin", &file, bytes);
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [\"{}\"]\n[source.pypi]\nurl = \"{}\"\n[dep]\n\
             liar = {{ from = \"pypi:liar-bin\", version = \"*\" }}\n",
            Platform::host().name(),
            up.pypi_url()
        ),
    );
    env.write("profiles/dev.toml", "extends = \"base\"\n");
    let outcome = env.infra(["dep", "lock"]);
    refused("a lie", &outcome, &["`liar` 1.0.0", Platform::host().name(), "scripts/liar"]);
    assert!(!env.project().join("dep.lock.json").exists(), "{integrity} was locked");
    nothing_of("a lie", &env, "liar-1.0.0");
}
