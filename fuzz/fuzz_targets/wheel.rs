//! A wheel's file name and its tags.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| infra::source::fuzzing::wheel(name));
