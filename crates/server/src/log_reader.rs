//! The thread that reads old transactions back for learners, beside the one that appends new ones.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use member::ensemble::{Done, LinkId};
use proto::Zxid;
use store::Dirs;
use store::log::{LogTail, TailError, TailRange, log_bytes_max};

use crate::disk::FileDisk;
use crate::driver::Handle;

/// How much is read for one piece.
const PIECE_BYTES: usize = 4 << 20;

/// How many learners' places are kept. The oldest is forgotten; if its learner is still there, it is looked for anew.
const PLACES_MAX: usize = 64;

/// What it takes to read.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Where snapshots and logs lie.
    pub dirs: Dirs,
    /// `snapshotSizeFactor`: reading more than this share of the newest snapshot is not worth it; `None`: never read.
    pub size_factor: Option<f64>,
}

#[derive(Clone, Copy)]
struct Job {
    link: LinkId,
    after: Zxid,
    upto: Zxid,
}

/// The driver's end of it.
#[derive(Debug)]
pub struct LogReader {
    jobs: Sender<Job>,
    done: Receiver<Done>,
}

impl LogReader {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(plan: ReadPlan, handle: Handle) -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, done) = channel();
        let mut reader = Reader { plan, places: BTreeMap::new() };
        let run = move || {
            while let Ok(job) = inbox.recv() {
                let Job { link, after, upto } = job;
                let piece = reader.read(job).unwrap_or_else(|why| {
                    tracing::info!(%after, %upto, %why, "the log cannot bring a learner level; it gets a snapshot");
                    None
                });
                if outbox.send(Done::LogRead { link, piece }).is_err() {
                    return;
                }
                handle.wake();
            }
        };
        // It only reads: when the driver ends it may be left alone.
        std::thread::Builder::new().name("log-reader".into()).spawn(run)?;
        Ok(Self { jobs, done })
    }

    /// Asks for a piece behind `after`, up to `upto`, which the log holds durably.
    pub fn read(&self, link: LinkId, after: Zxid, upto: Zxid) {
        if self.jobs.send(Job { link, after, upto }).is_err() {
            tracing::error!("the thread that reads the log is gone");
        }
    }

    /// What it has read since the last time.
    pub fn done(&self) -> impl Iterator<Item = Done> + '_ {
        self.done.try_iter()
    }
}

type Piece = Vec<(Zxid, Vec<u8>)>;

/// A learner's place in the log.
struct Place {
    tail: LogTail<FileDisk>,
    /// What was read last.
    at: Zxid,
    upto: Zxid,
}

struct Reader {
    plan: ReadPlan,
    /// Of learners that are not at the end yet, and of some that are gone.
    places: BTreeMap<LinkId, Place>,
}

impl Reader {
    /// The next piece; `None` if the log cannot bring this learner level.
    fn read(&mut self, Job { link, after, upto }: Job) -> Result<Option<Piece>, TailError> {
        if after >= upto {
            return Ok(Some(Piece::new()));
        }
        let known = self.places.remove(&link).filter(|place| place.at == after && place.upto == upto);
        let mut place = match known {
            Some(place) => place,
            None => match self.open(after, upto)? {
                Some(tail) => Place { tail, at: after, upto },
                None => return Ok(None),
            },
        };
        let mut piece = Piece::new();
        let mut is_all = false;
        while piece.is_empty() && !is_all {
            is_all = place.tail.read(PIECE_BYTES, |zxid, payload| {
                if zxid > after {
                    piece.push((zxid, payload.to_vec()));
                }
            })?;
        }
        if let (false, Some((last, _))) = (is_all, piece.last()) {
            place.at = *last;
            self.places.insert(link, place);
            if self.places.len() > PLACES_MAX {
                self.places.pop_first();
            }
        }
        Ok(Some(piece))
    }

