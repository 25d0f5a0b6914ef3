//! `github:` with the built binary: locked for six platforms, synced, run, and what is told when it
//! fails.

use infra::base::Platform;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Fault, GithubRelease, Machine, Tree, executable, tar_gz, zip};

const PLATFORMS: [Platform; 6] = [
    Platform::Aarch64Darwin,
    Platform::Aarch64Linux,
    Platform::Aarch64Windows,
    Platform::X86_64Darwin,
    Platform::X86_64Linux,
    Platform::X86_64Windows,
];

/// `cli/v2.3.0` as a publisher would upload it: wrapped tarballs with `bin/`, flat zips for
/// Windows, a checksum list, a system package that is none of ours.
fn release(tag: &str, version: &str) -> GithubRelease {
    let mut release = GithubRelease::new(tag);
    let mut sums = String::new();
    for platform in PLATFORMS {
        let (system, processor) = match platform {
            Platform::Aarch64Darwin => ("macOS", "arm64"),
            Platform::X86_64Darwin => ("macOS", "amd64"),
            Platform::Aarch64Linux => ("linux", "arm64"),
            Platform::X86_64Linux => ("linux", "amd64"),
            Platform::Aarch64Windows => ("windows", "arm64"),
            _ => ("windows", "amd64"),
        };
        let stem = format!("tool_{version}_{system}_{processor}");
        let program = executable(Machine::of(platform), &format!("tool {version}"));
        let (name, body) = if system == "windows" {
            (format!("{stem}.zip"), zip(&Tree::new().executable("bin/tool.exe", program)))
        } else {
            let tree = Tree::new()
                .executable(&format!("{stem}/bin/tool"), program)
                .file(&format!("{stem}/LICENSE"), "free");
            (format!("{stem}.tar.gz"), tar_gz(&tree))
        };
        sums.push_str(&format!("{}  {name}\n", infra::base::Integrity::sha256_of(&body).hex()));
        release = release.asset(&name, body);
    }
    release
        .asset(&format!("tool_{version}_checksums.txt"), sums)
        .asset(&format!("tool_{version}_linux_amd64.deb"), "!<arch>")
}

fn project(upstream: &FakeUpstream) -> TestEnv {
    let platforms: Vec<_> = PLATFORMS.iter().map(|p| format!("\"{p}\"")).collect();
    let env = TestEnv::new().var("GITHUB_API_URL", upstream.github_url());
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [{}]\n[dep]\ntool = {{ from = \"github:some/tool\", version = \"^2\", \
             tag = \"cli/v${{version}}\" }}\n",
            platforms.join(", ")
        ),
    );
    env
}

fn lock(env: &TestEnv) -> serde_json::Value {
    serde_json::from_str(&env.read("dep.lock.json")).expect("a lock")
}

#[test]
fn locks_for_six_platforms_and_runs() {
    let upstream = FakeUpstream::start();
    let releases = [
        release("cli/v2.4.0", "2.4.0").draft(),
        release("cli/v2.3.0", "2.3.0"),
        release("lib/v9.0.0", "9.0.0"),
        release("cli/v2.2.0", "2.2.0"),
    ];
    upstream.github("some/tool", &releases, 2);
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(!text.contains("127.0.0.1"), "{text}");
    let locked = lock(&env);
    let dep = &locked["deps"]["tool"];
    assert_eq!(dep["version"], "2.3.0");
    for platform in PLATFORMS {
        let row = &dep["platforms"][platform.name()];
        let row = serde_json::to_string(row).expect("json");
        let suffix = if platform.name().ends_with("windows") { "zip" } else { "tar.gz" };
        assert!(row.contains("cli/v2.3.0/tool_2.3.0_") && row.contains(suffix), "{platform} {row}");
        assert!(row.contains("release-digest") && row.contains("checksum-file"), "{row}");
        assert!(row.contains("bin/tool"), "{row}");
    }

    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "locking again changes no byte");

    upstream.forget();
    let other = project(&upstream);
    other.write("dep.lock.json", &text);
    other.ok(["dep", "sync"]);
    let asset =
        FakeUpstream::github_asset("some/tool", "cli/v2.3.0", "tool_2.3.0_linux_amd64.tar.gz");
    let paths: Vec<_> = upstream.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(paths, [FakeUpstream::github_tag("some/tool", "cli/v2.3.0"), asset]);

    let ran = other.ok(["env", "exec", "base", "--", "tool"]);
    assert_eq!(ran.stdout, "tool 2.3.0\n");
}

#[test]
fn adds_what_a_tag_tells_apart() {
    let upstream = FakeUpstream::start();
    upstream.github(
        "some/tool",
        &[release("cli/v2.3.0", "2.3.0"), release("lib/v9.0.0", "9.0.0")],
        10,
    );
    let env = TestEnv::new().var("GITHUB_API_URL", upstream.github_url());
    env.write("profiles/base.toml", "platforms = [\"x86_64-linux\"]\n");
    let unclear = env.infra(["dep", "add", "github:some/tool"]);
    assert_eq!(unclear.code, Some(1), "{}", unclear.stderr);
    assert!(unclear.stderr.contains("tag = \"cli/v${version}\""), "{}", unclear.stderr);
    env.ok([
        "dep",
        "add",
        "github:some/tool",
        "--tag",
        "cli/v${version}",
        "--asset",
        "tool_*_${os}_*",
    ]);
    let profile = env.read("profiles/base.toml");
    assert!(
        profile.contains(
            "tool = { from = \"github:some/tool\", version = \"^2.3\", \
             asset = \"tool_*_${os}_*\", tag = \"cli/v${version}\" }"
        ),
        "{profile}"
    );
    assert_eq!(lock(&env)["deps"]["tool"]["version"], "2.3.0");
}

#[test]
fn a_release_that_was_changed_is_refused() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("cli/v2.3.0", "2.3.0")], 10);
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    let asset =
        FakeUpstream::github_asset("some/tool", "cli/v2.3.0", "tool_2.3.0_linux_amd64.tar.gz");
    upstream.fault_always(&asset, Fault::Tamper(40));
    let other = project(&upstream);
    other.write("dep.lock.json", &text);
    let outcome = other.infra(["dep", "sync"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert_eq!(other.read("dep.lock.json"), text);
}

#[test]
fn failures_name_the_next_step() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("cli/v2.3.0", "2.3.0")], 10);
    let list = FakeUpstream::github_list("some/tool");
    let said = |env: &TestEnv| {
        let text = env.snapshot(&env.infra(["dep", "lock"]));
        assert!(!env.project().join("dep.lock.json").exists());
        text.replace(&upstream.github_url(), "[API]")
    };
    upstream.fault_always(&list, Fault::RateLimit(4_102_444_800));
    insta::assert_snapshot!("github_rate_limit", said(&project(&upstream)));
    let with_token = project(&upstream).var("GITHUB_TOKEN", "not-to-be-shown");
    let text = said(&with_token);
    assert!(!text.contains("not-to-be-shown"), "{text}");
    insta::assert_snapshot!("github_rate_limit_token", text);
    upstream.heal();
    upstream.remove(&list);
    insta::assert_snapshot!("github_no_repository", said(&project(&upstream)));
    let nowhere = project(&upstream).var("GITHUB_API_URL", "");
    insta::assert_snapshot!("github_no_base", said(&nowhere));
}
