//! Snapshots beside serving: the driver walks the tree in small steps, a thread writes what the walk yields.
//!
//! What a leader sends is written as it comes, and if transactions come behind it the tree is walked after all. Either way
//! the log thread then puts it in the place of the history in the files. While that thread changes files other than the
//! log it writes, this one is still.

#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use member::ensemble::Incoming;
use member::{Member, Now};
use proto::{AclList, SessionId, Zxid};
use store::snapshot::{SnapshotDigest, SnapshotOptions, SnapshotWriter};
use store::{Dirs, DiskError, SinceSnapshot, SnapshotPolicy};
use tree::WalkId;
use writer::Writer;

use super::Handle;
use crate::disk::FileDisk;
use crate::log_thread::{LogFailure, LogThread};

/// Znodes encoded in one step while nobody asks for anything: about 100 µs.
const STEP_NODES: usize = 512;

/// The same in a turn that had something to serve: what all who are served then wait for must not be felt.
const BUSY_STEP_NODES: usize = 64;

/// Bytes collected before they are handed to the writing thread.
const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks the writing thread may be behind.
const CHUNKS_MAX: usize = 4;

/// What it takes to write and purge.
#[derive(Clone, Debug)]
pub struct SnapshotPlan {
    /// Where snapshots and logs lie.
    pub dirs: Dirs,
    /// How they are written.
    pub options: SnapshotOptions,
    /// Whether they carry a digest.
    pub digest: bool,
    /// Whether they carry the last zxid.
    pub last_zxid: bool,
    /// When one is due.
    pub policy: SnapshotPolicy,
    /// How many snapshots purging keeps.
    pub retain: usize,
    /// How often to purge; `None` is never.
    pub purge_every: Option<Duration>,
}

/// A snapshot of what a leader sent, written but not named.
pub struct Received {
    /// The file.
    pub snapshot: SnapshotWriter<FileDisk>,
    /// Its last transaction.
    pub zxid: Zxid,
    /// For its end.
    pub digest: Option<SnapshotDigest>,
    /// For its end.
    pub last: Option<Zxid>,
    /// The writing thread does nothing as long as this is there.
    pub still: Still,
}

/// Keeps the writing thread still: from [`Self::wait`] until this is dropped.
#[derive(Debug)]
pub struct Still {
    at_rest: Receiver<()>,
    _go_on: SyncSender<()>,
}

impl Still {
    /// Waits until the thread is still.
    pub fn wait(&self) {
        // If it is gone it is as still as can be.
        let _ = self.at_rest.recv();
    }
}

/// The thread's half of [`Still`].
#[derive(Debug)]
struct Rest {
    at_rest: SyncSender<()>,
    go_on: Receiver<()>,
}

impl Rest {
    fn new() -> (Self, Still) {
        let (at_rest, is_at_rest) = sync_channel(1);
        let (may_go_on, go_on) = sync_channel(1);
        (Self { at_rest, go_on }, Still { at_rest: is_at_rest, _go_on: may_go_on })
    }

    /// Is still until the other half is dropped.
    fn take(self) {
        // Without the other half nobody waits, and nothing is sent to this one.
        let _ = self.at_rest.send(());
        let _ = self.go_on.recv();
    }
}

/// What becomes of a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// It shortens the next start.
    Start,
    /// It is the history from now on.
    Install,
}

enum Work {
    Begin {
        number: u64,
        purpose: Purpose,
        zxid: Zxid,
        sessions: Vec<(SessionId, i32)>,
        acls: Vec<(i64, AclList)>,
    },
    Nodes(Vec<u8>),
    /// A leader's snapshot begins to come in.
    Receive {
        number: u64,
        zxid: Zxid,
    },
    /// Bytes of it, which are given back.
    Received(Vec<u8>),
    Finish(End),
    /// Whatever is being written is given up.
    GiveUp,
    /// The same, and then nothing is done for a while.
    Rest(Rest),
}

/// How a snapshot ends.
#[derive(Clone, Copy, Debug)]
struct End {
    zxid: Zxid,
    digest: u64,
    purpose: Purpose,
}

/// What came of the snapshot with this number.
struct Report {
    number: u64,
    outcome: Outcome,
}

enum Outcome {
    Done {
        bytes: u64,
        millis: u128,
    },
    /// These bytes of a leader's snapshot are no longer needed.
    Taken(Vec<u8>),
    Received(Box<Received>),
    Failed(DiskError),
}

