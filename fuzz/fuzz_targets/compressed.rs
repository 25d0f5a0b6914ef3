//! A compressed file; the first byte chooses the compression.

#![no_main]

use infra::archive::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let formats = [Format::FileGz, Format::FileXz, Format::FileZst, Format::FileBz2];
    infra_fuzz::archive(rest, formats[usize::from(*choice) % formats.len()]);
});
