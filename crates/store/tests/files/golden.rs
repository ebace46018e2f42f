//! The bytes of storage.md §15, both ways.

use crate::common::Seen;
use proto::{Acl, Entry, Id, SessionId, StatPersisted, Txn, Zxid};
use store::log::{LogOptions, LogRange, LogWriter, read_logs};
use store::mem::MemDisk;
use store::snapshot::{
    Compression, SnapshotDigest, SnapshotOptions, SnapshotWriter, load_snapshot, put_acl, put_node,
    put_session,
};

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// §15.1 without its padding.
fn log_1() -> Vec<u8> {
    hex("5a4b4c47 00000002 0000000000000000
         00000000b3f00988 00000030 010000248dd10000 00000000 0000000000000001 000001a2030a2b41 fffffff6
         00007530 00000002 0000000051c6d660 42
         00000000912e0ba5 00000058 010000248dd10000 00000001 0000000000000002 000001a2030a2b5c 00000001
         00000002 2f61 00000002 6869 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00 00000001
         00000002 00000000b4cf74aa 42
         0000000011fe160b 00000088 010000248dd10000 00000002 0000000000000003 000001a2030a2b7b 00000001
         00000004 2f612f65 00000000 00000002 0000001f 00000006 646967657374
         0000001e 753a3577395734654c33373937593457713841634b5550506b386861343d
         00000001 00000005 776f726c64 00000006 616e796f6e65 01 00000001 00000002 0000000157286b99 42
         00000000af0a069a 0000003d 010000248dd10000 00000003 0000000000000004 000001a2030a2b86 00000005
         00000002 2f61 00000003 686932 00000001 00000002 000000013ea7fc2c 42")
}

#[test]
fn a_log_of_java_is_read() {
    let disk = MemDisk::new();
    let dirs = crate::common::dirs(&disk);
    let mut bytes = log_1();
    bytes.resize(65_552, 0);
    disk.put("/data/version-2/log.1", &bytes);
    let mut kinds = Vec::new();
    let range = LogRange { after: Zxid(0), upto: None };
    let end = read_logs(&disk, &dirs.log, range, |zxid, payload| {
        let entry = Entry::decode(payload).map_err(|error| error.to_string())?;
        assert_eq!(entry.header.zxid, zxid);
        kinds.push(entry.header.kind);
        if let Txn::SetData(txn) = &entry.txn {
            assert_eq!((txn.data, txn.version), (Some(&b"hi2"[..]), 1));
        }
        Ok::<_, String>(())
    })
    .unwrap();
    assert_eq!(kinds, [-10, 1, 1, 5]);
    assert_eq!((end.last, end.tip), (Zxid(4), Some((Zxid(1), 0x191))));
}

#[test]
fn a_log_has_the_bytes_java_writes() {
    let disk = MemDisk::new();
    let dirs = crate::common::dirs(&disk);
    let golden = log_1();
    let options = LogOptions { prealloc_bytes: 65_536, ..LogOptions::default() };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(0));
    writer.append_batch(&golden[16..0xb2], Zxid(1), Zxid(2)).unwrap();
    assert_eq!(writer.sync().unwrap(), Zxid(2));
    writer.append_batch(&golden[0xb2..], Zxid(3), Zxid(4)).unwrap();
    writer.sync().unwrap();
    let written = disk.contents("/data/version-2/log.1").unwrap();
    assert_eq!(written[..golden.len()], golden);
    assert!(written.len() >= 65_536 && written[golden.len()..].iter().all(|&byte| byte == 0));
}

const DIGEST: &str = "u:5w9W4eL3797Y4Wq8AcKUPPk8ha4=";
const SESSION: SessionId = SessionId(0x0100_0024_8dd1_0000);

fn acls() -> Vec<(i64, Vec<Acl<'static>>)> {
    let world = |perms| Acl { perms, id: Id::new("world", "anyone") };
    vec![
        (1, vec![world(1)]),
        (2, vec![world(31)]),
        (3, vec![Acl { perms: 31, id: Id::new("digest", DIGEST) }, world(1)]),
    ]
}

fn nodes() -> Vec<(String, Option<Vec<u8>>, i64, StatPersisted)> {
    let blank = StatPersisted::default();
    let root = StatPersisted { cversion: 1, pzxid: Zxid(2), ..blank };
    let a = StatPersisted {
        czxid: Zxid(2),
        mzxid: Zxid(4),
        ctime: 0x1a2_030a_2b5c,
        mtime: 0x1a2_030a_2b86,
        version: 1,
        cversion: 1,
        pzxid: Zxid(3),
        ..blank
    };
    let e = StatPersisted {
        czxid: Zxid(3),
        mzxid: Zxid(3),
        ctime: 0x1a2_030a_2b7b,
        mtime: 0x1a2_030a_2b7b,
        ephemeral_owner: SESSION.0,
        pzxid: Zxid(3),
        ..blank
    };
    let node = |path: &str, data: &[u8], acl, stat| (path.to_string(), Some(data.to_vec()), acl, stat);
    vec![
        node("", b"", -1, root),
        node("/a", b"hi2", 2, a),
        node("/a/e", b"", 3, e),
        node("/zookeeper", b"", -1, blank),
        node("/zookeeper/config", b"", 1, StatPersisted { aversion: -1, ..blank }),
        node("/zookeeper/quota", b"", -1, blank),
    ]
}

