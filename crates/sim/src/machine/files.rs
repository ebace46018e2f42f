//! What the driver does with the files: batches and other work in order, snapshots beside serving, recovery's reader.

use std::rc::Rc;
use std::sync::Arc;

use member::Payloads;
use member::ensemble::EpochFile;
use member::history::History;
use mutants::mutant;
use proto::{AclList, Entry, Epoch, SessionId, Zxid};
use store::epoch::{self, EpochKind};
use store::log::{LogError, LogRange, LogWriter, read_logs};
use store::mem::{Fault, MemDisk};
use store::snapshot::{
    NodeRecord, SnapshotDigest, SnapshotEnd, SnapshotOptions, SnapshotSink, SnapshotWriter, put_acl,
    put_session,
};
use store::{Dirs, RecoverOptions, RecoverSink, TruncateError, frame_entry, purge, recover, truncate};
use tree::{Tree, WalkId};

use super::Machine;
use super::process::Process;
use crate::invariants::{Broken, Seen};
use crate::outside::{Event, Moment, Outside};

/// Work that was under way when the process ended: either outcome is right.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Cut(Zxid),
    Installed(Zxid),
    Epoch(EpochFile, Epoch),
}

/// What the disk can be at work on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JobKind {
    /// A batch.
    Write,
    /// An epoch file.
    Epoch,
    /// A truncation.
    Truncate,
    /// A snapshot from a leader.
    Install,
    /// A snapshot beside serving; no job of its own.
    Snapshot,
}

/// Work on the files, done in order.
#[derive(Debug)]
pub(super) enum Job {
    Write(Arc<Payloads>, Vec<u64>),
    StoreEpoch(EpochFile, Epoch),
    Truncate {
        to: Zxid,
        reload: bool,
        committed: Zxid,
    },
    /// With `is_received` the file is written but for its end.
    Install {
        picture: Box<Picture>,
        is_received: bool,
    },
}

impl Job {
    pub(super) fn kind(&self) -> JobKind {
        match self {
            Self::Write(..) => JobKind::Write,
            Self::StoreEpoch(..) => JobKind::Epoch,
            Self::Truncate { .. } => JobKind::Truncate,
            Self::Install { .. } => JobKind::Install,
        }
    }
}

/// A whole tree, encoded.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) zxid: Zxid,
    pub(super) digest: u64,
    pub(super) sessions: Vec<(SessionId, i32)>,
    pub(super) acls: Vec<(i64, AclList)>,
    pub(super) nodes: Vec<u8>,
}

/// A snapshot being written beside serving.
pub(super) struct Writing {
    pub(super) walk: WalkId,
    pub(super) zxid: Zxid,
    pub(super) digest: u64,
    pub(super) writer: SnapshotWriter<MemDisk>,
}

/// Reads the history into a tree, and takes note of its transactions.
pub(super) struct Replay {
    pub(super) history: History,
    pub(super) entries: Vec<(Zxid, u64)>,
}

impl SnapshotSink for Replay {
    type Error = <History as SnapshotSink>::Error;

    fn begin(&mut self, zxid: Zxid) {
        self.history.begin(zxid);
    }

    fn session(&mut self, id: SessionId, timeout_ms: i32) -> Result<(), Self::Error> {
        self.history.session(id, timeout_ms)
    }

    fn acl(&mut self, acl_id: i64, acl: AclList) -> Result<(), Self::Error> {
        self.history.acl(acl_id, acl)
    }

    fn node(&mut self, node: NodeRecord<'_>) -> Result<(), Self::Error> {
        self.history.node(node)
    }
}

impl RecoverSink for Replay {
    fn snapshot_end(&mut self, end: &SnapshotEnd) {
        self.history.snapshot_end(end);
    }

    fn txn(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), Self::Error> {
        self.entries.push((zxid, crate::trace::hash_bytes(payload)));
        self.history.txn(zxid, payload)
    }
}

/// How long a full disk is left alone.
pub(super) const NO_SPACE_PAUSE_US: u64 = 500_000;

/// Znodes that go into a snapshot in one step.
pub(super) const STEP_NODES: usize = 16;

/// Between two steps.
pub(super) const STEP_US: u64 = 2000;

/// Log entries handed to a learner in one piece.
pub(super) const PIECE_ENTRIES: usize = 64;

