//! `pypi:` against a simple index, in both its forms.

use infra::archive::Format;
use infra::base::{Diagnose as _, Integrity, Platform};
use infra::lock::model::Proof;
use infra::source::{Commands, Error};

use super::support::Asked;
use crate::upstream::{FakeUpstream, Fault, Form, wheel};

const LINUX: &str = "py3-none-manylinux_2_17_x86_64.musllinux_1_1_x86_64";

fn published() -> FakeUpstream {
    let upstream = FakeUpstream::start();
    for version in ["1.0.0", "1.1.0", "2.0.0rc1"] {
        for tags in [LINUX, "py3-none-macosx_11_0_arm64", "py3-none-win_amd64"] {
            let (file, bytes) = wheel("tool-bin", version, tags, &[("tool", tags.as_bytes())]);
            upstream.pypi("tool-bin", &file, bytes);
        }
    }
    upstream.pypi("tool-bin", "tool_bin-1.2.0.tar.gz", b"source".to_vec());
    upstream
}

fn asked(upstream: &FakeUpstream, from: &str, version: &str) -> Asked {
    Asked::new(from, version, &upstream.pypi_url())
}

#[test]
fn both_forms_give_the_same() {
    for form in [Form::Both, Form::Html] {
        let upstream = published();
        upstream.pypi_form(form);
        let tool = asked(&upstream, "pypi:Tool_Bin", "~1.1");
        assert_eq!(tool.version().expect("version").as_str(), "1.1.0");
        let (file, bytes) = wheel("tool-bin", "1.1.0", LINUX, &[("tool", LINUX.as_bytes())]);
        let offer = tool.artifact(Platform::X86_64LinuxMusl);
        assert_eq!(offer.file, file);
        assert_eq!(offer.location.url.as_str(), upstream.url(&FakeUpstream::pypi_file(&file)));
        assert_eq!(offer.integrity, Some(Integrity::sha256_of(&bytes)));
        assert_eq!(offer.size, (form == Form::Both).then_some(bytes.len() as u64));
        assert_eq!((offer.format, offer.strip, offer.commands), (Format::Zip, 0, Commands::Wheel));
        assert_eq!(offer.proofs, [Proof::RegistryHash]);
        let found = tool.locate(Platform::X86_64Linux, &file).expect("locations");
        assert_eq!(found, [offer.location]);
        assert_eq!(upstream.count(&FakeUpstream::pypi_page("tool-bin")), 1, "asked once");
    }
}

#[test]
fn says_what_there_is_instead() {
    let upstream = published();
    let reason = asked(&upstream, "pypi:tool-bin", "~1.1").reason(Platform::Aarch64Linux);
    assert_eq!(
        reason,
        "its wheels are for macosx_11_0_arm64, manylinux_2_17_x86_64, musllinux_1_1_x86_64, win_amd64"
    );
    let reason = asked(&upstream, "pypi:tool-bin", "=1.2.0").reason(Platform::X86_64Linux);
    assert_eq!(reason, "it is published as source only (tool_bin-1.2.0.tar.gz)");
}

#[test]
fn withdrawn_versions_need_their_name() {
    let upstream = published();
    upstream.pypi_yank("tool-bin", "tool_bin-1.2.0.tar.gz");
    assert_eq!(
        asked(&upstream, "pypi:tool-bin", "1").version().expect("version").as_str(),
        "1.1.0"
    );
    let exact = asked(&upstream, "pypi:tool-bin", "=1.2.0").version().expect("version");
    assert_eq!(exact.as_str(), "1.2.0");
}

#[test]
fn credentials_of_the_base_reach_the_index_and_its_own_files_only() {
    let upstream = published();
    upstream.require_authorization("Basic bWU6c2VjcmV0");
    let other = "{\"files\": [{\"filename\": \"far-1.0.0-py3-none-any.whl\", \"hashes\": {}, \
                 \"url\": \"http://mirror.invalid/far-1.0.0-py3-none-any.whl\"}]}";
    upstream.file(&FakeUpstream::pypi_page("far"), other);
    let base = upstream.pypi_url().replace("http://", "http://me:secret@");
    let near = Asked::new("pypi:tool-bin", "~1.1", &base).artifact(Platform::X86_64Linux).location;
    assert!(near.authorization.is_some() && !near.shown().contains("secret"));
    let far = Asked::new("pypi:far", "1", &base).artifact(Platform::X86_64Linux).location;
    assert_eq!(far.authorization, None);
    let error = asked(&upstream, "pypi:tool-bin", "1").version().expect_err("no credentials");
    assert_eq!(error.to_string(), "cannot look up `tool` (pypi:tool-bin)");
}

#[test]
fn failures_name_dep_and_package() {
    let upstream = published();
    let error = asked(&upstream, "pypi:tool-bin", "^9").version().expect_err("no version");
    assert_eq!(error.to_string(), "no version of `tool` (pypi:tool-bin) matches `^9`");
    assert_eq!(error.details(), ["newest  2.0.0rc1, 1.2.0, 1.1.0, 1.0.0"]);

    let error = asked(&upstream, "pypi:nope", "*").version().expect_err("no package");
    let url = upstream.url("/simple/nope/");
    assert_eq!(error.to_string(), format!("there is no package for `tool` (pypi:nope) at `{url}`"));

    let error = asked(&upstream, "pypi:no/pe", "*").version().expect_err("no name");
    assert!(matches!(error, Error::PackageName { .. }), "{error}");

    let gone = asked(&upstream, "pypi:tool-bin", "~1.1").locate(Platform::X86_64Linux, "x.whl");
    let gone = gone.expect_err("no file").to_string();
    assert_eq!(gone, "the index of `tool` (pypi:tool-bin) no longer has `x.whl` of version 1.1.0");

    upstream.fault_always(&FakeUpstream::pypi_page("tool-bin"), Fault::Status(500));
    let error = asked(&upstream, "pypi:tool-bin", "*").version().expect_err("no answer");
    assert_eq!(error.to_string(), "cannot look up `tool` (pypi:tool-bin)");
    assert!(std::error::Error::source(&error).is_some());

    upstream.heal().file(&FakeUpstream::pypi_page("odd"), "{\"files\": 7}");
    let error = asked(&upstream, "pypi:odd", "*").version().expect_err("no index");
    assert!(
        error.to_string().contains("/simple/odd/`, the index of `tool` (pypi:odd), cannot"),
        "{error}"
    );
}
