//! Snapshots beside serving: the driver walks the tree in small steps, a thread writes what the walk yields.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use member::Member;
use proto::{AclList, SessionId, Zxid};
use store::snapshot::{SnapshotDigest, SnapshotOptions, SnapshotWriter, put_acl, put_session};
use store::{Dirs, DiskError, SinceSnapshot, SnapshotPolicy, purge};
use tree::WalkId;

use super::Handle;
use crate::disk::FileDisk;
use crate::log_thread::LogThread;

/// Znodes encoded in one step: about 100 µs, in which nobody is served.
const STEP_NODES: usize = 512;

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

enum Work {
    Begin {
        zxid: Zxid,
        sessions: Vec<(SessionId, i32)>,
        acls: Vec<(i64, AclList)>,
    },
    Nodes(Vec<u8>),
    Finish {
        zxid: Zxid,
        digest: u64,
    },
    /// The last nodes and the end, where the thread was behind.
    Last {
        nodes: Vec<u8>,
        zxid: Zxid,
        digest: u64,
    },
}

enum Report {
    Done { bytes: u64, millis: u128 },
    Failed(DiskError),
}

/// A snapshot being walked.
#[derive(Clone, Copy, Debug)]
struct Walk {
    id: WalkId,
    zxid: Zxid,
    digest: u64,
    walked: bool,
}

/// The driver's end of it.
pub struct Snapshots {
    plan: SnapshotPlan,
    work: Option<SyncSender<Work>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    walk: Option<Walk>,
    /// Encoded and not handed over: collected, or refused because the thread is behind.
    chunk: Vec<u8>,
    held: Option<Work>,
    writing: bool,
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
        let writer = Writer { plan: plan.clone(), disk, handle, inbox, outbox, current: None };
        let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || writer.run())?;
        Ok(Self {
            plan,
            work: Some(work),
            reports,
            thread: Some(thread),
            walk: None,
            chunk: Vec::new(),
            held: None,
            writing: false,
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
        self.held.is_none() && self.walk.is_some_and(|walk| !walk.walked)
    }

    /// One step: begins a snapshot that is due, or walks on.
    pub(super) fn step(&mut self, member: &mut Member, log: &mut LogThread) {
        while let Ok(report) = self.reports.try_recv() {
            self.on_report(report, member);
        }
        if !self.writing && self.plan.policy.is_due(self.since, self.random) {
            self.begin(member, log);
        }
        if !self.hand_over() {
            return;
        }
        let Some(walk) = &mut self.walk else { return };
        if walk.walked {
            return;
        }
        walk.walked = member.core_mut().tree_mut().snapshot_step(walk.id, STEP_NODES, &mut self.chunk);
        let Walk { zxid, digest, walked, .. } = *walk;
        if walked || self.chunk.len() >= CHUNK_BYTES {
            let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES * 5 / 4));
            self.give(Work::Nodes(chunk));
        }
        if walked {
            self.chunk = Vec::new();
            self.walk = None;
            self.give(Work::Finish { zxid, digest });
        }
    }

    fn begin(&mut self, member: &mut Member, log: &mut LogThread) {
        self.writing = true;
        self.since = SinceSnapshot { snapshot_bytes: self.since.snapshot_bytes, ..SinceSnapshot::default() };
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        log.roll();
        member.core_mut().metrics.snap_count.inc();
        let (id, head) = member.core_mut().tree_mut().snapshot_begin();
        tracing::info!(zxid = %head.zxid, "Snapshotting");
        self.walk = Some(Walk { id, zxid: head.zxid, digest: head.digest, walked: false });
        self.give(Work::Begin { zxid: head.zxid, sessions: head.sessions, acls: head.acls });
    }

    /// Hands over what was held back. `false`: the thread is still behind.
    fn hand_over(&mut self) -> bool {
        match self.held.take() {
            Some(work) => {
                self.give(work);
                self.held.is_none()
            }
            None => true,
        }
    }

    /// Gives the thread something to write. Behind something held back, it is held back as well: nodes and the end
    /// come together.
    fn give(&mut self, work: Work) {
        if let (Some(Work::Nodes(nodes)), &Work::Finish { zxid, digest }) = (&mut self.held, &work) {
            self.held = Some(Work::Last { nodes: std::mem::take(nodes), zxid, digest });
            return;
        }
        let Some(sender) = &self.work else { return };
        match sender.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(work)) => self.held = Some(work),
            Err(TrySendError::Disconnected(_)) => tracing::error!("the snapshot thread is gone"),
        }
    }

    fn on_report(&mut self, report: Report, member: &mut Member) {
        self.writing = false;
        match report {
            Report::Done { bytes, millis } => {
                self.since.snapshot_bytes = bytes;
                let millis = i64::try_from(millis).unwrap_or(i64::MAX);
                member.core_mut().metrics.snapshottime.add(millis);
            }
            Report::Failed(error) => {
                member.core_mut().metrics.snapshot_error_count.inc();
                if let Some(walk) = self.walk.take() {
                    member.core_mut().tree_mut().snapshot_end(walk.id);
                }
                self.held = None;
                // Znodes of this walk at the front of the next snapshot would make that one worthless.
                self.chunk.clear();
                tracing::error!(%error, "no snapshot was written; the log grows until one is");
            }
        }
    }

    /// Gives up what is being written and ends the thread.
    pub(super) fn stop(mut self, member: &mut Member) {
        if let Some(walk) = self.walk.take() {
            member.core_mut().tree_mut().snapshot_end(walk.id);
        }
        self.work = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the snapshot thread panicked");
        }
    }
}

