//! A lock: what is read is written, read and equal again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| infra_fuzz::lock(text));
