//! A sink that remembers, and small histories to put on disks.

use proto::{AclList, Encode, SessionId, StatPersisted, Zxid};
use store::log::{LogOptions, LogWriter};
use store::mem::MemDisk;
use store::snapshot::{
    NodeRecord, SnapshotDigest, SnapshotOptions, SnapshotSink, SnapshotWriter, put_acl, put_node, put_session,
};
use store::{Dirs, Disk, RecoverError, RecoverOptions, RecoverSink, Recovered, frame_entry, recover};

/// Everything that recovery hands out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) snapshot: Option<Zxid>,
    pub(crate) sessions: Vec<(SessionId, i32)>,
    pub(crate) acls: Vec<(i64, AclList)>,
    pub(crate) nodes: Vec<(String, Option<Vec<u8>>, i64, StatPersisted)>,
    pub(crate) txns: Vec<(Zxid, Vec<u8>)>,
}

impl SnapshotSink for Seen {
    type Error = String;

    fn begin(&mut self, zxid: Zxid) {
        *self = Self { snapshot: Some(zxid), ..Self::default() };
    }

    fn session(&mut self, id: SessionId, timeout_ms: i32) -> Result<(), String> {
        self.sessions.push((id, timeout_ms));
        Ok(())
    }

    fn acl(&mut self, acl_id: i64, acl: AclList) -> Result<(), String> {
        self.acls.push((acl_id, acl));
        Ok(())
    }

    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), String> {
        let data = node.data.map(<[u8]>::to_vec);
        self.nodes.push((node.path.into_owned(), data, node.acl_id, node.stat));
        Ok(())
    }
}

impl RecoverSink for Seen {
    fn txn(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), String> {
        self.txns.push((zxid, payload.to_vec()));
        Ok(())
    }
}

impl Seen {
    /// The zxids replayed.
    pub(crate) fn zxids(&self) -> Vec<i64> {
        self.txns.iter().map(|(zxid, _)| zxid.0).collect()
    }

    /// Everything that ever happened, where [`snapshot`] wrote the snapshots: their nodes name the transactions.
    pub(crate) fn history(&self) -> Vec<i64> {
        let in_snapshot = self.nodes.iter().filter_map(|(path, ..)| path.strip_prefix("/t"));
        in_snapshot.map(|zxid| zxid.parse().unwrap()).chain(self.zxids()).collect()
    }
}

/// Directories on a disk in memory.
pub(crate) fn dirs(disk: &MemDisk) -> Dirs {
    let dirs = Dirs::new("/data", "/data");
    dirs.prepare(disk, true).unwrap();
    dirs
}

/// A payload of about `size` bytes whose every byte follows from the zxid.
pub(crate) fn payload(zxid: Zxid, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    SessionId(0x0100_0000_0000_0000).encode(&mut out);
    1_i32.encode(&mut out);
    zxid.encode(&mut out);
    1_700_000_000_000_i64.encode(&mut out);
    (-1_i32).encode(&mut out);
    let seed = zxid.0.to_be_bytes()[7];
    out.extend((0..size).map(|i| seed.wrapping_mul(31).wrapping_add(i.to_be_bytes()[7])));
    out
}

/// The framed entries `first..=last`.
pub(crate) fn batch(first: i64, last: i64, size: usize) -> Vec<u8> {
    let mut framed = Vec::new();
    for zxid in first..=last {
        frame_entry(&mut framed, |out| out.extend_from_slice(&payload(Zxid(zxid), size)));
    }
    framed
}

/// Options with small files.
pub(crate) const SMALL: LogOptions =
    LogOptions { prealloc_bytes: 4096, size_limit_bytes: 0, force_sync: true };

/// Appends and syncs `first..=last` as one batch.
pub(crate) fn append<D: Disk>(
    writer: &mut LogWriter<D>,
    first: i64,
    last: i64,
) -> Result<(), store::log::LogError> {
    writer.append_batch(&batch(first, last, 20), Zxid(first), Zxid(last))?;
    writer.sync().map(|_| ())
}

/// A snapshot of the history `1..=zxid`: one node for each transaction.
pub(crate) fn snapshot<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    zxid: i64,
    options: SnapshotOptions,
) -> Result<(String, u64), store::DiskError> {
    let mut writer = SnapshotWriter::create(disk.clone(), &dirs.snap, Zxid(zxid), options, 1)?;
    let mut out = Vec::new();
    put_session(&mut out, SessionId(0x0100_0000_0000_0000), 30_000);
    writer.push(&out)?;
    writer.start_acls(1)?;
    out.clear();
    put_acl(&mut out, 1, &[proto::Acl::open()]);
    put_node(&mut out, b"", Some(b""), -1, &StatPersisted::default());
    for czxid in 1..=zxid {
        let stat = StatPersisted { czxid: Zxid(czxid), ..StatPersisted::default() };
        put_node(&mut out, format!("/t{czxid}").as_bytes(), None, 1, &stat);
    }
    writer.push(&out)?;
    let digest = SnapshotDigest { zxid: Zxid(zxid), version: 2, digest: zxid * 7 };
    writer.finish(Some(digest), Some(Zxid(zxid)))
}

/// What recovery finds.
pub(crate) fn recovered<D: Disk>(disk: &D, dirs: &Dirs) -> Result<(Recovered, Seen), RecoverError<String>> {
    let mut seen = Seen::default();
    let found = recover(disk, dirs, RecoverOptions::default(), &mut seen)?;
    Ok((found, seen))
}

/// A small generator, so that every failure can be repeated.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}