/// The thread's end.
struct Writer {
    plan: SnapshotPlan,
    disk: FileDisk,
    handle: Handle,
    inbox: Receiver<Work>,
    outbox: Sender<Report>,
    current: Option<Current>,
}

struct Current {
    snapshot: SnapshotWriter<FileDisk>,
    started: Instant,
}

impl Writer {
    fn run(mut self) {
        if self.plan.purge_every.is_some() {
            self.purge();
        }
        let mut purged = Instant::now();
        loop {
            let work = match self.plan.purge_every {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(every) => self.inbox.recv_timeout(every.saturating_sub(purged.elapsed())),
            };
            match work {
                Ok(work) => {
                    if let Err(error) = self.write(work) {
                        self.give_up(error);
                    }
                    // The driver may be waiting for room.
                    self.handle.wake();
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.purge();
                    purged = Instant::now();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(current) = self.current.take() {
            current.snapshot.abandon();
        }
    }

    fn write(&mut self, work: Work) -> Result<(), DiskError> {
        match work {
            Work::Begin { zxid, sessions, acls } => self.begin(zxid, &sessions, &acls),
            Work::Nodes(nodes) => self.push(&nodes),
            Work::Finish { zxid, digest } => self.finish(zxid, digest),
            Work::Last { nodes, zxid, digest } => {
                self.push(&nodes)?;
                self.finish(zxid, digest)
            }
        }
    }

    fn begin(
        &mut self,
        zxid: Zxid,
        sessions: &[(SessionId, i32)],
        acls: &[(i64, AclList)],
    ) -> Result<(), DiskError> {
        let SnapshotPlan { dirs, options, .. } = &self.plan;
        let mut snapshot = SnapshotWriter::create(self.disk, &dirs.snap, zxid, *options, sessions.len())?;
        let mut records = Vec::new();
        for &(id, timeout_ms) in sessions {
            put_session(&mut records, id, timeout_ms);
        }
        snapshot.push(&records)?;
        snapshot.start_acls(acls.len())?;
        records.clear();
        for (id, acl) in acls {
            put_acl(&mut records, *id, acl);
        }
        snapshot.push(&records)?;
        self.current = Some(Current { snapshot, started: Instant::now() });
        Ok(())
    }

    /// Without a current one it failed before, and the driver has not heard of it yet.
    fn push(&mut self, nodes: &[u8]) -> Result<(), DiskError> {
        self.current.as_mut().map_or(Ok(()), |current| current.snapshot.push(nodes))
    }

    fn finish(&mut self, zxid: Zxid, digest: u64) -> Result<(), DiskError> {
        let Some(Current { snapshot, started }) = self.current.take() else { return Ok(()) };
        let digest =
            self.plan.digest.then(|| SnapshotDigest { zxid, version: 2, digest: digest.cast_signed() });
        let (name, bytes) = snapshot.finish(digest, self.plan.last_zxid.then_some(zxid))?;
        let millis = started.elapsed().as_millis();
        tracing::info!(name, bytes, millis, "Snapshot taken");
        self.tell(Report::Done { bytes, millis });
        Ok(())
    }

    fn give_up(&mut self, error: DiskError) {
        if let Some(current) = self.current.take() {
            current.snapshot.abandon();
        }
        self.tell(Report::Failed(error));
    }

    fn tell(&self, report: Report) {
        // The driver may have stopped listening; then nobody needs to know.
        let _ = self.outbox.send(report);
    }

    fn purge(&self) {
        tracing::info!("Purge task started.");
        match purge(&self.disk, &self.plan.dirs, self.plan.retain) {
            Ok(removed) => {
                for path in removed {
                    tracing::info!(path, "Removing file");
                }
            }
            Err(error) => tracing::warn!(%error, "old files could not be purged"),
        }
        tracing::info!("Purge task completed.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::driver::Loop;
    use member::{CleanerOptions, Core, CoreOptions, Front, FrontOptions, ThrottleOptions};
    use tree::{Tree, TreeOptions, auth::AuthOptions, prepare};

    fn member() -> Member {
        let prepare = prepare::Options::default();
        let core = CoreOptions { prepare, tick_ms: 2000, session_sid: 1, cleaner: CleanerOptions::default() };
        let tree = Tree::new(TreeOptions {
            hash_seed: 1,
            extended_types: false,
            emulate_353_ttl: false,
            digest: true,
        });
        let front = FrontOptions {
            session_timeout_min_ms: 4000,
            session_timeout_max_ms: 40_000,
            outstanding_max: 1000,
            per_address_max: 0,
            connections_max: 0,
            sessionless_ms: 10_000,
            required_schemes: Vec::new(),
            pipeline_max: 0,
            drop_late: false,
            large_bytes_min: None,
            large_bytes_max: 0,
            throttled_op_wait_ms: 0,
            throttle: ThrottleOptions::default(),
        };
        let now = Clock::start().now();
        Member::new(Core::new(tree, core, now), Front::new(front, AuthOptions::default(), 1))
    }

    #[test]
    fn what_a_failed_snapshot_has_walked_is_not_in_the_next_one() {
        let plan = SnapshotPlan {
            dirs: Dirs::new("/nowhere", "/nowhere"),
            options: SnapshotOptions::default(),
            digest: true,
            last_zxid: true,
            policy: SnapshotPolicy::default(),
            retain: 3,
            purge_every: None,
        };
        let handle = Loop::new().unwrap().handle();
        let mut snapshots = Snapshots::start(plan, FileDisk, handle, SinceSnapshot::default(), 1).unwrap();
        let mut member = member();
        let (id, head) = member.core_mut().tree_mut().snapshot_begin();
        snapshots.walk = Some(Walk { id, zxid: head.zxid, digest: head.digest, walked: false });
        snapshots.writing = true;
        member.core_mut().tree_mut().snapshot_step(id, 1, &mut snapshots.chunk);
        assert!(!snapshots.chunk.is_empty(), "less than a chunk stays here");
        let error = DiskError::NoSpace { path: "/nowhere/snapshot.0".into() };
        snapshots.on_report(Report::Failed(error), &mut member);
        assert!(snapshots.chunk.is_empty());
        assert!(!snapshots.writing && !snapshots.wants_step());
        snapshots.stop(&mut member);
    }
}