    fn open(&self, after: Zxid, upto: Zxid) -> Result<Option<LogTail<FileDisk>>, TailError> {
        let ReadPlan { dirs, size_factor } = &self.plan;
        let Some(factor) = *size_factor else { return Ok(None) };
        let bytes_max = log_bytes_max(&FileDisk, dirs, factor)?;
        let tail = LogTail::open(&FileDisk, dirs, TailRange { from: after, upto }, bytes_max)?;
        // What follows here need not be what followed there. The mark that opens an epoch has no entry of its own.
        Ok(Some(tail).filter(|tail| tail.first() == Some(after) || after.counter() == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{Encode as _, Epoch, SessionId, TxnHeader};
    use store::frame_entry;
    use store::log::{LogOptions, LogWriter};
    use store::snapshot::{SnapshotOptions, SnapshotWriter};

    const LINK: LinkId = LinkId(3);

    fn zxid(counter: u32) -> Zxid {
        Zxid::new(Epoch(2), counter)
    }

    /// A log from 1 to 100 of epoch 2, each entry with `bytes` bytes more than a header, behind a snapshot of
    /// `snapshot_bytes`.
    fn reader(bytes: usize, snapshot_bytes: usize, size_factor: Option<f64>) -> (tempfile::TempDir, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let dirs = Dirs::new(path, path);
        dirs.prepare(&FileDisk, true).unwrap();
        let options = SnapshotOptions::default();
        let mut snapshot = SnapshotWriter::create(FileDisk, &dirs.snap, Zxid::ZERO, options, 0).unwrap();
        snapshot.start_acls(0).unwrap();
        snapshot.push(&vec![0; snapshot_bytes]).unwrap();
        snapshot.finish(None, None).unwrap();
        let mut log = LogWriter::new(FileDisk, &dirs.log, LogOptions::default(), Zxid::ZERO);
        for counter in 1..=100 {
            let zxid = zxid(counter);
            let header = TxnHeader { session: SessionId(1), cxid: 0, zxid, time: 0, kind: -1 };
            let mut framed = Vec::new();
            frame_entry(&mut framed, |out| {
                header.encode(out);
                out.resize(out.len() + bytes, 0);
            });
            log.append_batch(&framed, zxid, zxid).unwrap();
        }
        log.sync().unwrap();
        (dir, Reader { plan: ReadPlan { dirs, size_factor }, places: BTreeMap::new() })
    }

    fn job(after: u32, upto: u32) -> Job {
        Job { link: LINK, after: zxid(after), upto: zxid(upto) }
    }

    fn counters(piece: &Piece) -> Vec<u32> {
        piece.iter().map(|(zxid, _)| zxid.counter()).collect()
    }

    #[test]
    fn what_a_learner_lacks_comes_in_pieces() {
        let (_dir, mut reader) = reader(1 << 18, 4 << 18, Some(100.0));
        let mut after = 7;
        let mut all = Vec::new();
        loop {
            let piece = reader.read(job(after, 40)).unwrap().unwrap();
            let Some(&last) = counters(&piece).last() else { break };
            assert!(piece.len() <= 17, "{}", piece.len());
            all.extend(counters(&piece));
            after = last;
        }
        assert_eq!(all, (8..=40).collect::<Vec<_>>());
        assert!(reader.places.is_empty());
        // The mark that opens the epoch is nowhere, and yet known; the learner that had it went away and came again.
        reader.plan.size_factor = Some(1e9);
        for _ in 0..2 {
            assert!(reader.read(job(1, 100)).unwrap().unwrap()[0].0 == zxid(2));
        }
        assert_eq!(reader.places.len(), 1);
    }

    #[test]
    fn a_snapshot_instead() {
        let (_dir, mut reader) = reader(1000, 1000, Some(0.33));
        assert!(matches!(reader.read(job(7, 100)), Err(TailError::TooLong { .. })));
        reader.plan.size_factor = None;
        assert!(reader.read(job(7, 100)).unwrap().is_none());
        reader.plan.size_factor = Some(1e9);
        let elsewhere = Job { link: LINK, after: Zxid::new(Epoch(1), 5), upto: zxid(100) };
        assert!(reader.read(elsewhere).is_err(), "the log starts later");
        let ahead = Job { link: LINK, after: zxid(7), upto: zxid(101) };
        assert!(reader.read(ahead).is_err());
        assert_eq!(counters(&reader.read(job(99, 100)).unwrap().unwrap()), [100]);
    }
}
