//! Who writes a batch, and that nothing overtakes it.

use super::*;
use crate::disk::FileDisk;
use crate::driver::Loop;
use crate::testing::{batch, log_plan, member};

const EPOCH: Epoch = Epoch(7);

struct Place {
    dir: tempfile::TempDir,
    log: LogThread,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().to_str().unwrap();
        let dirs = Dirs::new(text, text);
        dirs.prepare(&FileDisk, true).unwrap();
        let log = LogThread::start(log_plan(&dirs), Zxid::ZERO, Loop::new().unwrap().handle()).unwrap();
        let mut place = Self { dir, log };
        // Then the thread has tidied up after its start, too.
        place.log.store_epoch(EpochFile::Accepted, EPOCH);
        assert_eq!(place.told(1), [7000]);
        place
    }

    /// What was told, in its order: a zxid that is durable, or an epoch.
    fn told(&mut self, count: usize) -> Vec<i64> {
        let told = (0..count).map(|_| match self.log.wait().unwrap() {
            LogReport::Persisted { zxid, .. } => zxid.0,
            LogReport::Done(Done::EpochStored(_, epoch)) => i64::from(epoch.0) * 1000,
            other @ (LogReport::Fenced(_)
            | LogReport::Unfenced
            | LogReport::Done(_)
            | LogReport::Replaced(..)) => panic!("{other:?}"),
        });
        told.collect()
    }

    fn log_files(&self) -> usize {
        let files = std::fs::read_dir(self.dir.path().join("version-2")).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("log.")).count()
    }
}

/// The thread has the files for a moment after it has told something.
fn sit_down<'a>(log: &mut LogThread, desk: &'a Desk, payloads: &Arc<Payloads>) -> Sitting<'a> {
    drop(desk.scribe.lock().unwrap());
    log.keep(Arc::clone(payloads));
    desk.sit_down(log.take_kept().unwrap()).unwrap()
}

#[test]
fn a_kept_batch_is_written_by_the_one_who_sits_down() {
    let (mut place, mut member) = (Place::new(), member());
    let desk = place.log.desk();
    for number in 1..=3 {
        let payloads = batch(&mut member);
        let sitting = sit_down(&mut place.log, &desk, &payloads);
        assert!(!place.log.is_idle() && !place.log.is_at_rest());
        let report = sitting.write().report().unwrap();
        let report = place.log.noted(report).unwrap();
        assert!(matches!(report, LogReport::Persisted { zxid: Zxid(zxid), .. } if zxid == number));
        assert!(place.log.is_at_rest() && place.log.reports().is_empty());
    }
    assert_eq!(place.log_files(), 1);
    place.log.roll();
    let payloads = batch(&mut member);
    sit_down(&mut place.log, &desk, &payloads).write().tell();
    assert_eq!((place.told(1), place.log_files()), (vec![4], 2));
    place.log.stop().unwrap();
}

#[test]
fn nothing_overtakes_a_kept_batch() {
    let (mut place, mut member) = (Place::new(), member());
    // Nobody has sat down yet.
    place.log.keep(batch(&mut member));
    place.log.store_epoch(EpochFile::Current, EPOCH);
    place.log.write(batch(&mut member));
    assert!(place.log.take_kept().is_none());
    assert_eq!(place.told(3), [1, 7000, 2]);
    assert!(place.log.is_at_rest());
    // Somebody sits there, and somebody else drives.
    let desk = place.log.desk();
    let payloads = batch(&mut member);
    let sitting = sit_down(&mut place.log, &desk, &payloads);
    place.log.store_epoch(EpochFile::Current, EPOCH);
    place.log.write(batch(&mut member));
    assert!(place.log.reports().is_empty());
    sitting.write().tell();
    assert_eq!(place.told(3), [3, 7000, 4]);
    assert!(place.log.is_at_rest());
    // The files are taken: the thread gets the batch.
    let held = desk.scribe.lock().unwrap();
    place.log.keep(batch(&mut member));
    assert!(desk.sit_down(place.log.take_kept().unwrap()).is_none());
    drop(held);
    assert_eq!(place.told(1), [5]);
    place.log.stop().unwrap();
}

#[test]
fn nobody_waits_for_a_thread_that_has_ended() {
    let (mut place, mut member) = (Place::new(), member());
    place.log.send(Job::Stop);
    place.log.write(batch(&mut member));
    assert!(matches!(place.log.wait(), Err(LogFailure::Gone)));
    place.log.stop().unwrap();
}
