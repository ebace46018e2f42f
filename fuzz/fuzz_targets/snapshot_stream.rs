//! See `oxkeeper_fuzz::snapshot_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::snapshot_stream(data));
