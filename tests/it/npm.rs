//! `npm:` with the built binary: how often a registry is asked.

use infra::base::Platform;
use serde_json::json;

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Machine, NpmPackage, Tree, executable, tgz};

/// Platform packages: one says its C library, one does not, and others need not.
const MEMBERS: [(&str, Platform, (&str, &str, &str)); 5] = [
    ("@t/linux-x64-gnu", Platform::X86_64Linux, ("linux", "x64", "glibc")),
    ("@t/linux-x64-musl", Platform::X86_64LinuxMusl, ("linux", "x64", "musl")),
    ("@t/linux-arm64", Platform::Aarch64Linux, ("linux", "arm64", "")),
    ("@t/darwin-arm64", Platform::Aarch64Darwin, ("darwin", "arm64", "")),
    ("@t/win32-x64", Platform::X86_64Windows, ("win32", "x64", "")),
];

fn publish(upstream: &FakeUpstream) {
    for (name, platform, (os, cpu, libc)) in MEMBERS {
        let command = if os == "win32" { "bin/tool.exe" } else { "bin/tool" };
        let program = executable(Machine::of(platform), name);
        let tarball = tgz(name, "1.0.0", &Tree::new().executable(command, program));
        let package = NpmPackage::new(name, "1.0.0", tarball).on(os, cpu, libc);
        // As real registries do it, in either form of the document.
        upstream.npm(package.dist("signatures", json!([{"keyid": "k", "sig": "s"}])));
    }
    let tarball = tgz("tool", "1.0.0", &Tree::new().file("cli.js", "//"));
    let members = MEMBERS.map(|(name, ..)| (name, "1.0.0"));
    upstream.npm(NpmPackage::new("tool", "1.0.0", tarball).optional(&members));
}

fn lock(env: &TestEnv) -> serde_json::Value {
    serde_json::from_str(&env.read("dep.lock.json")).expect("a lock")
}

#[test]
fn every_document_of_a_family_is_asked_for_once() {
    let upstream = FakeUpstream::start();
    publish(&upstream);
    let env = TestEnv::new().var("NPM_CONFIG_REGISTRY", upstream.npm_url());
    let platforms = MEMBERS.map(|(_, platform, _)| format!("\"{platform}\""));
    let platforms = platforms.join(", ");
    env.write(
        "profiles/base.toml",
        format!("platforms = [{platforms}, \"aarch64-linux-musl\"]\n[dep]\ntool = \"npm:tool\"\n"),
    );
    let document = |name: &str| upstream.count(&FakeUpstream::npm_document(name));
    let tarball = |name: &str| upstream.count(&FakeUpstream::npm_tarball(name, "1.0.0"));
    env.ok(["dep", "lock"]);
    assert_eq!(document("tool"), 1);
    for (name, ..) in MEMBERS {
        assert_eq!((document(name), tarball(name)), (1, 1), "{name}");
    }
    let first = lock(&env);
    let rows = &first["deps"]["tool"]["platforms"];
    for (name, platform, _) in MEMBERS {
        let artifact = rows[platform.name()]["artifact"].as_str().expect("artifact");
        assert!(artifact.starts_with(&format!("{name}/-/")), "{artifact}");
    }
    let serves_both = rows["aarch64-linux-musl"]["artifact"].as_str().expect("artifact");
    assert!(serves_both.starts_with("@t/linux-arm64/-/"), "{serves_both}");

    // What is published is asked of one document; a lock that is current, of none.
    upstream.forget();
    env.ok(["dep", "outdated"]);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(document("tool"), 1);
    upstream.forget();
    env.ok(["dep", "lock"]);
    assert_eq!(upstream.requests(), []);
    // An update looks whether files changed, once each, and fetches none.
    env.ok(["dep", "update"]);
    for (name, ..) in MEMBERS {
        assert_eq!((document(name), tarball(name)), (1, 0), "{name}");
    }
    assert_eq!(lock(&env)["deps"]["tool"]["platforms"], *rows, "nothing moved");
}
