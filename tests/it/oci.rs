//! `oci:` with the built binary: locked by digest, layers laid over each other, and what a registry
//! that lies or refuses is told.

use infra::base::{Arch, Platform};

use crate::support::{Outcome, TestEnv};
use crate::upstream::{
    FakeUpstream, Fault, Machine, OCI_TOKEN, OciImage, Tree, elf_with_interpreter, executable,
    oci_digest, tar_gz,
};

const REPOSITORY: &str = "some/tool";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

fn program(platform: Platform, line: &str) -> Vec<u8> {
    executable(Machine::of(platform), line)
}

/// Two layers: the upper one replaces the program and removes a file.
fn image(architecture: &'static str, platform: Platform) -> OciImage {
    let lower = Tree::new()
        .executable("usr/local/bin/tool", program(platform, "the old tool"))
        .file("usr/share/gone", "x");
    let upper = Tree::new()
        .executable("usr/local/bin/tool", program(platform, "the new tool"))
        .file("usr/share/.wh.gone", "")
        .file("usr/share/kept", "y");
    OciImage::new(architecture).tree(&lower).layer(LAYER, tar_gz(&upper))
}

fn both() -> [OciImage; 2] {
    [image("amd64", Platform::X86_64Linux), image("arm64", Platform::Aarch64Linux)]
}

fn project(upstream: &FakeUpstream, dep: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "profiles/dev.toml",
        format!(
            "platforms = [\"x86_64-linux\", \"aarch64-linux\", \"x86_64-windows\"]\n\
             [dep]\ntool = {{ {dep} }}\n[source.oci]\nurl = \"{}\"\n",
            upstream.url("")
        ),
    );
    env
}

const RANGE: &str = "from = \"oci:some/tool\", version = \"^1\"";

fn lock(env: &TestEnv) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&env.read("dep.lock.json")).expect("json");
    all["deps"]["tool"].clone()
}

fn refused(env: &TestEnv, code: i32, words: &[&str]) -> Outcome {
    let outcome = env.infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in {}", outcome.stderr);
    }
    assert!(!env.project().join("dep.lock.json").exists(), "a lock was written");
    outcome
}

#[test]
fn locks_by_digest_syncs_and_runs() {
    let upstream = FakeUpstream::start();
    let layers = upstream.oci(REPOSITORY, "1.2.0", &both());
    upstream.oci(REPOSITORY, "1.1.0", &both());
    upstream.oci_tags(REPOSITORY, &["latest", "1.1.0", "20240101", "1.2.0", "1.3.0-rc1"], 2);
    let env = project(&upstream, RANGE);
    env.ok(["dep", "lock"]);
    let dep = lock(&env);
    assert_eq!(dep["version"], "1.2.0");
    let row = &dep["platforms"]["x86_64-linux"];
    let file = row["artifact"].as_str().expect("artifact");
    let (manifest, layer) = file.split_once('/').expect("two digests");
    assert!(manifest.starts_with("sha256:") && layer == layers[0], "{file}");
    assert_eq!(row["format"], "layer-gz");
    assert_eq!(row["with"].as_array().map(Vec::len), Some(1));
    assert_eq!(row["with"][0]["artifact"], format!("{manifest}/{}", layers[1]));
    assert_eq!(row["bin"]["tool"], "usr/local/bin/tool");
    assert_eq!(row["verified"], serde_json::json!(["manifest-digest"]));
    assert_eq!(dep["platforms"]["x86_64-windows"]["unavailable"], "images are for Linux");
    let text = env.read("dep.lock.json");
    assert!(!text.contains("127.0.0.1"), "no host in the lock: {text}");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "nothing moves");

    let other = project(&upstream, RANGE);
    other.write("dep.lock.json", &text);
    let dry = other.ok(["dep", "sync", "--dry-run"]).stdout;
    assert!(dry.contains("2 of 2 files"), "{dry}");
    let json = other.ok(["dep", "sync", "--dry-run", "--json"]).stdout;
    assert!(json.contains(&layers[1]), "{json}");
    let offline = other.infra(["dep", "sync", "--offline"]);
    assert_eq!(offline.code, Some(1));
    assert!(
        offline.stderr.contains("2 artifacts (538 bytes) must be fetched"),
        "{}",
        offline.stderr
    );
    upstream.forget();
    other.ok(["dep", "sync"]);
    assert!(upstream.requests().iter().all(|r| !r.path.contains("manifests")), "no document");
    let tree = other.ok(["dep", "path", "tool"]).stdout;
    let tree = std::path::Path::new(tree.trim());
    assert!(tree.join("usr/share/kept").exists() && !tree.join("usr/share/gone").exists());
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let ran = other.ok(["env", "exec", "dev", "--", "tool"]);
        assert_eq!(ran.stdout, "the new tool\n");
    }
    let listed = other.ok(["dep", "list", "--json"]).stdout;
    assert!(listed.contains(&layers[0]) && listed.contains(&layers[1]), "{listed}");
    other.ok(["dep", "verify"]);
    other.ok(["dep", "sync", "--offline"]);
}

