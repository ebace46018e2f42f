//! See `oxkeeper_fuzz::epoch_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::epoch_file(data));
