//! Workers on threads of their own, and what the lane tells them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::connection::{Connection, Identity, Opened, prepare};
use super::history::{At, History, SessionLog};
use super::worker::Worker;
use crate::harness::until;

/// How the load is to be.
#[derive(Clone, Copy, Debug)]
pub struct LoadPlan {
    /// What the workers ask for as session timeout: longer than any trouble they are to live through.
    pub timeout: Duration,
    /// What sessions ask for that are abandoned.
    pub short_timeout: Duration,
    /// The longest a worker waits between two batches of requests.
    pub pace: Duration,
    /// Chooses everything.
    pub seed: u64,
}

/// What the workers and the lane share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: LoadPlan,
    /// Clients' addresses by the number of their member.
    pub(super) members: Vec<(u64, SocketAddr)>,
    began: Instant,
    stop: AtomicBool,
    pause: AtomicBool,
    /// How many workers rest.
    pub(super) resting: AtomicUsize,
    /// Acknowledged writes of each worker.
    written: Vec<AtomicU64>,
}

impl Shared {
    /// Time since the history began.
    pub(super) fn now(&self) -> At {
        self.began.elapsed()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pause.load(Ordering::SeqCst) && !self.is_stopped()
    }

    pub(super) fn count_write(&self, worker: usize) {
        if let Some(count) = self.written.get(worker) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Running workers, one for each member.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<SessionLog>>>,
}

impl Load {
    /// Makes the znodes the clients use through one of the members, and starts a worker at each.
    ///
    /// # Errors
    /// When the first member does not serve.
    pub fn start(members: Vec<(u64, SocketAddr)>, plan: LoadPlan) -> Result<Self> {
        let (_, first) = *members.first().context("a load needs a member")?;
        match Connection::open(first, &Identity::fresh(plan.timeout))? {
            Opened::Session(mut connection, _) => {
                prepare(&mut connection)?;
                connection.call(&super::history::Op::Close)?;
            }
            Opened::Gone => anyhow::bail!("{first} refuses a new session"),
        }
        let count = members.len();
        let shared = Arc::new(Shared {
            plan,
            members,
            began: Instant::now(),
            stop: AtomicBool::new(false),
            pause: AtomicBool::new(false),
            resting: AtomicUsize::new(0),
            written: (0..count).map(|_| AtomicU64::new(0)).collect(),
        });
        let threads = (0..count).map(|number| {
            let worker = Worker::new(number, Arc::clone(&shared));
            thread::spawn(move || worker.run())
        });
        Ok(Self { threads: threads.collect(), shared })
    }

    /// When the history began.
    pub fn began(&self) -> Instant {
        self.shared.began
    }

    /// Waits until the workers together have `count` more writes acknowledged.
    ///
    /// # Errors
    /// When that takes longer than `time_max`.
    pub fn written(&self, count: u64, time_max: Duration) -> Result<()> {
        let wanted = self.total() + count;
        until(&format!("{count} more writes"), time_max, || Ok((self.total() >= wanted).then_some(())))
    }

    /// How many writes have been acknowledged to all workers.
    fn total(&self) -> u64 {
        self.shared.written.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }

    /// Waits until every worker has `count` more writes acknowledged.
    ///
    /// # Errors
    /// When that takes longer than `time_max`.
    pub fn each_written(&self, count: u64, time_max: Duration) -> Result<()> {
        let counts = || self.shared.written.iter().map(|count| count.load(Ordering::SeqCst));
        let wanted: Vec<u64> = counts().map(|before| before + count).collect();
        until(&format!("{count} more writes of each worker"), time_max, || {
            Ok(counts().zip(&wanted).all(|(now, wanted)| now >= *wanted).then_some(()))
        })
    }

    /// Makes all workers rest, with nothing on the way. Their sessions stay.
    ///
    /// # Errors
    /// When one does not come to rest.
    pub fn pause(&self) -> Result<()> {
        self.shared.pause.store(true, Ordering::SeqCst);
        until("the workers to rest", Duration::from_secs(30), || {
            let resting = self.shared.resting.load(Ordering::SeqCst);
            Ok((resting == self.threads.len()).then_some(()))
        })
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.shared.pause.store(false, Ordering::SeqCst);
    }

    /// Ends all sessions and gives what was seen.
    pub fn finish(self) -> Finished {
        self.shared.stop.store(true, Ordering::SeqCst);
        let logs = self.threads.into_iter().map(|thread| thread.join().expect("a worker does not panic"));
        let sessions = logs.flatten().collect();
        Finished { history: History { sessions }, began: self.shared.began }
    }
}

/// A history whose workers have ended, to which an [`Auditor`](super::Auditor) can add what is there in the end.
#[derive(Debug)]
pub struct Finished {
    /// So far.
    pub history: History,
    /// When it began.
    pub began: Instant,
}
