//! Log and snapshot files: layout, checksums, recovery, retention.
//!
//! The store keeps transactions without understanding them: of a payload it knows the zxid, of a node its record.
//! It reaches files only through [`Disk`]. Its files are Java's, both ways; beside them lie a lock, a mark of how
//! far the log is durable, and at times a spare log file, all of names that Java passes over.
#![no_std]
extern crate alloc;

pub mod disk;
mod entry;
pub mod log;
pub mod names;
pub mod snapshot;
mod window;

pub use disk::{Disk, DiskError, DiskFile};
pub use entry::{Broken, FILE_VERSION, LOG_HEADER_LEN, LOG_MAGIC, frame_entry, log_header};
