//! The snapshot a leader sends: Java's bytes, pieces of any size, bytes of any kind.

use proptest::prelude::*;
use proto::{Acl, Id, SessionId, StatPersisted, Zxid};
use store::snapshot::{
    Compression, NodeRecord, Progress, STREAM_END_BYTES, SnapshotDigest, SnapshotOptions, SnapshotSink,
    SnapshotWriter, StreamDecoder, StreamError, load_snapshot, put_node, put_stream_end, put_stream_start,
};

use store::mem::MemDisk;

use crate::common::Seen;
use crate::golden::hex;

const FIELD_MAX: usize = 2_097_150;

/// Feeds `bytes` in pieces of the lengths given, over and over; what was seen, and how many bytes belonged to it if it
/// came to its end.
fn try_read(
    bytes: &[u8],
    pieces: &[usize],
    field_max: usize,
) -> Result<(Seen, Option<usize>), StreamError<String>> {
    let mut seen = Seen::default();
    let mut decoder = StreamDecoder::begin(Zxid(7), field_max, &mut seen);
    let mut at = 0;
    for &n in pieces.iter().cycle() {
        let piece = &bytes[at..bytes.len().min(at + n)];
        match decoder.feed(piece, &mut seen)? {
            Progress::More => at += piece.len(),
            Progress::Done { taken } => {
                assert_eq!(decoder.bytes(), (at + taken) as u64);
                assert_eq!(decoder.nodes(), seen.nodes.len() as u64);
                assert_eq!(decoder.feed(b"more", &mut seen)?, Progress::Done { taken: 0 });
                return Ok((seen, Some(at + taken)));
            }
        }
        if at == bytes.len() {
            break;
        }
    }
    Ok((seen, None))
}

/// A stream that has its end.
fn read(bytes: &[u8], pieces: &[usize], field_max: usize) -> Result<(Seen, usize), StreamError<String>> {
    let (seen, taken) = try_read(bytes, pieces, field_max)?;
    Ok((seen, taken.unwrap()))
}

fn written(seen: &Seen) -> Vec<u8> {
    let mut out = Vec::new();
    put_stream_start(&mut out, &seen.sessions, &seen.acls);
    for (path, data, acl_id, stat) in &seen.nodes {
        put_node(&mut out, path.as_bytes(), data.as_deref(), *acl_id, stat);
    }
    put_stream_end(&mut out);
    out
}

/// quorum-protocol.md, appendix A: how a stream starts and ends, and the packet behind it.
#[test]
fn a_stream_of_java_is_read_and_written() {
    let start =
        "00000000 00000001 0000000000000001 00000001 00000001 00000005 776f726c64 00000006 616e796f6e65
        00000000 00000000 ffffffffffffffff";
    let mut bytes = hex(start);
    bytes.extend([0; 60]);
    bytes.extend(hex("00000001 2f 0000000a 42656e57617348657265"));
    let length = bytes.len();
    bytes.extend(hex("0000000a 0000000100000000 0000008a"));
    for pieces in [&[1][..], &[2, 3], &[usize::MAX / 2]] {
        let (seen, taken) = read(&bytes, pieces, FIELD_MAX).unwrap();
        assert_eq!((taken, seen.snapshot), (length, Some(Zxid(7))));
        assert_eq!(seen.acls, [(1, vec![Acl { perms: 1, id: Id::new("world", "anyone") }])]);
        assert_eq!(seen.nodes, [(String::new(), Some(Vec::new()), -1, StatPersisted::default())]);
        assert_eq!(written(&seen), bytes[..length]);
    }
}

/// Between its header and its first seal a file of Java is what Java sends.
#[test]
fn the_records_of_a_file_of_java_are_a_stream() {
    let (disk, dirs) = crate::java::captured("3.9.5");
    let plain = store::names::list_snapshots(&disk, &dirs.snap).unwrap();
    for file in plain.iter().filter(|file| !file.name.contains("gz") && !file.name.contains("snappy")) {
        let mut seen = Seen::default();
        load_snapshot(&disk, &dirs.snap, &file.name, &mut seen).unwrap();
        let bytes = disk.contents(&store::disk::join(&dirs.snap, &file.name)).unwrap();
        let stream = written(&seen);
        let records = &stream[..stream.len() - 14];
        assert_eq!(bytes[16..16 + records.len()], *records, "{}", file.name);
        let (again, taken) = read(&stream, &[1], FIELD_MAX).unwrap();
        assert_eq!(taken, stream.len());
        assert_eq!(Seen { snapshot: seen.snapshot, ..again }, seen);
    }
}

fn any_stat() -> impl Strategy<Value = StatPersisted> {
    any::<(i64, i64, i32, i64)>().prop_map(|(zxid, ctime, version, ephemeral_owner)| StatPersisted {
        czxid: Zxid(zxid),
        ctime,
        version,
        ephemeral_owner,
        ..StatPersisted::default()
    })
}

fn any_acl() -> impl Strategy<Value = Acl<'static>> {
    (any::<i32>(), "[a-z]{0,6}", "[a-z:]{0,9}").prop_map(|(perms, scheme, id)| Acl {
        perms,
        id: Id { scheme: Some(scheme.into()), id: Some(id.into()) },
    })
}

