//! `url:` against plain files.

use infra::archive::Format;
use infra::base::{Diagnose as _, Integrity, Kind, Platform};
use infra::lock::model::Proof;
use infra::source::{Commands, Error};

use super::support::Asked;
use crate::upstream::FakeUpstream;

fn asked(upstream: &FakeUpstream, template: &str) -> Asked {
    Asked::new(&format!("url:{template}"), "=1.2.3", &upstream.url("/base"))
}

#[test]
fn a_checksum_file_vouches() {
    let upstream = FakeUpstream::start();
    let linux = Integrity::sha256_of(b"linux");
    upstream.file("/v1.2.3/SHA256SUMS", format!("{}  t-linux-x86_64.tar.gz\n", linux.hex()));
    let at = |path: &str| upstream.url(path);
    let tool = asked(&upstream, &at("/v${version}/t-${os}-${arch}.${ext}"))
        .checksum(&at("/v${version}/SHA256SUMS"));
    let offer = tool.artifact(Platform::X86_64Linux);
    assert_eq!(offer.file, "t-linux-x86_64.tar.gz");
    assert_eq!(offer.location.url.as_str(), at("/v1.2.3/t-linux-x86_64.tar.gz"));
    assert_eq!(offer.integrity, Some(linux));
    assert_eq!((offer.proofs, offer.format), (vec![Proof::ChecksumFile], Format::TarGz));
    assert_eq!((offer.strip, offer.commands), (0, Commands::Found));
    assert_eq!(tool.locate(Platform::X86_64Linux, &offer.file).expect("there"), [offer.location]);
    assert!(matches!(tool.locate(Platform::X86_64Linux, "x"), Err(Error::FileGone { .. })));
    let error = tool.offer(Platform::Aarch64Darwin).expect_err("no line");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}`, the checksum file of `tool` (url:{}), does not give the hash of \
             `t-darwin-aarch64.tar.gz`: no line with a SHA-256 or SHA-512 hash names it",
            at("/v1.2.3/SHA256SUMS"),
            at("/v${version}/t-${os}-${arch}.${ext}"),
        )
    );
    assert_eq!(upstream.count("/v1.2.3/SHA256SUMS"), 1, "asked once for all platforms");
}

#[test]
fn a_checksum_beside_each_file_tells_what_there_is() {
    let upstream = FakeUpstream::start();
    let hash = Integrity::sha256_of(b"linux");
    upstream.file("/base/t-linux.sha256", hash.hex());
    let tool = asked(&upstream, "/t-${os}").checksum("${url}.sha256");
    let offer = tool.artifact(Platform::X86_64Linux);
    assert_eq!((offer.integrity, offer.format), (Some(hash), Format::File));
    assert_eq!(offer.location.url.as_str(), upstream.url("/base/t-linux"));
    let reason = tool.reason(Platform::Aarch64Darwin);
    assert_eq!(reason, format!("the server has no `{}`", upstream.url("/base/t-darwin.sha256")));
}

#[test]
fn without_checksum_nothing_vouches() {
    let upstream = FakeUpstream::start();
    let offer = asked(&upstream, "/t.zip?v=${version}").artifact(Platform::X86_64Linux);
    assert_eq!(offer.location.url.as_str(), upstream.url("/base/t.zip?v=1.2.3"));
    assert_eq!((offer.integrity, offer.proofs), (None, vec![]));
    assert_eq!(upstream.requests(), []);
}

#[test]
fn refuses_what_cannot_be_kept() {
    let upstream = FakeUpstream::start();
    for (template, why) in [
        ("https://me:secret@mirror.invalid/t", "credentials"),
        ("ftp://mirror.invalid/t", "scheme `ftp`"),
        ("https://mirror.invalid/${nope}", "`${nope}`"),
        ("https://mirror.invalid/t/", "names no file"),
        ("mirror.invalid/t", "relative URL"),
        ("/t.tar.lz", "archive format"),
    ] {
        let error = asked(&upstream, template).offer(Platform::X86_64Linux).expect_err(template);
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = Asked::without_base("url:/t", "=1.2.3").offer(Platform::X86_64Linux);
    assert!(matches!(error, Err(Error::NoBase { .. })));
    let range = Asked::new("url:https://mirror.invalid/t", "^1.2", "http://mirror.invalid/");
    let error = range.version().expect_err("a range");
    let want = "`tool` (url:https://mirror.invalid/t) needs an exact version; `^1.2` is a range";
    assert_eq!((error.to_string(), error.kind()), (want.to_owned(), Kind::Usage));
}
