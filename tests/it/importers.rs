//! Every importer on files as public projects have them, written by hand: what maps is locked
//! against a fake upstream with its hashes held, what does not is listed, and where there is an
//! exporter the way back gives the same deps.

use infra::base::{Integrity, Platform};
use serde_json::Value;

use crate::support::TestEnv;
use crate::upstream::{
    FakeUpstream, GithubRelease, Machine, NpmPackage, Tree, executable, tar_gz, tgz, wheel, zip,
};

const PLATFORMS: [Platform; 2] = [Platform::X86_64Linux, Platform::Aarch64Darwin];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn project(upstream: &FakeUpstream) -> TestEnv {
    let env = TestEnv::new()
        .var("PIP_INDEX_URL", upstream.pypi_url())
        .var("npm_config_registry", upstream.npm_url())
        .var("GITHUB_API_URL", upstream.github_url());
    env.write("profiles/base.toml", "platforms = [\"x86_64-linux\", \"aarch64-darwin\"]\n");
    env
}

fn program(platform: Platform, name: &str) -> Vec<u8> {
    executable(Machine::of(platform), name)
}

/// `uv` as wheels.
fn publish_uv(upstream: &FakeUpstream, version: &str) {
    for (platform, tags) in [
        (Platform::X86_64Linux, "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        (Platform::Aarch64Darwin, "py3-none-macosx_11_0_arm64"),
    ] {
        let (name, bytes) = wheel("uv", version, tags, &[("uv", &program(platform, "uv"))]);
        upstream.pypi("uv", &name, bytes);
    }
}

/// `@biomejs/biome`, with a package for each platform.
fn publish_biome(upstream: &FakeUpstream, version: &str) {
    let members = [
        ("@biomejs/cli-linux-x64", "linux", "x64", Platform::X86_64Linux),
        ("@biomejs/cli-darwin-arm64", "darwin", "arm64", Platform::Aarch64Darwin),
    ];
    for (name, os, cpu, platform) in members {
        let manifest = format!(r#"{{"name":"{name}","version":"{version}"}}"#);
        let tree = Tree::new()
            .file("package.json", manifest)
            .executable("biome", program(platform, "biome"));
        let libc = if os == "linux" { "glibc" } else { "" };
        upstream.npm(NpmPackage::new(name, version, tgz(name, version, &tree)).on(os, cpu, libc));
    }
    let manifest = format!(r#"{{"name":"@biomejs/biome","version":"{version}"}}"#);
    let tree =
        Tree::new().file("package.json", manifest).file("bin/biome", "#!/usr/bin/env node\n");
    let optional: Vec<_> = members.iter().map(|(name, ..)| (*name, version)).collect();
    let parent = NpmPackage::new("@biomejs/biome", version, tgz("@biomejs/biome", version, &tree));
    upstream.npm(parent.optional(&optional));
}

/// A release with an archive for each platform, named as its makers do.
fn publish_release(upstream: &FakeUpstream, repository: &str, tag: &str, names: [&str; 2]) {
    let command = repository.rsplit('/').next().expect("name");
    let mut release = GithubRelease::new(tag);
    for (platform, name) in PLATFORMS.into_iter().zip(names) {
        let tree = Tree::new().executable(command, program(platform, command));
        let bytes = if name.ends_with(".zip") { zip(&tree) } else { tar_gz(&tree) };
        release = release.asset(name, bytes);
    }
    upstream.github(repository, &[release], 10);
}

/// Archives at plain addresses: platform, address, SHA-256.
fn publish_files(upstream: &FakeUpstream, paths: [&str; 2]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (platform, path) in PLATFORMS.into_iter().zip(paths) {
        let bytes = tar_gz(&Tree::new().executable("rg", program(platform, "rg")));
        out.push((upstream.url(path), Integrity::sha256_of(&bytes).hex()));
        upstream.file(path, bytes);
    }
    out
}

/// Imports, writes and locks; gives the report.
fn import(env: &TestEnv, files: &[&str]) -> Value {
    let args = ["import", "--write", "--json"].iter().copied().chain(files.iter().copied());
    let report = json(&env.ok(args).stdout);
    env.ok(["dep", "lock", "--check"]);
    let before = env.read("dep.lock.json");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), before);
    report
}

fn names<'a>(report: &'a Value, list: &str, key: &str) -> Vec<&'a str> {
    let list = report[list].as_array().expect("list");
    list.iter().map(|one| one[key].as_str().expect(key)).collect()
}

