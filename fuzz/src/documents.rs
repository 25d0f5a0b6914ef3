//! Documents that registries, repositories and forges serve.

use std::path::Path;

use infra::base::Integrity;
use infra::build::{gomod::GoMod, names, sum};
use infra::oci::{image, name};
use infra::provenance::{self, Subject, Trust};

use crate::PLACE;

/// An image's index, manifest or configuration, and the names in it.
pub fn image(data: &[u8]) {
    let _ = image::platform_of(data);
    match image::read(data) {
        Ok(image::Document::Index(all)) => {
            for architecture in ["amd64", "arm64"] {
                if let Some(one) = image::choose(&all, architecture) {
                    assert!(image::fits(
                        one.platform.as_ref().expect("chosen by it"),
                        architecture
                    ));
                }
            }
        }
        Ok(image::Document::Image(image)) => {
            for (layer, _) in &image.layers {
                let spelled = name::digest(&layer.digest);
                assert_eq!(name::parse_digest(&spelled).as_ref(), Some(&layer.digest));
            }
        }
        Err(_) => {}
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (name::is_repository(text), name::is_tag(text), name::parse_digest(text));
    }
}

/// What registries and forges answer when they are asked for proofs, and whether it verifies: it
/// never does, as nobody signed it.
pub fn evidence(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let found = match choice % 4 {
        0 => provenance::pypi(body),
        1 => provenance::npm_provenance(body, "@scope/x", "1.0.0"),
        2 => provenance::github(body, "owner/name"),
        _ => return drop(provenance::npm_keys(body)),
    };
    let digests = [Integrity::sha256_of(b"artifact")];
    let subject = Subject { file: "x-1.0.0.tgz", digests: &digests, content: None };
    for one in found.unwrap_or_default() {
        let verified = provenance::verify(&one, &subject, &Trust::public());
        assert!(verified.is_err(), "verified: {verified:?}");
    }
}

/// Lines of `go.sum`, lists and `.info` documents of a module proxy, names and their escaping.
pub fn modules(data: &[u8]) {
    infra::source::fuzzing::module_list(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Some(line) = sum::Line::read(line) {
            assert!(!line.file().split('/').any(|part| part == ".."), "{line:?} leaves");
        }
        if let Some(plain) = names::unescape(line) {
            assert_eq!(names::escape(&plain), line, "escaped again");
        }
        if names::is_package(line) {
            assert!(!names::command(line).is_empty() && !names::command(line).contains('/'));
            assert_eq!(names::unescape(&names::escape(line)).as_deref(), Some(line));
        }
        let _ = names::is_version(line);
    }
}

/// A `go.mod`.
pub fn gomod(text: &str) {
    let _ = GoMod::read(text);
}

/// A module's zip.
pub fn module_zip(data: &[u8]) {
    let at = PLACE.join("module.zip");
    std::fs::write(&at, data).expect("write");
    if let Ok(sum) = sum::of_zip(&at) {
        assert!(sum.starts_with("h1:"), "{sum}");
    }
}

/// A crate's lines in an index, a registry's `config.json`, a `.crate` file; the first byte chooses.
pub fn krate(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    infra::source::fuzzing::krate(*choice, rest);
}

/// A file of checksums.
pub fn checksums(text: &str) {
    infra::source::fuzzing::checksums(text, "tool.tar.gz");
}

/// A record of the OSV format.
pub fn advisory(data: &[u8]) {
    let _ = infra::exchange::osv::parse(data, Path::new("x.json"));
}

/// An executable's headers.
pub fn executable(data: &[u8]) {
    let _ = infra::binary::inspect(data);
}
