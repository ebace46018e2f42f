//! One member among its peers: looking, then leading or following, then looking again.
//!
//! Source: `QuorumPeer#run`; quorum-protocol.md §2.12.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::{LeaderPacket, LearnerPacket, PeerState, Vote};
use proto::{Epoch, Sid, Zxid};

use crate::effect::{Effect, LinkId, PeerOptions, Role};
use crate::election::{Claim, Decision, Election, Tell};
use crate::leader::{Claimed, Leader, LearnerView, Memory, Resigned};
use crate::learner::Learner;
use crate::{Quorum, Seen, Violation};

#[derive(Clone, Debug)]
enum Phase {
    /// The log is not still yet.
    Draining,
    Looking(Election),
    Leading(Leader),
    Learning(Learner),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Peer {
    options: PeerOptions,
    accepted: Epoch,
    current: Epoch,
    /// The end of the history on disk when the last election began.
    last: Zxid,
    /// The logical clock of elections.
    round: i64,
    /// What is told to those who ask.
    vote: Vote,
    phase: Phase,
    role: Role,
    /// Voters that were in reach on the election port at any time.
    met: BTreeSet<Sid>,
    /// Those of them that are not now. Who was never in reach may be just about to start, like this member.
    down: BTreeSet<Sid>,
    /// Who asked while this member was looking and was not told of a leader, and when it was last answered.
    answered: BTreeMap<Sid, u64>,
    needs_tree: bool,
    /// The last transaction that this process saw committed, in any role.
    known: Zxid,
    /// What members acknowledged to this process.
    memory: Memory,
    effects: VecDeque<Effect>,
}

/// The shortest time between two answers to a member while both are looking.
const ANSWER_PAUSE_MS: u64 = 100;
/// Members whose questions are remembered.
const ASKED_MAX: usize = 256;

impl Peer {
    /// A member that begins to look, behind a history that ends with `last`.
    #[must_use]
    pub fn new(options: PeerOptions, last: Zxid, now_ms: u64) -> Self {
        let vote =
            Vote { leader: options.me, zxid: last, round: 0, peer_epoch: i64::from(options.current.0) };
        let mut peer = Self {
            accepted: options.accepted,
            current: options.current,
            last,
            round: 0,
            vote,
            phase: Phase::Draining,
            role: Role::Looking,
            met: BTreeSet::new(),
            down: BTreeSet::new(),
            answered: BTreeMap::new(),
            needs_tree: false,
            known: Zxid::ZERO,
            memory: Memory::default(),
            effects: VecDeque::new(),
            options,
        };
        peer.on_drained(last, now_ms);
        peer
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Who it is.
    #[must_use]
    pub fn me(&self) -> Sid {
        self.options.me
    }

    /// Who decides.
    #[must_use]
    pub fn quorum(&self) -> &Quorum {
        &self.options.quorum
    }

    /// The vote it tells.
    #[must_use]
    pub fn vote(&self) -> Vote {
        self.vote
    }

    /// The leader it follows, or itself.
    #[must_use]
    pub fn leader(&self) -> Option<Sid> {
        match &self.phase {
            Phase::Leading(_) => Some(self.options.me),
            Phase::Learning(learner) => Some(learner.leader()),
            Phase::Draining | Phase::Looking(_) => None,
        }
    }

    /// The epoch files as they are known to be on disk.
    #[must_use]
    pub fn epochs(&self) -> (Epoch, Epoch) {
        (self.accepted, self.current)
    }

    /// Whether a leader is established, or a learner was told to serve.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match &self.phase {
            Phase::Leading(leader) => leader.is_established(),
            Phase::Learning(learner) => learner.is_live(),
            Phase::Draining | Phase::Looking(_) => false,
        }
    }