/// The rows of a dep, all pinned, all with this proof.
fn assert_held(env: &TestEnv, dep: &str, proof: &str) {
    let lock = json(&env.read("dep.lock.json"));
    let rows = lock["deps"][dep]["platforms"].as_object().expect("rows").clone();
    assert_eq!(rows.len(), 2, "{dep}");
    for (platform, row) in rows {
        let proofs = row["verified"].as_array().expect("proofs");
        assert!(proofs.iter().any(|p| p == proof), "{dep} {platform}: {proofs:?}");
    }
}

#[test]
fn mise() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    publish_uv(&upstream, "0.4.30");
    publish_biome(&upstream, "2.0.6");
    publish_release(
        &upstream,
        "BurntSushi/xsv",
        "0.13.0",
        ["xsv-0.13.0-x86_64-unknown-linux-musl.tar.gz", "xsv-0.13.0-aarch64-apple-darwin.tar.gz"],
    );
    env.write(
        "mise.toml",
        "min_version = \"2024.11.1\"\n\n[settings]\nexperimental = true\n\n[env]\n_.path = \
         [\"bin\"]\nNODE_ENV = \"production\"\n\n[tools]\nuv = \"0.4.30\"\n\"npm:@biomejs/biome\" = \
         { version = \"2.0.6\", os = [\"linux\", \"macos\"] }\n\"ubi:BurntSushi/xsv\" = \
         \"0.13.0\"\nterraform = [\"1.9\", \"1.8\"]\n\"vfox:version-fox/vfox-nodejs\" = \"20\"\nerlang \
         = \"ref:master\"\n\n[tasks.build]\nrun = \"make\"\n",
    );
    let report = import(&env, &["mise.toml"]);
    assert_eq!(names(&report, "mapped", "name"), ["uv", "biome", "xsv"]);
    assert_eq!(
        names(&report, "left", "said"),
        ["terraform 1.9", "terraform 1.8", "vfox:version-fox/vfox-nodejs 20", "erlang ref:master"]
    );
    assert_held(&env, "uv", "registry-hash");
    let env_file = env.ok(["export", "github-env"]).stdout;
    assert_eq!(env_file, "BIOME_VERSION=2.0.6\nUV_VERSION=0.4.30\nXSV_VERSION=0.13.0\n");

    // Its lock has addresses and hashes for each platform.
    let files = publish_files(
        &upstream,
        [
            "/14.1.1/ripgrep-14.1.1-x86_64-linux.tar.gz",
            "/14.1.1/ripgrep-14.1.1-aarch64-macos.tar.gz",
        ],
    );
    let entry = |key: &str, (url, hex): &(String, String)| {
        format!(
            "[tools.ripgrep.\"platforms.{key}\"]\nchecksum = \"sha256:{hex}\"\nurl = \"{url}\"\n"
        )
    };
    let text = format!(
        "[[tools.ripgrep]]\nversion = \"14.1.1\"\nbackend = \"aqua:BurntSushi/ripgrep\"\n\n{}\n{}\n\
         [tools.ripgrep.\"platforms.linux-riscv64\"]\nurl = \"{}\"\n\n[[tools.uv]]\nversion = \
         \"0.4.30\"\nbackend = \"pypi:uv\"\n",
        entry("linux-x64", &files[0]),
        entry("macos-arm64", &files[1]),
        upstream.url("/14.1.1/none")
    );
    let env = project(&upstream);
    env.write("mise.lock", text);
    let report = import(&env, &["mise.lock"]);
    assert_eq!(names(&report, "mapped", "name"), ["ripgrep", "uv"]);
    assert_eq!(names(&report, "left", "said"), ["ripgrep 14.1.1 (linux-riscv64)"]);
    assert_eq!((&report["compared"], &report["not_compared"]), (&2.into(), &Value::Array(vec![])));
    assert_held(&env, "ripgrep", "profile-hash");
    holds_later(&upstream, &env, "/14.1.1/ripgrep-14.1.1-x86_64-linux.tar.gz");
}

