//! See `oxkeeper_fuzz::log_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::log_file(data));
