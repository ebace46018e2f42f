//! What a start accepts, repairs and refuses.

use crate::common::{SMALL, append, batch, dirs, recovered, snapshot};
use proto::{Epoch, Zxid};
use store::epoch::{EpochError, EpochKind, load_epochs, save};
use store::log::{LogError, LogOptions, LogReadError, LogWriter, SPARE_NAME};
use store::mem::MemDisk;
use store::snapshot::SnapshotOptions;
use store::{
    DirError, Dirs, Disk, DiskError, Note, RecoverError, RecoverOptions, log_header, purge, recover,
};

const DIR: &str = "/data/version-2";

fn path(name: &str) -> String {
    format!("{DIR}/{name}")
}

/// A log file as Java would leave it: no mark beside it.
fn java_log(disk: &MemDisk, first: i64, last: i64, behind: &[u8]) {
    let mut bytes = log_header();
    bytes.extend(batch(first, last, 20));
    bytes.extend_from_slice(behind);
    disk.put(&path(&format!("log.{first:x}")), &bytes);
}

fn fresh() -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    snapshot(&disk, &dirs, 0, SnapshotOptions::default()).unwrap();
    (disk, dirs)
}

#[test]
fn an_empty_directory_is_a_new_history_if_that_is_allowed() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    let none = RecoverOptions { autocreate: false, ..RecoverOptions::default() };
    let mut seen = crate::common::Seen::default();
    assert_eq!(recover(&disk, &dirs, none, &mut seen).unwrap().last, Zxid::NONE);
    disk.put("/data/initialize", b"");
    let found = recover(&disk, &dirs, none, &mut seen).unwrap();
    assert_eq!((found.last, found.snapshot), (Zxid(0), None));
    assert_eq!(found.notes, [Note::Initialize { file: "/data/initialize".into() }]);
    assert_eq!(disk.contents("/data/initialize"), None);
    assert_eq!(recovered(&disk, &dirs).unwrap().0.last, Zxid(0));
}

#[test]
fn a_log_without_snapshot_needs_consent() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    java_log(&disk, 1, 3, &[]);
    assert!(matches!(recovered(&disk, &dirs), Err(RecoverError::NoSnapshot { .. })));
    let mut seen = crate::common::Seen::default();
    let trust = RecoverOptions { trust_empty: true, ..RecoverOptions::default() };
    assert_eq!(recover(&disk, &dirs, trust, &mut seen).unwrap().last, Zxid(3));
    assert_eq!(seen.zxids(), [1, 2, 3]);
}

