//! `aqua:` with the built binary: the registry's state in the lock, files by definition, and what
//! is told when something is wrong.

use infra::base::{Integrity, Platform};

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

/// A tool that is wrapped for Unix, flat for Windows, and listed in a checksum file.
const TOOL: &str = "  - type: github_release
    repo_owner: some
    repo_name: tool
    aliases:
      - name: former/tool
    search_words: [instrument]
    files:
      - name: tl
        src: \"{{.AssetWithoutExt}}/bin/tl\"
    version_constraint: \"false\"
    version_overrides:
      - version_constraint: semver(\"< 2\")
        asset: tool-{{.OS}}
        rosetta2: true
        format: raw
      - version_constraint: \"true\"
        asset: tool_{{trimV .Version}}_{{.OS}}_{{.Arch}}.{{.Format}}
        format: tar.gz
        replacements:
          darwin: macOS
          amd64: x86_64
        checksum:
          type: github_release
          asset: tool_{{trimV .Version}}_checksums.txt
          algorithm: sha256
        overrides:
          - goos: windows
            format: zip
            files:
              - name: tl
";

fn asset(platform: Platform, version: &str) -> String {
    let (system, ending) = match platform.os() {
        infra::base::Os::Linux => ("linux", "tar.gz"),
        infra::base::Os::Darwin => ("macOS", "tar.gz"),
        infra::base::Os::Windows => ("windows", "zip"),
    };
    let arch = if platform.arch() == infra::base::Arch::X86_64 { "x86_64" } else { "arm64" };
    format!("tool_{version}_{system}_{arch}.{ending}")
}

fn body(platform: Platform, version: &str) -> Vec<u8> {
    let program = executable(Machine::of(platform), &format!("tool {version}"));
    let name = asset(platform, version);
    match name.strip_suffix(".tar.gz") {
        Some(stem) => tar_gz(&Tree::new().executable(&format!("{stem}/bin/tl"), program)),
        None => zip(&Tree::new().executable("tl.exe", program)),
    }
}

fn release(version: &str, platforms: &[Platform]) -> GithubRelease {
    let mut release = GithubRelease::new(&format!("v{version}"));
    let mut sums = String::new();
    for platform in platforms {
        let (name, body) = (asset(*platform, version), body(*platform, version));
        sums.push_str(&format!("{}  {name}\n", Integrity::sha256_of(&body).hex()));
        release = release.asset(&name, body);
    }
    release.asset(&format!("tool_{version}_checksums.txt"), sums)
}

fn project(upstream: &FakeUpstream, dep: &str) -> TestEnv {
    let platforms: Vec<_> = PLATFORMS.iter().map(|p| format!("\"{p}\"")).collect();
    let env = TestEnv::new().var("GITHUB_API_URL", upstream.github_url());
    let platforms = platforms.join(", ");
    env.write("profiles/base.toml", format!("platforms = [{platforms}]\n[dep]\n{dep}\n"));
    env
}

fn lock(env: &TestEnv) -> serde_json::Value {
    serde_json::from_str(&env.read("dep.lock.json")).expect("a lock")
}

fn row(env: &TestEnv, platform: Platform) -> String {
    lock(env)["deps"]["tool"]["platforms"][platform.name()].to_string()
}

#[test]
fn locks_for_six_platforms_and_runs() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS), release("2.0.0", &PLATFORMS)], 10);
    let first = upstream.aqua('a', &[("some/tool", TOOL)]);
    let env = project(&upstream, "tool = \"aqua:some/tool@^2\"");
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(!text.contains("127.0.0.1"), "{text}");
    let dep = &lock(&env)["deps"]["tool"];
    assert_eq!(dep["version"], "2.1.0");
    let definition = format!("packages:\n{TOOL}");
    assert_eq!(dep["definition"]["revision"], first);
    assert_eq!(dep["definition"]["file"], "pkgs/some/tool/registry.yaml");
    assert_eq!(
        dep["definition"]["integrity"],
        Integrity::sha256_of(definition.as_bytes()).to_string()
    );
    for platform in PLATFORMS {
        let row = row(&env, platform);
        let file = format!("some/tool/releases/v2.1.0/{}", asset(platform, "2.1.0"));
        assert!(row.contains(&file), "{platform} {row}");
        assert!(row.contains("release-digest") && row.contains("checksum-file"), "{row}");
    }
    assert_eq!(upstream.count(&FakeUpstream::aqua_head()), 1, "the state is asked for once");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "locking again changes no byte");

    upstream.forget();
    let other = project(&upstream, "tool = \"aqua:some/tool@^2\"");
    other.write("dep.lock.json", &text);
    other.ok(["dep", "sync"]);
    let paths: Vec<_> = upstream.requests().into_iter().map(|r| r.path).collect();
    let name = asset(Platform::X86_64Linux, "2.1.0");
    assert_eq!(
        paths,
        [
            FakeUpstream::github_tag("some/tool", "v2.1.0"),
            FakeUpstream::github_asset("some/tool", "v2.1.0", &name)
        ],
        "syncing reads no definition"
    );
    let ran = other.ok(["env", "exec", "base", "--", "tl"]);
    assert_eq!(ran.stdout, "tool 2.1.0\n");
}

