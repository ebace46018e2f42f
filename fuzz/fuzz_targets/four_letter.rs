//! See `oxkeeper_fuzz::four_letter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::four_letter(data));
