//! A record of the OSV format.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = infra::exchange::osv::parse(data, std::path::Path::new("x.json"));
});