#[test]
fn a_missing_middle_file_is_an_error() {
    let (disk, dirs) = fresh();
    java_log(&disk, 1, 4, &[0; 64]);
    java_log(&disk, 5, 6, &[0; 64]);
    java_log(&disk, 7, 9, &[0; 64]);
    assert_eq!(recovered(&disk, &dirs).unwrap().1.zxids(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    disk.remove(&path("log.5")).unwrap();
    let error = recovered(&disk, &dirs).unwrap_err();
    assert!(
        matches!(&error, RecoverError::Log(LogReadError::Gap { after: Zxid(4), found: Zxid(7), offset: 16, file }) if file == &path("log.7")),
        "{error}"
    );
}

#[test]
fn what_healthy_java_servers_leave_is_accepted() {
    let (disk, dirs) = fresh();
    // A request that could not be decoded was logged under the zxid before it, also first in a file.
    let mut bytes = log_header();
    bytes.extend(batch(1, 3, 20));
    bytes.extend(batch(3, 4, 20));
    disk.put(&path("log.1"), &bytes);
    java_log(&disk, 4, 5, &[]);
    // The next epoch, and there too.
    java_log(&disk, 0x1_0000_0000, 0x1_0000_0002, &[]);
    // A file without entries.
    java_log(&disk, 0x1_0000_0003, 0x1_0000_0002, &[0; 100]);
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!(seen.zxids(), [1, 2, 3, 3, 4, 4, 5, 0x1_0000_0000, 0x1_0000_0001, 0x1_0000_0002]);
    assert_eq!(found.notes, []);
}

#[test]
fn a_torn_tail_of_java_is_cut_and_the_log_goes_on() {
    let (disk, dirs) = fresh();
    let torn = batch(4, 4, 20);
    java_log(&disk, 1, 3, &torn[..30]);
    let offset = 16 + batch(1, 3, 20).len() as u64;
    let (found, _) = recovered(&disk, &dirs).unwrap();
    assert_eq!(found.last, Zxid(3));
    assert!(matches!(&found.notes[..], [Note::TornTailCut { offset: at, .. }] if *at == offset), "{found:?}");
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, found.last);
    append(&mut writer, 4, 5).unwrap();
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!((seen.zxids(), found.notes), (vec![1, 2, 3, 4, 5], vec![]));
}

#[test]
fn a_broken_entry_before_an_intact_one_is_damage() {
    let (disk, dirs) = fresh();
    java_log(&disk, 1, 5, &[0; 64]);
    let mut bytes = disk.contents(&path("log.1")).unwrap();
    let one = batch(1, 1, 20).len();
    bytes[16 + 2 * one - 1] = 0;
    disk.put(&path("log.1"), &bytes);
    let error = recovered(&disk, &dirs).unwrap_err();
    let expected = 16 + one as u64;
    assert!(matches!(error, RecoverError::Log(LogReadError::Damaged { offset, .. }) if offset == expected));
}

#[test]
fn a_torn_entry_that_the_next_file_repeats_is_passed() {
    let (disk, dirs) = fresh();
    java_log(&disk, 1, 3, &batch(4, 4, 20)[..40]);
    java_log(&disk, 4, 6, &[]);
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!(seen.zxids(), [1, 2, 3, 4, 5, 6]);
    assert!(matches!(&found.notes[..], [Note::TornEntryPassed { .. }]));
}

#[test]
fn short_newest_files_are_put_away_and_older_ones_are_not() {
    for bytes in [0, 1, 15] {
        let (disk, dirs) = fresh();
        java_log(&disk, 1, 3, &[]);
        disk.put(&path("log.4"), &log_header()[..bytes]);
        let (found, _) = recovered(&disk, &dirs).unwrap();
        assert_eq!((found.last, found.notes.len()), (Zxid(3), 1));
        assert_eq!(disk.contents(&path("log.4")), None);
        assert_eq!(disk.contents(&path("damaged-log.4")).is_some(), bytes > 0);
        disk.put(&path("log.1"), &log_header()[..bytes]);
        java_log(&disk, 2, 3, &[]);
        let error = recovered(&disk, &dirs).unwrap_err();
        assert!(matches!(error, RecoverError::Log(LogReadError::Short { .. })), "{error}");
    }
}

#[test]
fn a_log_that_lost_its_durable_end_is_refused_unless_the_ensemble_cut_it() {
    let (disk, dirs) = fresh();
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    append(&mut writer, 1, 3).unwrap();
    append(&mut writer, 4, 6).unwrap();
    let keep = 16 + batch(1, 5, 20).len();
    let bytes = disk.contents(&path("log.1")).unwrap();
    disk.put(&path("log.1"), &bytes[..keep]);
    let error = recovered(&disk, &dirs).unwrap_err();
    assert!(matches!(error, RecoverError::HistoryShort { durable: Zxid(6), last: Zxid(5), .. }), "{error}");
    save(&disk, DIR, EpochKind::Current, Epoch(1)).unwrap();
    let (found, _) = recovered(&disk, &dirs).unwrap();
    assert_eq!(found.notes, [Note::HistoryCutByEnsemble { durable: Zxid(6), last: Zxid(5) }]);
}

#[test]
fn a_log_with_entries_is_never_overwritten() {
    let (disk, dirs) = fresh();
    java_log(&disk, 1, 3, &[]);
    let before = disk.contents(&path("log.1"));
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    let error = append(&mut writer, 1, 1).unwrap_err();
    assert_eq!(error, LogError::Occupied { path: path("log.1") });
    assert!(error.is_fatal());
    assert_eq!(append(&mut writer, 1, 1), Err(LogError::AfterFailure));
    assert_eq!(disk.contents(&path("log.1")), before);
}

#[test]
fn the_writer_goes_over_to_the_spare_when_a_file_is_full() {
    let (disk, dirs) = fresh();
    let options = LogOptions { prealloc_bytes: 4 << 20, ..LogOptions::default() };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(0));
    let big = |zxid| batch(zxid, zxid, 200_000);
    // The first spare is small and there before the first entry.
    let job = writer.spare_wanted().expect("there is no file yet");
    writer.offer_spare(job.run().unwrap());
    assert_eq!(disk.contents(&path(SPARE_NAME)).unwrap().len(), 1 << 20);
    for zxid in 1..=3 {
        assert!(writer.spare_wanted().is_none(), "{zxid}");
        writer.append_batch(&big(zxid), Zxid(zxid), Zxid(zxid)).unwrap();
        writer.sync().unwrap();
    }
    let job = writer.spare_wanted().expect("the file is half full");
    assert!(writer.spare_wanted().is_none(), "asked for once");
    writer.offer_spare(job.run().unwrap());
    let begun = [(4, false), (5, false), (6, true), (7, true), (8, false), (9, false)];
    for (zxid, hardly_begun) in begun {
        writer.append_batch(&big(zxid), Zxid(zxid), Zxid(zxid)).unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.is_hardly_begun(), hardly_begun, "{zxid}");
    }
    assert_eq!(disk.contents(&path("log.1")).unwrap().len(), 1 << 20);
    assert_eq!(disk.contents(&path("log.6")).unwrap().len(), 4 << 20);
    writer.roll();
    append(&mut writer, 10, 10).unwrap();
    assert_eq!(writer.path(), Some(path("log.a").as_str()));
    assert_eq!(recovered(&disk, &dirs).unwrap().1.zxids(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // An unused spare is no trap for the next start.
    disk.put(&path(SPARE_NAME), &[1; 100]);
    assert_eq!(recovered(&disk, &dirs).unwrap().0.notes, [Note::Removed { file: path(SPARE_NAME) }]);
}

#[test]
fn files_beyond_the_size_limit_are_followed_by_new_ones() {
    let (disk, dirs) = fresh();
    let options = LogOptions { prealloc_bytes: 0, size_limit_bytes: 200, force_sync: true };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(0));
    for zxid in 1..=6 {
        append(&mut writer, zxid, zxid).unwrap();
    }
    let logs = store::names::list_logs(&disk, DIR).unwrap();
    assert_eq!(logs.iter().map(|log| log.zxid.0).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(recovered(&disk, &dirs).unwrap().1.zxids(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn purge_keeps_what_a_start_may_need() {
    let (disk, dirs) = fresh();
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    for round in 1..=6 {
        append(&mut writer, round * 10 - 9, round * 10).unwrap();
        snapshot(&disk, &dirs, round * 10 - 1, SnapshotOptions::default()).unwrap();
        writer.roll();
    }
    append(&mut writer, 61, 62).unwrap();
    let mut broken = disk.contents(&path("snapshot.3b")).unwrap();
    broken[100] ^= 1;
    disk.put(&path("snapshot.3b"), &broken);
    let removed = purge(&disk, &dirs, 3).unwrap();
    let kept: Vec<_> = disk.paths().into_iter().filter(|path| !path.contains("oxkeeper")).collect();
    let expected = [
        "log.15",
        "log.1f",
        "log.29",
        "log.33",
        "log.3d",
        "snapshot.1d",
        "snapshot.27",
        "snapshot.31",
        "snapshot.3b",
    ];
    assert_eq!(kept, expected.map(path), "removed {removed:?}");
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!(seen.history(), (1..=62).collect::<Vec<_>>());
    assert_eq!(found.last, Zxid(62));
    assert_eq!(purge(&disk, &dirs, 3).unwrap(), Vec::<String>::new());
}

#[test]
fn epochs_are_repaired_or_refused() {
    let (disk, _) = fresh();
    let last = Zxid::new(Epoch(3), 7);
    let epochs = load_epochs(&disk, DIR, last).unwrap();
    assert_eq!((epochs.accepted, epochs.current, epochs.created), (Epoch(3), Epoch(3), true));
    assert_eq!(disk.contents(&path("currentEpoch")).unwrap(), b"3");
    let later = Zxid::new(Epoch(4), 1);
    let error = load_epochs(&disk, DIR, later).unwrap_err();
    assert_eq!(error, EpochError::BehindLog { current: Epoch(3), last: later });
    save(&disk, DIR, EpochKind::Accepted, Epoch(4)).unwrap();
    disk.put(&path("currentEpoch.tmp"), b"4");
    assert_eq!(load_epochs(&disk, DIR, later).unwrap().current, Epoch(4));
    assert_eq!(disk.contents(&path("currentEpoch")).unwrap(), b"4");
    // Stopped between the history and the epoch of a leader that was accepted.
    let latest = Zxid::new(Epoch(6), 0);
    assert!(load_epochs(&disk, DIR, latest).is_err());
    save(&disk, DIR, EpochKind::Accepted, Epoch(7)).unwrap();
    let epochs = load_epochs(&disk, DIR, later).unwrap();
    assert_eq!((epochs.accepted, epochs.current, epochs.created), (Epoch(7), Epoch(4), false));
    let epochs = load_epochs(&disk, DIR, latest).unwrap();
    assert_eq!((epochs.accepted, epochs.current), (Epoch(7), Epoch(6)));
    assert_eq!(disk.contents(&path("currentEpoch")).unwrap(), b"6");
    save(&disk, DIR, EpochKind::Accepted, Epoch(2)).unwrap();
    assert!(matches!(load_epochs(&disk, DIR, later), Err(EpochError::Disagree { .. })));
    disk.put(&path("acceptedEpoch"), b"x1");
    assert!(matches!(load_epochs(&disk, DIR, later), Err(EpochError::NotANumber { .. })));
}

#[test]
fn directories_are_checked_as_java_does() {
    let disk = MemDisk::new();
    let apart = Dirs::new("/data", "/log");
    let missing = apart.prepare(&disk, false).unwrap_err();
    assert!(
        missing.to_string().starts_with(
            "Missing data directory /log/version-2, automatic data directory creation is disabled"
        )
    );
    apart.prepare(&disk, true).unwrap();
    disk.put("/data/version-2/log.1", b"");
    assert!(matches!(apart.prepare(&disk, true), Err(DirError::LogsAmongSnapshots { .. })));
    disk.put("/log/version-2/snapshot.1", b"");
    assert!(matches!(apart.prepare(&disk, true), Err(DirError::SnapshotsAmongLogs { .. })));
    let lock = apart.lock(&disk).unwrap();
    assert!(matches!(apart.lock(&disk), Err(DiskError::Locked { .. })));
    drop(lock);
    apart.lock(&disk).unwrap();
}

/// The first start used to remove the newest file and succeed, and the second to refuse what lies before it.
#[test]
fn a_short_newest_file_does_not_hide_a_damaged_one_before_it() {
    for short in [&[][..], b"ZKL"] {
        let (disk, dirs) = fresh();
        disk.put(&path("log.0"), &[&log_header()[..], &[0xff; 40]].concat());
        disk.put(&path("log.1"), short);
        let error = recovered(&disk, &dirs).unwrap_err();
        assert!(
            matches!(&error, RecoverError::Log(LogReadError::Damaged { file, .. }) if file == &path("log.0")),
            "{error}"
        );
        assert_eq!(disk.contents(&path("log.1")).unwrap(), short, "a refused start changes nothing");
        // Nor is a sound one in the way.
        disk.put(&path("log.0"), &log_header());
        let (first, _) = recovered(&disk, &dirs).unwrap();
        let (second, _) = recovered(&disk, &dirs).unwrap();
        assert_eq!((first.last, first.notes.len()), (Zxid(0), 1));
        assert_eq!((second.last, second.notes), (Zxid(0), vec![]));
    }
}

/// The start used to succeed, and the first write to find its file taken.
#[test]
fn an_entry_older_than_the_name_of_its_file_is_an_error() {
    for first in [-5, 1, 4] {
        let (disk, dirs) = fresh();
        let mut bytes = log_header();
        bytes.extend(batch(first, first, 20));
        disk.put(&path("log.5"), &bytes);
        let error = recovered(&disk, &dirs).unwrap_err();
        assert!(
            matches!(&error, RecoverError::Log(LogReadError::Misnamed { file, offset: 16, found }) if file == &path("log.5") && found.0 == first),
            "{error}"
        );
    }
}
