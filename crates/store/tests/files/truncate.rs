//! Histories that end earlier than they did, or that another one replaces: with power cuts at every operation there is
//! the old one or the new one, and life goes on.

use proto::{Epoch, SessionId, StatPersisted, Zxid};
use store::epoch::{EpochKind, save};
use store::log::{LogWriter, Mark};
use store::mem::{Fault, MemDisk};
use store::snapshot::{
    Compression, Installed, SnapshotDigest, SnapshotOptions, SnapshotWriter, put_node, put_session,
};
use store::{
    Dirs, Disk, DiskError, Note, RecoverError, TRUNCATION_NAME, TruncateError, log_header, truncate,
};

use crate::common::{Rng, SMALL, Seen, append, batch, dirs, recovered, snapshot};

const DIR: &str = "/data/version-2";
const PLAIN: SnapshotOptions = SnapshotOptions { compression: Compression::Plain };
const END: i64 = 12;

fn path(name: &str) -> String {
    format!("{DIR}/{name}")
}

/// `snapshot.0`, `.3`, `.7`, `log.1` to 4, `log.5` to 9, `log.a` to 12.
fn history() -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    snapshot(&disk, &dirs, 0, PLAIN).unwrap();
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    for (first, last, snapshot_at) in [(1, 4, 3), (5, 9, 7), (10, END, 0)] {
        append(&mut writer, first, last).unwrap();
        writer.roll();
        snapshot(&disk, &dirs, snapshot_at, PLAIN).unwrap();
    }
    (disk.copy(), dirs)
}

fn names(disk: &MemDisk) -> Vec<String> {
    let names =
        disk.paths().into_iter().filter_map(|path| path.strip_prefix(DIR).map(|name| name[1..].into()));
    names.filter(|name: &String| !name.starts_with(".oxkeeper.")).collect()
}

fn goes_on(disk: &MemDisk, dirs: &Dirs, last: i64, what: &str) {
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(last));
    append(&mut writer, last + 1, last + 3).unwrap();
    disk.power_cut(|| false);
    let (found, seen) = recovered(disk, dirs).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(found.last, Zxid(last + 3), "{what}");
    assert_eq!(seen.history(), (1..=last + 3).collect::<Vec<_>>(), "{what}");
}

#[test]
fn a_truncated_history_ends_where_it_was_told_to() {
    for to in 0..=END {
        let (disk, dirs) = history();
        let done = truncate(&disk, &dirs, Zxid(to), Zxid(0)).unwrap();
        assert_eq!(done.last, Zxid(to));
        assert_eq!(done.notes.is_empty(), to == END, "{to}: {:?}", done.notes);
        disk.power_cut(|| false);
        let (found, seen) = recovered(&disk, &dirs).unwrap();
        assert_eq!((found.last, found.notes), (Zxid(to), vec![]));
        assert_eq!(seen.history(), (1..=to).collect::<Vec<_>>());
        goes_on(&disk, &dirs, to, &format!("truncated to {to}"));
    }
    let (disk, dirs) = history();
    let notes = truncate(&disk, &dirs, Zxid(6), Zxid(6)).unwrap().notes;
    assert_eq!(names(&disk), ["log.1", "log.5", "snapshot.0", "snapshot.3"]);
    let offset = 16 + batch(5, 6, 20).len() as u64;
    let upto = Zxid(6);
    assert_eq!(
        notes,
        [
            Note::NewerRemoved { file: path("log.a"), upto },
            Note::NewerRemoved { file: path("snapshot.7"), upto },
            Note::NewerCut { file: path("log.5"), offset, upto },
        ]
    );
    let mark = Mark::load(&disk, DIR).unwrap().unwrap();
    assert_eq!(mark, Mark { log: Zxid(5), offset, last: Zxid(6) });
}

