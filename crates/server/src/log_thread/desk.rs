//! Where a batch is taken to the files by whoever has it: the log thread, or the loop.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use super::scribe::Scribe;
use super::{Batch, Job, LogFailure, LogReport};

/// A batch on its way to [`Sitting::write`].
#[derive(Debug)]
pub struct Kept(pub(super) Batch);

/// Where a batch is taken to the files by whoever has it.
#[derive(Clone)]
pub struct Desk {
    jobs: Sender<Job>,
    pub(super) scribe: Arc<Mutex<Scribe>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) fn new(jobs: Sender<Job>, scribe: Scribe) -> Self {
        Self { jobs, scribe: Arc::new(Mutex::new(scribe)) }
    }

    /// Starts the thread that works here.
    pub(super) fn start(&self, inbox: Receiver<Job>) -> std::io::Result<JoinHandle<()>> {
        let scribe = Arc::clone(&self.scribe);
        std::thread::Builder::new().name("log".into()).spawn(move || work(&scribe, &inbox))
    }

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
    pub(super) fn send(&self, job: Job) {
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
                scribe.put_first(batch);
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
        if !scribe.carry_out_all(job, inbox) {
            return;
        }
    }
}

/// Tells, however the thread ends, that nothing more will be told.
struct End<'a>(&'a Mutex<Scribe>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fall_silent();
    }
}
