//! `crate:` with the built binary: a sparse registry, packages of a release and of a plain server.

use infra::base::Platform;

use crate::support::TestEnv;
use crate::upstream::{
    Crate, FakeUpstream, Fault, GithubRelease, Machine, Tree, executable, tar_gz, zip,
};

const TARGETS: [(Platform, &str); 4] = [
    (Platform::Aarch64Darwin, "aarch64-apple-darwin"),
    (Platform::X86_64Linux, "x86_64-unknown-linux-gnu"),
    (Platform::X86_64LinuxMusl, "x86_64-unknown-linux-musl"),
    (Platform::X86_64Windows, "x86_64-pc-windows-msvc"),
];

fn package(platform: Platform, stem: &str, version: &str) -> Vec<u8> {
    let program = executable(Machine::of(platform), &format!("tool {version}"));
    if platform == Platform::X86_64Windows {
        zip(&Tree::new().executable(&format!("{stem}/tool.exe"), program))
    } else {
        tar_gz(
            &Tree::new()
                .executable(&format!("{stem}/tool"), program)
                .file(&format!("{stem}/README"), "x"),
        )
    }
}

fn project(upstream: &FakeUpstream, version: &str) -> TestEnv {
    let env = TestEnv::new();
    let platforms: Vec<_> = TARGETS.iter().map(|(p, _)| format!("\"{p}\"")).collect();
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [{}, \"x86_64-darwin\"]\n[dep]\ntool = \"crate:tool@{version}\"\n[source.crate]\nurl = \"{}\"\n",
            platforms.join(", "),
            upstream.crates_url()
        ),
    );
    env
}

fn lock(env: &TestEnv) -> serde_json::Value {
    serde_json::from_str(&env.read("dep.lock.json")).expect("a lock")
}

fn row(env: &TestEnv, platform: Platform) -> String {
    lock(env)["deps"]["tool"]["platforms"][platform.name()].to_string()
}

/// Packages on a plain server.
fn on_a_server(upstream: &FakeUpstream, version: &str) -> String {
    for (platform, target) in TARGETS {
        let stem = format!("tool-{version}-{target}");
        let ending = if platform == Platform::X86_64Windows { "zip" } else { "tgz" };
        upstream
            .file(&format!("/files/{version}/{stem}.{ending}"), package(platform, &stem, version));
    }
    format!(
        "[package.metadata.binstall]\npkg-url = \"{}/{{ version }}/{{ name }}-{{ version }}-{{ target }}.{{ archive-format }}\"\n\
         bin-dir = \"{{ name }}-{{ version }}-{{ target }}/{{ bin }}{{ binary-ext }}\"\npkg-fmt = \"tgz\"\n\
         [package.metadata.binstall.overrides.x86_64-pc-windows-msvc]\npkg-fmt = \"zip\"\n",
        upstream.url("/files")
    )
}

#[test]
fn locks_and_runs() {
    let upstream = FakeUpstream::start();
    let (old, new) = (on_a_server(&upstream, "1.2.0"), on_a_server(&upstream, "1.3.0"));
    upstream.crates(&[
        Crate::new("tool", "1.2.0", &old),
        Crate::new("tool", "1.3.0", &new),
        Crate::new("tool", "1.4.0", &new).yanked(),
    ]);
    let env = project(&upstream, "^1");
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(!text.contains("127.0.0.1"), "{text}");
    assert_eq!(lock(&env)["deps"]["tool"]["version"], "1.3.0");
    for (platform, target) in TARGETS {
        let row = row(&env, platform);
        assert!(
            row.contains(&format!("tool-1.3.0-{target}.")) && row.contains("first-use"),
            "{row}"
        );
    }
    let without = row(&env, Platform::X86_64Darwin);
    assert!(
        without.contains("unavailable") && without.contains("x86_64-apple-darwin.tgz"),
        "{without}"
    );
    assert_eq!(upstream.count(&FakeUpstream::crates_file("tool", "1.3.0")), 1);
    assert_eq!(upstream.count(&FakeUpstream::crates_file("tool", "1.2.0")), 0);
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "locking again changes no byte");
    let other = project(&upstream, "^1");
    other.write("dep.lock.json", &text);
    assert_eq!(other.ok(["env", "exec", "base", "--", "tool"]).stdout, "tool 1.3.0\n");
    let outdated = other.ok(["dep", "outdated"]).stdout;
    assert!(outdated.contains("tool"), "{outdated}");
    let bom = other.ok(["dep", "sbom", "--format", "cyclonedx"]).stdout;
    assert!(bom.contains("pkg:cargo/tool@1.3.0"), "{bom}");
}

