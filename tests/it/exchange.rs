//! Moving in and out: `infra import` and `infra export`.

use infra::base::{Integrity, Platform};
use serde_json::Value;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Machine, Tree, executable, tar_gz, wheel};

fn project(upstream: &FakeUpstream) -> TestEnv {
    let env = TestEnv::new().var("PIP_INDEX_URL", upstream.pypi_url());
    env.write("profiles/base.toml", "# ours\nplatforms = [\"x86_64-linux\", \"aarch64-darwin\"]\n");
    env
}

/// Publishes a tool's archives and gives each one's address and SHA-256.
fn publish(upstream: &FakeUpstream) -> Vec<(Platform, String, String)> {
    let places = [
        (Platform::X86_64Linux, "/v1.2.3/tool-linux-amd64.tar.gz"),
        (Platform::Aarch64Darwin, "/v1.2.3/tool-macos-arm64.tar.gz"),
    ];
    let one = |(platform, path): (Platform, &str)| {
        let body = executable(Machine::of(platform), "tool");
        let bytes = tar_gz(&Tree::new().executable("bin/tool", body));
        let hex = Integrity::sha256_of(&bytes).hex();
        upstream.file(path, bytes);
        (platform, upstream.url(path), hex)
    };
    places.into_iter().map(one).collect()
}

fn dotslash(files: &[(Platform, String, String)]) -> String {
    let rows: Vec<String> = files
        .iter()
        .map(|(platform, url, hex)| {
            let key = match platform {
                Platform::X86_64Linux => "linux-x86_64",
                _ => "macos-aarch64",
            };
            format!(
                "\"{key}\": {{\"size\": 1, \"hash\": \"sha256\", \"digest\": \"{hex}\", \
                 \"format\": \"tar.gz\", \"path\": \"bin/tool\", \"providers\": [{{\"url\": \"{url}\"}}]}}, // x"
            )
        })
        .collect();
    format!(
        "#!/usr/bin/env dotslash\n\n{{\n\"name\": \"tool\",\n\"platforms\": {{\n{}\n}},\n}}\n",
        rows.join("\n")
    )
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_dotslash_file_becomes_a_dep_with_its_hashes_and_back() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    let files = publish(&upstream);
    env.write("bin/tool", dotslash(&files));
    let before = env.read("profiles/base.toml");
    let shown = env.ok(["import", "bin/tool"]);
    assert!(shown.stderr.contains("nothing was written"), "{}", shown.stderr);
    assert_eq!(env.read("profiles/base.toml"), before);
    let out = env.ok(["import", "--write", "bin/tool"]);
    assert!(out.stderr.contains("2 hashes are those that were locked"), "{}", out.stderr);
    let profile = env.read("profiles/base.toml");
    assert!(profile.starts_with(&before), "{profile}");
    assert!(profile.contains("v${version}/tool-${os}-${arch}"), "{profile}");
    env.ok(["dep", "lock", "--check"]);
    let lock = json(&env.read("dep.lock.json"));
    let rows = lock["deps"]["tool"]["platforms"].to_string();
    assert!(!rows.contains("http://"), "rows name files, not addresses: {rows}");

    let exported = json(&env.ok(["export", "dotslash", "--json"]).stdout);
    let text = exported["files"][0]["text"].as_str().expect("text");
    for (_, url, hex) in &files {
        assert!(text.contains(url) && text.contains(hex), "{text}");
    }
    env.ok(["export", "dotslash", "--out", "out"]);
    let multitool = env.ok(["export", "multitool"]).stdout;
    env.write("multitool.lock.json", multitool);
    let env2 = project(&upstream);
    env2.write("tool", env.read("out/tool"));
    env2.write("multitool.lock.json", env.read("multitool.lock.json"));
    for file in ["tool", "multitool.lock.json"] {
        let back = json(&env2.ok(["import", "--json", file]).stdout);
        assert_eq!(back["mapped"][0]["hashes"], 2, "{back}");
        assert_eq!(back["left"].as_array().map(Vec::len), Some(0), "{back}");
    }
    assert!(env.ok(["export", "github-env"]).stdout == "TOOL_VERSION=1.2.3\n", "the version alone");
    let args = env.ok(["export", "dockerfile-args", "tool"]).stdout;
    assert_eq!(args, format!("ARG TOOL_VERSION=1.2.3\nARG TOOL_SHA256_AMD64={}\n", files[0].2));
}

#[test]
fn another_hash_is_refused_and_nothing_is_written() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    let mut files = publish(&upstream);
    files[0].2 = "0".repeat(64);
    env.write("tool", dotslash(&files));
    let before = env.read("profiles/base.toml");
    let refused = env.infra(["import", "--write", "tool"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("expected  sha256-AAAA"), "{}", refused.stderr);
    assert!(refused.stderr.contains("from `hashes` in the profile"), "{}", refused.stderr);
    assert_eq!(env.read("profiles/base.toml"), before);
    assert!(!env.project().join("dep.lock.json").exists());
}

#[test]
fn nothing_is_dropped_silently() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    let (file, bytes) = wheel(
        "uv",
        "0.4.1",
        "py3-none-manylinux_2_17_x86_64",
        &[("uv", &executable(Machine::of(Platform::X86_64Linux), "uv"))],
    );
    upstream.pypi("uv", &file, bytes);
    env.write("mise.toml", "[tools]\nuv = \"0.4.1\"\nemacs = \"latest\"\n");
    env.write(".tool-versions", "uv 0.4.0\nvim 9\n");
    env.write("devbox.json", "{\"packages\": [\"hello@latest\"]}");
    env.write("aqua.yaml", "packages:\n  - name: zz/none@main\n");
    env.write(
        "dep.json",
        "[{\"name\":\"utm\",\"source\":\"macos-app\",\"repo\":\"a/b\",\"version\":\"v4\"}]",
    );
    let files = ["mise.toml", ".tool-versions", "devbox.json", "aqua.yaml", "dep.json"];
    let args: Vec<&str> = ["import", "--write", "--json"].into_iter().chain(files).collect();
    let report = json(&env.ok(args).stdout);
    assert_eq!(report["mapped"].as_array().map(Vec::len), Some(1), "{report}");
    let left: Vec<_> = report["left"]
        .as_array()
        .expect("left")
        .iter()
        .map(|l| l["said"].as_str().expect("said").to_owned())
        .collect();
    let want =
        ["emacs latest", "uv 0.4.0", "vim 9", "hello latest", "zz/none main", "utm v4 (macos-app)"];
    assert_eq!(left, want);
    assert!(env.read("dep.lock.json").contains("\"0.4.1\""));
    let text = env.ok(["import", "mise.toml"]).stdout;
    assert!(text.contains("# not imported: uv 0.4.1: `uv` is a dep already"), "{text}");
    env.write("what.ini", "x");
    let unknown = env.infra(["import", "what.ini"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("these are read: mise.toml"), "{}", unknown.stderr);
}
