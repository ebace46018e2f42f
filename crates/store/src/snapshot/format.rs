//! The records of a snapshot, written.

use alloc::vec::Vec;

use proto::wire::{put_all, put_bytes};
use proto::{Acl, Buffer, Encode, SessionId, StatPersisted, Zxid};

/// `ZKSN`.
pub(crate) const SNAPSHOT_MAGIC: i32 = 0x5a4b_534e;
/// Before everything: magic, version, database id.
pub(crate) const SNAPSHOT_HEADER_LEN: usize = 16;
/// What a snapshot names as database id.
pub(crate) const SNAPSHOT_DBID: i64 = -1;
/// The end of the nodes, and of each seal: the string "/".
pub(crate) const SLASH: &[u8; 5] = &[0, 0, 0, 1, b'/'];
/// Checksum and slash.
pub(crate) const SEAL_LEN: usize = 13;
/// Zxid, version, digest.
pub(crate) const DIGEST_LEN: usize = 20;
/// One zxid.
pub(crate) const LAST_ZXID_LEN: usize = 8;
/// Since this version a digest is a number; before, text.
pub(crate) const DIGEST_VERSION: i32 = 2;

/// The digest of the tree at one moment, which a replay can be held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotDigest {
    /// The last transaction that is in it; 0 for "nothing is known".
    pub zxid: Zxid,
    /// 2 for the digest of this version of ZooKeeper.
    pub version: i32,
    /// See storage.md §5.
    pub digest: i64,
}

/// Appends one session: its id and its timeout.
pub fn put_session(out: &mut Vec<u8>, id: SessionId, timeout_ms: i32) {
    id.encode(out);
    timeout_ms.encode(out);
}

/// Appends one access control list under the number that nodes refer to it by.
pub fn put_acl(out: &mut Vec<u8>, acl_id: i64, acl: &[Acl<'_>]) {
    acl_id.encode(out);
    put_all(acl.iter(), out);
}

/// Appends one node. The root's path is empty; parents come before their children.
///
/// * `acl_id`: a number of the access control lists before, or -1 for "everything to everybody".
pub fn put_node(out: &mut Vec<u8>, path: &[u8], data: Buffer<'_>, acl_id: i64, stat: &StatPersisted) {
    put_bytes(path, out);
    data.encode(out);
    acl_id.encode(out);
    stat.encode(out);
}

/// Appends what stands before the number of sessions.
pub(crate) fn put_header(out: &mut Vec<u8>) {
    SNAPSHOT_MAGIC.encode(out);
    crate::entry::FILE_VERSION.encode(out);
    SNAPSHOT_DBID.encode(out);
}
