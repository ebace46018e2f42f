//! The thread that writes the log: one write and one sync for each batch.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use member::Payloads;
use proto::Zxid;
use store::frame_entry;
use store::log::{LogError, LogWriter, Spare};

use crate::disk::FileDisk;
use crate::driver::Handle;

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
    /// The thread is gone without a word.
    #[error("the log thread ended; see the lines above")]
    Gone,
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
}

enum Job {
    Write(Arc<Payloads>),
    Roll,
    Stop,
}

/// The driver's end of it. At most one batch is on its way.
#[derive(Debug)]
pub struct LogThread {
    jobs: Sender<Job>,
    reports: Receiver<Result<LogReport, LogFailure>>,
    busy: bool,
    fenced: bool,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts the thread on `writer`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(writer: LogWriter<FileDisk>, warn_after: Duration, handle: Handle) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let (outbox, reports) = channel();
        let (spare_sender, spares) = channel();
        let scribe = Scribe {
            writer,
            warn_after,
            handle,
            inbox,
            outbox,
            spare_sender,
            spares,
            spare_at: Instant::now(),
            buffer: Vec::new(),
            stopping: false,
        };
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || scribe.run())?;
        Ok(Self { jobs, reports, busy: false, fenced: false, thread: Some(thread) })
    }

    /// Whether a batch may be handed over.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Hands a batch over.
    pub fn write(&mut self, batch: Arc<Payloads>) {
        self.busy = true;
        self.send(Job::Write(batch));
    }

    /// The next batch begins a new file.
    pub fn roll(&mut self) {
        self.send(Job::Roll);
    }

    /// A thread that is gone is noticed where its reports are read.
    fn send(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            tracing::error!("the log thread is gone");
        }
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

    fn noted(&mut self, report: Result<LogReport, LogFailure>) -> Result<LogReport, LogFailure> {
        match &report {
            Ok(LogReport::Persisted { .. }) => self.busy = false,
            Ok(LogReport::Fenced(_)) => self.fenced = true,
            Ok(LogReport::Unfenced) => self.fenced = false,
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

/// The thread's end.
struct Scribe {
    writer: LogWriter<FileDisk>,
    warn_after: Duration,
    handle: Handle,
    inbox: Receiver<Job>,
    outbox: Sender<Result<LogReport, LogFailure>>,
    spare_sender: Sender<Option<Spare<FileDisk>>>,
    spares: Receiver<Option<Spare<FileDisk>>>,
    /// When a spare may be asked for again after one could not be made.
    spare_at: Instant,
    buffer: Vec<u8>,
    stopping: bool,
}

impl Scribe {
    fn run(mut self) {
        self.see_to_spare();
        while !self.stopping {
            match self.inbox.recv() {
                Ok(Job::Write(batch)) => {
                    let report = self.write(&batch);
                    // The batch is given back before the driver hears of it, so that it can use the memory again.
                    drop(batch);
                    let failed = report.is_err();
                    self.tell(report.map_err(LogFailure::from));
                    if failed {
                        return;
                    }
                    self.see_to_spare();
                }
                Ok(Job::Roll) => self.writer.roll(),
                Ok(Job::Stop) | Err(_) => return,
            }
        }
    }

    fn tell(&self, report: Result<LogReport, LogFailure>) {
        // The driver listens as long as it lives; without it nobody is left to tell.
        if self.outbox.send(report).is_ok() {
            self.handle.wake();
        }
    }

    fn write(&mut self, batch: &Payloads) -> Result<LogReport, LogError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for (_, payload) in batch.iter() {
            frame_entry(&mut buffer, |out| out.extend_from_slice(payload));
        }
        let (first, last) = (batch.entry(0).0, batch.last().expect("a batch has entries"));
        self.append(&buffer, first, last)?;
        let started = Instant::now();
        let zxid = self.writer.sync()?;
        let sync = started.elapsed();
        let log_bytes = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            self.buffer = buffer;
        }
        if sync >= self.warn_after {
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
    fn append(&mut self, framed: &[u8], first: Zxid, last: Zxid) -> Result<(), LogError> {
        let mut fenced = false;
        loop {
            match self.writer.append_batch(framed, first, last) {
                Ok(()) => {
                    if fenced {
                        tracing::info!("the log has room again; writes go on");
                        self.tell(Ok(LogReport::Unfenced));
                    }
                    return Ok(());
                }
                Err(error) if error.is_fatal() || self.stopping => return Err(error),
                Err(error) => {
                    if !fenced {
                        tracing::error!(%error, "writes are fenced");
                        self.tell(Ok(LogReport::Fenced(error.to_string())));
                        fenced = true;
                    }
                    self.pause();
                }
            }
        }
    }

    fn pause(&mut self) {
        match self.inbox.recv_timeout(FENCE_RETRY) {
            Ok(Job::Roll) => self.writer.roll(),
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => self.stopping = true,
            // No second batch comes before the first is done.
            Ok(Job::Write(_)) | Err(RecvTimeoutError::Timeout) => {}
        }
    }

    /// Has the next file made ahead of need, beside the log.
    fn see_to_spare(&mut self) {
        while let Ok(spare) = self.spares.try_recv() {
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
        if let Err(error) = making {
            tracing::warn!(%error, "no thread to make the next log file");
            self.spare_failed();
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
