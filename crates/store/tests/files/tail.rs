//! What a learner lacks, out of the log: all of it and in order, or an error before any of it is sent.

use proto::Zxid;
use store::log::{LogTail, LogWriter, TailError, TailRange, log_bytes_max};
use store::mem::MemDisk;
use store::snapshot::{SnapshotOptions, SnapshotWriter};
use store::{Dirs, Disk, log_header};

use crate::common::{SMALL, append, batch, dirs, payload, snapshot};

const EPOCH: i64 = 1 << 32;

fn put_log(disk: &MemDisk, first: i64, last: i64) {
    let bytes = [log_header(), batch(first, last, 20), vec![0; 100]].concat();
    disk.put(&format!("/data/version-2/log.{first:x}"), &bytes);
}

/// 1 to 5, 6 to 9, then epoch 1 up to 4.
fn history() -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    put_log(&disk, 1, 5);
    put_log(&disk, 6, 9);
    put_log(&disk, EPOCH + 1, EPOCH + 4);
    (disk, dirs)
}

fn open(
    disk: &MemDisk,
    dirs: &Dirs,
    from: i64,
    upto: i64,
    bytes_max: Option<u64>,
) -> Result<LogTail<MemDisk>, TailError> {
    LogTail::open(disk, dirs, TailRange { from: Zxid(from), upto: Zxid(upto) }, bytes_max)
}

fn all(tail: &mut LogTail<MemDisk>, bytes_max: usize) -> Vec<i64> {
    let mut seen = Vec::new();
    loop {
        let before = seen.len();
        let done = tail
            .read(bytes_max, |zxid, bytes| {
                assert_eq!(*bytes, payload(zxid, 20));
                seen.push(zxid.0);
            })
            .unwrap();
        if done {
            return seen;
        }
        assert!(seen.len() > before, "a piece holds something");
    }
}

#[test]
fn a_range_of_the_log_is_handed_out_in_pieces() {
    let (disk, dirs) = history();
    let zxids: Vec<i64> = (1..=9).chain(EPOCH + 1..=EPOCH + 4).collect();
    for (i, &from) in zxids.iter().enumerate() {
        for (j, &upto) in zxids.iter().enumerate().skip(i) {
            let mut tail = open(&disk, &dirs, from, upto, None).unwrap();
            assert_eq!(tail.first(), Some(Zxid(from)));
            assert_eq!(tail.bytes(), batch(from, from, 20).len() as u64 * (j - i + 1) as u64);
            assert_eq!(all(&mut tail, 1 + i * 60), zxids[i..=j], "{from} to {upto}");
        }
    }
    // The learner's last one may be of a history that ended there.
    let mut tail = open(&disk, &dirs, 12, EPOCH + 2, None).unwrap();
    assert_eq!((tail.first(), tail.before()), (Some(Zxid(EPOCH + 1)), Some(Zxid(9))));
    assert_eq!(all(&mut tail, 1000), [EPOCH + 1, EPOCH + 2]);
}

#[test]
fn what_is_not_there_as_a_whole_is_not_begun() {
    let (disk, dirs) = history();
    let error = |disk: &MemDisk, from, upto, max| open(disk, &dirs, from, upto, max).err();
    assert_eq!(error(&disk, 0, 9, None), Some(TailError::StartsLater { from: Zxid(0) }));
    for upto in [10, EPOCH, EPOCH + 5] {
        assert_eq!(error(&disk, 3, upto, None), Some(TailError::NotThere { upto: Zxid(upto) }));
    }
    let three = 3 * batch(1, 1, 20).len() as u64;
    assert_eq!(error(&disk, 4, 6, Some(three)), None);
    assert_eq!(error(&disk, 4, 6, Some(three - 1)), Some(TailError::TooLong { bytes_max: three - 1 }));
    disk.remove("/data/version-2/log.1").unwrap();
    assert_eq!(error(&disk, 5, 9, None), Some(TailError::StartsLater { from: Zxid(5) }));
    put_log(&disk, 1, 4);
    let gap = |error| matches!(error, Some(TailError::Gap { after: Zxid(4), found: Zxid(6), .. }));
    assert!(gap(error(&disk, 3, 9, None)));
    assert_eq!(error(&disk, 1, 4, None), None);
    // Damage is a gap, or the end.
    let mut bytes = disk.contents("/data/version-2/log.6").unwrap();
    bytes[16 + 40] ^= 1;
    disk.put("/data/version-2/log.6", &bytes);
    put_log(&disk, 1, 5);
    assert_eq!(error(&disk, 3, 9, None), Some(TailError::NotThere { upto: Zxid(9) }));
    assert!(matches!(error(&disk, 3, EPOCH + 1, None), Some(TailError::Gap { .. })));
    disk.put("/data/version-2/log.6", b"ZK");
    assert!(matches!(error(&disk, 3, 9, None), Some(TailError::NotALog { .. })));
}

