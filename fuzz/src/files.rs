//! The files of a data directory.

use proto::{Encode, Zxid};
use server::history::History;
use store::disk::join;
use store::epoch::{self, EpochKind};
use store::log::{LogOptions, LogRange, LogWriter, MARK_NAME, Mark, read_logs};
use store::mem::MemDisk;
use store::names;
use store::snapshot::{
    Compression, Progress, SnapshotDigest, SnapshotOptions, SnapshotWriter, StreamDecoder, load_snapshot,
    looks_valid, verify_snapshot,
};
use store::{Dirs, RecoverError, RecoverOptions, frame_entry, log_header, recover};

use crate::client::TREE;
use crate::pieces::Pieces;

fn disk(dirs: &Dirs) -> MemDisk {
    let disk = MemDisk::new();
    dirs.prepare(&disk, true).expect("a disk in memory has room");
    disk
}

fn dirs() -> Dirs {
    Dirs::new("d", "d")
}

/// Log files, and the mark beside them: as they are, or made of payloads with sound checksums.
///
/// The first byte says which. What recovery accepts once, it must accept again, to the same end, and a writer must be
/// able to go on there.
pub fn log_file(data: &[u8]) {
    let Some((&mode, data)) = data.split_first() else { return };
    let dirs = dirs();
    let disk = disk(&dirs);
    let put = |name: &str, bytes: &[u8]| disk.put(&join(&dirs.log, name), bytes);
    if mode & 1 == 0 {
        put("log.1", data);
    } else {
        for (control, piece) in Pieces::new(data).take(8) {
            match control & 3 {
                0 => put(MARK_NAME, piece),
                1 => put(&names::log_name(Zxid(i64::from(control >> 2))), piece),
                _ => put(&names::log_name(Zxid(i64::from(control >> 2))), &sound_log(piece, control)),
            }
        }
    }
    let _ =
        read_logs(&disk, &dirs.log, LogRange { after: Zxid(2), upto: Some(Zxid(9)) }, |_, _| Ok::<_, ()>(()));
    let _ = Mark::load(&disk, &dirs.log);
    let options = RecoverOptions { trust_empty: true, autocreate: true };
    let mut first = History::new(TREE);
    let Ok(recovered) = recover(&disk, &dirs, options, &mut first) else { return };
    let tree = first.into_tree().expect("recovery made it");
    let mut second = History::new(TREE);
    match recover(&disk, &dirs, options, &mut second) {
        Ok(again) => assert_eq!((again.last, again.replayed), (recovered.last, recovered.replayed)),
        Err(RecoverError::Disk(error)) => panic!("{error}"),
        Err(error) => panic!("what was repaired is refused: {error}"),
    }
    assert_eq!(second.into_tree().expect("as before").digest(), tree.digest());
    go_on(&disk, &dirs, recovered.last.max(Zxid::ZERO));
}

/// A log file whose entries have sound checksums, with whatever was there behind the last one.
fn sound_log(payloads: &[u8], control: u8) -> Vec<u8> {
    let mut out = log_header();
    for (_, payload) in Pieces::new(payloads).filter(|(_, payload)| !payload.is_empty()) {
        frame_entry(&mut out, |out| out.extend_from_slice(payload));
    }
    if control & 1 == 1 {
        out.extend_from_slice(&[0; 64]);
    }
    out
}

/// A writer appends behind what was recovered, and that is found.
fn go_on(disk: &MemDisk, dirs: &Dirs, last: Zxid) {
    let Some(next) = last.next() else { return };
    let options = LogOptions { prealloc_bytes: 4096, size_limit_bytes: 0, force_sync: true };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, last);
    let mut framed = Vec::new();
    frame_entry(&mut framed, |out| {
        let header = proto::TxnHeader {
            session: proto::SessionId(1),
            cxid: 0,
            zxid: next,
            time: 0,
            kind: proto::TxnKind::Error.number(),
        };
        header.encode(out);
        (-101_i32).encode(out);
    });
    writer.append_batch(&framed, next, next).expect("a disk in memory has room");
    writer.sync().expect("a disk in memory has room");
    let mut found = None;
    let range = LogRange { after: last, upto: None };
    read_logs(disk, &dirs.log, range, |zxid, _| {
        found = Some(zxid);
        Ok::<_, ()>(())
    })
    .expect("what was just written can be read");
    assert_eq!(found, Some(next));
}