#[test]
fn an_entry_keeps_its_state_until_it_is_updated() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    let first = upstream.aqua('a', &[("some/tool", TOOL)]);
    let env = project(
        &upstream,
        "tool = { from = \"aqua:some/tool\", version = \"^2\", platforms = [\"x86_64-linux\"] }",
    );
    env.ok(["dep", "lock"]);
    // The definition is another one now, which would not find the file.
    let changed = TOOL.replace("asset: tool_", "asset: renamed_");
    let second = upstream.aqua('b', &[("some/tool", &changed)]);
    let profile = env
        .read("profiles/base.toml")
        .replace("[\"x86_64-linux\"]", "[\"x86_64-linux\", \"aarch64-linux\"]");
    env.write("profiles/base.toml", profile);
    env.ok(["dep", "lock"]);
    assert_eq!(lock(&env)["deps"]["tool"]["definition"]["revision"], first);
    assert!(row(&env, Platform::Aarch64Linux).contains("tool_2.1.0_linux_arm64"));

    let before = env.read("dep.lock.json");
    let outcome = env.infra(["dep", "update", "tool"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("release v2.1.0 has no file `renamed_2.1.0_"),
        "{}",
        outcome.stderr
    );
    assert_eq!(env.read("dep.lock.json"), before);
    let third = upstream.aqua('c', &[("some/tool", &format!("{TOOL}    description: new\n"))]);
    assert_ne!(third, second);
    env.ok(["dep", "update", "tool"]);
    assert_eq!(lock(&env)["deps"]["tool"]["definition"]["revision"], third);
}

#[test]
fn every_definition_of_a_run_is_of_one_state() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    upstream.github("some/other", &[release("2.1.0", &PLATFORMS)], 10);
    let other = TOOL.replace("repo_name: tool", "repo_name: other").replace("former/tool", "x/y");
    let state = upstream.aqua('a', &[("some/tool", TOOL), ("some/other", &other)]);
    let env = project(&upstream, "tool = \"aqua:some/tool@^2\"\nother = \"aqua:some/other@^2\"");
    env.ok(["dep", "lock"]);
    assert_eq!(upstream.count(&FakeUpstream::aqua_head()), 1);
    for dep in ["tool", "other"] {
        assert_eq!(lock(&env)["deps"][dep]["definition"]["revision"], state);
    }
}

#[test]
fn a_platform_without_a_file_says_why() {
    let upstream = FakeUpstream::start();
    let without: Vec<_> =
        PLATFORMS.into_iter().filter(|p| *p != Platform::Aarch64Windows).collect();
    let mut old = GithubRelease::new("v1.0.0");
    let program = executable(Machine::of(Platform::X86_64Linux), "tool 1.0.0");
    old = old.asset("tool-linux", program);
    let mac = executable(Machine::of(Platform::X86_64Darwin), "tool 1.0.0");
    old = old.asset("tool-darwin", mac);
    upstream.github("some/tool", &[release("2.1.0", &without), old], 10);
    upstream.aqua('a', &[("some/tool", TOOL)]);
    let env = project(&upstream, "tool = \"aqua:some/tool@^2\"");
    env.ok(["dep", "lock"]);
    let missing = row(&env, Platform::Aarch64Windows);
    assert!(
        missing.contains("release v2.1.0 has no file `tool_2.1.0_windows_arm64.zip`"),
        "{missing}"
    );

    // One file for both processors of macOS proves to be for one; emulation is none.
    let env = project(
        &upstream,
        "tool = { from = \"aqua:some/tool\", version = \"^1\", platforms = [\"x86_64-linux\", \
         \"x86_64-linux-musl\", \"x86_64-darwin\", \"aarch64-darwin\"] }",
    );
    env.ok(["dep", "lock"]);
    assert!(row(&env, Platform::X86_64Darwin).contains("tool-darwin"));
    let emulated = row(&env, Platform::Aarch64Darwin);
    assert!(emulated.contains("unavailable") && emulated.contains("x86_64"), "{emulated}");
}