#[test]
fn tags_that_are_no_versions() {
    let upstream = FakeUpstream::start();
    upstream.oci(REPOSITORY, "stable", &both());
    upstream.oci(REPOSITORY, "1.5-slim", &both());
    upstream.oci_tags(REPOSITORY, &["1.4", "1.5-slim", "stable"], 9);
    let env = project(&upstream, "from = \"oci:some/tool\", tag = \"stable\"");
    env.ok(["dep", "lock"]);
    assert_eq!(lock(&env)["version"], "0");
    let env = project(&upstream, "from = \"oci:some/tool\", tag = \"${version}-slim\"");
    env.ok(["dep", "lock"]);
    assert_eq!(lock(&env)["version"], "1.5");
    let env = project(&upstream, "from = \"oci:registry.invalid/some/tool\"");
    refused(&env, 2, &["without host", "[source.oci]"]);
}

#[test]
fn one_image_serves_the_libc_that_its_programs_are_for() {
    let upstream = FakeUpstream::start();
    let musl = elf_with_interpreter(Arch::X86_64, "/lib/ld-musl-x86_64.so.1");
    let image = OciImage::new("amd64").tree(&Tree::new().executable("bin/tool", musl));
    upstream.oci(REPOSITORY, "1.0.0", &[image]);
    upstream.oci_tags(REPOSITORY, &["1.0.0"], 9);
    let env = project(&upstream, RANGE);
    let profile = env.read("profiles/dev.toml").replace("x86_64-windows", "x86_64-linux-musl");
    env.write("profiles/dev.toml", profile);
    env.ok(["dep", "lock"]);
    let rows = lock(&env)["platforms"].clone();
    assert!(rows["x86_64-linux-musl"]["bin"]["tool"].is_string(), "{rows}");
    let why = rows["x86_64-linux"]["unavailable"].as_str().expect("a reason");
    assert!(why.contains("bin/tool") && why.contains("musl"), "{why}");
    assert_eq!(rows["aarch64-linux"]["unavailable"], "the image is for linux/amd64");
}

