//! What a member promised survives power cuts and full disks.

use proto::{Epoch, Zxid};
use store::epoch::{EpochKind, Epochs, load_epochs};
use store::mem::{Fault, MemDisk};
use store::{Dirs, Disk, RESERVE_NAME, keep_reserve, truncate};

use crate::common::{Rng, SMALL, append, dirs, recovered, snapshot};

const DIR: &str = "/data/version-2";

fn loaded(disk: &MemDisk) -> Epochs {
    load_epochs(disk, DIR, Zxid(0)).unwrap()
}

fn has_reserve(disk: &MemDisk) -> bool {
    disk.contents(&format!("{DIR}/{RESERVE_NAME}")).is_some_and(|bytes| bytes.len() == 64 << 10)
}

fn fresh() -> (MemDisk, Dirs) {
    let disk = MemDisk::new();
    let dirs = dirs(&disk);
    loaded(&disk);
    assert!(has_reserve(&disk));
    (disk.copy(), dirs)
}

/// What a leader and a follower do in turn: accept 1, follow 1, accept 2, …
fn promise(disk: &MemDisk, epochs: &mut Epochs, upto: u32) -> Result<(), store::DiskError> {
    for epoch in (epochs.current.0 + 1..=upto).map(Epoch) {
        epochs.raise(disk, DIR, EpochKind::Accepted, epoch)?;
        epochs.raise(disk, DIR, EpochKind::Current, epoch)?;
    }
    Ok(())
}

#[test]
fn a_power_cut_takes_no_promise_back() {
    for full in [false, true] {
        let (disk, _) = fresh();
        let before = disk.operations();
        promise(&disk, &mut loaded(&disk), 3).unwrap();
        for at in 0..disk.operations() - before {
            let (disk, _) = fresh();
            if full {
                disk.set_capacity(Some(disk.used_bytes()));
            }
            let mut promised = loaded(&disk);
            disk.plan(Fault::Power(at));
            let _ = promise(&disk, &mut promised, 3);
            let mut rng = Rng(at + 1);
            disk.power_cut(|| rng.below(2) == 0);
            let found = loaded(&disk);
            for (promised, found) in [(promised.accepted, found.accepted), (promised.current, found.current)]
            {
                let next = Epoch(promised.0 + 1);
                assert!(promised <= found && found <= next, "{at}: {promised:?}, found {found:?}");
            }
            assert!(found.current <= found.accepted);
        }
    }
}

#[test]
fn a_full_disk_has_room_for_epochs_and_for_a_truncation() {
    let (disk, dirs) = fresh();
    snapshot(&disk, &dirs, 0, store::snapshot::SnapshotOptions::default()).unwrap();
    let mut writer = store::log::LogWriter::new(disk.clone(), &dirs.log, SMALL, Zxid(0));
    append(&mut writer, 1, 9).unwrap();
    let mut epochs = loaded(&disk);
    disk.set_capacity(Some(disk.used_bytes()));
    // Each time the reserve makes room, and takes it again.
    promise(&disk, &mut epochs, 3).unwrap();
    assert!(has_reserve(&disk));
    assert_eq!(truncate(&disk, &dirs, Zxid(4), Zxid(0)).unwrap().last, Zxid(4));
    disk.power_cut(|| false);
    assert_eq!(recovered(&disk, &dirs).unwrap().0.last, Zxid(4));
}

#[test]
fn without_a_reserve_a_full_disk_refuses_and_keeps_what_was_promised() {
    let (disk, _) = fresh();
    let mut epochs = loaded(&disk);
    disk.remove(&format!("{DIR}/{RESERVE_NAME}")).unwrap();
    disk.set_capacity(Some(disk.used_bytes()));
    let error = epochs.raise(&disk, DIR, EpochKind::Accepted, Epoch(1)).unwrap_err();
    assert!(matches!(error, store::DiskError::NoSpace { .. }), "{error}");
    assert_eq!((epochs.accepted, loaded(&disk).accepted), (Epoch(0), Epoch(0)));
    assert_eq!(keep_reserve(&disk, DIR), Ok(false));
    assert_eq!(disk.contents(&format!("{DIR}/{RESERVE_NAME}")), None, "a part of it helps nobody");
    disk.set_capacity(None);
    epochs.raise(&disk, DIR, EpochKind::Accepted, Epoch(1)).unwrap();
    assert!(has_reserve(&disk));
}

#[test]
#[should_panic(expected = "acceptedEpoch is Epoch(3) and never becomes Epoch(2)")]
fn a_promise_is_not_taken_back() {
    let (disk, _) = fresh();
    let mut epochs = loaded(&disk);
    epochs.raise(&disk, DIR, EpochKind::Accepted, Epoch(3)).unwrap();
    let _ = epochs.raise(&disk, DIR, EpochKind::Accepted, Epoch(2));
}

#[test]
#[should_panic(expected = "comes from a leader that was accepted")]
fn a_history_of_an_epoch_never_accepted_is_refused() {
    let (disk, _) = fresh();
    let _ = loaded(&disk).raise(&disk, DIR, EpochKind::Current, Epoch(1));
}
