//! Leading: discovery, synchronization, broadcast.
//!
//! Three barriers stand before a leader serves. Behind the first a quorum has joined its new epoch, behind the second
//! none of a quorum knows more than it, behind the third a quorum has its whole history on disk. Source: `Leader`,
//! `LearnerHandler`; quorum-protocol.md §3, §4.

mod led;
mod memory;
mod resigned;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::{LearnerInfo, PROTOCOL_VERSION};
use proto::{Epoch, Sid, Zxid};

use crate::effect::{Effect, Limits, LinkId};
use crate::violation::{EPOCH_MAX, EPOCHS_APART_MAX, UNPROVEN_EPOCHS_APART_MAX};
use crate::{Quorum, Violation};
pub(crate) use led::Claimed;
pub use led::LearnerView;
use led::{Lag, Learner, Progress};
pub(crate) use memory::Memory;
pub use resigned::Resigned;

/// How far the leader is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Barrier 1: who joins, and which epoch is new to all of them.
    Joining,
    /// The epoch is on its way to the disk; nobody is told before.
    StoringAccepted,
    /// Barrier 2: what does a quorum know?
    Comparing,
    /// Barrier 3: a quorum, this member perhaps not yet in it, takes over the history.
    Synchronizing {
        /// Whether the current epoch is on this member's disk.
        stored: bool,
    },
    /// Proposals are numbered and committed.
    Broadcast,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    me: Sid,
    limits: Limits,
    stage: Stage,
    /// The new epoch; until barrier 1 opens the smallest that is new to all who joined.
    epoch: Epoch,
    /// The last epoch that was known here when this member was elected.
    epoch_before: Epoch,
    /// A voter was refused because it accepted an epoch too far ahead.
    is_voter_far: bool,
    /// What this member knew then.
    initial: (Epoch, Zxid),
    learners: BTreeMap<LinkId, Learner>,
    /// When it was last looked whether this member stood still.
    looked_at_ms: u64,
    /// When the barrier must be open, in broadcast when to look for a quorum again.
    deadline_ms: u64,
    ping_at_ms: u64,
    proposed: Zxid,
    persisted: Zxid,
    committed: Zxid,
    /// When the oldest proposal that is not on this member's own disk was made.
    own_lag: Lag,
    /// Questions whether a quorum is still led, and the newest proposal when each was put; those without an answer.
    asked: VecDeque<(u64, Zxid)>,
    /// The newest question.
    question: u64,
    /// Voters that acknowledged at barrier 2.
    compared: BTreeSet<Sid>,
    /// What members acknowledged, in this leadership before they came again, and in earlier ones.
    memory: Memory,
    /// What was known to be committed when this leadership began.
    known_before: Zxid,
    /// Of this member's configuration.
    version: i64,
    /// A member promised itself to a later epoch, and cannot follow this leader: when to step down for it.
    passed_at_ms: Option<u64>,
    /// Until then a leader that was established does not step down for a later epoch, whoever says so.
    firm_until_ms: u64,
}

impl Leader {
    /// Starts to lead behind a history that ends with `last` and belongs to `current`.
    ///
    /// * `known`: the last transaction that this process knows to be committed.
    #[expect(clippy::too_many_arguments, reason = "what a member knows when an election ends")]
    pub(crate) fn start(
        me: Sid,
        accepted: Epoch,
        current: Epoch,
        last: Zxid,
        version: i64,
        memory: Memory,
        known: Zxid,
        limits: Limits,
        now_ms: u64,
    ) -> Self {
        let epoch_before = accepted.max(memory.promised());
        Self {
            me,
            limits,
            stage: Stage::Joining,
            epoch: Epoch(epoch_before.0.saturating_add(1)),
            epoch_before,
            is_voter_far: false,
            initial: (current, last),
            learners: BTreeMap::new(),
            looked_at_ms: now_ms,
            deadline_ms: now_ms + limits.init_ms,
            ping_at_ms: now_ms + limits.tick_ms / 2,
            proposed: last,
            persisted: last,
            committed: last,
            own_lag: Lag::default(),
            asked: VecDeque::new(),
            question: 0,
            compared: BTreeSet::new(),
            memory,
            known_before: known,
            version,
            passed_at_ms: None,
            firm_until_ms: 0,
        }
    }

