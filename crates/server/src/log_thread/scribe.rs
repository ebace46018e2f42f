//! Who works on the files: batches, epochs, cuts, what a leader sent, and the next log file ahead of need.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use member::ensemble::{Done, EpochFile};
use proto::{Epoch, Zxid};
use store::epoch::{self, EpochKind};
use store::log::{LogError, LogWriter, Spare};
use store::{DiskError, SinceSnapshot, TruncateError, frame_entry, recover, truncate};

use super::{Batch, Cut, Job, LogFailure, LogPlan, LogReport};
use crate::disk::FileDisk;
use crate::driver::Handle;
use crate::driver::snapshots::{Received, Still};
use crate::history::History;

/// How often a full disk is tried again.
const FENCE_RETRY: Duration = Duration::from_millis(500);

/// How long to go on without a spare log file after one could not be made.
const SPARE_RETRY: Duration = Duration::from_secs(30);

/// A buffer that once held a burst is not kept.
const BUFFER_BYTES_MAX: usize = 4 << 20;

pub(super) fn kind_of(file: EpochFile) -> EpochKind {
    match file {
        EpochFile::Accepted => EpochKind::Accepted,
        EpochFile::Current => EpochKind::Current,
    }
}

/// Who writes.
pub(super) struct Scribe {
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
    /// Behind `last`, the end of the history.
    pub(super) fn new(
        plan: LogPlan,
        last: Zxid,
        handle: Handle,
        outbox: Sender<Result<LogReport, LogFailure>>,
    ) -> Self {
        let (spare_sender, spares) = channel();
        Self {
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
        }
    }

    /// A job, and what came while it waited for room. Returns whether to go on.
    pub(super) fn carry_out_all(&mut self, job: Job, inbox: &Receiver<Job>) -> bool {
        self.waiting.push_back(job);
        while let Some(job) = self.waiting.pop_front() {
            if !self.carry_out(job, inbox) {
                return false;
            }
        }
        true
    }

    /// It waits for room, before all else that waits.
    pub(super) fn put_first(&mut self, batch: Batch) {
        self.waiting.push_front(Job::Write(batch));
    }

    /// Nothing more will be told.
    pub(super) fn fall_silent(&mut self) {
        self.outbox = None;
    }

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

    pub(super) fn tell(&self, report: Result<LogReport, LogFailure>) {
        // The driver listens as long as it lives; without it nobody is left to tell.
        if self.outbox.as_ref().is_some_and(|outbox| outbox.send(report).is_ok()) {
            self.handle.wake();
        }
    }

    /// Without an inbox a full disk is an error that leaves everything as it was.
    pub(super) fn write(
        &mut self,
        batch: &Batch,
        inbox: Option<&Receiver<Job>>,
    ) -> Result<LogReport, LogError> {
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
    pub(super) fn see_to_spare(&mut self) {
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