#[test]
fn a_power_cut_in_a_truncation_leaves_the_old_or_the_new_history() {
    let (mut old, mut new) = (0, 0);
    for to in 0..END {
        let (disk, dirs) = history();
        let before = disk.operations();
        truncate(&disk, &dirs, Zxid(to), Zxid(0)).unwrap();
        for at in 0..disk.operations() - before {
            for seed in 1..5 {
                let what = format!("to {to}, operation {at}, seed {seed}");
                let (disk, dirs) = history();
                disk.plan(Fault::Power(at));
                truncate(&disk, &dirs, Zxid(to), Zxid(0)).unwrap_err();
                let mut rng = Rng(seed << 30 | (at + 1));
                disk.power_cut(|| rng.below(5) >= seed);
                // The start after it is cut short, too.
                disk.plan(Fault::Power(rng.below(60)));
                let _ = recovered(&disk, &dirs);
                disk.power_cut(|| rng.below(2) == 0);
                let (found, seen) = recovered(&disk, &dirs).unwrap_or_else(|error| panic!("{what}: {error}"));
                let last = found.last.0;
                assert!(last == to || last == END, "{what}: {last}");
                assert_eq!(seen.history(), (1..=last).collect::<Vec<_>>(), "{what}");
                assert_eq!(disk.contents(&path(TRUNCATION_NAME)), None, "{what}");
                (old, new) = (old + u32::from(last == END), new + u32::from(last == to));
                goes_on(&disk, &dirs, last, &what);
            }
        }
    }
    assert!(old > 500 && new > 500, "{old} old, {new} new");
}

#[test]
fn a_mark_behind_the_last_transaction_is_there_without_an_entry() {
    let (disk, dirs) = history();
    let cut = truncate(&disk, &dirs, Zxid(1 << 32), Zxid(0)).unwrap();
    assert_eq!(cut.last, Zxid(END));
    let (found, _) = recovered(&disk, &dirs).unwrap();
    assert_eq!(found.last, Zxid(END));
}

#[test]
fn what_cannot_be_truncated_stays_as_it_was() {
    let (disk, dirs) = history();
    let before = disk.paths();
    let error = truncate(&disk, &dirs, Zxid(6), Zxid(7)).unwrap_err();
    assert!(matches!(error, TruncateError::Committed { zxid: Zxid(6), committed: Zxid(7) }), "{error}");
    for nowhere in [13, (1 << 32) + 5] {
        let error = truncate(&disk, &dirs, Zxid(nowhere), Zxid(0)).unwrap_err();
        assert!(matches!(error, TruncateError::NotHere { before: Zxid(END), .. }), "{error}");
    }
    assert_eq!(disk.paths(), before);
    // The log does not lead there.
    disk.put(&path("log.5"), &log_header());
    let error = truncate(&disk, &dirs, Zxid(6), Zxid(0)).unwrap_err();
    assert!(matches!(error, TruncateError::NotHere { before: Zxid(4), .. }), "{error}");
    let error = truncate(&disk, &dirs, Zxid(11), Zxid(10)).unwrap_err();
    assert!(matches!(error, TruncateError::Log(_)), "{error}");
    // And nothing leads there.
    for old in ["snapshot.0", "snapshot.3"] {
        disk.put(&path(old), b"damaged");
    }
    let error = truncate(&disk, &dirs, Zxid(4), Zxid(0)).unwrap_err();
    assert!(matches!(error, TruncateError::NoSnapshot { zxid: Zxid(4) }), "{error}");
    assert_eq!(disk.paths(), before);
}