/// Writes §15.2.
fn write_snapshot_4(disk: &MemDisk, dir: &str, compression: Compression) -> String {
    let options = SnapshotOptions { compression };
    let mut writer = SnapshotWriter::create(disk.clone(), dir, Zxid(4), options, 1).unwrap();
    let mut out = Vec::new();
    put_session(&mut out, SESSION, 30_000);
    writer.push(&out).unwrap();
    writer.start_acls(3).unwrap();
    out.clear();
    for (id, acl) in acls() {
        put_acl(&mut out, id, &acl);
    }
    for (path, data, acl, stat) in nodes() {
        put_node(&mut out, path.as_bytes(), data.as_deref(), acl, &stat);
    }
    for byte in out.chunks(7) {
        writer.push(byte).unwrap();
    }
    let digest = SnapshotDigest { zxid: Zxid(4), version: 2, digest: 0x1_3ea7_fc2c };
    writer.finish(Some(digest), Some(Zxid(4))).unwrap().0
}

#[test]
fn a_snapshot_has_the_bytes_java_writes() {
    let disk = MemDisk::new();
    let dirs = crate::common::dirs(&disk);
    let name = write_snapshot_4(&disk, &dirs.snap, Compression::Plain);
    assert_eq!(name, "snapshot.4");
    let bytes = disk.contents("/data/version-2/snapshot.4").unwrap();
    assert_eq!(bytes.len(), 769);
    // The checksums cover every byte before them, so equal seals are equal snapshots.
    assert_eq!(
        bytes[..0x24],
        hex("5a4b534e 00000002 ffffffffffffffff 00000001 010000248dd10000 00007530 00000003")
    );
    assert_eq!(
        bytes[0x2b9..],
        hex("00000001 2f 000000002f4f5c74 00000001 2f 0000000000000004 00000002 000000013ea7fc2c
             0000000047b76006 00000001 2f 0000000000000004 00000000407d619e 00000001 2f")
    );
}

#[test]
fn a_snapshot_is_read_in_all_three_forms() {
    for compression in [Compression::Plain, Compression::Gzip, Compression::Snappy] {
        let disk = MemDisk::new();
        let dirs = crate::common::dirs(&disk);
        let name = write_snapshot_4(&disk, &dirs.snap, compression);
        let mut seen = Seen::default();
        let end = load_snapshot(&disk, &dirs.snap, &name, &mut seen).unwrap();
        assert_eq!(seen.sessions, [(SESSION, 30_000)]);
        assert_eq!(seen.acls, acls());
        assert_eq!(seen.nodes, nodes());
        assert_eq!((end.nodes, end.last), (6, Some(Zxid(4))));
        assert_eq!(end.digest.map(|digest| digest.digest), Some(0x1_3ea7_fc2c));
    }
}

#[test]
fn large_snapshots_survive_compression() {
    for compression in [Compression::Plain, Compression::Gzip, Compression::Snappy] {
        let disk = MemDisk::new();
        let dirs = crate::common::dirs(&disk);
        let options = SnapshotOptions { compression };
        let mut writer = SnapshotWriter::create(disk.clone(), &dirs.snap, Zxid(9), options, 0).unwrap();
        writer.start_acls(0).unwrap();
        let mut rng = crate::common::Rng(7);
        let mut all = Vec::new();
        for i in 0..700_u32 {
            let size = usize::try_from(rng.below(2000)).unwrap();
            let data: Vec<u8> = (0..size).map(|_| rng.next().to_be_bytes()[0] & 0x8f).collect();
            let mut out = Vec::new();
            let path = format!("/{i}");
            put_node(&mut out, path.as_bytes(), Some(&data), -1, &StatPersisted::default());
            writer.push(&out).unwrap();
            all.push((path, Some(data), -1, StatPersisted::default()));
        }
        let (name, bytes) = writer.finish(None, None).unwrap();
        let mut seen = Seen::default();
        let end = load_snapshot(&disk, &dirs.snap, &name, &mut seen).unwrap();
        assert!(seen.nodes == all, "{compression:?}");
        assert_eq!((end.file_bytes, end.digest, end.last), (bytes, None, None));
    }
}
