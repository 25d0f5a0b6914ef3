//! A profile, with everything that is checked about it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| infra_fuzz::profile(text));
