//! See `oxkeeper_fuzz::client_port`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::client_port(data));