/// What the thread is told to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Task {
    Idle,
    Write {
        /// Counted up: what is reported of an earlier one is of no interest.
        number: u64,
        purpose: Purpose,
    },
    /// A leader's snapshot is written as it comes.
    Receive {
        /// Counted with the others.
        number: u64,
    },
    /// What a leader sent is all handed over, and is to be the history.
    Place {
        /// Of the [`Self::Receive`] before it.
        number: u64,
    },
    /// Until [`Snapshots::resume`].
    Rest,
}

/// A snapshot being walked.
#[derive(Clone, Copy, Debug)]
struct Walk {
    id: WalkId,
    end: End,
    walked: bool,
}

/// The driver's end of it.
pub struct Snapshots {
    plan: SnapshotPlan,
    work: Option<SyncSender<Work>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    walk: Option<Walk>,
    /// Encoded and not handed over.
    chunk: Vec<u8>,
    /// Not handed over because the thread is behind. Its disk may hang, and the driver waits for none.
    held: VecDeque<Work>,
    /// All znodes are handed over, and the end waits for the log.
    end: Option<End>,
    task: Task,
    /// How many were begun.
    begun: u64,
    /// The thread need not go on with those before this number.
    wanted_from: Arc<AtomicU64>,
    since: SinceSnapshot,
    /// Drawn anew for each snapshot.
    random: u64,
}

