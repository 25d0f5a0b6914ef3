//! A page of a Python index, JSON or HTML.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| infra::source::fuzzing::python_index(page));