/// A snapshot, plain, gzip or snappy: as it is, or made of records with sound seals.
pub fn snapshot_file(data: &[u8]) {
    let Some((&mode, data)) = data.split_first() else { return };
    let compression =
        [Compression::Plain, Compression::Gzip, Compression::Snappy][usize::from(mode >> 1) % 3];
    let dirs = dirs();
    let disk = disk(&dirs);
    let zxid = Zxid(5);
    let name = names::snapshot_name(zxid, compression);
    if mode & 1 == 0 {
        disk.put(&join(&dirs.snap, &name), data);
    } else {
        sealed(&disk, &dirs, zxid, compression, data);
    }
    let _ = looks_valid(&disk, &dirs.snap, &name);
    let sound = verify_snapshot(&disk, &dirs.snap, &name);
    let mut history = History::new(TREE);
    let loaded = load_snapshot(&disk, &dirs.snap, &name, &mut history);
    if let (Ok(sound), Ok(loaded)) = (sound, loaded) {
        assert_eq!(sound, loaded);
    }
    let mut history = History::new(TREE);
    if recover(&disk, &dirs, RecoverOptions::default(), &mut history).is_ok() {
        let _ = history.into_tree();
    }
}

/// Sessions, lists and znodes as the pieces have them, and everything around them as it must be.
fn sealed(disk: &MemDisk, dirs: &Dirs, zxid: Zxid, compression: Compression, data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let mut next = || pieces.next().unwrap_or_default();
    let (sessions, session_bytes) = next();
    let (acls, acl_bytes) = next();
    let (sections, node_bytes) = next();
    let options = SnapshotOptions { compression };
    let sessions = usize::from(sessions % 4);
    let room = "a disk in memory has room";
    let mut writer = SnapshotWriter::create(disk.clone(), &dirs.snap, zxid, options, sessions).expect(room);
    writer.push(session_bytes).expect(room);
    writer.start_acls(usize::from(acls % 4)).expect(room);
    writer.push(acl_bytes).expect(room);
    writer.push(node_bytes).expect(room);
    let digest = SnapshotDigest { zxid, version: i32::from(sections >> 4), digest: 7 };
    let digest = (sections & 1 == 1).then_some(digest);
    writer.finish(digest, (sections & 2 == 2).then_some(zxid)).expect(room);
}

/// The snapshot a leader sends, in pieces of the size that the first byte says, and again in one piece.
pub fn snapshot_stream(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    assert_eq!(stream(data, usize::from(size).max(1)), stream(data, data.len().max(1)));
}

/// Where the stream ended, if it did, and the digest of the tree in it, if it is one; else where it broke, in words.
fn stream(data: &[u8], size: usize) -> Result<Option<(usize, Option<u64>)>, String> {
    const FIELD_MAX: usize = 1 << 16;
    let mut history = History::new(TREE);
    let mut decoder = StreamDecoder::begin(Zxid(5), FIELD_MAX, &mut history);
    let mut before = 0;
    for piece in data.chunks(size) {
        match decoder.feed(piece, &mut history).map_err(|error| error.to_string())? {
            Progress::More => before += piece.len(),
            Progress::Done { taken } => {
                assert_eq!(decoder.bytes(), (before + taken) as u64);
                let digest = history.into_tree().ok().map(|tree| tree.digest());
                return Ok(Some((before + taken, digest)));
            }
        }
    }
    Ok(None)
}

/// `acceptedEpoch` and `currentEpoch`, their unfinished versions, and the names of other files.
pub fn epoch_file(data: &[u8]) {
    let dirs = dirs();
    let disk = disk(&dirs);
    let mut last = Zxid::ZERO;
    for (control, piece) in Pieces::new(data).take(8) {
        let name = match control % 6 {
            0 => EpochKind::Accepted.file_name(),
            1 => EpochKind::Current.file_name(),
            2 => "currentEpoch.tmp",
            3 => "acceptedEpoch.tmp",
            4 => {
                let name = String::from_utf8_lossy(piece);
                let _ = (names::log_zxid(&name), names::snapshot_zxid(&name), names::is_unfinished(&name));
                let _ = Compression::of_file(&name);
                continue;
            }
            _ => {
                last = piece.first_chunk().map_or(last, |bytes| Zxid(i64::from_be_bytes(*bytes)));
                continue;
            }
        };
        disk.put(&join(&dirs.snap, name), piece);
    }
    let _ = epoch::load(&disk, &dirs.snap, EpochKind::Accepted);
    let Ok(epochs) = epoch::load_epochs(&disk, &dirs.snap, last) else { return };
    assert!(epochs.current <= epochs.accepted);
    let again = epoch::load_epochs(&disk, &dirs.snap, last).expect("what was repaired can be read");
    assert_eq!((again.accepted, again.current), (epochs.accepted, epochs.current));
}
