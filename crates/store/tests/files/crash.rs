//! Power cuts at every operation, full disks at every byte, failing devices: what was synced is recovered, and
//! nothing is invented.

use crate::common::{Rng, dirs, payload, recovered, snapshot};
use proto::Zxid;
use store::log::{LogError, LogOptions, LogWriter};
use store::mem::{Fault, MemDisk};
use store::snapshot::SnapshotOptions;
use store::{Dirs, DiskError, Note, frame_entry, purge};

/// What a run promised and tried.
#[derive(Debug, Default)]
struct Promised {
    durable: i64,
    tried: i64,
}

fn entries(rng: &mut Rng, first: i64) -> (Vec<u8>, i64) {
    let last = first + i64::try_from(rng.below(4)).unwrap();
    let mut framed = Vec::new();
    for zxid in first..=last {
        frame_entry(&mut framed, |out| out.extend_from_slice(&payload(Zxid(zxid), size_of(zxid))));
    }
    (framed, last)
}

/// Some entries span several sectors.
fn size_of(zxid: i64) -> usize {
    [12, 300, 40, 1500, 77][usize::try_from(zxid % 5).unwrap()]
}

/// A server's life with the disk: batches, rolls, snapshots, spares, purges.
fn live(
    disk: &MemDisk,
    dirs: &Dirs,
    from: i64,
    seed: u64,
    steps: u64,
    promised: &mut Promised,
) -> Result<(), String> {
    let mut rng = Rng(seed);
    let options = LogOptions {
        prealloc_bytes: [0, 1024, 8192][usize::try_from(seed % 3).unwrap()],
        ..LogOptions::default()
    };
    let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(from));
    (promised.durable, promised.tried) = (from, from);
    for _ in 0..steps {
        match rng.below(8) {
            0 => writer.roll(),
            1 => {
                snapshot(disk, dirs, promised.durable, SnapshotOptions::default())
                    .map_err(|error| error.to_string())?;
                writer.roll();
            }
            2 => {
                purge(disk, dirs, 3).map_err(|error| error.to_string())?;
            }
            _ => {
                let (framed, last) = entries(&mut rng, promised.tried + 1);
                let first = Zxid(promised.tried + 1);
                promised.tried = last;
                writer.append_batch(&framed, first, Zxid(last)).map_err(|error| error.to_string())?;
                if rng.below(4) > 0 {
                    promised.durable = writer.sync().map_err(|error| error.to_string())?.0;
                }
            }
        }
    }
    Ok(())
}

/// Recovers, checks, and returns the end of the history.
fn check(disk: &MemDisk, dirs: &Dirs, promised: &Promised, what: &str) -> (i64, Vec<Note>) {
    let (found, seen) = match recovered(disk, dirs) {
        Ok(found) => found,
        Err(error) => panic!("{what}: {promised:?}: {error}"),
    };
    let last = found.last.0;
    assert!((promised.durable..=promised.tried).contains(&last), "{what}: {promised:?}, found {last}");
    assert_eq!(seen.history(), (1..=last).collect::<Vec<_>>(), "{what}");
    for (zxid, bytes) in &seen.txns {
        assert_eq!(*bytes, payload(*zxid, size_of(zxid.0)), "{what}");
    }
    (last, found.notes)
}

fn fresh() -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    snapshot(&disk, &dirs, 0, SnapshotOptions::default()).unwrap();
    (disk, dirs)
}

#[test]
fn power_cuts_at_every_operation_lose_nothing_that_was_synced() {
    let mut torn = 0;
    for seed in 1..=12 {
        let (disk, dirs) = fresh();
        let before = disk.operations();
        live(&disk, &dirs, 0, seed, 30, &mut Promised::default()).unwrap();
        let operations = disk.operations() - before;
        for at in 0..operations {
            let (disk, dirs) = fresh();
            let what = format!("seed {seed}, operation {at}");
            let mut promised = Promised::default();
            disk.plan(Fault::Power(at));
            let _ = live(&disk, &dirs, 0, seed, 30, &mut promised);
            let mut rng = Rng(seed << 20 | (at + 1));
            let lost = rng.below(5);
            disk.power_cut(|| rng.below(4) >= lost);
            // Once in a while recovery is cut short, too.
            let mut again = Rng(at + 7);
            disk.plan(Fault::Power(again.below(40)));
            let _ = recovered(&disk, &dirs);
            disk.power_cut(|| again.below(2) == 0);
            let (last, notes) = check(&disk, &dirs, &promised, &what);
            torn += usize::from(notes.iter().any(|note| matches!(note, Note::TornTailCut { .. })));
            // And life goes on from there.
            let mut promised = Promised::default();
            live(&disk, &dirs, last, seed + 1, 6, &mut promised).unwrap();
            disk.kill();
            check(&disk, &dirs, &promised, &format!("{what}, second life"));
        }
    }
    assert!(torn > 50, "only {torn} cuts left a torn tail to repair");
}