impl Machine {
    /// The job at the front of the line ends now.
    pub fn on_disk(&mut self, out: &mut Outside) {
        if self.is_paused {
            return;
        }
        let Some(mut process) = self.process.take() else { return };
        let Some(job) = process.jobs.pop_front() else {
            self.process = Some(process);
            return;
        };
        if let Some((kind, steps)) = self.crash_in
            && kind == job.kind()
        {
            self.crash_in = None;
            self.disk.plan(Fault::Power(steps));
            // Nobody hears what came of it.
            let _ = self.try_job(&mut process, &job);
            self.half_done = half_of(&job);
            process.busy = false;
            self.process = Some(process);
            self.kill(true, out);
            out.dark[self.at] = true;
            return;
        }
        self.check_patience(&process, &job, out);
        let outcome = self.try_job(&mut process, &job);
        let now = self.now(out);
        match outcome {
            Ok(Outcome::Retry) => {
                process.jobs.push_front(job);
                self.process = Some(process);
                out.after(NO_SPACE_PAUSE_US, Event::Disk { machine: self.at, incarnation: self.incarnation });
                return;
            }
            Ok(outcome) => {
                process.busy = false;
                if !matches!(outcome, Outcome::NotTruncated) {
                    self.note_durable(&job, out);
                }
                if let Job::Install { is_received: true, .. } = job {
                    self.compare_received(process.member.core().tree(), out);
                }
                process.on_done(job, outcome, now);
                self.process = Some(process);
            }
            Err(_) if mutant!(LogDies) => {
                process.jobs.clear();
                self.process = Some(process);
                return self.settle(out);
            }
            Err(text) => {
                self.half_done = half_of(&job);
                out.line(format_args!("member {} halts: {text}", self.sid().0));
                out.evidence.hit("disk error halts");
                process.busy = false;
                self.process = Some(process);
                self.kill(false, out);
                out.after(1_000_000, Event::Start { machine: self.at });
                return;
            }
        }
        self.settle(out);
    }

    /// P8: a leader whose disk is stuck is none for long.
    fn check_patience(&self, process: &Process, job: &Job, out: &mut Outside) {
        let (since_us, reign) = process.busy_since;
        let limit_ms = self.setup.tick_ms * u64::from(self.setup.sync_limit) + 2000;
        // Its clock may run slow.
        let is_over = out.now_us - since_us > limit_ms * 1500;
        if is_over && job.kind() == JobKind::Write && reign.is_some() && process.reign() == reign {
            let text =
                format!("member {} leads, and its disk has been stuck since {since_us} us (P8)", self.at + 1);
            out.evidence.fail(Broken(text));
        }
    }

    fn note_durable(&mut self, job: &Job, out: &mut Outside) {
        let sid = self.sid();
        let durable = &mut out.evidence.durable[self.at];
        match job {
            Job::Write(batch, hashes) => {
                durable.entries.extend(batch.iter().map(|(zxid, _)| zxid).zip(hashes.iter().copied()));
            }
            Job::StoreEpoch(file, epoch) => {
                match file {
                    EpochFile::Accepted => durable.accepted = *epoch,
                    EpochFile::Current => durable.current = *epoch,
                }
                let (accepted, current) = (durable.accepted, durable.current);
                out.evidence.see(&Seen::EpochStored { sid, accepted, current });
            }
            Job::Truncate { to, .. } => {
                durable.cut(*to);
                let last = durable.last();
                out.evidence.moved(self.at, sid, last);
                out.line(format_args!("member {} truncates to {to}", sid.0));
            }
            Job::Install { picture, .. } => {
                durable.install(picture.zxid);
                out.evidence.installed(self.at, sid, picture.zxid);
                out.moment = Some((Moment::Installed, self.at));
                out.line(format_args!("member {} installs a snapshot of {}", sid.0, picture.zxid));
            }
        }
    }

