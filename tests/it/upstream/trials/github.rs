//! `github:` against a forge.

use infra::archive::Format;
use infra::base::{Diagnose as _, Integrity, Kind, Platform};
use infra::lock::model::Proof;
use infra::source::{Commands, Error};

use super::support::Asked;
use crate::upstream::{FakeUpstream, Fault, GithubRelease};

const REPOSITORY: &str = "some/tool";
const LINUX: Platform = Platform::X86_64Linux;

fn asked(upstream: &FakeUpstream, version: &str) -> Asked {
    Asked::new(&format!("github:{REPOSITORY}"), version, &upstream.github_url())
}

fn release(tag: &str) -> GithubRelease {
    GithubRelease::new(tag).asset("tool-linux-amd64.tar.gz", format!("linux {tag}"))
}

fn version(asked: &Asked) -> String {
    asked.version().expect("a version").to_string()
}

#[test]
fn reads_every_page_once() {
    let upstream = FakeUpstream::start();
    let releases = [
        release("v3.0.0").draft(),
        release("v2.1.0").prerelease(),
        release("v2.1.0-rc.1").prerelease(),
        GithubRelease::new("v2.0.9"),
        release("nightly").prerelease(),
        release("lib/v9.0.0"),
        release("v2.0.0"),
        release("v1.9.0"),
    ];
    upstream.github(REPOSITORY, &releases, 3);
    for (wanted, got) in [("*", "2.0.0"), ("^1", "1.9.0"), ("=2.1.0-rc.1", "2.1.0-rc.1")] {
        assert_eq!(version(&asked(&upstream, wanted)), got, "{wanted}");
    }
    upstream.forget();
    let tool = asked(&upstream, "^2");
    assert_eq!(version(&tool), "2.0.0");
    for platform in [LINUX, Platform::X86_64LinuxMusl] {
        assert_eq!(tool.artifact(platform).file, "v2.0.0/tool-linux-amd64.tar.gz");
    }
    assert_eq!(upstream.count(&FakeUpstream::github_list(REPOSITORY)), 1);
    assert_eq!(upstream.requests().len(), 3, "a request for each page");

    let error = asked(&upstream, "^2.1").version().expect_err("marked");
    let hint = "2.1.0 is a pre-release; ask for it with `version = \"=2.1.0\"`";
    assert_eq!(error.hints()[0].0, hint);
    let error = asked(&upstream, "^3").version().expect_err("a draft");
    assert!(error.details()[0].starts_with("newest  2.1.0, 2.1.0-rc.1, 2.0.0"), "{error:?}");
}

#[test]
fn a_pinned_version_needs_one_document() {
    let upstream = FakeUpstream::start();
    upstream.github(REPOSITORY, &[release("v2.1.0").prerelease(), release("tool-1.0.0")], 10);
    let tool = asked(&upstream, "=2.1.0");
    assert_eq!(version(&tool), "2.1.0");
    assert_eq!(tool.artifact(LINUX).file, "v2.1.0/tool-linux-amd64.tar.gz");
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(upstream.count(&FakeUpstream::github_tag(REPOSITORY, "v2.1.0")), 1);
    // Where the usual tag is not there, all releases are looked at.
    let upstream = FakeUpstream::start();
    upstream.github(REPOSITORY, &[release("tool-1.0.0")], 10);
    assert_eq!(version(&asked(&upstream, "=1.0.0")), "1.0.0");
}

#[test]
fn tags_may_hold_more_than_a_version() {
    let upstream = FakeUpstream::start();
    upstream.github(
        REPOSITORY,
        &[release("cli/v2.3.0"), release("lib/v3.0.0"), release("cli/v2.2.0")],
        10,
    );
    let error = asked(&upstream, "*").version().expect_err("two kinds");
    assert_eq!(error.to_string(), "the releases of `tool` (github:some/tool) are of several kinds");
    assert_eq!(error.details(), ["kind  cli/v${version}", "kind  lib/v${version}"]);
    assert_eq!(
        error.hints()[0].0,
        "say which (`--tag` of `infra dep add`), e.g. `tag = \"cli/v${version}\"`"
    );

    let tagged =
        |wanted| asked(&upstream, wanted).change(|r| r.tag = Some("cli/v${version}".to_owned()));
    let tool = tagged("*");
    assert_eq!(version(&tool), "2.3.0");
    let offer = tool.artifact(LINUX);
    assert_eq!(offer.file, "cli/v2.3.0/tool-linux-amd64.tar.gz");
    assert_eq!(tool.locate(LINUX, &offer.file).expect("there"), [offer.location]);
    upstream.forget();
    assert_eq!(version(&tagged("=2.2.0")), "2.2.0");
    assert_eq!(upstream.count(&FakeUpstream::github_tag(REPOSITORY, "cli/v2.2.0")), 1);
}

