//! A file of checksums.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    infra::source::fuzzing::checksums(text, "tool.tar.gz");
});
