//! Snapshots: the whole tree in one file.
//!
//! Source: `FileSnap`, `SnapStream`, `SerializeUtils#serializeSnapshot`; storage.md §6.

mod codec;
mod format;
mod read;
mod records;
mod stream;
mod write;

pub use codec::{CodecError, Compression};
pub use format::{SnapshotDigest, put_acl, put_node, put_session};
pub use read::{SnapshotEnd, SnapshotError, load_snapshot, looks_valid, verify_snapshot};
pub use records::{NodeRecord, SnapshotSink};
pub use stream::{Progress, STREAM_END_BYTES, StreamDecoder, StreamError, put_stream_end, put_stream_start};
pub use write::{Installed, SnapshotOptions, SnapshotWriter};