#[test]
fn renamed_and_misspelt_packages() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    upstream.aqua('a', &[("some/tool", TOOL)]);
    let env = project(&upstream, "tool = \"aqua:former/tool@^2\"");
    env.ok(["dep", "lock"]);
    let dep = &lock(&env)["deps"]["tool"];
    assert_eq!(dep["definition"]["file"], "pkgs/some/tool/registry.yaml");
    let env = project(&upstream, "");
    env.ok(["dep", "add", "aqua:some/tool"]);
    let profile = env.read("profiles/base.toml");
    assert!(profile.contains("{ from = \"aqua:some/tool\", version = \"^2.1\" }"), "{profile}");
    let outcome = project(&upstream, "tool = \"aqua:any/instrument@^2\"").infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("did you mean `aqua:some/tool`?"), "{}", outcome.stderr);
    let outcome = project(&upstream, "tool = \"aqua:tool@^2\"").infra(["dep", "lock"]);
    assert!(outcome.stderr.contains("write `aqua:OWNER/NAME`"), "{}", outcome.stderr);
}

#[test]
fn faults_leave_no_lock() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    let said = |code: i32, dep: &str| {
        let env = project(&upstream, dep);
        let outcome = env.infra(["dep", "lock"]);
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(!env.project().join("dep.lock.json").exists());
        outcome.stderr
    };
    let tool = "tool = \"aqua:some/tool@^2\"";
    upstream.aqua('a', &[("some/tool", "  - type: github_release\n    asset: [x\n")]);
    let text = said(1, tool);
    assert!(text.contains("`pkgs/some/tool/registry.yaml`") && text.contains("line 4"), "{text}");
    upstream.aqua(
        'b',
        &[("some/tool", &TOOL.replace("trimV .Version}}_{{.OS", "trimV .Version}}_{{.Os"))],
    );
    let text = said(1, tool);
    assert!(text.contains("line 18: `asset`: `.Os` is not set"), "{text}");
    upstream
        .aqua('c', &[("some/tool", "  - type: cargo\n    name: some/tool\n    crate: tool-cli\n")]);
    let text = said(1, tool);
    assert!(text.contains("made by `cargo`") && text.contains("`crate:tool-cli`"), "{text}");
    upstream.aqua(
        'd',
        &[("some/tool", "  - type: go_install\n    path: a.invalid/b\n    name: some/tool\n")],
    );
    assert!(said(1, tool).contains("use `go:a.invalid/b`"));
    upstream.aqua('e', &[("some/tool", TOOL)]);
    upstream.fault_always(&FakeUpstream::aqua_head(), Fault::RateLimit(4_102_444_800));
    let text = said(1, tool);
    assert!(text.contains("too much was asked") && text.contains("GITHUB_TOKEN"), "{text}");
    upstream.heal();
    upstream.fault_always(&FakeUpstream::aqua_head(), Fault::Status(404));
    said(1, tool);
    upstream.heal();

    // The checksum file lists other bytes than the forge recorded.
    let sums: String = PLATFORMS
        .iter()
        .map(|p| format!("{}  {}\n", "ab".repeat(32), asset(*p, "2.1.0")))
        .collect();
    upstream
        .file(&FakeUpstream::github_asset("some/tool", "v2.1.0", "tool_2.1.0_checksums.txt"), sums);
    let text = said(1, tool);
    assert!(text.contains("it gives another one than the release"), "{text}");
}