#[test]
fn tokens_and_passwords() {
    let upstream = FakeUpstream::start();
    let layers = upstream.oci(REPOSITORY, "1.2.0", &both());
    upstream.oci_tags(REPOSITORY, &["1.2.0"], 9);
    upstream.oci_wants_token(Some("Basic bWU6c2VjcmV0"));
    let env = project(&upstream, RANGE);
    let outcome = refused(&env, 1, &["/token", "401"]);
    assert!(!outcome.stderr.contains(OCI_TOKEN), "{}", outcome.stderr);

    let host = upstream.url("").replace("http://", "");
    std::fs::create_dir(env.home().join(".docker")).expect("create");
    let auths = serde_json::json!({"auths": {host: {"auth": "bWU6c2VjcmV0"}}}).to_string();
    std::fs::write(env.home().join(".docker/config.json"), auths).expect("write");
    env.ok(["dep", "lock"]);
    let sent: Vec<_> = upstream.requests();
    assert!(
        sent.iter()
            .all(|r| r.path == "/token" || r.header("authorization") != Some("Basic bWU6c2VjcmV0"))
    );
    let kept = std::process::Command::new("grep")
        .args(["-rlE", &format!("{OCI_TOKEN}|bWU6c2VjcmV0")])
        .arg(env.store())
        .output()
        .expect("grep");
    assert!(kept.stdout.is_empty(), "{}", String::from_utf8_lossy(&kept.stdout));

    // Blobs may lie elsewhere; who asked here is nobody's business there.
    let elsewhere = FakeUpstream::start();
    for layer in &layers {
        elsewhere.oci(REPOSITORY, "1.2.0", &both());
        let path = FakeUpstream::oci_path(REPOSITORY, &format!("blobs/{layer}"));
        upstream.fault_always(&path, Fault::Redirect(elsewhere.url(&path)));
    }
    let text = env.read("dep.lock.json");
    let other = project(&upstream, RANGE);
    other.write("dep.lock.json", &text);
    std::fs::create_dir(other.home().join(".docker")).expect("create");
    std::fs::copy(env.home().join(".docker/config.json"), other.home().join(".docker/config.json"))
        .expect("copy");
    other.ok(["dep", "sync"]);
    let asked = elsewhere.requests();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked.iter().all(|r| r.header("authorization").is_none()), "{asked:?}");
}

/// A refresh token in a file, or from a helper, becomes a token for one repository.
#[test]
fn refresh_tokens_and_helpers() {
    let upstream = FakeUpstream::start();
    upstream.oci(REPOSITORY, "1.2.0", &both());
    upstream.oci_tags(REPOSITORY, &["1.2.0"], 9);
    upstream.oci_wants_token(None);
    let access = serde_json::json!({"access_token": OCI_TOKEN, "expires_in": 300}).to_string();
    upstream.file("/token", access);
    let host = upstream.url("").replace("http://", "");
    let with = |config: serde_json::Value, helper: Option<&str>| {
        let mut env = project(&upstream, RANGE);
        std::fs::create_dir(env.home().join(".docker")).expect("create");
        std::fs::write(env.home().join(".docker/config.json"), config.to_string()).expect("write");
        if let Some(body) = helper {
            let bin = env.home().join("bin");
            std::fs::create_dir(&bin).expect("create");
            let path = bin.join("docker-credential-vault");
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("write");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("mode");
            env.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        }
        env
    };
    let asked = || {
        let all = upstream.requests();
        all.into_iter().filter(|r| r.path == "/token").collect::<Vec<_>>()
    };
    let kept_nothing = |env: &TestEnv, secret: &str| {
        let kept = std::process::Command::new("grep")
            .args(["-rlE", &format!("{OCI_TOKEN}|{secret}")])
            .args([env.store(), env.project()])
            .output()
            .expect("grep");
        assert!(kept.stdout.is_empty(), "{}", String::from_utf8_lossy(&kept.stdout));
    };
    let stored =
        serde_json::json!({"auths": {&host: {"identitytoken": "r3fresh&=", "auth": "MDA6"}}});
    let env = with(stored, None);
    env.ok(["dep", "lock"]);
    for request in asked() {
        assert_eq!((request.method.as_str(), request.header("authorization")), ("POST", None));
        let form = &request.body;
        for part in [
            "grant_type=refresh_token",
            "refresh_token=r3fresh%26%3D",
            "service=registry.test",
            "scope=repository%3Asome%2Ftool%3Apull",
            "client_id=",
        ] {
            assert!(form.split('&').any(|field| field.starts_with(part)), "{part}: {form}");
        }
    }
    assert!(!asked().is_empty());
    kept_nothing(&env, "r3fresh");

    upstream.forget();
    let say = "read -r host; echo \"$1 $host\" >>\"$HOME/asked\"; \
               echo '{\"Username\":\"<token>\",\"Secret\":\"fr0mhelper\"}'";
    let by_host = serde_json::json!({"credHelpers": {&host: "vault"}});
    let env = with(by_host, Some(say));
    env.ok(["dep", "lock"]);
    assert!(asked().iter().all(|r| r.body.contains("refresh_token=fr0mhelper")));
    let told = std::fs::read_to_string(env.home().join("asked")).expect("asked");
    assert_eq!(told, format!("get {host}\n"));
    kept_nothing(&env, "fr0mhelper");

    // A password of the store of all registries; a token service that wants it.
    upstream.forget();
    upstream.guard("/token", "Basic bWU6c2VjcmV0", "Basic realm=\"tokens\"");
    let user = "cat >/dev/null; echo '{\"Username\":\"me\",\"Secret\":\"secret\"}'";
    let of_all = serde_json::json!({"credsStore": "vault", "auths": {&host: {}}});
    with(of_all.clone(), Some(user)).ok(["dep", "lock"]);
    // A helper that is not there, fails or hangs is told of; nobody waits for it.
    for (helper, why) in [
        (None, "which is not on PATH"),
        (Some("echo s3cret; exit 3"), "which failed"),
        (Some("exec /bin/sleep 600"), "which did not answer in time"),
    ] {
        let env = with(of_all.clone(), helper);
        let outcome = refused(&env, 1, &["`docker-credential-vault`", why, "config.json"]);
        assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    }
}

