//! The files of a history and the thread that works on them: one write and one sync for each batch, and what else is to
//! be done in order with the batches.
//!
//! Going to sleep and being woken costs a processor more than a sync on a good disk takes. So the loop may take a
//! batch to the files itself ([`Desk`]) while the thread has nothing to do and somebody else can go on with the loop.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use member::Payloads;
use member::ensemble::{Done, EpochFile};
use proto::{Epoch, Zxid};
use store::epoch::{self, EpochKind};
use store::log::{LogError, LogOptions, LogWriter, Spare};
use store::{Dirs, DiskError, RecoverError, RecoverOptions, SinceSnapshot, TruncateError};
use store::{frame_entry, recover, truncate};
use tree::TreeOptions;

use crate::disk::FileDisk;
use crate::driver::Handle;
use crate::driver::snapshots::{Received, Still};
use crate::history::{History, HistoryError};

/// How often a full disk is tried again.
const FENCE_RETRY: Duration = Duration::from_millis(500);

/// How long to go on without a spare log file after one could not be made.
const SPARE_RETRY: Duration = Duration::from_secs(30);

/// A buffer that once held a burst is not kept.
const BUFFER_BYTES_MAX: usize = 4 << 20;

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
    kind_of(file).file_name()
}

fn kind_of(file: EpochFile) -> EpochKind {
    match file {
        EpochFile::Accepted => EpochKind::Accepted,
        EpochFile::Current => EpochKind::Current,
    }
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
        let (spare_sender, spares) = channel();
        let scribe = Scribe {
            writer: LogWriter::new(FileDisk, &plan.dirs.log, plan.log, last),
            plan,
            handle,
            waiting: VecDeque::new(),
            spare_under_way: false,
            outbox: Some(outbox),
            spare_sender,
            spares,
            spare_at: Instant::now(),
            buffer: Vec::new(),
            stopping: false,
        };
        let desk = Desk { jobs, scribe: Arc::new(Mutex::new(scribe)) };
        let scribe = Arc::clone(&desk.scribe);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || work(&scribe, &inbox))?;
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

/// A batch on its way to [`Sitting::write`].
#[derive(Debug)]
pub struct Kept(Batch);

/// Where a batch is taken to the files by whoever has it.
#[derive(Clone)]
pub struct Desk {
    jobs: Sender<Job>,
    scribe: Arc<Mutex<Scribe>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Takes the files over from the log thread. If that is still tidying up, the batch goes to it instead: `None`.
    ///
    /// What is told to the thread after this is done behind the batch.
    #[must_use]
    pub fn sit_down(&self, Kept(batch): Kept) -> Option<Sitting<'_>> {
        let scribe = match self.scribe.try_lock() {
            Ok(scribe) => scribe,
            // A thread that panicked over the files has told that it is gone.
            Err(TryLockError::Poisoned(_) | TryLockError::WouldBlock) => {
                self.send(Job::Write(batch));
                return None;
            }
        };
        Some(Sitting { desk: self, scribe, batch })
    }

    /// A thread that is gone is noticed where its reports are read.
    fn send(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            tracing::error!("the log thread is gone");
        }
    }
}

/// Somebody with a batch before the files.
pub struct Sitting<'a> {
    desk: &'a Desk,
    scribe: MutexGuard<'a, Scribe>,
    batch: Batch,
}

impl<'a> Sitting<'a> {
    /// Writes and syncs the batch. On a full disk it is the log thread's to wait for room: no report then.
    #[must_use]
    pub fn write(self) -> Written<'a> {
        let Self { desk, mut scribe, mut batch } = self;
        let report = match scribe.write(&batch, None) {
            Ok(report) => Some(Ok(report)),
            Err(error) if error.is_fatal() => Some(Err(error.into())),
            Err(_) => {
                // The writer knows by now, and would begin one more.
                batch.rolls = false;
                scribe.waiting.push_front(Job::Write(batch));
                desk.send(Job::GoOn);
                None
            }
        };
        Written { scribe, report }
    }
}

/// A batch that was written. The files are given back when it goes.
pub struct Written<'a> {
    scribe: MutexGuard<'a, Scribe>,
    report: Option<Result<LogReport, LogFailure>>,
}

impl Written<'_> {
    /// What came of it, to the one who drives.
    #[must_use]
    pub fn report(mut self) -> Option<Result<LogReport, LogFailure>> {
        if matches!(self.report, Some(Ok(_))) {
            self.scribe.see_to_spare();
        }
        self.report.take()
    }

    /// The same, where somebody else drives meanwhile.
    pub fn tell(mut self) {
        let Some(report) = self.report.take() else { return };
        let succeeded = report.is_ok();
        self.scribe.tell(report);
        if succeeded {
            self.scribe.see_to_spare();
        }
    }
}