#[test]
fn another_definition_under_a_locked_state_is_refused() {
    let upstream = FakeUpstream::start();
    upstream.file("/files/2.1.0/tool", executable(Machine::of(Platform::X86_64Linux), "tool"));
    let http = format!(
        "  - name: some/tool\n    type: http\n    url: {}\n    format: raw\n",
        upstream.url("/files/{{.Version}}/tool")
    );
    upstream.aqua('a', &[("some/tool", &http)]);
    let dep = "tool = { from = \"aqua:some/tool\", version = \"=2.1.0\", platforms = [\"x86_64-linux\"] }";
    let env = project(&upstream, dep);
    env.ok(["dep", "lock"]);
    assert!(row(&env, Platform::X86_64Linux).contains("url/2.1.0/tool"));
    let other = project(&upstream, dep);
    other.write("dep.lock.json", env.read("dep.lock.json"));
    other.ok(["dep", "sync"]);
    upstream.aqua('a', &[("some/tool", &http.replace("/files/", "/evil/"))]);
    let third = project(&upstream, dep);
    third.write("dep.lock.json", env.read("dep.lock.json"));
    let outcome = third.infra(["dep", "sync"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("sha256 mismatch for `pkgs/some/tool/registry.yaml`"),
        "{}",
        outcome.stderr
    );
    assert!(!upstream.requests().iter().any(|r| r.path.starts_with("/evil/")));
}

#[test]
fn a_mirror_of_the_registry() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    upstream.file("/mirror/HEAD", "2026-11\n");
    upstream.file("/mirror/2026-11/pkgs/some/tool/registry.yaml", format!("packages:\n{TOOL}"));
    let env = project(
        &upstream,
        &format!(
            "tool = \"aqua:some/tool@^2\"\n[source.aqua]\nurl = \"{}\"",
            upstream.url("/mirror")
        ),
    );
    env.ok(["dep", "lock"]);
    assert_eq!(lock(&env)["deps"]["tool"]["definition"]["revision"], "2026-11");
    assert_eq!(upstream.count(&FakeUpstream::aqua_head()), 0);
    let shown = env.ok(["config", "print"]).stdout;
    assert!(shown.contains("source.aqua.url"), "{shown}");
}

#[test]
fn files_and_archives_of_repositories() {
    let upstream = FakeUpstream::start();
    let web = upstream.github_web();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    let script = "#!/bin/sh\necho content\n";
    upstream.file("/github/api/repos/some/tool/contents/bin/tool.sh?ref=v2.1.0", script);
    let tree = Tree::new()
        .executable("tool-2.1.0/run", executable(Machine::of(Platform::X86_64Linux), "archive"));
    upstream.file("/github/web/some/tool/archive/refs/tags/v2.1.0.tar.gz", tar_gz(&tree));
    let head = "    repo_owner: some\n    repo_name: tool\n";
    upstream.aqua(
        'a',
        &[
            ("some/content", &format!("  - name: some/content\n    type: github_content\n{head}    path: bin/tool.sh\n    format: raw\n    files: [{{name: content}}]\n")),
            ("some/archive", &format!("  - name: some/archive\n    type: github_archive\n{head}    files: [{{name: run, src: \"tool-{{{{trimV .Version}}}}/run\"}}]\n")),
        ],
    );
    let at = "version = \"^2\", platforms = [\"x86_64-linux\"] }";
    let env = project(
        &upstream,
        &format!("content = {{ from = \"aqua:some/content\", {at}\narchive = {{ from = \"aqua:some/archive\", {at}"),
    )
    .var("GITHUB_SERVER_URL", web);
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(text.contains("some/tool/contents/v2.1.0/bin/tool.sh"), "{text}");
    assert!(
        text.contains("some/tool/archive/v2.1.0.tar.gz") && text.contains("first-use"),
        "{text}"
    );
    assert_eq!(env.ok(["env", "exec", "base", "--", "run"]).stdout, "archive\n");
    assert_eq!(env.ok(["env", "exec", "base", "--", "content"]).stdout, "content\n");
}

#[test]
fn an_aqua_yaml_moves_in_with_its_checksums() {
    let upstream = FakeUpstream::start();
    upstream.github("some/tool", &[release("2.1.0", &PLATFORMS)], 10);
    upstream.aqua('a', &[("some/tool", TOOL)]);
    let moved = |hex: &str| {
        let env = project(&upstream, "");
        env.write("aqua.yaml", "registries:\n  - type: standard\n    ref: v4.0.0\npackages:\n  - name: some/tool@v2.1.0\n");
        let name = asset(Platform::X86_64Linux, "2.1.0");
        let id = format!("github_release/forge.invalid/some/tool/v2.1.0/{name}");
        let sums =
            serde_json::json!({"checksums": [{"id": id, "checksum": hex, "algorithm": "sha256"}]});
        env.write("aqua-checksums.json", sums.to_string());
        let outcome = env.infra(["import", "aqua.yaml", "--write"]);
        (env, outcome)
    };
    let hash = Integrity::sha256_of(&body(Platform::X86_64Linux, "2.1.0"));
    let (env, outcome) = moved(&hash.hex().to_uppercase());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(lock(&env)["deps"]["tool"]["source"], "aqua:some/tool");
    let (env, outcome) = moved(&"ab".repeat(32));
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(!env.project().join("dep.lock.json").exists());
}