/// ZOOKEEPER-1549: what Java applied while it wrote a snapshot is in it, whatever its name.
#[test]
fn a_snapshot_with_later_effects_goes_too() {
    let (disk, dirs) = history();
    let mut writer = SnapshotWriter::create(disk.clone(), &dirs.snap, Zxid(5), PLAIN, 0).unwrap();
    writer.start_acls(0).unwrap();
    let mut out = Vec::new();
    put_node(&mut out, b"", None, -1, &StatPersisted::default());
    writer.push(&out).unwrap();
    writer.finish(Some(SnapshotDigest { zxid: Zxid(7), version: 2, digest: 1 }), None).unwrap();
    truncate(&disk, &dirs, Zxid(6), Zxid(0)).unwrap();
    assert_eq!(names(&disk), ["log.1", "log.5", "snapshot.0", "snapshot.3"]);
    assert_eq!(recovered(&disk, &dirs).unwrap().1.history(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn logs_of_java_are_truncated_as_well() {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    snapshot(&disk, &dirs, 0, PLAIN).unwrap();
    // A zxid that was given twice stays as it is, and zeroes behind the last entry do not matter.
    let mut bytes = log_header();
    bytes.extend(batch(1, 3, 20));
    bytes.extend(batch(3, 5, 20));
    bytes.extend([0; 5000]);
    disk.put(&path("log.1"), &bytes);
    let second_epoch = 1 << 32;
    disk.put(&path("log.100000001"), &[log_header(), batch(second_epoch + 1, second_epoch + 4, 20)].concat());
    // The zxid that opens an epoch has no entry: what is before it stays.
    assert_eq!(truncate(&disk.copy(), &dirs, Zxid(second_epoch), Zxid(0)).unwrap().last, Zxid(5));
    assert_eq!(truncate(&disk, &dirs, Zxid(3), Zxid(0)).unwrap().last, Zxid(3));
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!((seen.zxids(), found.notes), (vec![1, 2, 3, 3], vec![]));
    assert_eq!(Mark::load(&disk, DIR).unwrap(), None);
    goes_on_behind_duplicate(&disk, &dirs);
}

fn goes_on_behind_duplicate(disk: &MemDisk, dirs: &Dirs) {
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(3));
    append(&mut writer, 4, 4).unwrap();
    assert_eq!(recovered(disk, dirs).unwrap().1.zxids(), [1, 2, 3, 3, 4]);
}

/// Java has no idea of the decision and may have gone on.
#[test]
fn a_decision_of_another_epoch_is_dropped() {
    let (disk, dirs) = history();
    save(&disk, DIR, EpochKind::Current, Epoch(1)).unwrap();
    let disk = disk.copy();
    let copy = disk.copy();
    // Right behind the decision.
    let mut at = 0;
    while disk.contents(&path(TRUNCATION_NAME)).is_none() {
        disk.kill();
        disk.plan(Fault::Power(at));
        let _ = truncate(&disk, &dirs, Zxid(6), Zxid(0));
        at += 1;
    }
    let decision = disk.contents(&path(TRUNCATION_NAME)).unwrap();
    let cases = [(2, &decision[..], "currentEpoch is another one"), (1, &decision[1..], "it cannot be read")];
    for (epoch, bytes, why) in cases {
        let disk = copy.copy();
        save(&disk, DIR, EpochKind::Current, Epoch(epoch)).unwrap();
        disk.put(&path(TRUNCATION_NAME), bytes);
        let (found, _) = recovered(&disk, &dirs).unwrap();
        let why = why.into();
        assert_eq!(found.notes, [Note::TruncationDropped { file: path(TRUNCATION_NAME), why }]);
        assert_eq!((found.last, disk.contents(&path(TRUNCATION_NAME))), (Zxid(END), None));
    }
}

/// What Java finds and goes on behind, which passes our own files over.
fn end_for_java(disk: &MemDisk, dirs: &Dirs) -> i64 {
    let disk = disk.copy();
    for own in disk.paths().into_iter().filter(|path| path.contains("/.oxkeeper.") || path.ends_with(".tmp"))
    {
        disk.remove(&own).unwrap();
    }
    recovered(&disk, dirs).unwrap().0.last.0
}

/// Whether a decision lies there after `change` was cut short by the `at`th operation.
fn is_decided(disk: &MemDisk, at: u64, change: impl FnOnce(&MemDisk) -> bool) -> bool {
    disk.plan(Fault::Power(at));
    assert!(!change(disk));
    disk.kill();
    disk.contents(&path(TRUNCATION_NAME)).is_some()
}

/// Java went on in the same epoch: as a standalone server, or behind the same leader. Nothing of that may go, whatever of
/// the decision was carried out before.
#[test]
fn a_decision_is_dropped_where_the_history_went_on() {
    let dirs = Dirs::new("/data", "/data");
    let whole = |disk: &MemDisk| recovered(disk, &dirs).map(|(found, seen)| (found, seen.history()));
    let change = |disk: &MemDisk, zxid: i64, installs: bool| match installs {
        true => received(disk, &dirs, zxid, PLAIN).is_ok(),
        false => truncate(disk, &dirs, Zxid(zxid), Zxid(0)).is_ok(),
    };
    let (mut dropped, mut carried_out) = (0, 0);
    for (zxid, installs) in
        [(2, false), (6, false), (9, false), (END, false), (2, true), (6, true), (20, true)]
    {
        let (disk, _) = history();
        let before = disk.operations();
        assert!(change(&disk, zxid, installs));
        for at in 0..disk.operations() - before {
            let what = format!("{zxid}, installs {installs}, operation {at}");
            let (disk, _) = history();
            if !is_decided(&disk, at, |disk| change(disk, zxid, installs)) {
                continue;
            }
            let untouched = disk.copy();
            let last = end_for_java(&disk, &dirs);
            // Of other lengths than what had those zxids before, if anything had.
            disk.put(
                &path(&format!("log.{:x}", last + 1)),
                &[log_header(), batch(last + 1, last + 2, 33)].concat(),
            );
            let (found, history) = whole(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(history, (1..=last + 2).collect::<Vec<_>>(), "{what}");
            let is_drop = |note: &Note| matches!(note, Note::TruncationDropped { .. });
            assert!(found.notes.iter().any(is_drop), "{what}: {:?}", found.notes);
            goes_on(&disk, &dirs, last + 2, &what);
            dropped += 1;
            // A snapshot of the leader's, and no transaction yet.
            let synced = untouched.copy();
            snapshot(&synced, &dirs, 30, PLAIN).unwrap();
            assert_eq!(whole(&synced).unwrap().0.last, Zxid(30), "{what}");
            let (found, _) = whole(&untouched).unwrap();
            assert_eq!(found.last, Zxid(zxid), "{what}");
            carried_out += 1;
        }
    }
    assert!(dropped > 30 && carried_out == dropped, "{dropped} dropped");
}

/// Another history up to `zxid`, told by its sessions.
fn received(
    disk: &MemDisk,
    dirs: &Dirs,
    zxid: i64,
    options: SnapshotOptions,
) -> Result<Installed, DiskError> {
    let mut writer = SnapshotWriter::create(disk.clone(), &dirs.snap, Zxid(zxid), options, 2)?;
    let mut out = Vec::new();
    put_session(&mut out, SessionId(1), 1);
    put_session(&mut out, SessionId(2), 2);
    writer.push(&out)?;
    writer.start_acls(0)?;
    out.clear();
    put_node(&mut out, b"", None, -1, &StatPersisted::default());
    for zxid in 1..=zxid {
        put_node(&mut out, format!("/t{zxid}").as_bytes(), None, -1, &StatPersisted::default());
    }
    writer.push(&out)?;
    writer.install(dirs, None, Some(Zxid(zxid)))
}

fn is_received(seen: &Seen) -> bool {
    seen.sessions.len() == 2
}

#[test]
fn a_power_cut_while_a_snapshot_is_installed_leaves_the_old_or_the_new_history() {
    let (mut old, mut new) = (0, 0);
    for (zxid, options) in [
        (2, PLAIN),
        (3, PLAIN),
        (7, SnapshotOptions { compression: Compression::Gzip }),
        (8, SnapshotOptions { compression: Compression::Snappy }),
        (END, PLAIN),
        (20, PLAIN),
    ] {
        let (disk, dirs) = history();
        let before = disk.operations();
        received(&disk, &dirs, zxid, options).unwrap();
        for at in 0..disk.operations() - before {
            for seed in 1..5 {
                let what = format!("snapshot {zxid}, operation {at}, seed {seed}");
                let (disk, dirs) = history();
                disk.plan(Fault::Power(at));
                received(&disk, &dirs, zxid, options).unwrap_err();
                let mut rng = Rng(seed << 30 | (at + 1));
                disk.power_cut(|| rng.below(5) >= seed);
                disk.plan(Fault::Power(rng.below(60)));
                let _ = recovered(&disk, &dirs);
                disk.power_cut(|| rng.below(2) == 0);
                let (found, seen) = recovered(&disk, &dirs).unwrap_or_else(|error| panic!("{what}: {error}"));
                if is_received(&seen) {
                    assert_eq!((found.last, seen.zxids()), (Zxid(zxid), vec![]), "{what}");
                    new += 1;
                } else {
                    assert_eq!(found.last, Zxid(END), "{what}");
                    old += 1;
                }
                assert_eq!(seen.history(), (1..=found.last.0).collect::<Vec<_>>(), "{what}");
                goes_on(&disk, &dirs, found.last.0, &what);
            }
        }
    }
    assert!(old > 200 && new > 200, "{old} old, {new} new");
}

#[test]
fn what_the_disk_would_not_give_is_not_taken_for_damaged() {
    let mut failed = 0;
    for n in 0..100 {
        let (disk, dirs) = history();
        // One base is left.
        disk.remove(&path("snapshot.3")).unwrap();
        disk.plan(Fault::Read(n));
        match truncate(&disk, &dirs, Zxid(4), Zxid(0)) {
            Ok(truncated) => assert_eq!(truncated.last, Zxid(4)),
            Err(TruncateError::Disk(_)) => failed += 1,
            Err(error) => panic!("read {n}: {error}"),
        }
    }
    assert!((3..100).contains(&failed), "{failed} reads failed");
}

#[test]
fn a_hole_before_an_installed_snapshot_is_none() {
    let (disk, dirs) = history();
    let installed = received(&disk, &dirs, 20, PLAIN).unwrap();
    assert_eq!(installed.notes, [Note::Installed { file: path("snapshot.14") }]);
    goes_on(&disk, &dirs, 20, "behind a hole");
    let (found, seen) = recovered(&disk, &dirs).unwrap();
    assert_eq!((found.notes, seen.zxids()), (vec![], vec![21, 22, 23]));
    // Without it the older ones are no way to where it led, also where an epoch ends in the hole, so that the zxids show none.
    let second_epoch = 1 << 32;
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(23));
    append(&mut writer, second_epoch + 1, second_epoch + 2).unwrap();
    disk.remove(&path("log.15")).unwrap();
    let mut bytes = disk.contents(&path("snapshot.14")).unwrap();
    bytes[40] ^= 1;
    disk.put(&path("snapshot.14"), &bytes);
    let error = recovered(&disk, &dirs).unwrap_err();
    assert!(matches!(error, RecoverError::NoValidSnapshot { .. }), "{error}");
    let error = truncate(&disk, &dirs, Zxid(9), Zxid(0)).unwrap_err();
    assert!(matches!(error, TruncateError::NoSnapshot { .. }), "{error}");
    disk.remove(&path("snapshot.14")).unwrap();
    let error = recovered(&disk, &dirs).unwrap_err();
    assert!(matches!(error, RecoverError::OnlyBeforeBase { .. }), "{error}");
    // Into an empty directory, too.
    let disk = MemDisk::new();
    let dirs = crate::common::dirs(&disk);
    received(&disk, &dirs, 20, PLAIN).unwrap();
    goes_on(&disk, &dirs, 20, "new member");
}

#[test]
fn a_full_disk_refuses_a_snapshot_and_keeps_the_history() {
    let (other, dirs) = history();
    received(&other, &dirs, 5, PLAIN).unwrap();
    let (disk, _) = history();
    let (used, names_before) = (disk.used_bytes(), names(&disk));
    let mut done = false;
    for room in (0..4000).step_by(7) {
        let disk = disk.copy();
        disk.set_capacity(Some(used + room));
        match received(&disk, &dirs, 5, PLAIN) {
            Ok(_) => {
                done = true;
                assert!(is_received(&recovered(&disk, &dirs).unwrap().1));
            }
            Err(error) => {
                assert!(matches!(error, DiskError::NoSpace { .. }), "room {room}: {error}");
                assert!(!done, "room {room}");
                let left: Vec<_> = names(&disk).into_iter().filter(|name| !name.ends_with(".tmp")).collect();
                assert_eq!(left, names_before, "room {room}");
                assert_eq!(recovered(&disk, &dirs).unwrap().0.last, Zxid(END), "room {room}");
            }
        }
    }
    assert!(done);
}
