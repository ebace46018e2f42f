//! See `oxkeeper_fuzz::txn_payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxkeeper_fuzz::txn_payload(data));