fn any_snapshot() -> impl Strategy<Value = Seen> {
    let node = (
        "(/[a-z]{1,5}){0,3}",
        prop::option::of(prop::collection::vec(any::<u8>(), 0..90)),
        any::<i64>(),
        any_stat(),
    );
    (
        prop::collection::vec((any::<i64>().prop_map(SessionId), any::<i32>()), 0..6),
        prop::collection::vec((any::<i64>(), prop::collection::vec(any_acl(), 0..4)), 0..4),
        prop::collection::vec(node, 0..8),
    )
        .prop_map(|(sessions, acls, nodes)| Seen {
            snapshot: Some(Zxid(7)),
            sessions,
            acls,
            nodes,
            txns: Vec::new(),
        })
}

proptest! {
    #[test]
    fn a_stream_becomes_a_file_as_it_comes(
        snapshot in any_snapshot(),
        size in 1..200_usize,
        compression in prop::sample::select(vec![Compression::Plain, Compression::Gzip, Compression::Snappy]),
    ) {
        let disk = MemDisk::new();
        let dirs = crate::common::dirs(&disk);
        let options = SnapshotOptions { compression };
        let mut writer = SnapshotWriter::receive(disk.clone(), &dirs.snap, Zxid(7), options).unwrap();
        let bytes = written(&snapshot);
        for piece in bytes[..bytes.len() - STREAM_END_BYTES].chunks(size) {
            writer.push(piece).unwrap();
        }
        let digest = SnapshotDigest { zxid: Zxid(7), version: 2, digest: 5 };
        let (name, _) = writer.finish(Some(digest), Some(Zxid(7))).unwrap();
        let mut seen = Seen::default();
        let end = load_snapshot(&disk, &dirs.snap, &name, &mut seen).unwrap();
        prop_assert_eq!((end.digest, end.last), (Some(digest), Some(Zxid(7))));
        prop_assert_eq!(seen, snapshot);
    }

    #[test]
    fn what_is_written_is_read_in_any_pieces(
        snapshot in any_snapshot(),
        pieces in prop::collection::vec(1..50_usize, 1..9),
        behind in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = written(&snapshot);
        let length = bytes.len();
        bytes.extend(behind);
        let (seen, taken) = read(&bytes, &pieces, FIELD_MAX).unwrap();
        prop_assert_eq!((seen, taken), (snapshot, length));
    }

    /// Pieces of another size make no other error.
    #[test]
    fn any_bytes_are_a_snapshot_or_an_error(
        snapshot in any_snapshot(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        pieces in prop::collection::vec(1..50_usize, 1..9),
    ) {
        let mut bytes = written(&snapshot);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Whatever it wants now comes.
        bytes.resize(bytes.len() + 4096, 0xff);
        prop_assert_eq!(try_read(&bytes, &pieces, 1000), try_read(&bytes, &[usize::MAX / 2], 1000));
    }
}

#[test]
fn a_field_longer_than_the_limit_is_refused_before_it_comes() {
    let mut head = Vec::new();
    put_stream_start(&mut head, &[], &[]);
    let at = head.len() as u64;
    let too_long = |bytes| Err(StreamError::TooLong { offset: at, bytes, max: 10 });
    for field in ["0000000b", "00000002 2f61 0000000b"] {
        let bytes = [head.clone(), hex(field)].concat();
        assert_eq!(read(&bytes, &[1], 10), too_long(11));
    }
    // A list counts as a whole, and by what has come of it.
    let list = vec![Acl { perms: 1, id: Id::new("a", "") }; 3];
    let mut bytes = Vec::new();
    put_stream_start(&mut bytes, &[], &[(1, list)]);
    let error = read(&bytes, &[1], 30).unwrap_err();
    assert_eq!(error, StreamError::TooLong { offset: 8 + 12 + 26, bytes: 13, max: 30 });
}

#[test]
fn what_breaks_the_rules_is_named_with_its_place() {
    let mut head = Vec::new();
    put_stream_start(&mut head, &[], &[]);
    for (bytes, offset, what) in [
        (hex("ffffffff"), 0, "a count is negative"),
        (hex("00000000 80000000"), 4, "a count is negative"),
        ([head.clone(), hex("fffffffe")].concat(), 8, "a length is negative"),
        (
            [head.clone(), hex("00000001 2f 0000000a 42656e5761734865726f")].concat(),
            13,
            "the signature is missing",
        ),
    ] {
        assert_eq!(read(&bytes, &[3], 100), Err(StreamError::Broken { offset, what }));
    }
}

/// Takes nothing.
struct Unwilling;

impl SnapshotSink for Unwilling {
    type Error = &'static str;

    fn begin(&mut self, _: Zxid) {}

    fn session(&mut self, _: SessionId, _: i32) -> Result<(), Self::Error> {
        Err("no")
    }

    fn acl(&mut self, _: i64, _: proto::AclList) -> Result<(), Self::Error> {
        Ok(())
    }

    fn node(&mut self, _: NodeRecord<'_>) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn a_record_the_sink_refuses_ends_it() {
    let mut bytes = Vec::new();
    put_stream_start(&mut bytes, &[(SessionId(1), 2)], &[]);
    let mut decoder = StreamDecoder::begin(Zxid(7), 10, &mut Unwilling);
    assert_eq!(decoder.feed(&bytes, &mut Unwilling), Err(StreamError::Sink { offset: 4, error: "no" }));
}