#[test]
fn without_force_sync_a_power_cut_costs_only_the_end_of_the_history() {
    let options = LogOptions { prealloc_bytes: 1024, force_sync: false, ..LogOptions::default() };
    for seed in 1..200 {
        let (disk, dirs) = fresh();
        let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(0));
        let mut rng = Rng(seed);
        let mut promised = Promised::default();
        while promised.tried < 30 {
            let (framed, last) = entries(&mut rng, promised.tried + 1);
            writer.append_batch(&framed, Zxid(promised.tried + 1), Zxid(last)).unwrap();
            writer.sync().unwrap();
            promised.tried = last;
            if rng.below(4) == 0 {
                writer.roll();
            }
        }
        disk.power_cut(|| rng.below(2) == 0);
        check(&disk, &dirs, &promised, &format!("seed {seed}"));
    }
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was_and_the_batch_for_later() {
    for prealloc_bytes in [0, 1024] {
        let options = LogOptions { prealloc_bytes, ..LogOptions::default() };
        let (empty, _) = fresh();
        let used = empty.used_bytes();
        for room in 0..9_000 {
            let (disk, dirs) = fresh();
            disk.set_capacity(Some(used + room));
            let mut writer = LogWriter::new(disk.clone(), &dirs.log, options, Zxid(0));
            let mut rng = Rng(room + 1);
            let mut promised = Promised::default();
            while promised.durable < 12 {
                let (framed, last) = entries(&mut rng, promised.durable + 1);
                promised.tried = last;
                let first = Zxid(promised.durable + 1);
                if let Err(error) = writer.append_batch(&framed, first, Zxid(last)) {
                    assert!(matches!(error, LogError::NoSpace { .. }), "room {room}: {error}");
                    let full = disk.copy();
                    check(&full, &dirs, &promised, &format!("room {room}, stopped while full"));
                    disk.set_capacity(None);
                    writer.append_batch(&framed, first, Zxid(last)).unwrap();
                }
                promised.durable = writer.sync().unwrap().0;
            }
            disk.kill();
            check(&disk, &dirs, &promised, &format!("room {room}"));
        }
    }
}

#[test]
fn a_snapshot_on_a_full_disk_leaves_nothing_behind() {
    let (disk, dirs) = fresh();
    let used = disk.used_bytes();
    let paths = disk.paths();
    let (other, other_dirs) = fresh();
    let (_, needed) = snapshot(&other, &other_dirs, 5, SnapshotOptions::default()).unwrap();
    for room in 0..needed {
        disk.set_capacity(Some(used + room));
        let error = snapshot(&disk, &dirs, 5, SnapshotOptions::default()).unwrap_err();
        assert!(matches!(error, DiskError::NoSpace { .. }), "room {room}: {error}");
        // The writer was dropped unfinished, as by a process that goes on; the next attempt removes its file.
        let left: Vec<_> = disk.paths().into_iter().filter(|path| !path.ends_with(".tmp")).collect();
        assert_eq!(left, paths);
    }
    disk.set_capacity(None);
    snapshot(&disk, &dirs, 5, SnapshotOptions::default()).unwrap();
}

#[test]
fn an_error_of_write_or_sync_ends_the_writer() {
    for fault in [Fault::Write, Fault::Sync] {
        for n in 0..40 {
            let (disk, dirs) = fresh();
            disk.plan(fault(n));
            let mut writer = LogWriter::new(
                disk.clone(),
                &dirs.log,
                LogOptions { prealloc_bytes: 1024, ..LogOptions::default() },
                Zxid(0),
            );
            let mut rng = Rng(n + 1);
            let mut promised = Promised::default();
            let failed = loop {
                let (framed, last) = entries(&mut rng, promised.durable + 1);
                promised.tried = last;
                let first = Zxid(promised.durable + 1);
                let appended = writer.append_batch(&framed, first, Zxid(last)).and_then(|()| writer.sync());
                match appended {
                    Ok(durable) => promised.durable = durable.0,
                    Err(error) => break error,
                }
                if promised.durable > 200 {
                    panic!("{n}: the fault never came");
                }
            };
            assert!(matches!(failed, LogError::Failed(_)), "{failed}");
            // Nothing is tried twice: a sync that succeeds now would prove nothing.
            assert_eq!(writer.sync(), Err(LogError::AfterFailure));
            assert_eq!(writer.append_batch(&[0], Zxid(900), Zxid(900)), Err(LogError::AfterFailure));
            disk.power_cut(|| rng.below(2) == 0);
            check(&disk, &dirs, &promised, &format!("fault {n}"));
        }
    }
}

#[test]
fn an_unreadable_sector_is_an_error_or_harmless() {
    let (disk, dirs) = fresh();
    let mut promised = Promised::default();
    live(&disk, &dirs, 0, 5, 40, &mut promised).unwrap();
    for n in 0..30 {
        let copy = disk.copy();
        copy.plan(Fault::Read(n));
        if recovered(&copy, &dirs).is_ok() {
            check(&copy.copy(), &dirs, &promised, &format!("read {n}"));
        }
    }
}
