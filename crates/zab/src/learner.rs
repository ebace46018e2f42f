//! Following and observing: discovery, synchronization, broadcast, as seen by who is led.
//!
//! Source: `Learner`, `Follower`, `Observer`; quorum-protocol.md §3.3, §3.8, §4.3.

use alloc::collections::VecDeque;

use mutants::mutant;
use proto::quorum::LeaderPacket;
use proto::{Epoch, Sid, Zxid};

use crate::Violation;
use crate::effect::{Effect, Limits};
use crate::violation::EPOCH_MAX;

/// How far this member is with its leader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The leader's quorum port is being called.
    Calling {
        /// When to call again after a call that failed.
        again_at_ms: Option<u64>,
        /// When to give the leader up.
        until_ms: u64,
        calls_left: u8,
    },
    /// FOLLOWERINFO or OBSERVERINFO is sent.
    Registering,
    /// The accepted epoch is on its way to the disk.
    StoringAccepted,
    /// ACKEPOCH is sent.
    Compared,
    /// The log is being cut.
    Truncating { to: Zxid },
    /// A snapshot is coming in.
    Receiving { zxid: Zxid },
    /// What was missing comes in.
    Synchronizing { snapshot: bool },
    /// The received tree is on its way to the disk.
    Installing,
    /// The current epoch is on its way to the disk, behind everything that came before NEWLEADER.
    StoringCurrent,
    /// NEWLEADER is acknowledged.
    Synchronized,
    /// This member serves.
    Broadcast,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Calling { .. } => "connecting",
            Self::Registering | Self::StoringAccepted => "discovery",
            Self::Compared
            | Self::Truncating { .. }
            | Self::Receiving { .. }
            | Self::Synchronizing { .. }
            | Self::Installing
            | Self::StoringCurrent => "synchronization",
            Self::Synchronized | Self::Broadcast => "broadcast",
        }
    }
}

/// Calls to the leader before it is given up. Source: `Learner#connectToLeader`.
const CALLS_MAX: u8 = 5;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    leader: Sid,
    is_observer: bool,
    limits: Limits,
    stage: Stage,
    /// The leader's.
    epoch: Epoch,
    accepted: Epoch,
    current: Epoch,
    /// The last transaction this member has, on disk or on its way there.
    last: Zxid,
    /// What it tells the leader to have: less than `last` if its tree is not to be trusted.
    claim: Zxid,
    /// The last transaction that this process saw committed, in any role: no leader can undo it.
    known: Zxid,
    /// Proposed and not committed, oldest first.
    proposed: VecDeque<Zxid>,
    committed: Zxid,
    /// What the leader was told to be on disk here.
    acked: Zxid,
    /// When the leader has been silent for too long.
    deadline_ms: u64,
    /// The leader's epoch is before what was promised: it cannot be followed.
    is_passed: bool,
}