#[test]
fn packages_of_a_release_are_looked_up_in_the_api() {
    let upstream = FakeUpstream::start();
    let mut release = GithubRelease::new("v1.3.0");
    for (platform, target) in TARGETS {
        let ending = if platform == Platform::X86_64Windows { "zip" } else { "tar.gz" };
        let stem = format!("tool-{target}");
        release = release.asset(&format!("{stem}.{ending}"), package(platform, &stem, "1.3.0"));
    }
    upstream.github("some/tool", &[release], 10);
    let repository = upstream.url("/github/web/some/tool");
    // No metadata: what the release has is found by the usual names.
    upstream.crates(&[Crate::new("tool", "1.3.0", &format!("repository = \"{repository}\"\n"))]);
    let env = project(&upstream, "=1.3.0").var("GITHUB_API_URL", upstream.github_url());
    env.ok(["dep", "lock"]);
    for (platform, target) in TARGETS {
        let row = row(&env, platform);
        assert!(row.contains(&format!("some/tool/releases/v1.3.0/tool-{target}.")), "{row}");
        assert!(row.contains("release-digest"), "{row}");
    }
    assert!(row(&env, Platform::X86_64Darwin).contains("no release"));
    assert_eq!(upstream.count(&FakeUpstream::github_tag("some/tool", "v1.3.0")), 1);

    // Without an API nobody can tell what a release has.
    let outcome = project(&upstream, "=1.3.0").infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("GITHUB_API_URL"), "{}", outcome.stderr);
    let other = project(&upstream, "=1.3.0").var("GITHUB_API_URL", upstream.github_url());
    other.write("dep.lock.json", env.read("dep.lock.json"));
    upstream.forget();
    other.ok(["dep", "sync"]);
    assert_eq!(upstream.count(&FakeUpstream::crates_index("tool")), 0, "syncing asks no registry");
}

#[test]
fn faults_leave_no_lock() {
    let upstream = FakeUpstream::start();
    let metadata = on_a_server(&upstream, "1.3.0");
    upstream.crates(&[Crate::new("tool", "1.3.0", &metadata)]);
    let said = |code: i32| {
        let env = project(&upstream, "^1");
        let outcome = env.infra(["dep", "lock"]);
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(!env.project().join("dep.lock.json").exists());
        outcome.stderr
    };
    upstream.fault_always(&FakeUpstream::crates_file("tool", "1.3.0"), Fault::Tamper(40));
    assert!(said(3).contains("sha256 mismatch"));
    upstream.heal();
    upstream.fault_always(&FakeUpstream::crates_index("tool"), Fault::Status(404));
    assert!(said(1).contains("there is no package"));
    upstream.heal();
    upstream.remove("/crates/index/config.json");
    assert!(said(1).contains("config.json"));
    upstream.crates(&[Crate::new(
        "tool",
        "1.3.0",
        "[package.metadata.binstall]\npkg-url = \"http://a.invalid/{ nme }.zip\"\n",
    )]);
    assert!(said(1).contains("`{ nme }` is not known"));
}

#[test]
fn cargo_says_where_the_registry_is_and_who_may_ask() {
    let upstream = FakeUpstream::start();
    let metadata = on_a_server(&upstream, "1.3.0");
    upstream.crates(&[Crate::new("tool", "1.3.0", &metadata)]);
    let env = TestEnv::new()
        .var("CARGO_REGISTRY_DEFAULT", "own")
        .var("CARGO_REGISTRIES_OWN_TOKEN", "not-to-be-shown");
    env.write(
        "profiles/base.toml",
        "platforms = [\"x86_64-linux\"]\n[dep]\ntool = \"crate:tool@^1\"\n",
    );
    env.write(
        ".cargo/config.toml",
        format!("[registries.own]\nindex = \"sparse+{}\"\n", upstream.crates_url()),
    );
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(!text.contains("not-to-be-shown"), "{text}");
    let index =
        upstream.requests().into_iter().find(|r| r.path == FakeUpstream::crates_index("tool"));
    assert_eq!(index.expect("asked").header("authorization"), Some("not-to-be-shown"));
    let shown = env.ok(["config", "print"]).stdout;
    assert!(shown.contains("source.crate.url") && !shown.contains("not-to-be-shown"), "{shown}");
    let doctor = env.infra(["doctor"]).stdout;
    assert!(doctor.contains("crate: base URL"), "{doctor}");
}