#[test]
fn what_vouches() {
    let upstream = FakeUpstream::start();
    let name = "tool-linux-amd64.tar.gz";
    let hash = Integrity::sha256_of(b"body");
    let line = format!("{}  {name}\n", hash.hex());
    let new = |release: GithubRelease| {
        upstream.github(REPOSITORY, &[release], 10);
        asked(&upstream, "*").offer(LINUX)
    };
    let proofs = |release| match new(release) {
        Ok(infra::source::Offer::Artifact(offer)) => (offer.integrity, offer.proofs),
        other => panic!("{other:?}"),
    };
    let start = || GithubRelease::new("v1.0.0");
    let both = vec![Proof::ReleaseDigest, Proof::ChecksumFile];
    for (release, want) in [
        (start().asset(name, "body"), (Some(hash.clone()), vec![Proof::ReleaseDigest])),
        (start().old_asset(name, "body"), (None, vec![])),
        (
            start().old_asset(name, "body").old_asset("tool_1.0.0_checksums.txt", line.clone()),
            (Some(hash.clone()), vec![Proof::ChecksumFile]),
        ),
        (
            start().asset(name, "body").asset(&format!("{name}.sha256"), hash.hex()),
            (Some(hash.clone()), both),
        ),
        (
            start().asset(name, "body").asset("SHA256SUMS", "nothing of it"),
            (Some(hash.clone()), vec![Proof::ReleaseDigest]),
        ),
    ] {
        assert_eq!(proofs(release), want);
    }
    // Somebody replaced the file, or the list.
    let error = new(start().asset(name, "other").asset("SHA256SUMS", line)).expect_err("replaced");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}`, the checksum file of `tool` (github:some/tool), does not give the hash of \
             `{name}`: it gives another one than the release",
            upstream.url(&FakeUpstream::github_asset(REPOSITORY, "v1.0.0", "SHA256SUMS"))
        )
    );
}

#[test]
fn offers_and_finds_again() {
    let upstream = FakeUpstream::start();
    let releases = [GithubRelease::new("v1.0.0")
        .asset("tool-linux-amd64.tar.gz", "linux")
        .asset("tool-windows-amd64.exe", "windows")];
    upstream.github(REPOSITORY, &releases, 10);
    let tool = asked(&upstream, "*");
    let offer = tool.artifact(LINUX);
    assert_eq!((offer.format, offer.strip, offer.size), (Format::TarGz, 0, Some(5)));
    assert_eq!(offer.commands, Commands::Found);
    assert_eq!(offer.location.authorization, None);
    assert_eq!(tool.artifact(Platform::X86_64Windows).format, Format::File);
    let reason = tool.reason(Platform::Aarch64Darwin);
    assert_eq!(
        reason,
        "no file of the release is for this platform; there are `tool-linux-amd64.tar.gz`, \
         `tool-windows-amd64.exe`"
    );
    for gone in ["v1.0.0/other.tar.gz", "v0.1.0/tool-linux-amd64.tar.gz", "tool-linux-amd64.tar.gz"]
    {
        let error = tool.locate(LINUX, gone).expect_err(gone);
        assert!(matches!(error, Error::FileGone { .. }), "{error}");
    }
}

#[test]
fn equal_files_are_asked_about() {
    let upstream = FakeUpstream::start();
    let releases = [GithubRelease::new("v1.0.0")
        .asset("foo-1.0.0-linux-amd64.zip", "x")
        .asset("bar-1.0.0-linux-amd64.zip", "y")];
    upstream.github(REPOSITORY, &releases, 10);
    let error = asked(&upstream, "*").offer(LINUX).expect_err("two");
    let text = "version 1.0.0 of `tool` (github:some/tool) has several files for x86_64-linux";
    assert_eq!(error.to_string(), text);
    let files = ["file  bar-1.0.0-linux-amd64.zip", "file  foo-1.0.0-linux-amd64.zip"];
    assert_eq!(error.details(), files);
    let hint = "say which (`--asset` of `infra dep add`), e.g. \
         `asset = \"bar-${version}-linux-amd64.zip\"`";
    assert_eq!(error.hints()[0].0, hint);
    let named = |asset: &str| asked(&upstream, "*").change(|r| r.asset = Some(asset.to_owned()));
    assert_eq!(named("foo-*-${arch}.zip").artifact(LINUX).file, "v1.0.0/foo-1.0.0-linux-amd64.zip");
    let error = named("${nope}").offer(LINUX).expect_err("a word");
    assert!(matches!(error, Error::Template { .. }) && error.kind() == Kind::Usage, "{error}");
}

