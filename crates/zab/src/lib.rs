//! Agreement: which transactions are committed, and in which order.
#![no_std]
extern crate alloc;
