//! Snapshots: the whole tree in one file.
//!
//! Source: `FileSnap`, `SnapStream`, `SerializeUtils#serializeSnapshot`; storage.md §6.

mod codec;
mod format;
mod read;
mod write;

pub use codec::{CodecError, Compression};
pub use format::{SnapshotDigest, put_acl, put_node, put_session};
pub use read::{
    NodeRecord, SnapshotEnd, SnapshotError, SnapshotSink, load_snapshot, looks_valid, verify_snapshot,
};
pub use write::{SnapshotOptions, SnapshotWriter};