    /// Does a job on the files. `Err`: the process has to end (R6).
    pub(super) fn try_job(&self, process: &mut Process, job: &Job) -> Result<Outcome, String> {
        let (disk, dirs, setup) = (&self.disk, &self.dirs, &*self.setup);
        match job {
            Job::Write(batch, _) => {
                if mutant!(NeverWritten) {
                    return Ok(Outcome::Done);
                }
                let mut buffer = Vec::new();
                for (_, payload) in batch.iter() {
                    frame_entry(&mut buffer, |out| out.extend_from_slice(payload));
                }
                let (first, last) = (batch.entry(0).0, batch.last().expect("a batch has entries"));
                match process.log.append_batch(&buffer, first, last) {
                    Ok(()) => {}
                    Err(LogError::NoSpace { .. }) => return Ok(Outcome::Retry),
                    Err(_) if mutant!(ErrorIgnored) => return Ok(Outcome::Done),
                    Err(error) => return Err(error.to_string()),
                }
                if mutant!(NeverSynced) {
                    return Ok(Outcome::Done);
                }
                process.log.sync().map(|_| Outcome::Done).map_err(|error| error.to_string())
            }
            Job::StoreEpoch(file, epoch) => {
                let kind = match file {
                    EpochFile::Accepted => EpochKind::Accepted,
                    EpochFile::Current => EpochKind::Current,
                };
                if mutant!(EpochForgotten) {
                    return Ok(Outcome::Done);
                }
                epoch::save(disk, &dirs.snap, kind, *epoch)
                    .map(|()| Outcome::Done)
                    .map_err(|error| error.to_string())
            }
            Job::Truncate { to, reload, committed } => {
                if mutant!(TruncateIgnored) {
                    return Ok(Outcome::Done);
                }
                process.put_down(disk, dirs, setup);
                process.give_up_incoming();
                let truncated = match truncate(disk, dirs, *to, *committed) {
                    Ok(truncated) => truncated,
                    Err(TruncateError::Disk(error)) => return Err(error.to_string()),
                    Err(_) => return Ok(Outcome::NotTruncated),
                };
                process.log = LogWriter::new(disk.clone(), &dirs.log, setup.log(), truncated.last);
                if !reload || mutant!(TreeKept) {
                    return Ok(Outcome::Done);
                }
                let mut history = History::new(setup.tree());
                recover(disk, dirs, RecoverOptions::default(), &mut history)
                    .map_err(|error| error.to_string())?;
                let tree = history.into_tree().map_err(|error| error.to_string())?;
                Ok(Outcome::Reloaded(Box::new(tree)))
            }
            Job::Install { picture, is_received } => {
                process.put_down(disk, dirs, setup);
                if mutant!(NeverInstalled) {
                    process.log = LogWriter::new(disk.clone(), &dirs.log, setup.log(), picture.zxid);
                    return Ok(Outcome::Done);
                }
                let incoming = process.incoming.take().filter(|_| *is_received);
                let writer = match incoming.map_or_else(|| write_snapshot(disk, dirs, picture), Ok) {
                    Ok(writer) => writer,
                    Err(error) => return Err(error.to_string()),
                };
                writer
                    .install(dirs, digest_of(picture), Some(picture.zxid))
                    .map_err(|error| error.to_string())?;
                process.log = LogWriter::new(disk.clone(), &dirs.log, setup.log(), picture.zxid);
                Ok(Outcome::Done)
            }
        }
    }

    /// The next step of a snapshot beside serving.
    pub fn on_snapshot_step(&mut self, out: &mut Outside) {
        let setup = Rc::clone(&self.setup);
        if self.is_paused {
            return out.after(STEP_US, Event::Snapshot { machine: self.at, incarnation: self.incarnation });
        }
        let Some(process) = &mut self.process else { return };
        let Some(mut writing) = process.writing.take() else { return };
        let mut nodes = Vec::new();
        // It does not count before the log leads there, which may be behind a commit (Z9).
        let is_logged = process.member.is_logged(writing.zxid) || mutant!(SnapshotAheadOfLog);
        let tree = process.member.core_mut().tree_mut();
        let is_out = tree.snapshot_step(writing.walk, STEP_NODES, &mut nodes);
        let written = writing.writer.push(&nodes);
        if written.is_err() || !is_out || !is_logged {
            if written.is_err() && !is_out {
                tree.snapshot_end(writing.walk);
            }
            if written.is_ok() {
                process.writing = Some(writing);
                out.after(STEP_US, Event::Snapshot { machine: self.at, incarnation: self.incarnation });
            }
            return;
        }
        let Writing { zxid, digest, writer, .. } = writing;
        let digest = SnapshotDigest { zxid, version: 2, digest: digest.cast_signed() };
        if let Some((JobKind::Snapshot, steps)) = self.crash_in {
            self.crash_in = None;
            self.disk.plan(Fault::Power(steps));
            // Nobody hears what came of it.
            let _ = writer.finish(Some(digest), Some(zxid));
            self.kill(true, out);
            out.dark[self.at] = true;
            return;
        }
        if writer.finish(Some(digest), Some(zxid)).is_ok() {
            out.evidence.hit("snapshot");
            out.line(format_args!("member {} has a snapshot of {zxid}", self.at + 1));
            // A mark that opens an epoch is in no log.
            if zxid.counter() > 0 && zxid > out.evidence.durable[self.at].last() {
                let text = format!(
                    "member {} has a snapshot of {zxid}, where its log does not lead (Z9)",
                    self.at + 1
                );
                out.evidence.fail(Broken(text));
            }
            if self.rng.chance(setup.purge_permille) && purge(&self.disk, &self.dirs, 3).is_ok() {
                out.evidence.hit("purge");
            }
        }
    }