    /// The learners of a leader.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerView> {
        match &self.phase {
            Phase::Leading(leader) => leader.learners().collect(),
            Phase::Draining | Phase::Looking(_) | Phase::Learning(_) => Vec::new(),
        }
    }

    /// Whether this member learns from another.
    #[must_use]
    pub fn learns(&self) -> bool {
        matches!(self.phase, Phase::Learning(_))
    }

    /// Whether a learner's connection may carry what sessions need.
    #[must_use]
    pub fn is_live_learner(&self, link: LinkId) -> bool {
        matches!(&self.phase, Phase::Leading(leader) if leader.is_live(link))
    }

    /// The last transaction that this process knows to be committed by a quorum's word. No leader can undo it (Z10).
    #[must_use]
    pub fn known(&self) -> Zxid {
        match &self.phase {
            Phase::Leading(leader) => self.known.max(leader.known()),
            Phase::Learning(learner) => learner.known(),
            Phase::Draining | Phase::Looking(_) => self.known,
        }
    }

    fn state(&self) -> PeerState {
        match self.role {
            Role::Looking => PeerState::Looking,
            Role::Following => PeerState::Following,
            Role::Leading => PeerState::Leading,
            Role::Observing => PeerState::Observing,
        }
    }

    fn seen(&self) -> Seen {
        match &self.phase {
            Phase::Looking(election) => Seen { state: PeerState::Looking, vote: election.own() },
            Phase::Draining | Phase::Leading(_) | Phase::Learning(_) => {
                Seen { state: self.state(), vote: self.vote }
            }
        }
    }

    // Elections.

    /// The log is still and ends with `last`: look for a leader.
    pub fn on_drained(&mut self, last: Zxid, now_ms: u64) {
        if !matches!(self.phase, Phase::Draining) {
            return;
        }
        self.last = last;
        self.round += 1;
        let claim = Claim {
            last,
            epoch: i64::from(self.current.0),
            is_blank: last == Zxid::ZERO && self.current == Epoch(0) && !self.options.may_be_blank,
        };
        let Self { options, down, .. } = self;
        let election = Election::start(
            options.me,
            &options.quorum,
            claim,
            self.round,
            down.clone(),
            options.election,
            now_ms,
        );
        self.phase = Phase::Looking(election);
        self.role = Role::Looking;
        self.effects.push_back(Effect::Begin(Role::Looking));
        self.carry_out(&[Tell::Everyone]);
        self.elect(now_ms, |_, _, _| None);
    }

    /// Lets the election take a step, and what comes of it.
    fn elect(
        &mut self,
        now_ms: u64,
        step: impl FnOnce(&mut Election, &Quorum, &mut Vec<Tell>) -> Option<Decision>,
    ) {
        let Phase::Looking(election) = &mut self.phase else { return };
        let mut tell = Vec::new();
        let quorum = &self.options.quorum;
        let decision = step(election, quorum, &mut tell).or_else(|| election.settle(quorum, now_ms));
        self.round = election.round();
        self.carry_out_votes(&tell, now_ms);
        if let Some(Decision { vote }) = decision {
            self.round = vote.round;
            self.vote = vote;
            self.begin(vote.leader, now_ms);
        }
    }

    fn carry_out_votes(&mut self, tell: &[Tell], now_ms: u64) {
        for whom in tell {
            match *whom {
                // A vote of an earlier round is answered, as often as one that does not vote.
                Tell::One(to) => self.answer(to, now_ms),
                Tell::Everyone => self.carry_out(&[Tell::Everyone]),
            }
        }
    }

    fn carry_out(&mut self, tell: &[Tell]) {
        let seen = self.seen();
        for whom in tell {
            match *whom {
                Tell::One(to) => self.effects.push_back(Effect::Notify { to, seen }),
                Tell::Everyone => {
                    let others =
                        self.options.quorum.voters().into_iter().filter(|&sid| sid != self.options.me);
                    self.effects.extend(others.map(|to| Effect::Notify { to, seen }));
                }
            }
        }
    }

    fn begin(&mut self, leader: Sid, now_ms: u64) {
        let me = self.options.me;
        let is_observer = self.options.observers.contains(&me);
        let limits = self.options.limits;
        if leader == me {
            self.role = Role::Leading;
            self.effects.push_back(Effect::Begin(Role::Leading));
            self.effects.push_back(Effect::Listen(true));
            let mut leader = Leader::start(
                me,
                self.accepted,
                self.current,
                self.last,
                self.options.version,
                core::mem::take(&mut self.memory),
                self.known,
                limits,
                now_ms,
            );
            leader.open_first(&self.options.quorum, &mut self.effects);
            self.phase = Phase::Leading(leader);
        } else {
            self.role = if is_observer { Role::Observing } else { Role::Following };
            self.effects.push_back(Effect::Begin(self.role));
            self.phase = Phase::Learning(Learner::start(
                leader,
                is_observer,
                self.accepted,
                self.current,
                self.last,
                self.needs_tree,
                self.known,
                limits,
                &mut self.effects,
                now_ms,
            ));
        }
        // Who asked in vain while this member was looking need not ask again.
        let seen = self.seen();
        let asked = core::mem::take(&mut self.answered);
        self.effects.extend(asked.into_keys().map(|to| Effect::Notify { to, seen }));
    }

    /// A notification of another member.
    pub fn on_notification(&mut self, from: Sid, seen: Seen, now_ms: u64) {
        let quorum = &self.options.quorum;
        if from == self.options.me {
            return;
        }
        match &self.phase {
            // There is nothing true to say before the log is still; who asks is told when a role begins.
            Phase::Draining => self.note_asked(from, now_ms),
            Phase::Looking(_) if quorum.is_voter(from) || mutant!(ObserverVotes) => {
                if quorum.is_voter(seen.vote.leader) || mutant!(ObserverVotes) {
                    self.elect(now_ms, |election, quorum, tell| {
                        election.on_vote(from, seen, quorum, tell, now_ms)
                    });
                }
            }
            Phase::Looking(_) if seen.state == PeerState::Looking => self.answer(from, now_ms),
            Phase::Leading(_) | Phase::Learning(_) if seen.state == PeerState::Looking => {
                self.carry_out(&[Tell::One(from)]);
            }
            Phase::Looking(_) | Phase::Leading(_) | Phase::Learning(_) => {}
        }
    }

    /// Answers a member while this one is looking, but not without a pause: both may answer each other for ever.
    fn answer(&mut self, to: Sid, now_ms: u64) {
        let seen = self.seen();
        if self.answered.get(&to).is_none_or(|&at_ms| now_ms >= at_ms + ANSWER_PAUSE_MS) {
            self.effects.push_back(Effect::Notify { to, seen });
            self.note_asked(to, now_ms);
        }
    }

    /// Takes note of who asked in vain. Strangers make up ids without end, so there is one.
    fn note_asked(&mut self, from: Sid, now_ms: u64) {
        if self.answered.len() < ASKED_MAX || self.answered.contains_key(&from) {
            self.answered.insert(from, now_ms);
        }
    }

    /// A member's election port came into reach, or went out of it.
    pub fn on_link(&mut self, sid: Sid, is_up: bool, now_ms: u64) {
        if !self.options.quorum.is_voter(sid) {
            return;
        }
        if is_up {
            self.met.insert(sid);
            self.down.remove(&sid);
        } else if self.met.contains(&sid) {
            self.down.insert(sid);
        } else {
            return;
        }
        self.elect(now_ms, |election, quorum, tell| election.on_link(sid, is_up, quorum, tell, now_ms));
    }

    // The end of a role.

    fn retire(&mut self) {
        self.known = self.known();
        if let Phase::Leading(leader) = core::mem::replace(&mut self.phase, Phase::Draining) {
            self.effects.push_back(Effect::Listen(false));
            self.memory = leader.into_memory();
        }
        self.role = Role::Looking;
        self.effects.push_back(Effect::Retire);
    }

    fn resign(&mut self, why: Resigned) {
        self.effects.push_back(Effect::Resign(why));
        self.retire();
    }

    fn lose_leader(&mut self, why: Option<Violation>) {
        self.effects.push_back(Effect::HangUp { why });
        self.retire();
    }

    /// The tree of this member differs from the others' (R9): it is replaced by the leader's before it serves again.
    pub fn distrust_tree(&mut self) {
        self.needs_tree = true;
        match &self.phase {
            Phase::Learning(_) => self.lose_leader(None),
            Phase::Leading(_) => self.resign(Resigned::TreeDiffers),
            Phase::Draining | Phase::Looking(_) => {}
        }
    }

    /// The quorum port cannot be opened.
    pub fn on_port_failed(&mut self) {
        if let Phase::Leading(_) = self.phase {
            self.resign(Resigned::NoPort);
        }
    }

    // The disk.

    /// See [`Effect::StoreAccepted`].
    pub fn on_accepted_stored(&mut self, epoch: Epoch, now_ms: u64) {
        assert!(epoch >= self.accepted, "epochs do not go back");
        self.accepted = epoch;
        match &mut self.phase {
            Phase::Leading(leader) => {
                leader.on_accepted_stored(&self.options.quorum, &mut self.effects, now_ms)
            }
            Phase::Learning(learner) => learner.on_accepted_stored(epoch, &mut self.effects, now_ms),
            Phase::Draining | Phase::Looking(_) => {}
        }
    }

    /// See [`Effect::StoreCurrent`].
    pub fn on_current_stored(&mut self, epoch: Epoch, now_ms: u64) {
        assert!(
            epoch >= self.current && epoch <= self.accepted,
            "current <= accepted, and neither goes back"
        );
        self.current = epoch;
        match &mut self.phase {
            Phase::Leading(leader) => {
                leader.on_current_stored(&self.options.quorum, &mut self.effects, now_ms);
                self.refresh_vote();
            }
            Phase::Learning(learner) => learner.on_current_stored(&mut self.effects, now_ms),
            Phase::Draining | Phase::Looking(_) => {}
        }
    }

    /// Everything up to `zxid` is durable.
    pub fn on_persisted(&mut self, zxid: Zxid) {
        match &mut self.phase {
            Phase::Leading(leader) => leader.on_persisted(zxid, &self.options.quorum, &mut self.effects),
            Phase::Learning(learner) => learner.on_persisted(zxid, &mut self.effects),
            Phase::Draining | Phase::Looking(_) => {}
        }
    }

    /// See [`Effect::Truncate`].
    pub fn on_truncated(&mut self, now_ms: u64) {
        if let Phase::Learning(learner) = &mut self.phase {
            learner.on_truncated(now_ms);
        }
    }

    /// See [`Effect::Install`].
    pub fn on_installed(&mut self, now_ms: u64) {
        self.needs_tree = false;
        if let Phase::Learning(learner) = &mut self.phase {
            learner.on_installed(&mut self.effects, now_ms);
        }
    }

    // Leading.

    /// A learner's connection on the quorum port. `false`: this member does not lead; close it.
    pub fn on_learner_linked(&mut self, link: LinkId, now_ms: u64) -> bool {
        if let Phase::Leading(leader) = &mut self.phase {
            leader.on_linked(link, now_ms);
            return true;
        }
        false
    }

    /// A learner's connection is gone.
    pub fn on_learner_lost(&mut self, link: LinkId) {
        if let Phase::Leading(leader) = &mut self.phase {
            leader.on_lost(link);
        }
    }

    /// A learner's packet. What a packet says of sessions is its caller's to look at, if this is `Ok` and
    /// [`Self::is_live_learner`].
    ///
    /// * `is_proven`: the connection comes from where the member it names is configured to be.
    ///
    /// # Errors
    /// [`Violation`]: the learner is forgotten; close its connection.
    pub fn on_learner_packet(
        &mut self,
        link: LinkId,
        packet: &LearnerPacket<'_>,
        is_proven: bool,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let Phase::Leading(leader) = &mut self.phase else { return Ok(()) };
        let (quorum, out) = (&self.options.quorum, &mut self.effects);
        let result = match packet {
            LearnerPacket::FollowerInfo { accepted_epoch, info }
            | LearnerPacket::ObserverInfo { accepted_epoch, info } => {
                let is_observer = matches!(packet, LearnerPacket::ObserverInfo { .. });
                let is_member = quorum.is_voter(info.sid) || self.options.observers.contains(&info.sid);
                let claim = Claimed { is_member, is_proven };
                leader.on_info(link, info, *accepted_epoch, is_observer, claim, quorum, out, now_ms)
            }
            LearnerPacket::AckEpoch { last_zxid, current_epoch } => {
                leader.on_ack_epoch(link, *last_zxid, *current_epoch, quorum, out, now_ms)
            }
            LearnerPacket::Ack { zxid } => leader.on_ack(link, *zxid, quorum, out, now_ms),
            LearnerPacket::Ping { .. } => leader.on_ping(link, packet.name(), quorum, out, now_ms),
            LearnerPacket::Revalidate { .. } | LearnerPacket::Request { .. } => {
                leader.on_sign_of_life(link, packet.name(), now_ms)
            }
        };
        if result.is_err() {
            leader.on_lost(link);
        }
        self.refresh_vote();
        result
    }

    /// Asks a quorum whether this member still leads it. [`Effect::Answered`] says that it does; it comes before the commit
    /// of anything that is proposed from now on, or not at all.
    ///
    /// * `question`: its number, later than those before.
    pub fn ask_quorum(&mut self, question: u64) {
        if let Phase::Leading(leader) = &mut self.phase
            && leader.is_established()
        {
            leader.ask(question, &self.options.quorum, &mut self.effects);
        }
    }

    /// Bytes were sent to a learner; while it is brought level, it is not silent.
    pub fn on_sync_progress(&mut self, link: LinkId, now_ms: u64) {
        if let Phase::Leading(leader) = &mut self.phase {
            leader.on_sync_progress(link, &self.options.quorum, now_ms);
        }
    }

    /// The zxid the next proposal will have, while this member leads.
    #[must_use]
    pub fn next_zxid(&self) -> Option<Zxid> {
        match &self.phase {
            Phase::Leading(leader) if leader.is_established() => leader.next(),
            Phase::Draining | Phase::Looking(_) | Phase::Leading(_) | Phase::Learning(_) => None,
        }
    }

    /// Proposals go out as numbered by [`Self::next_zxid`].
    pub fn on_proposed(&mut self, zxid: Zxid, now_ms: u64) {
        if let Phase::Leading(leader) = &mut self.phase {
            leader.on_proposed(zxid, now_ms);
            if leader.next().is_none() {
                self.resign(Resigned::CounterSpent);
            }
        }
    }

    /// A leader's newest proposal and last commit.
    #[must_use]
    pub fn progress(&self) -> Option<(Zxid, Zxid)> {
        match &self.phase {
            Phase::Leading(leader) => Some((leader.proposed(), leader.committed())),
            Phase::Draining | Phase::Looking(_) | Phase::Learning(_) => None,
        }
    }

    /// Once a member is established it tells the epoch it is in (ZOOKEEPER-1732).
    fn refresh_vote(&mut self) {
        let epoch = match &self.phase {
            Phase::Leading(leader) if leader.is_established() => leader.epoch(),
            Phase::Learning(learner) if learner.is_live() => learner.epoch(),
            Phase::Draining | Phase::Looking(_) | Phase::Leading(_) | Phase::Learning(_) => None,
        };
        if let Some(epoch) = epoch {
            self.vote.peer_epoch = i64::from(epoch.0);
        }
    }

    // Following and observing.

    /// The leader's quorum port answered.
    pub fn on_leader_connected(&mut self, now_ms: u64) {
        if let Phase::Learning(learner) = &mut self.phase {
            learner.on_connected(&mut self.effects, now_ms);
        }
    }

    /// The connection to the leader is gone, or could not be made.
    pub fn on_leader_lost(&mut self, now_ms: u64) {
        if let Phase::Learning(learner) = &mut self.phase
            && !learner.on_lost(now_ms)
        {
            self.lose_leader(None);
        }
    }

    /// Whether bytes of the leader may be handed in.
    #[must_use]
    pub fn wants_leader_input(&self) -> bool {
        matches!(&self.phase, Phase::Learning(learner) if learner.wants_input())
    }

    /// A packet of the leader. PING, SYNC and REVALIDATE are its caller's to answer if [`Self::is_live`].
    ///
    /// `false`: the leader broke a rule and is given up.
    pub fn on_leader_packet(&mut self, packet: &LeaderPacket<'_>, now_ms: u64) -> bool {
        let Phase::Learning(learner) = &mut self.phase else { return false };
        match learner.on_packet(packet, &mut self.effects, now_ms) {
            Ok(()) => {
                if matches!(packet, LeaderPacket::UpToDate) {
                    self.refresh_vote();
                }
                true
            }
            Err(why) => {
                self.lose_leader(Some(why));
                false
            }
        }
    }

    /// Bytes from the leader make no sense.
    pub fn on_leader_malformed(&mut self, why: Violation) {
        if let Phase::Learning(_) = self.phase {
            self.lose_leader(Some(why));
        }
    }

    /// Bytes of a snapshot came in.
    pub fn on_snapshot_bytes(&mut self, now_ms: u64) {
        if let Phase::Learning(learner) = &mut self.phase {
            learner.on_snapshot_bytes(now_ms);
        }
    }

    /// See [`Effect::ReceiveSnapshot`].
    pub fn on_snapshot(&mut self, now_ms: u64) {
        if let Phase::Learning(learner) = &mut self.phase {
            learner.on_snapshot(now_ms);
        }
    }

    // Time.

    /// What is due by the clock.
    pub fn tick(&mut self, now_ms: u64) {
        match &mut self.phase {
            Phase::Draining => {}
            Phase::Looking(_) => {
                self.elect(now_ms, |election, quorum, tell| election.tick(quorum, tell, now_ms));
            }
            Phase::Leading(leader) => {
                if let Err(why) = leader.tick(&self.options.quorum, &mut self.effects, now_ms) {
                    self.resign(why);
                }
            }
            Phase::Learning(learner) => {
                if let Err(why) = learner.tick(&mut self.effects, now_ms) {
                    self.lose_leader(Some(why));
                }
            }
        }
    }

    /// Time may have passed in which this member did nothing. To be told before all that came meanwhile. Returns whether
    /// something follows from it.
    pub fn look_back(&mut self, now_ms: u64) -> bool {
        let Phase::Leading(leader) = &mut self.phase else { return false };
        let Err(why) = leader.look_back(&self.options.quorum, now_ms) else { return false };
        self.resign(why);
        true
    }

    /// When [`Self::tick`] has something to do, in monotonic milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        match &self.phase {
            Phase::Draining => u64::MAX,
            Phase::Looking(election) => election.deadline_ms(),
            Phase::Leading(leader) => leader.deadline_ms(),
            Phase::Learning(learner) => learner.deadline_ms(),
        }
    }
}