impl Snapshots {
    /// Starts the writing thread, which also purges.
    ///
    /// * `since`: what the log holds behind the newest snapshot.
    /// * `seed`: for spreading configured limits.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        plan: SnapshotPlan,
        disk: FileDisk,
        handle: Handle,
        since: SinceSnapshot,
        seed: u64,
    ) -> std::io::Result<Self> {
        let (work, inbox) = sync_channel(CHUNKS_MAX);
        let (outbox, reports) = channel();
        let wanted_from = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            plan: plan.clone(),
            disk,
            handle,
            inbox,
            outbox,
            wanted_from: Arc::clone(&wanted_from),
            number: 0,
            current: None,
        };
        let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || writer.run())?;
        Ok(Self {
            plan,
            work: Some(work),
            reports,
            thread: Some(thread),
            walk: None,
            chunk: Vec::new(),
            held: VecDeque::new(),
            end: None,
            task: Task::Idle,
            begun: 0,
            wanted_from,
            since,
            random: seed,
        })
    }

    /// Takes note of what went to the log.
    pub(super) fn on_logged(&mut self, bytes: u64, txns: u64) {
        self.since.log_bytes += bytes;
        self.since.txns += txns;
    }

    /// Whether the walk could go on right now.
    pub(super) fn wants_step(&self) -> bool {
        self.held.is_empty() && self.walk.is_some_and(|walk| !walk.walked)
    }

    /// Takes in what the thread has to tell.
    ///
    /// # Errors
    /// [`LogFailure::Install`]
    pub(super) fn hear(
        &mut self,
        member: &mut Member,
        log: &mut LogThread,
        now: Now,
    ) -> Result<(), LogFailure> {
        while let Ok(report) = self.reports.try_recv() {
            self.on_report(report, member, log, now)?;
        }
        Ok(())
    }

    /// One step: begins a snapshot that is due, or walks on. `busy`: others are waiting.
    pub(super) fn step(&mut self, member: &mut Member, log: &mut LogThread, busy: bool) {
        if self.task == Task::Idle && self.plan.policy.is_due(self.since, self.random) {
            self.begin(member, log);
        }
        if self.hand_over() {
            self.walk_on(member, if busy { BUSY_STEP_NODES } else { STEP_NODES });
            self.end(member);
        }
    }

    fn walk_on(&mut self, member: &mut Member, nodes: usize) {
        let Some(walk) = self.walk.as_mut().filter(|walk| !walk.walked) else { return };
        walk.walked = member.core_mut().tree_mut().snapshot_step(walk.id, nodes, &mut self.chunk);
        let Walk { end, walked, .. } = *walk;
        if walked || self.chunk.len() >= CHUNK_BYTES {
            let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES * 5 / 4));
            self.give(Work::Nodes(chunk));
        }
        if walked {
            self.chunk = Vec::new();
            self.walk = None;
            self.end = Some(end);
        }
    }

    /// A snapshot gets its name when the log has what it shows. A member of an ensemble may show more than its own log
    /// has; after a power failure the snapshot would hide the hole behind it.
    fn end(&mut self, member: &Member) {
        let is_there = |end: &mut End| end.purpose == Purpose::Install || member.is_logged(end.zxid);
        if let Some(end) = self.end.take_if(is_there) {
            self.give(Work::Finish(end));
        }
    }

    fn begin(&mut self, member: &mut Member, log: &mut LogThread) {
        self.since = SinceSnapshot { snapshot_bytes: self.since.snapshot_bytes, ..SinceSnapshot::default() };
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        log.roll();
        self.start_walk(member, Purpose::Start);
    }

    fn next_number(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    fn start_walk(&mut self, member: &mut Member, purpose: Purpose) {
        self.end_walk(member);
        let number = self.next_number();
        self.task = Task::Write { number, purpose };
        let (id, head) = member.core_mut().tree_mut().snapshot_begin();
        tracing::info!(zxid = %head.zxid, "Snapshotting");
        let end = End { zxid: head.zxid, digest: head.digest, purpose };
        self.walk = Some(Walk { id, end, walked: false });
        self.give(Work::Begin { number, purpose, zxid: head.zxid, sessions: head.sessions, acls: head.acls });
    }

    /// A leader's snapshot comes in, or what of it has come.
    pub(super) fn receive(&mut self, incoming: Incoming, member: &mut Member, now: Now) {
        match (incoming, self.task) {
            (Incoming::Begin { .. }, Task::Write { .. } | Task::Place { .. }) => {
                // The snapshot under way is of a tree that may be here for long yet.
            }
            (Incoming::Begin { zxid }, Task::Idle | Task::Rest | Task::Receive { .. }) => {
                self.forget();
                let number = self.next_number();
                self.task = Task::Receive { number };
                self.give(Work::Receive { number, zxid });
            }
            (Incoming::Bytes(piece), Task::Receive { .. }) => self.give(Work::Received(piece)),
            (Incoming::Bytes(piece), Task::Idle | Task::Write { .. } | Task::Place { .. } | Task::Rest) => {
                member.snapshot_bytes_written(piece, now);
            }
            (Incoming::GivenUp, Task::Receive { .. } | Task::Rest) => {
                self.give_up();
                self.task = Task::Idle;
            }
            (Incoming::GivenUp, Task::Idle | Task::Write { .. } | Task::Place { .. }) => {}
        }
    }

    /// The tree in memory is another one, which came from a leader. A walk that is under way went over the one before, and
    /// ended with it; until [`Self::install`] nothing of the new one may get among the files of the old.
    pub(super) fn tree_replaced(&mut self) {
        match self.task {
            Task::Receive { .. } | Task::Place { .. } | Task::Write { purpose: Purpose::Install, .. } => {}
            Task::Idle | Task::Write { purpose: Purpose::Start, .. } | Task::Rest => {
                self.drop_walk();
                self.give_up();
                self.task = Task::Rest;
            }
        }
    }

    /// Writes the tree that came from a leader, unless it is written already, and has it put in the place of the history
    /// in the files.
    pub(super) fn install(&mut self, member: &mut Member, is_received: bool) {
        let purpose = Purpose::Install;
        match self.task {
            Task::Receive { number } if is_received => {
                let tree = member.core().tree();
                self.task = Task::Place { number };
                self.give(Work::Finish(End { zxid: tree.last_zxid(), digest: tree.digest(), purpose }));
            }
            Task::Receive { .. } => {
                self.give_up();
                self.start_walk(member, purpose);
            }
            Task::Idle | Task::Write { .. } | Task::Place { .. } | Task::Rest => {
                self.start_walk(member, purpose);
            }
        }
    }

    /// Gives up what is being written; then the thread does nothing as long as the result is there, and afterwards
    /// [`Self::resume`] tells that it may be given something again.
    pub(super) fn pause(&mut self, member: &mut Member) -> Still {
        self.end_walk(member);
        let (rest, still) = Rest::new();
        self.give(Work::Rest(rest));
        self.task = Task::Rest;
        still
    }

    /// The history in the files is another one; `since` says what it comes to.
    pub(super) fn resume(&mut self, since: Option<SinceSnapshot>) {
        self.task = Task::Idle;
        self.since = since.unwrap_or(self.since);
    }

    fn end_walk(&mut self, member: &mut Member) {
        if let Some(walk) = &self.walk {
            member.core_mut().tree_mut().snapshot_end(walk.id);
        }
        self.drop_walk();
    }

    /// Its tree is gone, or has ended it.
    fn drop_walk(&mut self) {
        self.walk = None;
        self.forget();
        self.end = None;
        // Znodes of this walk at the front of the next snapshot would make that one worthless.
        self.chunk.clear();
    }

    /// Whatever the thread was given so far is outdated, but that it has to give up and to rest: somebody may be waiting
    /// for that.
    fn forget(&mut self) {
        self.wanted_from.store(self.begun + 1, Ordering::Relaxed);
        self.held.retain(|work| matches!(work, Work::GiveUp | Work::Rest(_)));
    }

    /// The same, and the thread removes what it wrote.
    fn give_up(&mut self) {
        self.forget();
        if !matches!(self.held.back(), Some(Work::GiveUp)) {
            self.give(Work::GiveUp);
        }
    }

    /// Before the driver waits for the log thread, which may be waiting for the writing thread to be still. That one
    /// is waited for here.
    pub(super) fn let_rest(&mut self) {
        let Some(sender) = &self.work else { return };
        for work in self.held.drain(..).filter(|work| matches!(work, Work::Rest(_))) {
            if sender.send(work).is_err() {
                tracing::error!("the snapshot thread is gone");
            }
        }
    }

    /// Hands over what was held back. `false`: the thread is still behind.
    fn hand_over(&mut self) -> bool {
        while let Some(work) = self.held.pop_front() {
            if let Some(work) = self.try_give(work) {
                self.held.push_front(work);
                return false;
            }
        }
        true
    }

    /// Gives the thread something to write. Behind something held back, it is held back as well.
    fn give(&mut self, work: Work) {
        let refused = if self.held.is_empty() { self.try_give(work) } else { Some(work) };
        self.held.extend(refused);
    }

    /// What is returned the thread has no room for.
    fn try_give(&mut self, work: Work) -> Option<Work> {
        match self.work.as_ref()?.try_send(work) {
            Ok(()) => None,
            Err(TrySendError::Full(work)) => Some(work),
            Err(TrySendError::Disconnected(_)) => {
                tracing::error!("the snapshot thread is gone");
                None
            }
        }
    }

    fn on_report(
        &mut self,
        report: Report,
        member: &mut Member,
        log: &mut LogThread,
        now: Now,
    ) -> Result<(), LogFailure> {
        let Report { number, outcome } = report;
        if let Outcome::Taken(piece) = outcome {
            member.snapshot_bytes_written(piece, now);
            return Ok(());
        }
        let purpose = match self.task {
            Task::Write { number: current, purpose } if current == number => purpose,
            Task::Receive { number: current } if current == number => {
                if let Outcome::Failed(error) = outcome {
                    self.receive_failed(&error, member, now);
                }
                return Ok(());
            }
            Task::Place { number: current } if current == number => {
                if let Outcome::Failed(error) = &outcome {
                    self.receive_failed(error, member, now);
                    self.start_walk(member, Purpose::Install);
                    return Ok(());
                }
                Purpose::Install
            }
            Task::Idle | Task::Write { .. } | Task::Receive { .. } | Task::Place { .. } | Task::Rest => {
                return Ok(());
            }
        };
        match outcome {
            Outcome::Taken(_) => unreachable!("it was seen to above"),
            Outcome::Done { bytes, millis } => {
                self.task = Task::Idle;
                self.since.snapshot_bytes = bytes;
                let millis = i64::try_from(millis).unwrap_or(i64::MAX);
                member.core_mut().metrics.snapshottime.add(millis);
            }
            Outcome::Received(received) => {
                self.task = Task::Rest;
                log.install(*received);
            }
            Outcome::Failed(error) => {
                member.core_mut().metrics.snapshot_error_count.inc();
                if purpose == Purpose::Install {
                    return Err(LogFailure::Install(error));
                }
                self.end_walk(member);
                self.task = Task::Idle;
                tracing::error!(%error, "no snapshot was written; the log grows until one is");
            }
        }
        Ok(())
    }

    /// The tree is written when it is here.
    fn receive_failed(&mut self, error: &DiskError, member: &mut Member, now: Now) {
        tracing::warn!(%error, "what the leader sends cannot be written as it comes; it is tried once more as a whole");
        self.task = Task::Rest;
        for work in std::mem::take(&mut self.held) {
            if let Work::Received(piece) = work {
                member.snapshot_bytes_written(piece, now);
            }
        }
    }

    /// Gives up what is being written and ends the thread.
    pub(super) fn stop(self, member: &mut Member) {
        let Self { work, reports, thread, walk, .. } = self;
        if let Some(walk) = walk {
            member.core_mut().tree_mut().snapshot_end(walk.id);
        }
        // The thread may be still until what it reported is gone.
        drop(reports);
        drop(work);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the snapshot thread panicked");
        }
    }
}