/// Java logs a request that it cannot decode under the zxid before it; a follower would stumble over it.
#[test]
fn a_zxid_is_handed_out_once() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    disk.put("/data/version-2/log.1", &[log_header(), batch(1, 3, 20), batch(3, 4, 20)].concat());
    disk.put("/data/version-2/log.100000000", &[log_header(), batch(EPOCH, EPOCH + 2, 20)].concat());
    let mut tail = open(&disk, &dirs, 2, EPOCH + 2, None).unwrap();
    assert_eq!(all(&mut tail, 1), [2, 3, 4, EPOCH + 1, EPOCH + 2]);
    // A counter that ran over is a transaction like any other.
    let last = EPOCH + i64::from(u32::MAX);
    disk.put("/data/version-2/log.1fffffffe", &[log_header(), batch(last - 1, last + 2, 20)].concat());
    let mut tail = open(&disk, &dirs, last, last + 2, None).unwrap();
    assert_eq!(all(&mut tail, 1), [last, last + 1, last + 2]);
}

/// ZOOKEEPER-2846: between a snapshot of a leader and the log before it nobody knows what happened.
#[test]
fn nothing_is_handed_out_across_an_installed_snapshot() {
    let (disk, dirs) = history();
    disk.remove("/data/version-2/log.100000001").unwrap();
    let zxid = Zxid(12);
    let mut writer =
        SnapshotWriter::create(disk.clone(), &dirs.snap, zxid, SnapshotOptions::default(), 0).unwrap();
    writer.start_acls(0).unwrap();
    writer.install(&dirs, None, None).unwrap();
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, zxid);
    append(&mut writer, EPOCH + 1, EPOCH + 3).unwrap();
    for from in [5, 9, 12, EPOCH] {
        let error = open(&disk, &dirs, from, EPOCH + 2, None).err();
        assert_eq!(error, Some(TailError::StartsLater { from: Zxid(from) }));
    }
    let mut tail = open(&disk, &dirs, EPOCH + 1, EPOCH + 2, None).unwrap();
    assert_eq!(all(&mut tail, 1000), [EPOCH + 1, EPOCH + 2]);
}

#[test]
fn the_log_may_go_on_and_be_purged_meanwhile() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    append(&mut writer, 1, 30).unwrap();
    let mut tail = open(&disk, &dirs, 5, 30, None).unwrap();
    writer.roll();
    append(&mut writer, 31, 60).unwrap();
    let mut other = open(&disk, &dirs, 20, 50, None).unwrap();
    assert_eq!(all(&mut tail, 100), (5..=30).collect::<Vec<_>>());
    let mut seen = 0;
    assert!(!other.read(1, |_, _| seen += 1).unwrap());
    disk.remove("/data/version-2/log.1f").unwrap();
    let error = loop {
        match other.read(1, |_, _| seen += 1) {
            Ok(done) => assert!(!done),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TailError::Disk(_)), "{error}");
    assert_eq!(seen, 11, "20 to 30");
}

#[test]
fn the_limit_is_a_part_of_the_newest_snapshot() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    assert_eq!(log_bytes_max(&disk, &dirs, 0.33).unwrap(), None);
    let (_, bytes) = snapshot(&disk, &dirs, 3, SnapshotOptions::default()).unwrap();
    disk.put("/data/version-2/snapshot.9", b"unfinished");
    let third = log_bytes_max(&disk, &dirs, 0.33).unwrap().unwrap();
    assert_eq!(third, bytes * 33 / 100);
    assert_eq!(log_bytes_max(&disk, &dirs, 0.0).unwrap(), None);
}
