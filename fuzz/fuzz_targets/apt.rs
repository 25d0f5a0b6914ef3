//! A repository's `Release` and a list of packages.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| infra::source::fuzzing::apt(text));
