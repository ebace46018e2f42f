//! The thread that writes snapshots and purges old ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use proto::{AclList, SessionId, Zxid};
use store::snapshot::{SnapshotDigest, SnapshotWriter, put_acl, put_session};
use store::{DiskError, purge};

use super::{End, Outcome, Purpose, Received, Report, Rest, SnapshotPlan, Work};
use crate::background::step_back;
use crate::disk::FileDisk;
use crate::driver::Handle;

/// The thread's end.
pub(super) struct Writer {
    pub(super) plan: SnapshotPlan,
    pub(super) disk: FileDisk,
    pub(super) handle: Handle,
    pub(super) inbox: Receiver<Work>,
    pub(super) outbox: Sender<Report>,
    pub(super) wanted_from: Arc<AtomicU64>,
    /// Of the newest snapshot.
    pub(super) number: u64,
    pub(super) current: Option<Current>,
}

pub(super) struct Current {
    snapshot: SnapshotWriter<FileDisk>,
    started: Instant,
}

impl Writer {
    /// Works until nobody can give it work any more.
    pub(super) fn run(mut self) {
        let mut purge_at = self.plan.purge_every.map(|_| Instant::now());
        loop {
            // A snapshot that comes in does not wait for a purge.
            let work = match purge_at.filter(|_| self.current.is_none()) {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match work {
                Ok(work @ Work::Begin { purpose: Purpose::Start, .. }) => self.write_behind(work),
                Ok(work) => self.carry_out(work),
                Err(RecvTimeoutError::Timeout) => {
                    self.purge();
                    purge_at = self.plan.purge_every.map(|every| Instant::now() + every);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.drop_current();
    }

    fn carry_out(&mut self, work: Work) {
        if let Err(error) = self.write(work) {
            self.give_up(error);
        }
        // The driver may be waiting for room.
        self.handle.wake();
    }

    /// A snapshot that nobody waits for is written behind everybody else, by a thread that ends with it: who has given
    /// up priority does not get it back, and a leader's tree is waited for.
    fn write_behind(&mut self, begin: Work) {
        self.carry_out(begin);
        std::thread::scope(|scope| {
            let behind = std::thread::Builder::new().name("snapshot-behind".into());
            let to_its_end = || {
                step_back();
                self.go_on();
            };
            if let Err(error) = behind.spawn_scoped(scope, to_its_end) {
                tracing::warn!(%error, "no thread for a snapshot; it is written with the priority of others");
            }
        });
        self.go_on();
    }

    /// Writes on until the snapshot is whole or given up.
    fn go_on(&mut self) {
        while self.current.is_some() {
            match self.inbox.recv() {
                Ok(work) => self.carry_out(work),
                Err(_) => return,
            }
        }
    }

    /// The rest of a snapshot that nobody wants any more takes no time.
    fn write(&mut self, work: Work) -> Result<(), DiskError> {
        if let Work::Begin { number, .. } | Work::Receive { number, .. } = work {
            self.number = number;
        }
        let begins = matches!(work, Work::Begin { .. } | Work::Receive { .. });
        let is_wanted = self.number >= self.wanted_from.load(Ordering::Relaxed);
        if begins || !is_wanted {
            self.drop_current();
        }
        match work {
            Work::Begin { .. } | Work::Receive { .. } if !is_wanted => Ok(()),
            Work::Begin { zxid, sessions, acls, .. } => self.begin(zxid, &sessions, &acls),
            Work::Nodes(nodes) => self.push(&nodes),
            Work::Receive { zxid, .. } => {
                let SnapshotPlan { dirs, options, .. } = &self.plan;
                let snapshot = SnapshotWriter::receive(self.disk, &dirs.snap, zxid, *options)?;
                self.current = Some(Current { snapshot, started: Instant::now() });
                Ok(())
            }
            Work::Received(piece) => {
                let pushed = self.push(&piece);
                self.tell(Outcome::Taken(piece));
                pushed
            }
            Work::Finish(end) => self.finish(end),
            Work::GiveUp => {
                self.drop_current();
                Ok(())
            }
            Work::Rest(rest) => {
                self.drop_current();
                rest.take();
                Ok(())
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

    /// Without a current one it failed before, and the driver has not heard of it yet, or wants it no more.
    fn push(&mut self, nodes: &[u8]) -> Result<(), DiskError> {
        self.current.as_mut().map_or(Ok(()), |current| current.snapshot.push(nodes))
    }

    fn finish(&mut self, End { zxid, digest, purpose }: End) -> Result<(), DiskError> {
        let Some(Current { snapshot, started }) = self.current.take() else { return Ok(()) };
        let digest =
            self.plan.digest.then(|| SnapshotDigest { zxid, version: 2, digest: digest.cast_signed() });
        let last = self.plan.last_zxid.then_some(zxid);
        if purpose == Purpose::Install {
            let (rest, still) = Rest::new();
            let received = Received { snapshot, zxid, digest, last, still };
            self.tell(Outcome::Received(Box::new(received)));
            // The driver hears of it at once and not when this thread goes on.
            self.handle.wake();
            rest.take();
            return Ok(());
        }
        let (name, bytes) = snapshot.finish(digest, last)?;
        let millis = started.elapsed().as_millis();
        tracing::info!(name, bytes, millis, "Snapshot taken");
        self.tell(Outcome::Done { bytes, millis });
        Ok(())
    }

    fn give_up(&mut self, error: DiskError) {
        self.drop_current();
        self.tell(Outcome::Failed(error));
    }

    fn drop_current(&mut self) {
        if let Some(current) = self.current.take() {
            current.snapshot.abandon();
        }
    }

    fn tell(&self, outcome: Outcome) {
        // The driver may have stopped listening; then nobody needs to know.
        let _ = self.outbox.send(Report { number: self.number, outcome });
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
