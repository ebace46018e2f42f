//! Directories that real Apache servers wrote.
//!
//! Each was made by one standalone server in three runs, uncompressed, gzip, snappy, the last ended by `kill -9`;
//! `preAllocSize` 8 KiB, driven by the Java shell.

use std::path::{Path, PathBuf};

use crate::common::{Seen, recovered};
use proto::{Entry, Zxid};
use store::log::{LogRange, read_logs};
use store::mem::MemDisk;
use store::names::{list_logs, list_snapshots};
use store::snapshot::load_snapshot;
use store::{Dirs, Disk};

pub(crate) fn captured(version: &str) -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = crate::common::dirs(&disk);
    let from: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/java-{version}"));
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        disk.put(&format!("{}/{name}", dirs.snap), &std::fs::read(entry.path()).unwrap());
    }
    (disk, dirs)
}

fn paths(seen: &Seen) -> Vec<&str> {
    seen.nodes.iter().map(|(path, ..)| path.as_str()).collect()
}

#[test]
fn a_server_starts_where_java_stopped() {
    for version in ["3.9.5", "3.8.6"] {
        let (disk, dirs) = captured(version);
        let (found, seen) = recovered(&disk, &dirs).unwrap();
        assert_eq!(found.notes, [], "{version}");
        assert_eq!(seen.snapshot, found.snapshot.map(|(zxid, _)| zxid));
        assert!(found.last > Zxid(0x16), "{version}: {found:?}");
        assert!(paths(&seen).contains(&"/a/s-0000000001"), "{version}: {:?}", paths(&seen));
        for (_, payload) in &seen.txns {
            Entry::decode(payload).unwrap();
        }
    }
}

#[test]
fn every_snapshot_of_java_is_read_and_says_what_its_version_says() {
    for version in ["3.9.5", "3.8.6"] {
        let (disk, dirs) = captured(version);
        let all = list_snapshots(&disk, &dirs.snap).unwrap();
        let kinds = ["snapshot.", ".gz", ".snappy"];
        assert!(kinds.iter().all(|kind| all.iter().any(|file| file.name.contains(kind))), "{all:?}");
        for file in all {
            let mut seen = Seen::default();
            let end = load_snapshot(&disk, &dirs.snap, &file.name, &mut seen).unwrap();
            assert!(end.digest.is_some(), "{version} {}", file.name);
            assert_eq!(end.last.is_some(), version == "3.9.5", "{}", file.name);
            assert_eq!(seen.nodes[0].0, "");
            assert!(paths(&seen).contains(&"/zookeeper/config"));
        }
    }
}

#[test]
fn the_whole_log_of_java_has_no_hole() {
    for version in ["3.9.5", "3.8.6"] {
        let (disk, dirs) = captured(version);
        let range = LogRange { after: Zxid(0), upto: None };
        let mut next = 1;
        let end = read_logs(&disk, &dirs.log, range, |zxid, _| {
            assert_eq!(zxid.0, next);
            next += 1;
            Ok::<_, String>(())
        })
        .unwrap();
        assert_eq!((end.last.0, end.torn), (next - 1, None));
        assert!(list_logs(&disk, &dirs.log).unwrap().len() >= 3);
    }
}

#[test]
fn a_snapshot_java_cannot_read_any_more_is_replaced_by_an_older_one_and_the_log() {
    let (disk, dirs) = captured("3.9.5");
    let (before, whole) = recovered(&disk, &dirs).unwrap();
    let newest = list_snapshots(&disk, &dirs.snap).unwrap().pop().unwrap();
    let path = format!("{}/{}", dirs.snap, newest.name);
    let mut bytes = disk.contents(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    disk.put(&path, &bytes);
    let (after, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!(after.last, before.last);
    assert!(seen.txns.ends_with(&whole.txns) && seen.snapshot < whole.snapshot);
    assert_eq!(after.notes.len(), 1);
    // Without the log between the two it is not.
    for log in list_logs(&disk, &dirs.log).unwrap() {
        if log.zxid <= newest.zxid {
            disk.remove(&format!("{}/{}", dirs.log, log.name)).unwrap();
        }
    }
    recovered(&disk, &dirs).unwrap_err();
}
