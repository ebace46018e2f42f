//! Log and snapshot files: layout, checksums, recovery, retention.
//!
//! The store keeps transactions without understanding them: of a payload it knows the zxid, of a node its record.
//! It reaches files only through [`Disk`]. Its files are Java's, both ways; beside them lie a lock, a mark of how
//! far the log is durable, the session ids that were claimed, and at times a spare log file, all of names that Java
//! passes over.
#![no_std]
extern crate alloc;

mod base;
mod dirs;
pub mod disk;
mod entry;
pub mod epoch;
pub mod log;
pub mod mem;
pub mod names;
mod purge;
mod recover;
mod reserve;
mod sessions;
pub mod snapshot;
mod trigger;
mod truncate;
mod window;

pub use base::BASE_NAME;
pub use dirs::{DirError, Dirs, DirsLock, LOCK_NAME};
pub use disk::{Disk, DiskError, DiskFile};
pub use entry::{Broken, FILE_VERSION, LOG_HEADER_LEN, LOG_MAGIC, frame_entry, log_header};
pub use purge::{RETAIN_MIN, purge};
pub use recover::{Note, RecoverError, RecoverOptions, RecoverSink, Recovered, recover};
pub use reserve::{RESERVE_NAME, keep_reserve};
pub use sessions::{SESSIONS_NAME, SessionIds, claim_session_ids};
pub use trigger::{SinceSnapshot, SnapshotPolicy};
pub use truncate::{TRUNCATION_NAME, TruncateError, Truncated, truncate};
