//! Versions of every ecosystem, requirements, and the other words of a lock.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| infra_fuzz::words(text));
