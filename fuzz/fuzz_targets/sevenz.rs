//! A 7z archive.

#![no_main]

use infra::archive::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| infra_fuzz::archive(data, Format::SevenZ));