#[test]
fn a_token_opens_what_is_private_and_stays_with_the_api() {
    let upstream = FakeUpstream::start();
    upstream.github(REPOSITORY, &[release("v1.0.0")], 10);
    upstream.require_authorization("Bearer secret-token");
    let vars = |token: &str| {
        [("GITHUB_API_URL", upstream.github_url()), ("GITHUB_TOKEN", token.to_owned())]
    };
    let from = format!("github:{REPOSITORY}");
    let tool = Asked::with_vars(&from, "*", &vars("secret-token"));
    let offer = tool.artifact(LINUX);
    let api = upstream.url(&FakeUpstream::github_api_asset(REPOSITORY, "v1.0.0", 0));
    assert_eq!(offer.location.url.as_str(), api);
    assert_eq!(offer.location.accept, Some("application/octet-stream"));
    let found = tool.locate(LINUX, &offer.file).expect("there");
    assert_eq!(found[0], offer.location);
    assert_eq!((&found[1].authorization, found[1].accept), (&None, None), "the web wants none");
    assert!(!format!("{offer:?}").contains("secret-token"));

    let error = Asked::with_vars(&from, "*", &vars("wrong")).version().expect_err("refused");
    assert!(matches!(error, Error::Fetch { .. }) && !format!("{error:?}").contains("wrong"));
}

#[test]
fn without_a_token_locked_files_need_no_api() {
    let upstream = FakeUpstream::start();
    upstream.github(REPOSITORY, &[release("cli/v1.0.0")], 10);
    let vars =
        [("GITHUB_API_URL", upstream.github_url()), ("GITHUB_SERVER_URL", upstream.github_web())];
    let tool = Asked::with_vars(&format!("github:{REPOSITORY}"), "*", &vars);
    let offer = tool.artifact(LINUX);
    upstream.forget();
    assert_eq!(tool.locate(LINUX, &offer.file).expect("there"), [offer.location]);
    assert_eq!(upstream.requests(), []);
}

#[test]
fn a_used_up_limit_says_what_helps() {
    let upstream = FakeUpstream::start();
    upstream.github(REPOSITORY, &[release("v1.0.0")], 10);
    upstream.fault_always(&FakeUpstream::github_list(REPOSITORY), Fault::RateLimit(4_102_444_800));
    let error = asked(&upstream, "*").version().expect_err("limited");
    let text =
        "`tool` (github:some/tool) cannot be looked up for now: too much was asked of its API";
    assert_eq!((error.to_string().as_str(), error.kind()), (text, Kind::User));
    assert_eq!(error.details(), ["until  2100-01-01 00:00:00 UTC"]);
    assert!(error.hints()[0].0.contains("GITHUB_TOKEN"), "{:?}", error.hints());
    let vars = [("GITHUB_API_URL", upstream.github_url()), ("GH_TOKEN", "t".to_owned())];
    let tool = Asked::with_vars(&format!("github:{REPOSITORY}"), "*", &vars);
    let hints = tool.version().expect_err("limited").hints();
    assert!(hints[0].0.starts_with("wait until then"), "{hints:?}");
}

#[test]
fn refuses() {
    let upstream = FakeUpstream::start();
    upstream.github("some/bare", &[GithubRelease::new("v1.0.0")], 10);
    upstream.file(&FakeUpstream::github_list("some/page"), "<html>");
    let base = upstream.github_url();
    for (from, want) in [
        ("some/bare", "no release of `tool` (github:some/bare) has a file to download"),
        ("some/none", "there is no package for `tool` (github:some/none) at `"),
        ("some", "the package of `tool` (github:some) is not a name that github has"),
        ("a/b/c", "the package of `tool` (github:a/b/c) is not a name that github has"),
        ("../x", "the package of `tool` (github:../x) is not a name that github has"),
        ("some/page", "the index of `tool` (github:some/page), cannot be understood"),
    ] {
        let error = Asked::new(&format!("github:{from}"), "*", &base).version().expect_err(from);
        assert!(error.to_string().contains(want), "{error}");
        assert!(!error.hints().is_empty(), "{error}");
    }
    let error = Asked::with_vars("github:some/tool", "*", &[]).version().expect_err("no base");
    assert!(error.hints()[0].0.contains("GITHUB_API_URL"), "{:?}", error.hints());
}