    /// Removes what no start needs. Whether all went well.
    pub fn purge(&mut self) -> bool {
        purge(&self.disk, &self.dirs, 3).is_ok()
    }

    /// Whether a snapshot is being written beside serving.
    #[must_use]
    pub fn writes_snapshot(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.writing.is_some())
    }

    /// Begins a snapshot beside serving.
    pub fn begin_snapshot(&mut self, out: &mut Outside) {
        let Some(process) = &mut self.process else { return };
        process.logged_since_snapshot = 0;
        process.log.roll();
        let (walk, head) = process.member.core_mut().tree_mut().snapshot_begin();
        let zxid = if mutant!(NewerName) { process.log.last().max(head.zxid) } else { head.zxid };
        let picture = Picture {
            zxid,
            digest: head.digest,
            sessions: head.sessions,
            acls: head.acls,
            nodes: Vec::new(),
        };
        match write_snapshot(&self.disk, &self.dirs, &picture) {
            Ok(writer) => {
                process.writing = Some(Writing { walk, zxid: picture.zxid, digest: picture.digest, writer });
                out.after(STEP_US, Event::Snapshot { machine: self.at, incarnation: self.incarnation });
            }
            Err(_) => process.member.core_mut().tree_mut().snapshot_end(walk),
        }
    }
}

pub(super) fn half_of(job: &Job) -> Option<Half> {
    match job {
        Job::Truncate { to, .. } => Some(Half::Cut(*to)),
        Job::Install { picture, .. } => Some(Half::Installed(picture.zxid)),
        Job::StoreEpoch(file, epoch) => Some(Half::Epoch(*file, *epoch)),
        Job::Write(..) => None,
    }
}

pub(super) fn picture(tree: &mut Tree) -> Picture {
    let (walk, head) = tree.snapshot_begin();
    let mut nodes = Vec::new();
    while !tree.snapshot_step(walk, usize::MAX, &mut nodes) {}
    Picture { zxid: head.zxid, digest: head.digest, sessions: head.sessions, acls: head.acls, nodes }
}

pub(super) fn digest_of(picture: &Picture) -> Option<SnapshotDigest> {
    Some(SnapshotDigest { zxid: picture.zxid, version: 2, digest: picture.digest.cast_signed() })
}

pub(super) fn write_snapshot(
    disk: &MemDisk,
    dirs: &Dirs,
    picture: &Picture,
) -> Result<SnapshotWriter<MemDisk>, store::DiskError> {
    let options = SnapshotOptions::default();
    let mut writer =
        SnapshotWriter::create(disk.clone(), &dirs.snap, picture.zxid, options, picture.sessions.len())?;
    let mut records = Vec::new();
    for &(session, timeout_ms) in &picture.sessions {
        put_session(&mut records, session, timeout_ms);
    }
    writer.push(&records)?;
    writer.start_acls(picture.acls.len())?;
    records.clear();
    for (id, acl) in &picture.acls {
        put_acl(&mut records, *id, acl);
    }
    writer.push(&records)?;
    writer.push(&picture.nodes)?;
    Ok(writer)
}

/// What came of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Retry,
    NotTruncated,
    Reloaded(Box<Tree>),
}

/// Reads a piece of the log as the server's reader does.
pub(super) fn read_log(disk: &MemDisk, dirs: &Dirs, after: Zxid, upto: Zxid) -> Option<Vec<(Zxid, Vec<u8>)>> {
    if after >= upto {
        return Some(Vec::new());
    }
    let mut found = after.counter() == 0;
    let from = if found { after } else { Zxid(after.0 - 1) };
    let mut piece: Vec<(Zxid, Vec<u8>)> = Vec::new();
    let range = LogRange { after: from, upto: Some(upto) };
    let read = read_logs(disk, &dirs.log, range, |zxid, payload| {
        if zxid == after {
            found = true;
        } else if !found || piece.len() >= PIECE_ENTRIES {
            return Err(found);
        } else {
            debug_assert!(Entry::zxid(payload).is_ok());
            piece.push((zxid, payload.to_vec()));
        }
        Ok(())
    });
    match read {
        Ok(end) => (found && end.last == upto).then_some(piece),
        Err(store::log::LogReadError::Visitor { error: true, .. }) => Some(piece),
        Err(_) => None,
    }
}
