//! `npm:` against a registry.

use std::collections::BTreeMap;

use infra::archive::Format;
use infra::base::{Algorithm, CommandName, Platform, RelPath};
use infra::lock::model::Proof;
use infra::source::{Commands, Error};
use serde_json::json;

use super::support::Asked;
use crate::upstream::{FakeUpstream, Machine, NpmPackage, Tree, executable, tgz};

fn member(upstream: &FakeUpstream, name: &str, platform: Platform, words: (&str, &str, &str)) {
    let tool = executable(Machine::of(platform), name);
    let tarball = tgz(name, "1.0.0", &Tree::new().executable("bin/tool", tool));
    let (os, cpu, libc) = words;
    upstream.npm(NpmPackage::new(name, "1.0.0", tarball).on(os, cpu, libc));
}

/// A family as publishers make them: one package for people, one for each platform.
fn published() -> FakeUpstream {
    let upstream = FakeUpstream::start();
    member(&upstream, "@t/linux-x64", Platform::X86_64Linux, ("linux", "x64", "glibc"));
    member(&upstream, "@t/linux-x64-musl", Platform::X86_64LinuxMusl, ("linux", "x64", "musl"));
    member(&upstream, "@t/linux-arm64", Platform::Aarch64Linux, ("linux", "arm64", ""));
    member(&upstream, "@t/darwin-arm64", Platform::Aarch64Darwin, ("darwin", "arm64", ""));
    let tarball = tgz("tool", "1.0.0", &Tree::new().file("cli.js", "//"));
    let names =
        ["@t/linux-x64", "@t/linux-x64-musl", "@t/linux-arm64", "@t/darwin-arm64", "@t/gone"];
    let parent = NpmPackage::new("tool", "1.0.0", tarball)
        .set("bin", json!({"tool": "cli.js"}))
        .optional(&names.map(|name| (name, "1.0.0")));
    upstream.npm(parent);
    upstream
}

fn asked(upstream: &FakeUpstream, from: &str) -> Asked {
    Asked::new(from, "^1", &upstream.npm_url())
}

#[test]
fn every_platform_gets_its_package() {
    let upstream = published();
    let tool = asked(&upstream, "npm:tool");
    for (platform, name) in [
        (Platform::X86_64Linux, "@t/linux-x64"),
        (Platform::X86_64LinuxMusl, "@t/linux-x64-musl"),
        (Platform::Aarch64Linux, "@t/linux-arm64"),
        (Platform::Aarch64LinuxMusl, "@t/linux-arm64"),
        (Platform::Aarch64Darwin, "@t/darwin-arm64"),
    ] {
        let offer = tool.artifact(platform);
        let bare = name.trim_start_matches("@t/");
        assert_eq!(offer.file, format!("{name}/-/{bare}-1.0.0.tgz"), "{platform}");
        assert_eq!(
            offer.location.url.as_str(),
            upstream.url(&FakeUpstream::npm_tarball(name, "1.0.0"))
        );
        assert_eq!(offer.integrity.map(|i| i.algorithm()), Some(Algorithm::Sha512));
        assert_eq!((offer.format, offer.strip), (Format::TarGz, 1));
        assert_eq!((offer.commands, offer.proofs), (Commands::Found, vec![Proof::RegistryHash]));
        let found = tool.locate(platform, &offer.file).expect("locations");
        assert_eq!(found, [offer.location], "{platform}");
    }
    assert_eq!(
        tool.reason(Platform::X86_64Windows),
        "its platform packages are @t/darwin-arm64, @t/gone, @t/linux-arm64, @t/linux-x64, @t/linux-x64-musl"
    );
    assert_eq!(upstream.count("/npm/tool"), 1, "asked once");
}

