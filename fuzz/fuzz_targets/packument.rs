//! A package's document of an npm registry.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| infra::source::fuzzing::packument(document));
