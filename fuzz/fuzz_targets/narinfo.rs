//! A cache's `.narinfo` and `nix-cache-info`; what is read is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| infra_fuzz::narinfo(data));