#[test]
fn a_mirror_that_lags_behind_is_not_taken_for_a_publisher_without_platforms() {
    let upstream = FakeUpstream::start();
    member(&upstream, "@t/linux-x64", Platform::X86_64Linux, ("linux", "x64", ""));
    let tarball = tgz("tool", "1.1.0", &Tree::new().file("cli.js", "//"));
    let parent = NpmPackage::new("tool", "1.1.0", tarball)
        .set("bin", json!({"tool": "cli.js"}))
        .optional(&[("@t/linux-x64", "1.1.0")]);
    upstream.npm(parent);
    let tool = asked(&upstream, "npm:tool");
    assert_eq!(
        tool.reason(Platform::X86_64Linux),
        "it names `@t/linux-x64` 1.1.0 for this platform, which the registry does not have"
    );
}

#[test]
fn a_package_without_family_is_itself() {
    let upstream = FakeUpstream::start();
    let tarball = || tgz("@s/plain", "1.0.0", &Tree::new().file("cli.js", "//"));
    // A helper for one system makes no family.
    upstream.npm(NpmPackage::new("watcher", "2.0.0", tarball()).set("os", json!(["darwin"])));
    let plain = NpmPackage::new("@s/plain", "1.0.0", tarball())
        .set("bin", json!("./cli.js"))
        .optional(&[("watcher", "2.0.0")]);
    upstream.npm(plain.clone());
    let offer = asked(&upstream, "npm:@s/plain").artifact(Platform::Aarch64Darwin);
    assert_eq!(offer.file, "@s/plain/-/plain-1.0.0.tgz");
    let command = CommandName::new("plain").expect("name");
    let path = RelPath::new("cli.js").expect("path");
    assert_eq!(offer.commands, Commands::Named(BTreeMap::from([(command, path)])));

    upstream.npm(plain.on("linux", "x64", ""));
    let limited = asked(&upstream, "npm:@s/plain");
    assert_eq!(limited.artifact(Platform::X86_64LinuxMusl).strip, 1);
    assert_eq!(limited.reason(Platform::X86_64Windows), "it is for os linux; cpu x64");
}

#[test]
fn a_mirror_may_name_the_registry_it_mirrors() {
    let upstream = FakeUpstream::start();
    let tarball = tgz("tool", "1.0.0", &Tree::new().file("cli.js", "//"));
    upstream.npm(NpmPackage::new("tool", "1.0.0", tarball).tarball_at("http://mirror.invalid/x/"));
    let tool = asked(&upstream, "npm:tool");
    let found = tool.locate(Platform::X86_64Linux, "tool/-/tool-1.0.0.tgz").expect("locations");
    let found: Vec<_> = found.iter().map(|l| l.url.to_string()).collect();
    let given = "http://mirror.invalid/x/tool/-/tool-1.0.0.tgz".to_owned();
    assert_eq!(found, [upstream.url("/npm/tool/-/tool-1.0.0.tgz"), given]);
}

#[test]
fn a_weak_hash_is_refused() {
    let upstream = FakeUpstream::start();
    let dist =
        json!({"tarball": upstream.url("/npm/tool/-/tool-1.0.0.tgz"), "shasum": "0".repeat(40)});
    upstream.npm(NpmPackage::new("tool", "1.0.0", Vec::new()).set("dist", dist));
    let error = asked(&upstream, "npm:tool").offer(Platform::X86_64Linux).expect_err("weak");
    assert_eq!(
        error.to_string(),
        "`tool/-/tool-1.0.0.tgz` of `tool` (npm:tool) is published without a SHA-256 or SHA-512 hash"
    );
}

#[test]
fn failures_name_dep_and_package() {
    let upstream = published();
    let error = asked(&upstream, "npm:@s/nope").version().expect_err("no package");
    let url = upstream.url("/npm/@s/nope");
    assert_eq!(
        error.to_string(),
        format!("there is no package for `tool` (npm:@s/nope) at `{url}`")
    );
    for name in ["npm:a/b", "npm:@s", "npm:../x"] {
        let error = asked(&upstream, name).version().expect_err("no name");
        assert!(matches!(error, Error::PackageName { .. }), "{error}");
    }
    for file in ["tool/-/tool-9.0.0.tgz", "nope/-/nope-1.0.0.tgz", "odd"] {
        let error = asked(&upstream, "npm:tool").locate(Platform::X86_64Linux, file);
        assert!(matches!(error, Err(Error::FileGone { .. })), "{file}");
    }
}
