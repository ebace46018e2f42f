//! Every single changed byte, every truncation and every lost file: noticed, or without effect.

use crate::common::{append, batch, dirs, recovered, snapshot};
use proto::Zxid;
use store::log::{LogOptions, LogWriter};
use store::mem::MemDisk;
use store::snapshot::{Compression, SnapshotOptions};
use store::{Dirs, Disk};

const LAST: i64 = 14;

/// Three snapshots and three logs, each file needed for something, stopped cleanly.
fn directory(prealloc_bytes: u64, compression: Compression) -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    let options = SnapshotOptions { compression };
    snapshot(&disk, &dirs, 0, options).unwrap();
    let log = LogOptions { prealloc_bytes, ..LogOptions::default() };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, log, Zxid(0));
    append(&mut writer, 1, 3).unwrap();
    append(&mut writer, 4, 5).unwrap();
    snapshot(&disk, &dirs, 4, options).unwrap();
    writer.roll();
    append(&mut writer, 6, 8).unwrap();
    append(&mut writer, 9, 10).unwrap();
    snapshot(&disk, &dirs, 9, options).unwrap();
    writer.roll();
    append(&mut writer, 11, 13).unwrap();
    append(&mut writer, LAST, LAST).unwrap();
    (disk, dirs)
}

/// Recovery gives everything, or an error that names a file; returns whether it gave everything.
fn all_or_error(disk: &MemDisk, dirs: &Dirs, what: &str) -> bool {
    match recovered(disk, dirs) {
        Ok((found, seen)) => {
            assert_eq!(seen.history(), (1..=LAST).collect::<Vec<_>>(), "{what}: {:?}", found.notes);
            for (zxid, payload) in &seen.txns {
                assert_eq!(*payload, crate::common::payload(*zxid, 20), "{what}");
            }
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("/data/version-2"), "{what}: {error}");
            false
        }
    }
}

/// Tries `change` on a copy of the directory.
fn with(disk: &MemDisk, dirs: &Dirs, path: &str, bytes: &[u8], what: &str) -> bool {
    let copy = disk.copy();
    copy.put(path, bytes);
    all_or_error(&copy, dirs, &format!("{path}, {what}"))
}

#[test]
fn every_flipped_byte_is_noticed_or_harmless() {
    for compression in [Compression::Plain, Compression::Gzip, Compression::Snappy] {
        let (disk, dirs) = directory(0, compression);
        assert!(all_or_error(&disk, &dirs, "whole"));
        let mut refused = 0;
        for path in disk.paths() {
            let bytes = disk.contents(&path).unwrap();
            for at in 0..bytes.len() {
                for bit in [1 << (at % 8), 0xff] {
                    let mut bad = bytes.clone();
                    bad[at] ^= bit;
                    refused +=
                        usize::from(!with(&disk, &dirs, &path, &bad, &format!("byte {at} ^ {bit:#x}")));
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }
}

#[test]
fn every_truncation_is_noticed_or_harmless() {
    let (disk, dirs) = directory(0, Compression::Plain);
    for path in disk.paths() {
        let bytes = disk.contents(&path).unwrap();
        for length in 0..bytes.len() {
            with(&disk, &dirs, &path, &bytes[..length], &format!("{length} bytes"));
        }
    }
}

#[test]
fn every_lost_file_is_noticed_or_harmless() {
    let (disk, dirs) = directory(0, Compression::Plain);
    let mut harmless = Vec::new();
    for path in disk.paths() {
        let copy = disk.copy();
        copy.remove(&path).unwrap();
        if all_or_error(&copy, &dirs, &path) {
            harmless.push(path.rsplit('/').next().unwrap().to_string());
        }
    }
    assert_eq!(harmless, [".oxkeeper.mark", "log.1", "snapshot.0", "snapshot.4", "snapshot.9"]);
}

#[test]
fn every_zeroed_sector_is_noticed_or_harmless() {
    let (disk, dirs) = directory(1024, Compression::Plain);
    for path in disk.paths() {
        let bytes = disk.contents(&path).unwrap();
        for at in (0..bytes.len()).step_by(64) {
            let mut bad = bytes.clone();
            let end = (at + 64).min(bad.len());
            bad[at..end].fill(0);
            with(&disk, &dirs, &path, &bad, &format!("zeroes from {at}"));
            bad[at..end].fill(0xa5);
            with(&disk, &dirs, &path, &bad, &format!("garbage from {at}"));
        }
    }
}

/// What stands behind the end of the log is nobody's promise.
#[test]
fn garbage_in_the_padding_is_cut() {
    let (disk, dirs) = directory(1024, Compression::Plain);
    let path = "/data/version-2/log.b";
    let bytes = disk.contents(path).unwrap();
    let end = 16 + batch(11, LAST, 20).len();
    for at in end..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] = 1;
        assert!(with(&disk, &dirs, path, &bad, &format!("padding at {at}")));
    }
}
