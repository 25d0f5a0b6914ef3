//! A NAR: what the reader accepts, the writer must write again, byte for byte.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| infra_fuzz::nar(data));