/// A file that changed is refused when it is locked anew, however long after the import.
fn holds_later(upstream: &FakeUpstream, env: &TestEnv, path: &str) {
    let other = tar_gz(&Tree::new().executable("rg", program(Platform::X86_64Linux, "other")));
    upstream.file(path, other);
    std::fs::remove_file(env.project().join("dep.lock.json")).expect("remove");
    std::fs::remove_dir_all(env.store().join("artifacts")).expect("remove");
    let refused = env.infra(["dep", "lock"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("from `hashes` in the profile"), "{}", refused.stderr);
    assert!(!env.project().join("dep.lock.json").exists());
}

#[test]
fn tool_versions() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    publish_uv(&upstream, "0.4.30");
    publish_release(
        &upstream,
        "cli/cli",
        "v2.67.0",
        ["gh_2.67.0_linux_amd64.tar.gz", "gh_2.67.0_macOS_arm64.zip"],
    );
    env.write(
        ".tool-versions",
        "# runtimes\nruby 3.3.5\nuv      0.4.30 0.4.0   # two\n\ngithub-cli 2.67.0\nnodejs system\n\
         python path:/opt/python\n",
    );
    let report = import(&env, &[".tool-versions"]);
    assert_eq!(names(&report, "mapped", "from"), ["pypi:uv", "github:cli/cli"]);
    assert_eq!(
        names(&report, "left", "said"),
        ["ruby 3.3.5", "uv 0.4.0", "nodejs system", "python path:/opt/python"]
    );
}

#[test]
fn devbox() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    publish_uv(&upstream, "0.4.30");
    publish_biome(&upstream, "2.0.6");
    env.write(
        "devbox.json",
        r#"{
          "$schema": "schema.json",
          // what everybody needs
          "packages": {
            "uv": "0.4.30",
            "biome": { "version": "2.0.6", "platforms": ["x86_64-linux"] },
            "hello": "latest",
            "github:NixOS/nixpkgs/nixos-unstable#cowsay": ""
          },
          "shell": { "init_hook": ["echo hi"], "scripts": { "test": "true" } },
        }"#,
    );
    let report = import(&env, &["devbox.json"]);
    assert_eq!(names(&report, "mapped", "name"), ["biome", "uv"]);
    assert_eq!(report["left"].as_array().map(Vec::len), Some(2), "{report}");
}

/// The pinned registry decides what an aqua package is, so the profile is looked at, not a lock.
#[test]
fn aqua() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    let hex = "AB".repeat(32);
    env.write(
        "aqua.yaml",
        "---\nchecksum:\n  enabled: true\nregistries:\n  - type: standard\n    ref: v4.311.0 # \
         renovate\npackages:\n  - name: cli/cli@v2.67.0\n  - name: oven-sh/bun@bun-v1.2.19\n  - name: \
         kubernetes-sigs/kustomize\n    version: kustomize/v5.6.0\n  - import: imports/*.yaml\n  - \
         name: suzuki-shunsuke/tfcmt@main\n",
    );
    env.write(
        "aqua-checksums.json",
        format!(
            r#"{{"checksums":[
            {{"id":"github_release/host.invalid/cli/cli/v2.67.0/gh_2.67.0_linux_amd64.tar.gz","checksum":"{hex}","algorithm":"sha256"}},
            {{"id":"github_release/host.invalid/cli/cli/v2.67.0/gh_2.67.0_macOS_arm64.zip","checksum":"{hex}","algorithm":"sha256"}},
            {{"id":"registries/host.invalid/x/registry.yaml","checksum":"{hex}","algorithm":"sha512"}}]}}"#
        ),
    );
    let report = json(&env.ok(["import", "--write", "--no-lock", "--json", "aqua.yaml"]).stdout);
    let left = names(&report, "left", "said");
    assert_eq!(left, ["import imports/*.yaml", "suzuki-shunsuke/tfcmt main"]);
    assert_eq!(names(&report, "mapped", "name"), ["cli", "bun", "kustomize"]);
    assert_eq!(report["mapped"][0]["hashes"], 2);
    let hash = Integrity::from_hex(infra::base::Algorithm::Sha256, &hex.to_lowercase());
    let wanted = format!(
        "hashes = {{ \"2.67.0\" = {{ \"gh_2.67.0_linux_amd64.tar.gz\" = \"{}\"",
        hash.expect("a hash")
    );
    let profile = env.read("profiles/base.toml");
    assert!(profile.contains(&wanted), "{wanted}\nin\n{profile}");
    // What is written is a profile.
    let doctor = env.infra(["doctor"]).stdout;
    assert!(doctor.contains("ok     profiles: base"), "{doctor}");
}