/// The thread's work, until it is told to stop or fails.
fn work(scribe: &Mutex<Scribe>, inbox: &Receiver<Job>) {
    let _end = End(scribe);
    let scribe = || scribe.lock().unwrap_or_else(PoisonError::into_inner);
    scribe().see_to_spare();
    while let Ok(job) = inbox.recv() {
        let mut scribe = scribe();
        scribe.waiting.push_back(job);
        while let Some(job) = scribe.waiting.pop_front() {
            if !scribe.carry_out(job, inbox) {
                return;
            }
        }
    }
}

/// Tells, however the thread ends, that nothing more will be told.
struct End<'a>(&'a Mutex<Scribe>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).outbox = None;
    }
}

/// Who writes.
struct Scribe {
    plan: LogPlan,
    writer: LogWriter<FileDisk>,
    handle: Handle,
    /// What came while a batch waited for room on a full disk.
    waiting: VecDeque<Job>,
    spare_under_way: bool,
    /// Goes with the thread: whoever waits for a report then hears that none will come.
    outbox: Option<Sender<Result<LogReport, LogFailure>>>,
    spare_sender: Sender<Option<Spare<FileDisk>>>,
    spares: Receiver<Option<Spare<FileDisk>>>,
    /// When a spare may be asked for again after one could not be made.
    spare_at: Instant,
    buffer: Vec<u8>,
    stopping: bool,
}

impl Scribe {
    /// Returns whether to go on.
    fn carry_out(&mut self, job: Job, inbox: &Receiver<Job>) -> bool {
        // A batch is given back before the driver hears of it, so that it can use the memory again.
        let report = match job {
            Job::Write(batch) => self.write(&batch, Some(inbox)).map_err(LogFailure::from),
            Job::StoreEpoch(file, epoch) => self.store_epoch(file, epoch, inbox),
            Job::Truncate(cut, still) => self.truncate(cut, still),
            Job::Install(received) => self.install(*received),
            Job::GoOn => return true,
            Job::Stop => return false,
        };
        let failed = report.is_err();
        self.tell(report);
        if !failed {
            self.see_to_spare();
        }
        !failed && !self.stopping
    }

    /// Where even the reserve is used up, the epoch waits for room like a batch: nobody was told of it.
    fn store_epoch(
        &mut self,
        file: EpochFile,
        epoch: Epoch,
        inbox: &Receiver<Job>,
    ) -> Result<LogReport, LogFailure> {
        let mut fenced = false;
        loop {
            match epoch::save(&FileDisk, &self.plan.dirs.snap, kind_of(file), epoch) {
                Ok(()) => {
                    self.unfence(fenced);
                    return Ok(LogReport::Done(Done::EpochStored(file, epoch)));
                }
                Err(error @ DiskError::NoSpace { .. }) if !self.stopping => {
                    self.fence(&mut fenced, &error, inbox);
                }
                Err(error) => return Err(LogFailure::Epoch { file, error }),
            }
        }
    }

    fn truncate(&mut self, cut: Cut, still: Still) -> Result<LogReport, LogFailure> {
        still.wait();
        let Cut { to, reload, committed } = cut;
        let LogPlan { dirs, recover: options, tree, .. } = self.plan.clone();
        self.put_down();
        let truncated = match truncate(&FileDisk, &dirs, to, committed) {
            Ok(truncated) => truncated,
            Err(TruncateError::Disk(error)) => return Err(LogFailure::Truncate(error)),
            Err(error) => {
                tracing::error!(%error, "the log cannot be truncated to what the leader has, which is copied instead");
                return Ok(LogReport::Replaced(Done::NotTruncated { to }, None));
            }
        };
        for note in &truncated.notes {
            tracing::warn!("{note}");
        }
        self.writer = LogWriter::new(FileDisk, &dirs.log, self.plan.log, truncated.last);
        tracing::info!(%to, last = %truncated.last, "the log was truncated to what the leader has");
        if !reload {
            return Ok(LogReport::Replaced(Done::Truncated { to, tree: None }, None));
        }
        let mut history = History::new(tree);
        let recovered = recover(&FileDisk, &dirs, options, &mut history)?;
        for note in &recovered.notes {
            tracing::warn!("{note}");
        }
        let tree = Box::new(history.into_tree()?);
        let since = SinceSnapshot {
            txns: recovered.replayed,
            log_bytes: recovered.log_bytes,
            snapshot_bytes: recovered.snapshot.map_or(0, |(_, end)| end.file_bytes),
        };
        Ok(LogReport::Replaced(Done::Truncated { to, tree: Some(tree) }, Some(since)))
    }

    fn install(&mut self, received: Received) -> Result<LogReport, LogFailure> {
        let Received { snapshot, zxid, digest, last, still } = received;
        still.wait();
        self.put_down();
        let installed = snapshot.install(&self.plan.dirs, digest, last).map_err(LogFailure::Install)?;
        for note in &installed.notes {
            tracing::info!("{note}");
        }
        self.writer = LogWriter::new(FileDisk, &self.plan.dirs.log, self.plan.log, zxid);
        let since = SinceSnapshot { snapshot_bytes: installed.bytes, ..SinceSnapshot::default() };
        Ok(LogReport::Replaced(Done::Installed, Some(since)))
    }