#[test]
fn a_registry_that_lies_or_refuses() {
    let upstream = FakeUpstream::start();
    let images = both();
    let layers = upstream.oci(REPOSITORY, "1.2.0", &images);
    upstream.oci_tags(REPOSITORY, &["1.2.0"], 9);
    let env = project(&upstream, RANGE);
    let blob = |n: usize| FakeUpstream::oci_path(REPOSITORY, &format!("blobs/{}", layers[n]));
    upstream.fault_always(&blob(1), Fault::Tamper(30));
    refused(&env, 3, &["sha256 mismatch"]);
    upstream.heal();
    upstream.fault_always(&blob(1), Fault::Truncate(30));
    refused(&env, 1, &["ended after"]);
    upstream.heal();

    // A manifest with other bytes than the index says.
    let paths: Vec<_> = upstream.requests().into_iter().map(|r| r.path).collect();
    let manifest = paths.iter().find(|p| p.contains("manifests/sha256:")).expect("asked").clone();
    upstream.fault_always(&manifest, Fault::Tamper(30));
    let fresh = project(&upstream, RANGE);
    refused(&fresh, 3, &["digest mismatch"]);
    upstream.heal();
    upstream.fault_always("/v2/", Fault::Status(429));
    refused(&project(&upstream, RANGE), 1, &["429"]);
    upstream.heal();
    upstream.remove(&FakeUpstream::oci_path(REPOSITORY, "tags/list"));
    refused(&project(&upstream, RANGE), 1, &["some/tool"]);

    let foreign = OciImage::new("amd64").layer(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        tar_gz(&Tree::new().file("x", "y")),
    );
    upstream.oci(REPOSITORY, "1.9.0", &[foreign]);
    let exact = "from = \"oci:some/tool\", version = \"=1.9.0\"";
    refused(&project(&upstream, exact), 1, &["foreign.diff", "not served"]);
    assert!(oci_digest(b"").starts_with("sha256:e3b0c442"));
}

#[test]
fn without_a_registry_it_says_what_to_set() {
    let env = TestEnv::new();
    env.write(
        "profiles/dev.toml",
        "platforms = [\"x86_64-linux\"]\n[dep]\ntool = \"oci:some/tool@^1\"\n",
    );
    let outcome = env.infra(["dep", "lock"]);
    if !std::path::Path::new("/etc/containers/registries.conf").exists()
        && !std::path::Path::new("/etc/docker/daemon.json").exists()
    {
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("[source.oci]"), "{}", outcome.stderr);
    }
}
