//! The thread that reads old transactions back for learners, beside the one that appends new ones.

use std::sync::mpsc::{Receiver, Sender, channel};

use member::ensemble::{Done, LinkId};
use proto::Zxid;
use store::log::{LogRange, LogReadError, read_logs};
use store::names;
use store::{Dirs, Disk as _, DiskError, DiskFile as _};

use crate::disk::FileDisk;
use crate::driver::Handle;

/// How much is read for one piece. A piece starts with a search for its place in the file, which larger ones share.
const PIECE_BYTES: usize = 4 << 20;

/// What it takes to read.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Where snapshots and logs lie.
    pub dirs: Dirs,
    /// `snapshotSizeFactor`: reading more than this share of the newest snapshot is not worth it; `None`: never read.
    pub size_factor: Option<f64>,
}

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
        let run = move || {
            while let Ok(Job { link, after, upto }) = inbox.recv() {
                let piece = read(&plan, after, upto).unwrap_or_else(|error| {
                    tracing::warn!(%after, %upto, %error, "the log cannot be read for a learner, which gets a snapshot");
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

/// Why reading stopped although the log goes on.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the piece is large enough")]
    Full,
    /// What follows here need not be what followed there.
    #[error("what it should start behind is not in the log")]
    Elsewhere,
}

type Piece = Vec<(Zxid, Vec<u8>)>;

fn read(plan: &ReadPlan, after: Zxid, upto: Zxid) -> Result<Option<Piece>, LogReadError<Stop>> {
    if after >= upto {
        return Ok(Some(Piece::new()));
    }
    if !is_worth_it(plan, after).map_err(LogReadError::Disk)? {
        return Ok(None);
    }
    // The mark that opens an epoch has no entry of its own.
    let mut found = after.counter() == 0;
    let start = if found { after } else { Zxid(after.0 - 1) };
    let (mut piece, mut bytes) = (Piece::new(), 0);
    let range = LogRange { after: start, upto: Some(upto) };
    let read = read_logs(&FileDisk, &plan.dirs.log, range, |zxid, payload| {
        if zxid == after {
            found = true;
        } else if !found {
            return Err(Stop::Elsewhere);
        } else if bytes >= PIECE_BYTES {
            return Err(Stop::Full);
        } else {
            bytes += payload.len();
            piece.push((zxid, payload.to_vec()));
        }
        Ok(())
    });
    match read {
        Ok(end) => Ok((found && end.last == upto).then_some(piece)),
        Err(LogReadError::Visitor { error: Stop::Full, .. }) => Ok(Some(piece)),
        Err(LogReadError::Visitor { error: Stop::Elsewhere, .. } | LogReadError::Gap { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Source: `ZKDatabase#calculateTxnLogSizeLimit`, `FileTxnIterator#getStorageSize`.
fn is_worth_it(plan: &ReadPlan, after: Zxid) -> Result<bool, DiskError> {
    let Some(factor) = plan.size_factor else { return Ok(false) };
    let length = |dir: &str, name: &str| FileDisk.open(&format!("{dir}/{name}"))?.length();
    let snapshots = names::list_snapshots(&FileDisk, &plan.dirs.snap)?;
    let Some(newest) = snapshots.last() else { return Ok(false) };
    let snapshot_bytes = length(&plan.dirs.snap, &newest.name)?;
    let mut log_bytes = 0_u64;
    for log in names::logs_from(&names::list_logs(&FileDisk, &plan.dirs.log)?, after) {
        log_bytes += length(&plan.dirs.log, &log.name)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rule of thumb")]
    let (log_bytes, most) = (log_bytes as f64, snapshot_bytes as f64 * factor);
    Ok(log_bytes <= most)
}
