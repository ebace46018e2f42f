//! See `oxkeeper_fuzz::properties`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::properties(data));
