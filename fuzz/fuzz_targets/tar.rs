//! A tar, its headers' checksums put right, so that changes get past them.

#![no_main]

use infra::archive::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| infra_fuzz::archive(&infra_fuzz::with_checksums(data), Format::Tar));
