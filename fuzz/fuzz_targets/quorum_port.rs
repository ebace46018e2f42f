//! See `oxkeeper_fuzz::quorum_port`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::quorum_port(data));
