//! The words: ids, records, packets, transactions, their bytes and framing.
#![no_std]
extern crate alloc;
