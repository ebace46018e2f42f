//! The files of a history and the thread that works on them: one write and one sync for each batch, and what else is to
//! be done in order with the batches.
//!
//! Going to sleep and being woken costs a processor more than a sync on a good disk takes. So the loop may take a
//! batch to the files itself ([`Desk`]) while the thread has nothing to do and somebody else can go on with the loop.

mod desk;
mod scribe;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub use desk::{Desk, Kept, Sitting, Written};
use member::Payloads;
use member::ensemble::{Done, EpochFile};
use proto::{Epoch, Zxid};
use scribe::Scribe;
use store::log::{LogError, LogOptions};
use store::{Dirs, DiskError, RecoverError, RecoverOptions, SinceSnapshot};
use tree::TreeOptions;

use crate::driver::Handle;
use crate::driver::snapshots::{Received, Still};
use crate::history::HistoryError;

/// Why the log can no longer be trusted: the process has to end (R6).
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// The disk said so.
    #[error("writing the transaction log failed: {0}")]
    Log(#[from] LogError),
    /// An epoch is not durable, and nobody may be told of it.
    #[error("storing {} failed: {error}; restart this member on a healthy disk", file_name(*.file))]
    Epoch {
        /// Which.
        file: EpochFile,
        /// Why.
        error: DiskError,
    },
    /// The disk failed in the middle of it; the next start goes on with it.
    #[error("truncating the log failed: {0}; restart this member on a healthy disk")]
    Truncate(#[source] DiskError),
    /// What is left after a truncation cannot be read back.
    #[error("Unable to load database on disk after a truncation: {0}")]
    Reload(#[from] RecoverError<HistoryError>),
    /// The same.
    #[error("Unable to load database on disk after a truncation: {0}")]
    History(#[from] HistoryError),
    /// The snapshot from the leader is not durable.
    #[error(
        "storing the snapshot that the leader sent failed: {0}; restart this member on a healthy disk with room"
    )]
    Install(#[source] DiskError),
    /// The thread is gone without a word.
    #[error("the log thread ended; see the lines above")]
    Gone,
}

impl LogFailure {
    /// The exit code, as Java's. Source: `ExitCode`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Truncate(_) => 13,
            Self::Install(_) => 10,
            Self::Log(_) | Self::Epoch { .. } | Self::Reload(_) | Self::History(_) | Self::Gone => 1,
        }
    }
}

fn file_name(file: EpochFile) -> &'static str {
    scribe::kind_of(file).file_name()
}

/// What the log thread tells.
#[derive(Debug)]
pub enum LogReport {
    /// A batch is durable.
    Persisted {
        /// Its last transaction.
        zxid: Zxid,
        /// Bytes it took in the log.
        log_bytes: u64,
        /// How many transactions it held.
        txns: u64,
        /// How long the sync took.
        sync: Duration,
    },
    /// The disk is full; the batch waits.
    Fenced(String),
    /// The disk has room again.
    Unfenced,
    /// Something else is done.
    Done(Done),
    /// The history is another one. With what its newest snapshot and the log behind it come to, if that was looked at.
    Replaced(Done, Option<SinceSnapshot>),
}

enum Job {
    Write(Batch),
    /// Something waits that was not sent.
    GoOn,
    StoreEpoch(EpochFile, Epoch),
    Truncate(Cut, Still),
    Install(Box<Received>),
    Stop,
}

/// What goes to the log with one sync.
#[derive(Debug)]
struct Batch {
    payloads: Arc<Payloads>,
    /// Whether it begins a new file.
    rolls: bool,
}

/// Where a history is to end.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The last transaction to keep.
    pub to: Zxid,
    /// Whether the tree of what is left is wanted.
    pub reload: bool,
    /// Nothing up to and with this may go.
    pub committed: Zxid,
}

/// Where the files are, and how they are written and read back.
#[derive(Clone, Debug)]
pub struct LogPlan {
    /// Where snapshots, logs and epochs lie.
    pub dirs: Dirs,
    /// How the log is written.
    pub log: LogOptions,
    /// `fsync.warningthresholdms`
    pub warn_after: Duration,
    /// How a history is read back.
    pub recover: RecoverOptions,
    /// What becomes of it.
    pub tree: TreeOptions,
}

