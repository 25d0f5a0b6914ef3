//! Fuzz targets, one program for all: `FUZZ_TARGET` names the one to run.
//!
//! Every target reads what others wrote. Invariant: no bytes make one panic, and where more can be
//! said (one tree however it is read, a text that is spelled again), it is asserted.

#![no_main]

mod documents;
mod nar;
mod texts;
mod trees;

use std::path::PathBuf;
use std::sync::LazyLock;

use infra::archive::Format;

/// A target's name, and what it does with bytes.
type Target = (&'static str, fn(&[u8]));

/// Every target; `fuzz/run` asks for the list.
const TARGETS: [Target; 27] = [
    // Archives.
    ("tar", |data| trees::archive(&trees::with_checksums(data), Format::Tar)),
    ("zip", |data| trees::archive(data, Format::Zip)),
    ("deb", |data| trees::archive(data, Format::Deb)),
    ("sevenz", |data| trees::archive(data, Format::SevenZ)),
    ("compressed", trees::compressed),
    ("layers", trees::layers),
    ("nar", nar::nar),
    // What a project and a binary cache hold.
    ("lock", |data| text(data, texts::lock)),
    ("profile", |data| text(data, texts::profile)),
    ("narinfo", texts::narinfo),
    ("version", |data| text(data, texts::words)),
    ("import", texts::import),
    // Documents of registries, repositories and forges.
    ("image", documents::image),
    ("evidence", documents::evidence),
    ("modules", documents::modules),
    ("module-zip", documents::module_zip),
    ("aqua", |data| text(data, infra::source::fuzzing::aqua)),
    ("crate", documents::krate),
    ("releases", infra::source::fuzzing::releases),
    ("apt", infra::source::fuzzing::apt),
    ("index", infra::source::fuzzing::python_index),
    ("packument", infra::source::fuzzing::packument),
    ("wheel", |data| text(data, infra::source::fuzzing::wheel)),
    ("checksums", |data| text(data, documents::checksums)),
    ("advisory", documents::advisory),
    ("executable", documents::executable),
    ("gomod", |data| text(data, documents::gomod)),
];

/// A directory of this process alone, below the one that `fuzz/run` makes and removes.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let parent = std::env::var_os("FUZZ_PLACE").map_or_else(std::env::temp_dir, PathBuf::from);
    let place = tempfile::Builder::new().prefix("infra-fuzz-").tempdir_in(parent);
    place.expect("a temporary directory").keep()
});

/// The target that this process runs.
static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    if wanted == "list" {
        println!("{}", names.join("\n"));
        std::process::exit(0);
    }
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {}", names.join(", "))).1
});

/// Hands on what is text.
fn text(data: &[u8], to: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        to(text);
    }
}

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&RUN); }, |data: &[u8]| RUN(data));