impl Learner {
    /// Calls `leader`. `needs_tree`: the tree of this member differs from the others' and has to be replaced.
    #[expect(clippy::too_many_arguments, reason = "what a member knows when an election ends")]
    pub(crate) fn start(
        leader: Sid,
        is_observer: bool,
        accepted: Epoch,
        current: Epoch,
        last: Zxid,
        needs_tree: bool,
        known: Zxid,
        limits: Limits,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Self {
        out.push_back(Effect::Dial { leader });
        let until_ms = now_ms + limits.connect_ms;
        Self {
            leader,
            is_observer,
            limits,
            stage: Stage::Calling { again_at_ms: None, until_ms, calls_left: CALLS_MAX - 1 },
            epoch: Epoch(0),
            accepted,
            current,
            last,
            claim: if needs_tree { Zxid::ZERO } else { last },
            known,
            proposed: VecDeque::new(),
            committed: last,
            acked: Zxid::NONE,
            deadline_ms: u64::MAX,
            is_passed: false,
        }
    }

    pub(crate) fn leader(&self) -> Sid {
        self.leader
    }

    pub(crate) fn is_live(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    /// The epoch of the leader, once it is the epoch of this member's history too.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        matches!(self.stage, Stage::Synchronized | Stage::Broadcast).then_some(self.epoch)
    }

    /// Whether bytes of the leader may be handed in. While the disk works they wait in its stream.
    pub(crate) fn wants_input(&self) -> bool {
        match self.stage {
            Stage::Registering
            | Stage::Compared
            | Stage::Receiving { .. }
            | Stage::Synchronizing { .. }
            | Stage::Synchronized
            | Stage::Broadcast => true,
            Stage::Calling { .. }
            | Stage::StoringAccepted
            | Stage::Truncating { .. }
            | Stage::Installing
            | Stage::StoringCurrent => false,
        }
    }

    /// The leader answered the call.
    pub(crate) fn on_connected(&mut self, out: &mut VecDeque<Effect>, now_ms: u64) {
        if let Stage::Calling { .. } = self.stage {
            self.enter(Stage::Registering, now_ms);
            out.push_back(Effect::Register { accepted: self.accepted, is_observer: self.is_observer });
        }
    }

    /// The connection is gone, or a call failed. `false`: the leader is lost.
    pub(crate) fn on_lost(&mut self, now_ms: u64) -> bool {
        match &mut self.stage {
            Stage::Calling { again_at_ms, until_ms, calls_left } if *calls_left > 0 && now_ms < *until_ms => {
                *calls_left -= 1;
                *again_at_ms = Some(now_ms + self.limits.redial_ms);
                true
            }
            Stage::Calling { .. }
            | Stage::Registering
            | Stage::StoringAccepted
            | Stage::Compared
            | Stage::Truncating { .. }
            | Stage::Receiving { .. }
            | Stage::Synchronizing { .. }
            | Stage::Installing
            | Stage::StoringCurrent
            | Stage::Synchronized
            | Stage::Broadcast => false,
        }
    }

    fn enter(&mut self, stage: Stage, now_ms: u64) {
        self.stage = stage;
        self.heard(now_ms);
    }

    fn heard(&mut self, now_ms: u64) {
        let patience_ms = match self.stage {
            Stage::Synchronized | Stage::Broadcast => self.limits.sync_ms,
            Stage::Calling { .. }
            | Stage::Registering
            | Stage::StoringAccepted
            | Stage::Compared
            | Stage::Truncating { .. }
            | Stage::Receiving { .. }
            | Stage::Synchronizing { .. }
            | Stage::Installing
            | Stage::StoringCurrent => self.limits.init_ms,
        };
        self.deadline_ms = now_ms + patience_ms;
    }

    /// A packet of the leader. PING, SYNC and REVALIDATE of a serving member are its caller's.
    pub(crate) fn on_packet(
        &mut self,
        packet: &LeaderPacket<'_>,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        self.heard(now_ms);
        let misplaced = Violation::OutOfPlace { packet: packet.name(), phase: self.stage.name() };
        if self.stage == Stage::Compared && mutant!(EpochBeforeHistory) {
            out.push_back(Effect::StoreCurrent(self.epoch));
        }
        match (packet, self.stage) {
            (&LeaderPacket::LeaderInfo { epoch, .. }, Stage::Registering) => {
                self.on_leader_info(epoch, out, now_ms)
            }
            (&LeaderPacket::Diff { .. }, Stage::Compared) => {
                if self.claim != self.last {
                    return Err(Violation::Malformed(
                        "a tree that has to be replaced is not brought level by DIFF",
                    ));
                }
                self.stage = Stage::Synchronizing { snapshot: false };
                out.push_back(Effect::Keep);
                Ok(())
            }
            (&LeaderPacket::Trunc { zxid: to }, Stage::Compared) => {
                if to > self.claim {
                    return Err(Violation::TruncateAhead { to, last: self.claim });
                }
                self.check_known(to)?;
                self.stage = Stage::Truncating { to };
                out.push_back(Effect::Truncate { to });
                Ok(())
            }
            (&LeaderPacket::Snap { zxid }, Stage::Compared) => {
                self.check_known(zxid)?;
                self.stage = Stage::Receiving { zxid };
                out.push_back(Effect::ReceiveSnapshot { zxid });
                Ok(())
            }
            (
                &LeaderPacket::Proposal { zxid, .. },
                Stage::Synchronizing { .. } | Stage::Synchronized | Stage::Broadcast,
            ) => self.on_proposal(zxid, out),
            (
                &LeaderPacket::Commit { zxid } | &LeaderPacket::CommitAndActivate { zxid, .. },
                Stage::Synchronizing { .. } | Stage::Synchronized | Stage::Broadcast,
            ) => self.on_commit(zxid, out),
            (
                &LeaderPacket::Inform { zxid, .. } | &LeaderPacket::InformAndActivate { zxid, .. },
                Stage::Synchronizing { .. } | Stage::Synchronized | Stage::Broadcast,
            ) => {
                self.on_proposal(zxid, out)?;
                self.on_commit(zxid, out)
            }
            (&LeaderPacket::NewLeader { zxid, .. }, Stage::Synchronizing { snapshot }) => {
                if zxid != Zxid::new(self.epoch, 0) {
                    return Err(Violation::NewLeaderOfAnotherEpoch { got: zxid, epoch: self.epoch });
                }
                if snapshot {
                    self.stage = Stage::Installing;
                    out.push_back(Effect::Install);
                } else {
                    self.stage = Stage::StoringCurrent;
                    out.push_back(Effect::StoreCurrent(self.epoch));
                }
                Ok(())
            }
            (LeaderPacket::UpToDate, Stage::Synchronized) => {
                self.enter(Stage::Broadcast, now_ms);
                // Java's leader takes this second one for granted and does nothing with it.
                out.push_back(Effect::Ack { zxid: Zxid::new(self.epoch, 0) });
                out.push_back(Effect::Serve { committed: self.committed });
                Ok(())
            }
            // Java's leaders send it from the moment NEWLEADER is queued, and its learners pass over it.
            (&LeaderPacket::Ping { .. }, Stage::Synchronizing { .. } | Stage::Synchronized) => Ok(()),
            // The caller answers.
            (
                &LeaderPacket::Ping { .. } | LeaderPacket::Sync | &LeaderPacket::Revalidate { .. },
                Stage::Broadcast,
            ) => Ok(()),
            (
                LeaderPacket::LeaderInfo { .. }
                | LeaderPacket::Diff { .. }
                | LeaderPacket::Trunc { .. }
                | LeaderPacket::Snap { .. }
                | LeaderPacket::Proposal { .. }
                | LeaderPacket::Commit { .. }
                | LeaderPacket::CommitAndActivate { .. }
                | LeaderPacket::Inform { .. }
                | LeaderPacket::InformAndActivate { .. }
                | LeaderPacket::NewLeader { .. }
                | LeaderPacket::UpToDate
                | LeaderPacket::Ping { .. }
                | LeaderPacket::Sync
                | LeaderPacket::Revalidate { .. },
                _,
            ) => Err(misplaced),
        }
    }

    /// What was committed stays (Z10).
    fn check_known(&self, to: Zxid) -> Result<(), Violation> {
        if to < self.known { Err(Violation::ForgetsCommitted { to, committed: self.known }) } else { Ok(()) }
    }

    /// The last transaction that this member knows to be committed, by a quorum's word. A mark that opens an epoch is no
    /// transaction.
    pub(crate) fn known(&self) -> Zxid {
        let is_known = self.is_live() && self.committed.counter() > 0;
        if is_known { self.committed.max(self.known) } else { self.known }
    }

    fn on_leader_info(
        &mut self,
        epoch: Epoch,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        if epoch > EPOCH_MAX {
            return Err(Violation::EpochImpossible(epoch));
        }
        self.epoch = epoch;
        if epoch < self.accepted {
            // Others follow it, so that an election would end in the same way at once. A tick from now it may have heard
            // that it is passed, and have stepped down.
            self.is_passed = true;
            self.deadline_ms = now_ms + self.limits.tick_ms;
        } else if epoch == self.accepted {
            self.stage = Stage::Compared;
            out.push_back(Effect::AckEpoch { last: self.claim, current: None });
        } else {
            self.stage = Stage::StoringAccepted;
            out.push_back(Effect::StoreAccepted(epoch));
        }
        Ok(())
    }

    /// The promise is durable and may be given.
    pub(crate) fn on_accepted_stored(&mut self, epoch: Epoch, out: &mut VecDeque<Effect>, now_ms: u64) {
        if self.stage == Stage::StoringAccepted {
            self.accepted = epoch;
            self.enter(Stage::Compared, now_ms);
            // What it says to have for the sake of a new tree must not count as its history.
            let current = (self.claim == self.last).then_some(self.current);
            out.push_back(Effect::AckEpoch { last: self.claim, current });
        }
    }

    /// The log ends with `to`.
    pub(crate) fn on_truncated(&mut self, now_ms: u64) {
        if let Stage::Truncating { to } = self.stage {
            self.last = to;
            self.committed = to;
            self.enter(Stage::Synchronizing { snapshot: false }, now_ms);
        }
    }

    /// The whole snapshot came in.
    pub(crate) fn on_snapshot(&mut self, now_ms: u64) {
        if let Stage::Receiving { zxid } = self.stage {
            self.last = zxid;
            self.committed = zxid;
            self.enter(Stage::Synchronizing { snapshot: true }, now_ms);
        }
    }

    fn on_proposal(&mut self, zxid: Zxid, out: &mut VecDeque<Effect>) -> Result<(), Violation> {
        let snapshot = matches!(self.stage, Stage::Synchronizing { snapshot: true });
        if snapshot && zxid <= self.last {
            // Java's snapshots are fuzzy: what it proposed while it wrote one may be in it already.
            return Ok(());
        }
        let follows = if zxid.epoch() == self.last.epoch() {
            self.last.next() == Some(zxid)
        } else {
            zxid.epoch() > self.last.epoch() && zxid.counter() == 1
        };
        if !follows {
            return Err(Violation::ProposalGap { after: self.last, got: zxid });
        }
        self.last = zxid;
        self.proposed.push_back(zxid);
        let is_told = self.stage == Stage::Synchronized;
        let loses = is_told && mutant!(ProposalLostInSync);
        let observer_loses = self.is_observer && (snapshot || is_told) && mutant!(ObserverLosesInSync);
        if !loses && !observer_loses {
            out.push_back(Effect::Append { zxid });
        }
        Ok(())
    }

    fn on_commit(&mut self, zxid: Zxid, out: &mut VecDeque<Effect>) -> Result<(), Violation> {
        let snapshot = matches!(self.stage, Stage::Synchronizing { snapshot: true });
        if snapshot && zxid <= self.committed {
            return Ok(());
        }
        if self.proposed.front() != Some(&zxid) {
            return Err(Violation::CommitMismatch { oldest: self.proposed.front().copied(), got: zxid });
        }
        self.proposed.pop_front();
        if !(self.stage == Stage::Synchronized && mutant!(CommitLostInSync)) {
            self.committed = zxid;
        }
        // Nothing is delivered before UPTODATE: until then the leader's word is not yet that of a quorum. Behind a
        // snapshot it has to be, since what is written down at NEWLEADER is the tree.
        if snapshot || self.stage == Stage::Broadcast {
            out.push_back(Effect::Commit { upto: zxid });
        }
        Ok(())
    }

    /// The received tree is durable.
    pub(crate) fn on_installed(&mut self, out: &mut VecDeque<Effect>, now_ms: u64) {
        if self.stage == Stage::Installing {
            self.enter(Stage::StoringCurrent, now_ms);
            out.push_back(Effect::StoreCurrent(self.epoch));
        }
    }

    /// The current epoch is durable, and behind it in the disk's line everything that came before NEWLEADER (R3).
    pub(crate) fn on_current_stored(&mut self, out: &mut VecDeque<Effect>, now_ms: u64) {
        if self.stage == Stage::StoringCurrent {
            self.current = self.epoch;
            let mark = Zxid::new(self.epoch, 0);
            self.acked = self.committed.max(mark);
            self.enter(Stage::Synchronized, now_ms);
            out.push_back(Effect::Ack { zxid: mark });
        }
    }

    /// Everything up to `zxid` is durable here: a follower says so, once for each proposal.
    pub(crate) fn on_persisted(&mut self, zxid: Zxid, out: &mut VecDeque<Effect>) {
        if self.is_observer || self.stage != Stage::Broadcast || zxid.epoch() != self.epoch {
            return;
        }
        let upto = zxid.min(self.last);
        while self.acked < upto {
            let Some(next) = self.acked.next() else { return };
            self.acked = next;
            out.push_back(Effect::Ack { zxid: next });
        }
    }

    /// What is due by the clock. `Err`: the leader is lost.
    pub(crate) fn tick(&mut self, out: &mut VecDeque<Effect>, now_ms: u64) -> Result<(), Violation> {
        if let Stage::Calling { again_at_ms, until_ms, .. } = &mut self.stage {
            if *until_ms <= now_ms {
                return Err(Violation::Silent(self.limits.connect_ms));
            }
            if again_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                *again_at_ms = None;
                out.push_back(Effect::Dial { leader: self.leader });
            }
            return Ok(());
        }
        // While this member's own disk works, the leader's silence means nothing.
        if self.wants_input() && self.deadline_ms <= now_ms {
            if self.is_passed {
                return Err(Violation::EpochPassed { got: self.epoch, accepted: self.accepted });
            }
            let patience_ms = if self.is_live() { self.limits.sync_ms } else { self.limits.init_ms };
            return Err(Violation::Silent(patience_ms));
        }
        Ok(())
    }

    /// Bytes of a snapshot came in.
    pub(crate) fn on_snapshot_bytes(&mut self, now_ms: u64) {
        self.heard(now_ms);
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        match self.stage {
            Stage::Calling { again_at_ms, until_ms, .. } => again_at_ms.unwrap_or(u64::MAX).min(until_ms),
            Stage::Registering
            | Stage::Compared
            | Stage::Receiving { .. }
            | Stage::Synchronizing { .. }
            | Stage::Synchronized
            | Stage::Broadcast => self.deadline_ms,
            Stage::StoringAccepted | Stage::Truncating { .. } | Stage::Installing | Stage::StoringCurrent => {
                u64::MAX
            }
        }
    }
}
