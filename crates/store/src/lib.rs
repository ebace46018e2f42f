//! Log and snapshot files: layout, checksums, recovery, retention.
#![no_std]
extern crate alloc;