#[test]
fn dotslash_and_multitool_there_and_back() {
    let upstream = FakeUpstream::start();
    let paths = ["/v14.1.1/rg-x86_64-linux.tar.gz", "/v14.1.1/rg-aarch64-macos.tar.gz"];
    let files = publish_files(&upstream, paths);
    let rows: Vec<String> = files
        .iter()
        .zip(["linux-x86_64", "macos-aarch64"])
        .map(|((url, hex), key)| {
            format!(
                "    \"{key}\": {{ \"size\": 400, \"hash\": \"sha256\", \"digest\": \"{hex}\", \
                 \"format\": \"tar.gz\", \"path\": \"rg\", \"providers\": [ {{ \"url\": \"{url}\" }}, \
                 {{ \"type\": \"github-release\", \"repo\": \"x/y\", \"tag\": \"1\", \"name\": \"z\" \
                 }} ] }},"
            )
        })
        .collect();
    let dotslash = format!(
        "#!/usr/bin/env dotslash\n\n// generated\n{{\n  \"name\": \"rg\",\n  \"platforms\": {{\n{}\n    \
         \"windows-x86_64\": {{ \"size\": 1, \"hash\": \"sha256\", \"digest\": \"{}\", \"providers\": \
         [ {{ \"type\": \"s3\", \"bucket\": \"b\", \"key\": \"k\" }} ] }},\n  }},\n}}\n",
        rows.join("\n"),
        "0".repeat(64)
    );
    let env = project(&upstream);
    env.write("rg", dotslash);
    let report = import(&env, &["rg"]);
    assert_eq!(names(&report, "left", "said"), ["rg (windows-x86_64)"]);
    assert_eq!(report["compared"], 2);
    assert_held(&env, "rg", "profile-hash");

    // There and back, through both formats that list addresses.
    env.ok(["export", "dotslash", "--out", "out"]);
    let multitool = env.ok(["export", "multitool"]).stdout;
    let rows = |env: &TestEnv| json(&env.read("dep.lock.json"))["deps"]["rg"]["platforms"].clone();
    for (name, text) in [("rg", env.read("out/rg")), ("multitool.lock.json", multitool)] {
        let back = project(&upstream);
        back.write(name, &text);
        let report = import(&back, &[name]);
        assert_eq!(
            (report["compared"].clone(), names(&report, "left", "said")),
            (2.into(), vec![])
        );
        assert_eq!(rows(&back), rows(&env), "{name}: {text}");
    }
    holds_later(&upstream, &env, paths[0]);
}

#[test]
fn multitool() {
    let upstream = FakeUpstream::start();
    let paths = ["/r/0.41.0/linux_x86_64.tar.gz", "/r/0.41.0/macos_arm64.tar.gz"];
    let files = publish_files(&upstream, paths);
    let binary = |n: usize, os: &str, cpu: &str| {
        let (url, hex) = &files[n];
        format!(
            r#"{{"kind":"archive","url":"{url}","file":"rg","sha256":"{hex}","os":"{os}","cpu":"{cpu}","headers":{{}}}}"#
        )
    };
    let env = project(&upstream);
    env.write(
        "multitool.lock.json",
        format!(
            r#"{{"$schema":"lockfile.schema.json","rg":{{"binaries":[{},{},
            {{"kind":"file","url":"{}","sha256":"{}","os":"freebsd","cpu":"x86_64"}},
            {{"kind":"pkg","url":"{}","sha256":"{}","os":"macos","cpu":"x86_64"}}]}}}}"#,
            binary(0, "linux", "x86_64"),
            binary(1, "macos", "arm64"),
            upstream.url("/r/0.41.0/freebsd"),
            "1".repeat(64),
            upstream.url("/r/0.41.0/x.pkg"),
            "2".repeat(64)
        ),
    );
    let report = import(&env, &["multitool.lock.json"]);
    assert_eq!(names(&report, "left", "said"), ["rg (freebsd x86_64)", "rg (macos x86_64)"]);
    assert_eq!(report["compared"], 2);
    assert_held(&env, "rg", "profile-hash");
}