    /// Lets go of the log files before others than the writer change them. A spare that is being made is waited for: two
    /// of them would have one name.
    fn put_down(&mut self) {
        if std::mem::take(&mut self.spare_under_way) {
            // Its thread tells in any case before it ends.
            let _ = self.spares.recv();
        }
        let LogPlan { dirs, log, .. } = &self.plan;
        self.writer = LogWriter::new(FileDisk, &dirs.log, *log, self.writer.last());
    }

    fn tell(&self, report: Result<LogReport, LogFailure>) {
        // The driver listens as long as it lives; without it nobody is left to tell.
        if self.outbox.as_ref().is_some_and(|outbox| outbox.send(report).is_ok()) {
            self.handle.wake();
        }
    }

    /// Without an inbox a full disk is an error that leaves everything as it was.
    fn write(&mut self, batch: &Batch, inbox: Option<&Receiver<Job>>) -> Result<LogReport, LogError> {
        if batch.rolls && !self.writer.is_hardly_begun() {
            self.writer.roll();
        }
        let batch = &batch.payloads;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for (_, payload) in batch.iter() {
            frame_entry(&mut buffer, |out| out.extend_from_slice(payload));
        }
        let (first, last) = (batch.entry(0).0, batch.last().expect("a batch has entries"));
        self.append(&buffer, first, last, inbox)?;
        let started = Instant::now();
        let zxid = self.writer.sync()?;
        let sync = started.elapsed();
        let log_bytes = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        if sync >= self.plan.warn_after {
            tracing::warn!(
                millis = sync.as_millis(),
                file_bytes = self.writer.file_bytes(),
                "fsync-ing the write ahead log took long, which delays every write; see fsync.warningthresholdms"
            );
        }
        let txns = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        Ok(LogReport::Persisted { zxid, log_bytes, txns, sync })
    }

    /// A full disk is no failure: the batch waits until there is room, and reads go on.
    fn append(
        &mut self,
        framed: &[u8],
        first: Zxid,
        last: Zxid,
        inbox: Option<&Receiver<Job>>,
    ) -> Result<(), LogError> {
        let mut fenced = false;
        loop {
            match self.writer.append_batch(framed, first, last) {
                Ok(()) => {
                    self.unfence(fenced);
                    return Ok(());
                }
                Err(error) if error.is_fatal() || self.stopping => return Err(error),
                Err(error) => match inbox {
                    Some(inbox) => self.fence(&mut fenced, &error, inbox),
                    None => return Err(error),
                },
            }
        }
    }

    fn unfence(&self, fenced: bool) {
        if fenced {
            tracing::info!("the log has room again; writes go on");
            self.tell(Ok(LogReport::Unfenced));
        }
    }

    /// Says once that there is no room, and waits until it is worth another try.
    fn fence(&mut self, fenced: &mut bool, error: &dyn std::error::Error, inbox: &Receiver<Job>) {
        if !std::mem::replace(fenced, true) {
            tracing::error!(%error, "writes are fenced");
            self.tell(Ok(LogReport::Fenced(error.to_string())));
        }
        match inbox.recv_timeout(FENCE_RETRY) {
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => self.stopping = true,
            Ok(job) => self.waiting.push_back(job),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }

    /// Has the next file made ahead of need, beside the log.
    fn see_to_spare(&mut self) {
        while let Ok(spare) = self.spares.try_recv() {
            self.spare_under_way = false;
            match spare {
                Some(spare) => self.writer.offer_spare(spare),
                None => self.spare_failed(),
            }
        }
        // On a disk that is nearly full every try takes for a moment the room that the log itself needs.
        if Instant::now() < self.spare_at {
            return;
        }
        let Some(job) = self.writer.spare_wanted() else { return };
        let sender = self.spare_sender.clone();
        let making = std::thread::Builder::new().name("log-spare".into()).spawn(move || {
            let spare = job.run().inspect_err(|error| {
                tracing::warn!(%error, "the next log file could not be made ahead of need");
            });
            // The log may have ended meanwhile.
            let _ = sender.send(spare.ok());
        });
        match making {
            Ok(_) => self.spare_under_way = true,
            Err(error) => {
                tracing::warn!(%error, "no thread to make the next log file");
                self.spare_failed();
            }
        }
    }

    fn spare_failed(&mut self) {
        self.writer.spare_failed();
        self.spare_at = Instant::now() + SPARE_RETRY;
    }
}

/// The sum of the files in a directory, for `dirs` and `conf`.
#[must_use]
pub fn directory_bytes(dir: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
