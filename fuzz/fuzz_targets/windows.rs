//! A driver of Windows that answers anything: how large a device is, what is on it and how it is named.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| ectype_core::os::hostile::answers(input));