    /// The epoch once it is certain.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        match self.stage {
            Stage::Joining | Stage::StoringAccepted => None,
            Stage::Comparing | Stage::Synchronizing { .. } | Stage::Broadcast => Some(self.epoch),
        }
    }

    /// Whether proposals may be made.
    pub(crate) fn is_established(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    /// The newest proposal.
    pub(crate) fn proposed(&self) -> Zxid {
        self.proposed
    }

    /// Up to where a quorum has the history.
    pub(crate) fn committed(&self) -> Zxid {
        self.committed
    }

    /// The last transaction that is committed, as far as this leadership tells: with a leader's establishment all that
    /// it began with is. A mark that opens an epoch is no transaction.
    pub(crate) fn known(&self) -> Zxid {
        match self.stage {
            Stage::Broadcast if self.committed.counter() > 0 => self.committed,
            Stage::Broadcast if self.initial.1.counter() > 0 => self.initial.1,
            Stage::Broadcast
            | Stage::Joining
            | Stage::StoringAccepted
            | Stage::Comparing
            | Stage::Synchronizing { .. } => Zxid::ZERO,
        }
    }

    /// Learners that get proposals, with their member's id.
    pub(crate) fn learners(&self) -> impl Iterator<Item = LearnerView> {
        self.learners.iter().map(|(&link, learner)| LearnerView {
            link,
            sid: learner.sid,
            is_observer: learner.is_observer,
            counts: learner.counts,
            is_synced: matches!(learner.progress, Progress::Synchronized | Progress::Live),
            is_live: learner.progress == Progress::Live,
        })
    }

    pub(crate) fn is_live(&self, link: LinkId) -> bool {
        self.learners.get(&link).is_some_and(|learner| learner.progress == Progress::Live)
    }

    pub(crate) fn on_linked(&mut self, link: LinkId, now_ms: u64) {
        let deadline_ms = now_ms + self.limits.greeting_ms.min(self.limits.init_ms);
        let learner = Learner {
            sid: Sid(i64::MIN),
            is_observer: false,
            counts: false,
            progress: Progress::Unknown,
            deadline_ms,
            acked: Zxid::NONE,
            lag: Lag::default(),
            pings: VecDeque::new(),
            answered: 0,
        };
        self.learners.insert(link, learner);
    }

    /// The connection is gone.
    pub(crate) fn on_lost(&mut self, link: LinkId) {
        if let Some(learner) = self.learners.remove(&link).filter(|learner| learner.counts) {
            self.memory.note(learner.sid, self.held_by(&learner));
        }
    }

    /// The leadership is over: what is remembered of it.
    pub(crate) fn into_memory(mut self) -> Memory {
        for link in self.learners.keys().copied().collect::<Vec<_>>() {
            self.on_lost(link);
        }
        // Epochs that one member has burned may be all that keeps a quorum apart: each leadership that finds none comes
        // closer, and no word counts for more than that.
        if self.is_voter_far && self.stage == Stage::Joining {
            self.memory.note_promise(Epoch(self.epoch_before.0.saturating_add(EPOCHS_APART_MAX)));
        }
        self.memory
    }

    /// The last transaction that a learner said to have on disk. With NEWLEADER it acknowledges all that this leader
    /// began with; marks that open epochs are no transactions.
    fn held_by(&self, learner: &Learner) -> Zxid {
        let initial = self.initial.1;
        match learner.acked {
            Zxid::NONE => Zxid::ZERO,
            acked if acked.counter() > 0 => acked,
            _ if initial.counter() > 0 => initial,
            _ => Zxid::ZERO,
        }
    }

    /// The committed transaction that a member acknowledged, if its history ends before that now: its disk went back,
    /// and there may be more that it forgot (R15).
    fn forgotten(&self, sid: Sid, last: Zxid) -> Option<Zxid> {
        let learners = self.learners.values().filter(|learner| learner.sid == sid && learner.counts);
        let acked = learners.map(|learner| self.held_by(learner)).chain([self.memory.of(sid)]).max();
        let known = self.known_before.max(self.known());
        acked.map(|acked| acked.min(known)).filter(|&acked| last < acked)
    }

    fn out_of_place(&self, link: LinkId, packet: &'static str) -> Violation {
        let phase = self.learners.get(&link).map_or("no phase", |learner| learner.progress.name());
        Violation::OutOfPlace { packet, phase }
    }

    /// FOLLOWERINFO or OBSERVERINFO.
    #[expect(clippy::too_many_arguments, reason = "what a packet says, and what it is judged by")]
    pub(crate) fn on_info(
        &mut self,
        link: LinkId,
        info: &LearnerInfo,
        accepted: Epoch,
        is_observer: bool,
        claim: Claimed,
        quorum: &Quorum,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let name = if is_observer { "OBSERVERINFO" } else { "FOLLOWERINFO" };
        let error = self.out_of_place(link, name);
        let ours = self.epoch_before.max(self.epoch().unwrap_or_default());
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        if learner.progress != Progress::Unknown {
            return Err(error);
        }
        if info.protocol_version < PROTOCOL_VERSION {
            return Err(Violation::OldProtocol { version: info.protocol_version });
        }
        if info.sid == self.me {
            return Err(Violation::OwnSid(info.sid));
        }
        if accepted > EPOCH_MAX {
            return Err(Violation::EpochImpossible(accepted));
        }
        let theirs = accepted;
        let apart_max = if claim.is_proven { EPOCHS_APART_MAX } else { UNPROVEN_EPOCHS_APART_MAX };
        if claim.is_member && theirs.0.saturating_sub(ours.0) > apart_max {
            self.is_voter_far |= claim.is_proven && quorum.is_voter(info.sid);
            return Err(Violation::EpochFar { theirs, ours, apart_max });
        }
        if info.config_version > self.version {
            return Err(Violation::NewerConfiguration { theirs: info.config_version, ours: self.version });
        }
        learner.sid = info.sid;
        learner.is_observer = is_observer;
        learner.counts = !is_observer && quorum.is_voter(info.sid);
        learner.progress = Progress::Waiting;
        learner.deadline_ms = now_ms + self.limits.init_ms;
        // Anybody can say what makes a leader step down, so it has to be the member itself (S3).
        let is_passed = claim.is_proven && accepted > self.epoch && self.stage != Stage::Joining;
        if claim.is_member && is_passed {
            self.passed_at_ms.get_or_insert(now_ms.max(self.firm_until_ms));
            self.memory.note_promise(accepted);
        }
        match self.stage {
            Stage::Joining => {
                // Whoever is no member burns no epochs (S3). A listed observer counts here, or one that once accepted
                // a later epoch of a leader that failed could never come back.
                if claim.is_member {
                    self.epoch = self.epoch.max(Epoch(accepted.0.saturating_add(1)));
                }
                self.open_first(quorum, out);
            }
            Stage::StoringAccepted => {}
            Stage::Comparing | Stage::Synchronizing { .. } | Stage::Broadcast => self.invite(link, out),
        }
        Ok(())
    }

    /// Opens barrier 1 when a quorum has come.
    pub(crate) fn open_first(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>) {
        let joined: BTreeSet<Sid> = self
            .learners
            .values()
            .filter(|learner| learner.counts && learner.progress == Progress::Waiting)
            .map(|learner| learner.sid)
            .collect();
        if self.stage == Stage::Joining && quorum.is_met(&|sid| sid == self.me || joined.contains(&sid)) {
            self.stage = Stage::StoringAccepted;
            out.push_back(Effect::StoreAccepted(self.epoch));
        }
    }

    fn invite(&mut self, link: LinkId, out: &mut VecDeque<Effect>) {
        if let Some(learner) = self.learners.get_mut(&link) {
            learner.progress = Progress::Invited;
            out.push_back(Effect::LeaderInfo { link, epoch: self.epoch });
        }
    }

    /// The accepted epoch is durable: only now may anyone hear of it.
    pub(crate) fn on_accepted_stored(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>, now_ms: u64) {
        if self.stage != Stage::StoringAccepted {
            return;
        }
        self.stage = Stage::Comparing;
        self.deadline_ms = now_ms + self.limits.init_ms;
        let waiting = self.learners.iter().filter(|(_, learner)| learner.progress == Progress::Waiting);
        for link in waiting.map(|(&link, _)| link).collect::<Vec<_>>() {
            self.invite(link, out);
        }
        self.open_second(quorum, out, now_ms);
    }

    /// ACKEPOCH.
    pub(crate) fn on_ack_epoch(
        &mut self,
        link: LinkId,
        last: Zxid,
        current: Option<Epoch>,
        quorum: &Quorum,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let error = self.out_of_place(link, "ACKEPOCH");
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        if learner.progress != Progress::Invited {
            return Err(error);
        }
        learner.progress = Progress::Compared { last };
        learner.deadline_ms = now_ms + self.limits.init_ms;
        let sid = learner.sid;
        let counts = learner.counts && last != Zxid::NONE;
        // A member of ours that says 0 and no epoch asks for a new tree.
        let is_claim = current.is_some() || last != Zxid::ZERO;
        let forgotten = self.forgotten(sid, last).filter(|_| is_claim);
        if let Some(acked) = forgotten {
            out.push_back(Effect::WentBack { sid, last, acked });
        }
        if self.stage != Stage::Comparing {
            self.synchronize(link, last, out);
            return Ok(());
        }
        if let Some(epoch) = current {
            if (epoch, last) > self.initial {
                return Err(Violation::LearnerAhead { epoch, theirs: last, ours: self.initial.1 });
            }
            if counts && forgotten.is_none() {
                self.compared.insert(sid);
            }
        }
        self.open_second(quorum, out, now_ms);
        Ok(())
    }

    fn open_second(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>, now_ms: u64) {
        if !quorum.is_met(&|sid| sid == self.me || self.compared.contains(&sid)) {
            return;
        }
        self.stage = Stage::Synchronizing { stored: false };
        self.deadline_ms = now_ms + self.limits.init_ms;
        out.push_back(Effect::TakeOver);
        out.push_back(Effect::StoreCurrent(self.epoch));
        let compared: Vec<(LinkId, Zxid)> = self
            .learners
            .iter()
            .filter_map(|(&link, learner)| match learner.progress {
                Progress::Compared { last } => Some((link, last)),
                Progress::Unknown
                | Progress::Waiting
                | Progress::Invited
                | Progress::Synchronizing
                | Progress::Synchronized
                | Progress::Live => None,
            })
            .collect();
        for (link, last) in compared {
            self.synchronize(link, last, out);
        }
    }

    fn synchronize(&mut self, link: LinkId, last: Zxid, out: &mut VecDeque<Effect>) {
        let Some(learner) = self.learners.get_mut(&link) else { return };
        learner.progress = Progress::Synchronizing;
        let (sid, is_observer) = (learner.sid, learner.is_observer);
        // Another connection of the same member is one it has left behind.
        let left = self.learners.iter().filter(|&(&other, learner)| other != link && learner.sid == sid);
        let left: Vec<LinkId> = left
            .filter(|(_, learner)| learner.progress != Progress::Unknown)
            .map(|(&link, _)| link)
            .collect();
        for other in left {
            self.on_lost(other);
            out.push_back(Effect::Replaced { link: other });
        }
        if last > self.committed {
            self.memory.cut(sid, self.committed);
        }
        out.push_back(Effect::Synchronize { link, last, is_observer, epoch: self.epoch });
    }

    /// Some of what a learner lacks is on its way: slow is not silent (R11, ZOOKEEPER-1697).
    ///
    /// Barrier 3 waits with it as long as those who are being brought level can open it.
    pub(crate) fn on_sync_progress(&mut self, link: LinkId, quorum: &Quorum, now_ms: u64) {
        let until_ms = now_ms + self.limits.init_ms;
        let learner = self.learners.get_mut(&link);
        let Some(learner) = learner.filter(|learner| learner.progress == Progress::Synchronizing) else {
            return;
        };
        if mutant!(SlowSnapshotCut) {
            return;
        }
        learner.deadline_ms = learner.deadline_ms.max(until_ms);
        if !learner.counts || !matches!(self.stage, Stage::Synchronizing { .. }) {
            return;
        }
        let comes_level = |learner: &&Learner| {
            learner.counts && matches!(learner.progress, Progress::Synchronizing | Progress::Synchronized)
        };
        let coming: BTreeSet<Sid> =
            self.learners.values().filter(comes_level).map(|learner| learner.sid).collect();
        if quorum.is_met(&|sid| sid == self.me || coming.contains(&sid)) {
            self.deadline_ms = self.deadline_ms.max(until_ms);
        }
    }

    /// The current epoch is durable: this member's own vote for its history counts.
    pub(crate) fn on_current_stored(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>, now_ms: u64) {
        if matches!(self.stage, Stage::Synchronizing { .. }) {
            self.stage = Stage::Synchronizing { stored: true };
            self.open_third(quorum, out, now_ms);
        }
    }

    /// ACK.
    pub(crate) fn on_ack(
        &mut self,
        link: LinkId,
        zxid: Zxid,
        quorum: &Quorum,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let error = self.out_of_place(link, "ACK");
        // Whoever acknowledges what was proposed behind a question was still led when it was put.
        let question =
            self.asked.iter().rev().find(|(_, proposed)| *proposed < zxid).map(|(number, _)| *number);
        let mark = Zxid::new(self.epoch, 0);
        let (proposed, sync_ms) = (self.proposed, self.limits.sync_ms);
        let is_established = self.is_established();
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        learner.deadline_ms = learner.deadline_ms.max(now_ms + sync_ms);
        match learner.progress {
            Progress::Unknown | Progress::Waiting | Progress::Invited | Progress::Compared { .. } => {
                Err(error)
            }
            Progress::Synchronizing if zxid == mark => {
                learner.progress = Progress::Synchronized;
                learner.acked = learner.acked.max(mark);
                learner.deadline_ms = now_ms + self.limits.init_ms + sync_ms;
                if is_established {
                    self.welcome(link, out, now_ms);
                    self.commit(quorum, out);
                } else {
                    self.open_third(quorum, out, now_ms);
                }
                Ok(())
            }
            // Releases before 3.8.5 and 3.9.2 acknowledge what they were synchronized with, and may do so before
            // NEWLEADER (ZOOKEEPER-4685). All others acknowledge NEWLEADER and UPTODATE alike.
            Progress::Synchronizing | Progress::Synchronized | Progress::Live => {
                if zxid > proposed.max(mark) {
                    return Err(Violation::AckUnproposed { got: zxid, proposed });
                }
                if zxid > learner.acked {
                    learner.acked = zxid;
                    learner.lag.acked(zxid);
                    if let Some(number) = question {
                        learner.answered = learner.answered.max(number);
                        // Before the commit: whoever asked comes before what was proposed later.
                        self.settle_questions(quorum, out);
                    }
                    let Some(learner) = self.learners.get(&link) else { return Ok(()) };
                    if learner.counts && zxid > self.committed {
                        self.commit(quorum, out);
                    }
                }
                Ok(())
            }
        }
    }

    /// Opens barrier 3.
    fn open_third(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>, now_ms: u64) {
        let Stage::Synchronizing { stored } = self.stage else { return };
        let counted = self.synchronized();
        if !quorum.is_met(&|sid| {
            if sid == self.me { stored || mutant!(LeadsUnstored) } else { counted.contains(&sid) }
        }) {
            return;
        }
        // The leader itself has to be among them, for its currentEpoch is what it will claim in the next election.
        if !stored && !mutant!(LeadsUnstored) {
            return;
        }
        self.stage = Stage::Broadcast;
        self.firm_until_ms = now_ms + self.limits.init_ms;
        self.passed_at_ms = self.passed_at_ms.map(|_| self.firm_until_ms);
        let mark = Zxid::new(self.epoch, 0);
        self.proposed = mark;
        self.persisted = mark;
        self.committed = mark;
        self.deadline_ms = now_ms + self.limits.tick_ms;
        out.push_back(Effect::Establish { epoch: self.epoch });
        let synchronized =
            self.learners.iter().filter(|(_, learner)| learner.progress == Progress::Synchronized);
        for link in synchronized.map(|(&link, _)| link).collect::<Vec<_>>() {
            self.welcome(link, out, now_ms);
        }
    }

    fn synchronized(&self) -> BTreeSet<Sid> {
        let all = self.learners.values();
        all.filter(|learner| learner.counts && learner.progress == Progress::Synchronized)
            .map(|learner| learner.sid)
            .collect()
    }

    fn welcome(&mut self, link: LinkId, out: &mut VecDeque<Effect>, now_ms: u64) {
        if let Some(learner) = self.learners.get_mut(&link) {
            learner.progress = Progress::Live;
            // Until here it need not answer PING; from now on silence counts.
            learner.deadline_ms = now_ms + self.limits.sync_ms;
            out.push_back(Effect::UpToDate { link });
        }
    }

    /// A packet that says no more than that the learner works.
    pub(crate) fn on_sign_of_life(
        &mut self,
        link: LinkId,
        packet: &'static str,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let error = self.out_of_place(link, packet);
        let Some(learner) = self.learners.get_mut(&link) else { return Ok(()) };
        if learner.progress != Progress::Live {
            return Err(error);
        }
        learner.deadline_ms = learner.deadline_ms.max(now_ms + self.limits.sync_ms);
        Ok(())
    }

    /// Asks a quorum whether this member still leads it; [`Effect::Answered`] says so. Questions are numbered upwards.
    pub(crate) fn ask(&mut self, question: u64, quorum: &Quorum, out: &mut VecDeque<Effect>) {
        self.question = question;
        self.asked.push_back((question, self.proposed));
        for (&link, learner) in &mut self.learners {
            if learner.counts && learner.progress == Progress::Live {
                learner.pings.push_back(question);
                out.push_back(Effect::Ping { link, zxid: self.proposed });
            }
        }
        self.settle_questions(quorum, out);
    }

    fn settle_questions(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>) {
        while let Some(&(question, _)) = self.asked.front() {
            let answered = |sid| {
                let mut learners = self.learners.values().filter(|learner| learner.counts);
                learners.any(|learner| learner.sid == sid && learner.answered >= question)
            };
            if !quorum.is_met(&|sid| sid == self.me || answered(sid)) {
                return;
            }
            self.asked.pop_front();
            out.push_back(Effect::Answered { question });
        }
    }

    /// PING of a learner, the answer to the oldest it was sent.
    pub(crate) fn on_ping(
        &mut self,
        link: LinkId,
        packet: &'static str,
        quorum: &Quorum,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Violation> {
        self.on_sign_of_life(link, packet, now_ms)?;
        if let Some(learner) = self.learners.get_mut(&link)
            && let Some(question) = learner.pings.pop_front()
        {
            learner.answered = learner.answered.max(question);
            self.settle_questions(quorum, out);
        }
        Ok(())
    }

    /// The zxid of the next proposal; `None` when the counter is spent and the leader has to resign (ZOOKEEPER-1277).
    pub(crate) fn next(&self) -> Option<Zxid> {
        self.proposed.next().filter(|next| next.counter() <= self.limits.counter_max)
    }

    /// Takes note of a proposal that all synchronized learners are being sent.
    pub(crate) fn on_proposed(&mut self, zxid: Zxid, now_ms: u64) {
        assert_eq!(self.next(), Some(zxid), "proposals are numbered without a hole");
        self.proposed = zxid;
        self.own_lag.proposed(zxid, now_ms);
        for learner in self.learners.values_mut().filter(|learner| learner.counts) {
            if matches!(learner.progress, Progress::Synchronized | Progress::Live) {
                learner.lag.proposed(zxid, now_ms);
            }
        }
    }

    /// Everything up to `zxid` is durable here.
    pub(crate) fn on_persisted(&mut self, zxid: Zxid, quorum: &Quorum, out: &mut VecDeque<Effect>) {
        assert!(zxid <= self.proposed.max(self.initial.1), "the disk confirms what it was given");
        if zxid > self.persisted {
            self.persisted = zxid;
            self.own_lag.acked(zxid);
            self.commit(quorum, out);
        }
    }

    /// Commits up to where a quorum has everything on disk. Acknowledgements come in the order of the log, so the last
    /// one speaks for all before it.
    fn commit(&mut self, quorum: &Quorum, out: &mut VecDeque<Effect>) {
        if self.stage != Stage::Broadcast {
            return;
        }
        let has = |sid: Sid, zxid: Zxid| {
            if sid == self.me {
                return self.persisted >= zxid;
            }
            self.learners
                .values()
                .any(|learner| learner.sid == sid && learner.counts && learner.acked >= zxid)
        };
        let acked = self.learners.values().filter(|learner| learner.counts).map(|learner| learner.acked);
        let best = acked
            .chain([self.persisted])
            .filter(|&zxid| zxid > self.committed && quorum.is_met(&|sid| has(sid, zxid)))
            .max();
        if let Some(upto) = best {
            assert!(upto <= self.proposed, "committed what was never proposed");
            self.committed = upto;
            out.push_back(Effect::Commit { upto });
        }
    }

    /// Looks whether this member stood still since the last look, before anything that came meanwhile is heard: what
    /// followers said then they may have said before they left. One whose own vote is enough cannot have been replaced.
    /// `Err`: the leader has to resign.
    pub(crate) fn look_back(&mut self, quorum: &Quorum, now_ms: u64) -> Result<(), Resigned> {
        let gap_ms = now_ms.saturating_sub(core::mem::replace(&mut self.looked_at_ms, now_ms));
        let is_left = self.stage == Stage::Broadcast && gap_ms >= self.limits.sync_ms;
        if is_left && !quorum.is_met(&|sid| sid == self.me) { Err(Resigned::StoodStill) } else { Ok(()) }
    }

    /// What is due by the clock. `Err`: the leader has to resign.
    pub(crate) fn tick(
        &mut self,
        quorum: &Quorum,
        out: &mut VecDeque<Effect>,
        now_ms: u64,
    ) -> Result<(), Resigned> {
        let silent = self.learners.iter().filter(|(_, learner)| learner.deadline_ms <= now_ms);
        for link in silent.map(|(&link, _)| link).collect::<Vec<_>>() {
            self.expel(link, Violation::Silent(self.limits.sync_ms), out);
        }
        if self.ping_at_ms <= now_ms {
            self.ping_at_ms = now_ms + self.limits.tick_ms / 2;
            self.ping(out, now_ms);
        }
        // Java's leader stays, and such a member goes round in elections for as long. That this happens at most once in
        // initLimit bounds what a liar can do that has a member's address.
        if self.stage == Stage::Broadcast && self.passed_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Err(Resigned::Passed);
        }
        if self.deadline_ms > now_ms {
            return Ok(());
        }
        match self.stage {
            Stage::Joining => Err(Resigned::NoFollowers),
            Stage::Comparing => Err(Resigned::NoComparison),
            Stage::Synchronizing { .. } => Err(Resigned::NoSynchronization),
            // The disk of this member is slow; nobody waits for less.
            Stage::StoringAccepted => Err(Resigned::SlowDisk),
            Stage::Broadcast => {
                self.deadline_ms = now_ms + self.limits.tick_ms;
                let stuck = |(_, since): (Zxid, u64)| now_ms.saturating_sub(since) > self.limits.sync_ms;
                if self.own_lag.current.is_some_and(stuck) && !mutant!(StuckDiskLeads) {
                    return Err(Resigned::SlowDisk);
                }
                let heard: BTreeSet<Sid> = self
                    .learners
                    .values()
                    .filter(|learner| learner.counts && learner.progress != Progress::Unknown)
                    .map(|learner| learner.sid)
                    .collect();
                let met = quorum.is_met(&|sid| sid == self.me || heard.contains(&sid));
                if met { Ok(()) } else { Err(Resigned::NoQuorum) }
            }
        }
    }

    fn expel(&mut self, link: LinkId, why: Violation, out: &mut VecDeque<Effect>) {
        self.on_lost(link);
        out.push_back(Effect::Expel { link, why });
    }

    fn ping(&mut self, out: &mut VecDeque<Effect>, now_ms: u64) {
        let lagging = |(_, since): (Zxid, u64)| now_ms.saturating_sub(since) > self.limits.sync_ms;
        let (slow, well): (Vec<_>, Vec<_>) = self
            .learners
            .iter()
            .filter(|(_, learner)| matches!(learner.progress, Progress::Synchronized | Progress::Live))
            .map(|(&link, learner)| (link, learner.lag.current.is_some_and(lagging)))
            .partition(|(_, is_slow)| *is_slow);
        for (link, _) in slow {
            self.expel(link, Violation::Lagging(self.limits.sync_ms), out);
        }
        // Also to those that wait for barrier 3: they count the silence of their leader (quorum-protocol.md §1.4). They
        // do not answer.
        for (link, _) in well {
            if let Some(learner) = self.learners.get_mut(&link).filter(|it| it.progress == Progress::Live) {
                learner.pings.push_back(self.question);
            }
            out.push_back(Effect::Ping { link, zxid: self.proposed });
        }
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        let learners = self.learners.values().map(|learner| learner.deadline_ms).min().unwrap_or(u64::MAX);
        let passed = self.passed_at_ms.filter(|_| self.stage == Stage::Broadcast).unwrap_or(u64::MAX);
        self.deadline_ms.min(self.ping_at_ms).min(learners).min(passed)
    }
}
