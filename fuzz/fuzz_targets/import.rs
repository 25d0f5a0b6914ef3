//! Files of other tools; the first byte chooses the name.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    infra_fuzz::import(*choice, &String::from_utf8_lossy(rest));
});