/// Name, source, repository, version and package of every entry.
const ENTRIES: [(&str, &str, &str, &str, &str); 27] = [
    ("flyctl", "github-release", "superfly/flyctl", "v0.3.162", ""),
    ("ko", "github-release", "ko-build/ko", "v0.18.0", ""),
    ("caddy", "github-release", "caddyserver/caddy", "v2.10.0", ""),
    ("task", "github-release", "go-task/task", "v3.44.1", ""),
    ("tofu", "github-release", "opentofu/opentofu", "v1.7.2", ""),
    ("bento", "github-release", "warpstreamlabs/bento", "v1.10.2", ""),
    ("garble", "go-build", "burrowers/garble", "v0.14.2", "."),
    ("bun", "github-release", "oven-sh/bun", "bun-v1.2.19", ""),
    ("claude", "claude-release", "anthropics/claude-code", "latest", ""),
    ("nats", "github-release", "nats-io/natscli", "v0.2.4", ""),
    ("nsc", "github-release", "nats-io/nsc", "v2.11.1", ""),
    ("nats-server", "github-release", "nats-io/nats-server", "v2.11.9", ""),
    ("nats-top", "github-release", "nats-io/nats-top", "v0.6.1", ""),
    ("litestream", "github-release", "benbjohnson/litestream", "v0.3.13", ""),
    ("toki", "github-release", "romshark/toki", "v0.8.3", ""),
    ("goose", "github-release", "block/goose", "v1.3.1", ""),
    ("gs", "github-release", "abhinav/git-spice", "v0.16.1", ""),
    ("crush", "github-release", "charmbracelet/crush", "v0.6.3", ""),
    ("gh", "github-release", "cli/cli", "v2.67.0", ""),
    ("tinygo", "github-release", "tinygo-org/tinygo", "v0.39.0", ""),
    ("xtemplate", "github-release", "infogulch/xtemplate", "v0.8.4", ""),
    ("goctl", "go-build", "zeromicro/go-zero", "v1.9.0", "tools/goctl"),
    ("nats-s3", "go-build", "wpnpeiris/nats-s3", "main", "cmd/nats-s3"),
    ("mox", "go-build", "mjl-/mox", "v0.0.15", "."),
    ("pocketbase", "github-release", "pocketbase/pocketbase", "v0.30.0", ""),
    ("utm", "macos-app", "utmapp/UTM", "v4.7.4", ""),
    ("hugo", "github-release", "gohugoio/hugo", "v0.150.0", ""),
];

fn dep_json(keep: impl Fn(&str) -> bool) -> String {
    let entries: Vec<_> = ENTRIES
        .iter()
        .filter(|(name, ..)| keep(name))
        .map(|(name, source, repo, version, package)| {
            let mut entry = serde_json::json!({
                "name": name, "description": "x", "source": source, "repo": repo,
                "version": version,
                "assets": [{"os": "linux", "arch": "amd64", "match": "x.*linux_amd64"}],
            });
            if !package.is_empty() {
                entry["package"] = (*package).into();
            }
            entry
        })
        .collect();
    Value::Array(entries).to_string()
}

#[test]
fn dep_json_of_27_entries() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    env.write("dep.json", dep_json(|_| true));
    let report = json(&env.ok(["import", "--json", "dep.json"]).stdout);
    let (mapped, left) = (names(&report, "mapped", "name"), names(&report, "left", "said"));
    assert_eq!(mapped.len() + left.len(), 27, "{report}");
    for said in ["claude latest (claude-release)", "utm v4.7.4 (macos-app)"] {
        assert!(left.contains(&said), "{left:?}");
    }
    let releases = ENTRIES.iter().filter(|(_, source, ..)| *source == "github-release");
    for (name, ..) in releases {
        assert!(mapped.contains(name), "{name} in {mapped:?}");
    }
    let bun = report["mapped"].as_array().expect("list").iter().find(|m| m["name"] == "bun");
    let line = bun.expect("bun")["line"].as_str().expect("line");
    assert!(line.contains("version = \"=1.2.19\", tag = \"bun-v${version}\""), "{line}");

    publish_release(
        &upstream,
        "oven-sh/bun",
        "bun-v1.2.19",
        ["bun-linux-x64.zip", "bun-darwin-aarch64.zip"],
    );
    publish_release(
        &upstream,
        "nats-io/nats-server",
        "v2.11.9",
        ["nats-server-v2.11.9-linux-amd64.tar.gz", "nats-server-v2.11.9-darwin-arm64.zip"],
    );
    env.write("dep.json", dep_json(|name| ["bun", "nats-server", "utm"].contains(&name)));
    let report = import(&env, &["dep.json"]);
    assert_eq!(names(&report, "mapped", "name"), ["bun", "nats-server"]);
    assert_held(&env, "bun", "release-digest");
    let args = env.ok(["export", "dockerfile-args", "nats-server"]).stdout;
    assert!(args.starts_with("ARG NATS_SERVER_VERSION=2.11.9\n"), "{args}");
}