/// The driver's end of it.
#[derive(Debug)]
pub struct LogThread {
    desk: Desk,
    reports: Receiver<Result<LogReport, LogFailure>>,
    /// Batches on their way: one, and more only where something else had to be done behind one that was formed.
    batches: usize,
    /// What else the thread was told to do and has not reported.
    chores: usize,
    /// The one among the batches that the loop takes to the files itself.
    kept: Option<Batch>,
    /// Whether the next batch begins a new file.
    rolls: bool,
    fenced: bool,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts the thread behind `last`, the end of the history.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(plan: LogPlan, last: Zxid, handle: Handle) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let (outbox, reports) = channel();
        let desk = Desk::new(jobs, Scribe::new(plan, last, handle, outbox));
        let thread = desk.start(inbox)?;
        Ok(Self {
            desk,
            reports,
            batches: 0,
            chores: 0,
            kept: None,
            rolls: false,
            fenced: false,
            thread: Some(thread),
        })
    }

    /// Whether a batch may be handed over.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.batches == 0
    }

    /// Whether nothing at all is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.batches == 0 && self.chores == 0
    }

    /// Hands a batch over.
    pub fn write(&mut self, payloads: Arc<Payloads>) {
        let batch = self.batch(payloads);
        self.send(Job::Write(batch));
    }

    /// Keeps a batch for [`Sitting::write`]. It goes to the thread after all if anything else comes behind it.
    pub fn keep(&mut self, payloads: Arc<Payloads>) {
        let batch = self.batch(payloads);
        self.send_kept();
        self.kept = Some(batch);
    }

    fn batch(&mut self, payloads: Arc<Payloads>) -> Batch {
        self.batches += 1;
        Batch { payloads, rolls: std::mem::take(&mut self.rolls) }
    }

    /// Where the kept batch is written.
    #[must_use]
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// The kept batch, to be written.
    pub fn take_kept(&mut self) -> Option<Kept> {
        self.kept.take().map(Kept)
    }

    /// Replaces an epoch file, durably.
    pub fn store_epoch(&mut self, file: EpochFile, epoch: Epoch) {
        self.chores += 1;
        self.send(Job::StoreEpoch(file, epoch));
    }

    /// Ends the history earlier. Nobody else is at work on the files as long as `still` says so.
    pub fn truncate(&mut self, cut: Cut, still: Still) {
        self.chores += 1;
        self.send(Job::Truncate(cut, still));
    }

    /// Puts what a leader sent in the place of the history.
    pub fn install(&mut self, received: Received) {
        self.chores += 1;
        self.send(Job::Install(Box::new(received)));
    }

    /// The next batch begins a new file, unless the one there is has just been begun.
    pub fn roll(&mut self) {
        self.rolls = true;
    }

    fn send_kept(&mut self) {
        if let Some(batch) = self.kept.take() {
            self.desk.send(Job::Write(batch));
        }
    }

    fn send(&mut self, job: Job) {
        self.send_kept();
        self.desk.send(job);
    }

    /// What it has told since the last time.
    pub fn reports(&mut self) -> Vec<Result<LogReport, LogFailure>> {
        let mut reports = Vec::new();
        loop {
            match self.reports.try_recv() {
                Ok(report) => reports.push(self.noted(report)),
                Err(std::sync::mpsc::TryRecvError::Empty) => return reports,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    reports.push(Err(LogFailure::Gone));
                    return reports;
                }
            }
        }
    }

    /// Waits for the next report.
    ///
    /// # Errors
    /// [`LogFailure`]
    pub fn wait(&mut self) -> Result<LogReport, LogFailure> {
        let report = self.reports.recv().unwrap_or(Err(LogFailure::Gone));
        self.noted(report)
    }

    /// Takes note of a report that came from [`Sitting::write`].
    ///
    /// # Errors
    /// [`LogFailure`]
    pub fn noted(&mut self, report: Result<LogReport, LogFailure>) -> Result<LogReport, LogFailure> {
        match &report {
            Ok(LogReport::Persisted { .. }) => self.batches = self.batches.saturating_sub(1),
            Ok(LogReport::Fenced(_)) => self.fenced = true,
            Ok(LogReport::Unfenced) => self.fenced = false,
            Ok(LogReport::Done(_) | LogReport::Replaced(..)) => self.chores = self.chores.saturating_sub(1),
            Err(_) => {}
        }
        report
    }

    /// A server that stops does not wait for room on a full disk: the batch that waits for it is tried once more and
    /// then given up, which [`Self::wait`] tells as an error. Nobody was told that it had happened.
    pub fn give_up_if_fenced(&mut self) {
        if std::mem::take(&mut self.fenced) {
            self.send(Job::Stop);
        }
    }

    /// Ends the thread when its work is done.
    ///
    /// # Errors
    /// [`LogFailure::Gone`] if it panicked.
    pub fn stop(mut self) -> Result<(), LogFailure> {
        self.send(Job::Stop);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| LogFailure::Gone),
            None => Ok(()),
        }
    }
}
