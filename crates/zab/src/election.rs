//! Looking: members tell each other their votes until a quorum agrees.
//!
//! Source: `FastLeaderElection#lookForLeader`; quorum-protocol.md §2.4-2.9.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::{PeerState, Vote};
use proto::{Sid, Zxid};

use crate::Quorum;

/// Where a member that does not vote has nothing to say.
const NOTHING: i64 = i64::MIN;

/// How far ahead of this member's a round may be. Rounds count elections since a process started; nobody is to spend
/// the number (R20).
const ROUNDS_AHEAD_MAX: i64 = 1 << 40;

/// What a notification says, without the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// What the sender does.
    pub state: PeerState,
    /// Its vote.
    pub vote: Vote,
}

/// How long to wait for what, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ElectionTimes {
    /// `fastleader.minNotificationInterval`: the first repetition of a vote.
    pub repeat_min_ms: u64,
    /// `fastleader.maxNotificationInterval`: the longest pause between repetitions.
    pub repeat_max_ms: u64,
    /// How long to listen for a better vote once a quorum agrees. Source: `finalizeWait`.
    pub finalize_ms: u64,
}

/// Whom a vote is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tell {
    /// Every other voter.
    Everyone,
    /// One member.
    One(Sid),
}

/// A vote on which a quorum agrees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Decision {
    pub(crate) vote: Vote,
}

/// One round of looking. Begins empty each time a member starts to look.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    me: Sid,
    times: ElectionTimes,
    /// What this member would say if it were alone.
    initial: Vote,
    /// What it says now.
    own: Vote,
    /// Votes of this round. Source: `recvset`.
    received: BTreeMap<Sid, Seen>,
    /// Votes of members that are not looking, of any round. Source: `outofelection`.
    established: BTreeMap<Sid, Seen>,
    /// Voters whose election port is known to be out of reach.
    down: BTreeSet<Sid>,
    /// This member has no history (R15), and others have.
    silenced: bool,
    may_be_silenced: bool,
    repeat_ms: u64,
    repeat_at_ms: u64,
    decide_at_ms: Option<u64>,
}

/// What a member brings into an election.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The end of its history, on disk.
    pub(crate) last: Zxid,
    /// Whose history that is.
    pub(crate) epoch: i64,
    /// Whether it has no history and nobody said that this is right.
    pub(crate) is_blank: bool,
}

impl Election {
    /// Starts round `round`. Voters that are known to be `down` are not waited for.
    pub(crate) fn start(
        me: Sid,
        quorum: &Quorum,
        claim: Claim,
        round: i64,
        down: BTreeSet<Sid>,
        times: ElectionTimes,
        now_ms: u64,
    ) -> Self {
        let initial = if quorum.is_voter(me) || mutant!(ObserverVotes) {
            Vote { leader: me, zxid: claim.last, round, peer_epoch: claim.epoch }
        } else {
            Vote { leader: Sid(NOTHING), zxid: Zxid(NOTHING), round, peer_epoch: NOTHING }
        };
        let mut election = Self {
            me,
            times,
            initial,
            own: initial,
            received: BTreeMap::new(),
            established: BTreeMap::new(),
            down,
            silenced: false,
            may_be_silenced: claim.is_blank && !mutant!(BlankVotes),
            repeat_ms: times.repeat_min_ms,
            repeat_at_ms: now_ms + times.repeat_min_ms,
            decide_at_ms: None,
        };
        election.count_own(quorum);
        election
    }

    /// What to tell others.
    pub(crate) fn own(&self) -> Vote {
        self.own
    }

    pub(crate) fn round(&self) -> i64 {
        self.own.round
    }

    fn count_own(&mut self, quorum: &Quorum) {
        if quorum.is_voter(self.me) && !self.silenced {
            self.received.insert(self.me, Seen { state: PeerState::Looking, vote: self.own });
        }
    }

    fn adopt(&mut self, vote: Vote, quorum: &Quorum) {
        self.own = vote;
        if !mutant!(VoteChangesLate) {
            self.decide_at_ms = None;
        }
        self.count_own(quorum);
    }

    /// A voter says something. Its sender is a voter, as is whom it votes for.
    pub(crate) fn on_vote(
        &mut self,
        from: Sid,
        seen: Seen,
        quorum: &Quorum,
        tell: &mut Vec<Tell>,
        now_ms: u64,
    ) -> Option<Decision> {
        match seen.state {
            PeerState::Looking => self.on_looking(from, seen.vote, quorum, tell, now_ms),
            PeerState::Observing => None,
            PeerState::Following | PeerState::Leading => self.on_established(from, seen, quorum),
        }
    }

    fn on_looking(
        &mut self,
        from: Sid,
        vote: Vote,
        quorum: &Quorum,
        tell: &mut Vec<Tell>,
        now_ms: u64,
    ) -> Option<Decision> {
        if vote.zxid == Zxid::NONE {
            // What it said before it knew of others' history does not count either.
            self.received.remove(&from);
            return None;
        }
        if vote.round > self.own.round.saturating_add(ROUNDS_AHEAD_MAX) {
            return None;
        }
        if self.may_be_silenced && vote.zxid > Zxid::ZERO && !self.silenced {
            // A peer has history and this member lost its own, or never had any: whoever it voted for could win
            // without what it once acknowledged (R15, ZOOKEEPER-261). It waits for an established leader.
            self.silenced = true;
            self.decide_at_ms = None;
            self.received.clear();
            self.own = Vote { zxid: Zxid::NONE, ..self.initial };
            tell.push(Tell::Everyone);
        }
        if self.silenced {
            return None;
        }
        let round = self.own.round;
        if vote.round < round {
            tell.push(Tell::One(from));
            return None;
        }
        if vote.round > round {
            self.initial.round = vote.round;
            self.received.clear();
            let better = if is_better(&vote, &self.initial, quorum) { vote } else { self.initial };
            self.adopt(better, quorum);
            tell.push(Tell::Everyone);
        } else if is_better(&vote, &self.own, quorum) {
            self.adopt(vote, quorum);
            tell.push(Tell::Everyone);
        } else if vote != self.own {
            // It may have been following still when this member's vote came, and would hear it again only when that is
            // repeated, 200 ms from now.
            tell.push(Tell::One(from));
        }
        self.received.insert(from, Seen { state: PeerState::Looking, vote });
        self.settle(quorum, now_ms)
    }

    /// Decides if a quorum agrees and nobody who could know better is left to be heard.
    pub(crate) fn settle(&mut self, quorum: &Quorum, now_ms: u64) -> Option<Decision> {
        if self.silenced {
            return None;
        }
        let agrees =
            |sid: Sid| self.received.get(&sid).is_some_and(|seen| same_looking(&seen.vote, &self.own));
        if !quorum.is_met(&agrees) && !mutant!(VoteChangesLate) {
            self.decide_at_ms = None;
        }
        if !quorum.is_met(&agrees) {
            return None;
        }
        // The wait is for better votes. Whoever agrees has none, and whoever is out of reach sends none, so that
        // without others it proves nothing. Safety does not rest on it: a quorum has to confirm the leader's history.
        if quorum.voters().iter().all(|&sid| agrees(sid) || self.down.contains(&sid)) {
            return Some(Decision { vote: self.own });
        }
        self.decide_at_ms.get_or_insert(now_ms + self.times.finalize_ms);
        None
    }

    fn on_established(&mut self, from: Sid, seen: Seen, quorum: &Quorum) -> Option<Decision> {
        let vote = seen.vote;
        if vote.round == self.own.round && !self.silenced {
            self.received.insert(from, seen);
            let agrees = |sid: Sid| {
                self.received.get(&sid).is_some_and(|other| match other.state {
                    PeerState::Looking => same_looking(&other.vote, &vote),
                    PeerState::Following | PeerState::Leading => other.vote.leader == vote.leader,
                    PeerState::Observing => false,
                })
            };
            if quorum.is_met(&agrees) && self.leads(&self.received, &vote) {
                return Some(Decision { vote });
            }
        }
        self.established.insert(from, seen);
        let agrees = |sid: Sid| {
            self.established.get(&sid).is_some_and(|other| {
                other.vote.leader == vote.leader && other.vote.peer_epoch == vote.peer_epoch
            })
        };
        (quorum.is_met(&agrees) && self.leads(&self.established, &vote)).then_some(Decision { vote })
    }

    /// Whether the member voted for says itself that it leads, or is this one. Source: `checkLeader`.
    fn leads(&self, votes: &BTreeMap<Sid, Seen>, vote: &Vote) -> bool {
        if vote.leader == self.me {
            return vote.round == self.own.round;
        }
        votes.get(&vote.leader).is_some_and(|seen| seen.state == PeerState::Leading)
    }

    /// A voter's election port came into reach or went out of it.
    pub(crate) fn on_link(
        &mut self,
        sid: Sid,
        is_up: bool,
        quorum: &Quorum,
        tell: &mut Vec<Tell>,
        now_ms: u64,
    ) -> Option<Decision> {
        if is_up {
            self.down.remove(&sid);
            if !mutant!(VotesToldOnce) {
                tell.push(Tell::One(sid));
            }
            None
        } else {
            self.down.insert(sid);
            self.settle(quorum, now_ms)
        }
    }

    /// Time passed: repeat the vote, or decide.
    pub(crate) fn tick(&mut self, quorum: &Quorum, tell: &mut Vec<Tell>, now_ms: u64) -> Option<Decision> {
        if self.decide_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Some(Decision { vote: self.own });
        }
        if self.repeat_at_ms <= now_ms {
            self.repeat_ms = (self.repeat_ms * 2).min(self.times.repeat_max_ms);
            self.repeat_at_ms = now_ms + self.repeat_ms;
            if !mutant!(VotesToldOnce) {
                tell.push(Tell::Everyone);
            }
        }
        self.settle(quorum, now_ms)
    }

    pub(crate) fn deadline_ms(&self) -> u64 {
        self.decide_at_ms.unwrap_or(u64::MAX).min(self.repeat_at_ms)
    }
}

/// Source: `FastLeaderElection#totalOrderPredicate`.
fn is_better(a: &Vote, b: &Vote, quorum: &Quorum) -> bool {
    quorum.weight(a.leader) > 0 && (a.peer_epoch, a.zxid, a.leader) > (b.peer_epoch, b.zxid, b.leader)
}

/// Source: `Vote#equals`, of votes of which one is looking.
fn same_looking(a: &Vote, b: &Vote) -> bool {
    a == b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Epoch;

    const TIMES: ElectionTimes =
        ElectionTimes { repeat_min_ms: 200, repeat_max_ms: 60_000, finalize_ms: 200 };

    fn three() -> Quorum {
        Quorum::Majority([1, 2, 3].map(Sid).into())
    }

    fn election(me: i64, last: Zxid, epoch: i64, is_blank: bool) -> Election {
        let claim = Claim { last, epoch, is_blank };
        Election::start(Sid(me), &three(), claim, 1, BTreeSet::new(), TIMES, 0)
    }

    fn vote(leader: i64, zxid: Zxid, round: i64, peer_epoch: i64) -> Vote {
        Vote { leader: Sid(leader), zxid, round, peer_epoch }
    }

    fn looking(vote: Vote) -> Seen {
        Seen { state: PeerState::Looking, vote }
    }

    #[test]
    fn the_longer_history_wins_and_is_waited_for() {
        let mut one = election(1, Zxid(5), 0, false);
        let mut tell = Vec::new();
        assert_eq!(one.on_vote(Sid(2), looking(vote(2, Zxid(9), 1, 0)), &three(), &mut tell, 10), None);
        assert_eq!(one.own(), vote(2, Zxid(9), 1, 0));
        assert_eq!(tell, [Tell::Everyone]);
        assert_eq!(one.tick(&three(), &mut tell, 209), None, "the third may know better");
        assert_eq!(one.tick(&three(), &mut tell, 210).map(|decision| decision.vote.leader), Some(Sid(2)));
    }

    #[test]
    fn a_decision_that_was_near_is_dropped_when_history_is_heard_of() {
        let mut blank = election(2, Zxid::ZERO, 0, true);
        let mut tell = Vec::new();
        assert_eq!(blank.on_vote(Sid(1), looking(vote(2, Zxid::ZERO, 1, 0)), &three(), &mut tell, 0), None);
        assert_eq!(blank.deadline_ms(), 200, "two blank members agree");
        let history = looking(vote(3, Zxid::new(Epoch(1), 7), 1, 1));
        assert_eq!(blank.on_vote(Sid(3), history, &three(), &mut tell, 50), None);
        assert_eq!(blank.tick(&three(), &mut tell, 10_000), None);
    }

    #[test]
    fn who_votes_for_less_is_told_at_once() {
        let mut best = election(3, Zxid(9), 0, false);
        let mut tell = Vec::new();
        best.on_vote(Sid(1), looking(vote(1, Zxid(5), 1, 0)), &three(), &mut tell, 10);
        assert_eq!(tell, [Tell::One(Sid(1))]);
        tell.clear();
        best.on_vote(Sid(1), looking(vote(3, Zxid(9), 1, 0)), &three(), &mut tell, 11);
        assert_eq!(tell, [], "who agrees is not");
    }

    #[test]
    fn nobody_waits_for_those_out_of_reach() {
        let mut one = election(1, Zxid(5), 0, false);
        let mut tell = Vec::new();
        one.on_vote(Sid(2), looking(vote(2, Zxid(9), 1, 0)), &three(), &mut tell, 10);
        let decision = one.on_link(Sid(3), false, &three(), &mut tell, 11);
        assert_eq!(decision.map(|decision| decision.vote.leader), Some(Sid(2)));
    }

    #[test]
    fn nor_when_all_agree() {
        let mut one = election(3, Zxid(9), 0, false);
        let mut tell = Vec::new();
        assert_eq!(one.on_vote(Sid(1), looking(vote(3, Zxid(9), 1, 0)), &three(), &mut tell, 10), None);
        assert!(one.on_vote(Sid(2), looking(vote(3, Zxid(9), 1, 0)), &three(), &mut tell, 11).is_some());
    }

    #[test]
    fn epoch_before_zxid_before_sid() {
        let quorum = three();
        let low = vote(3, Zxid(100), 1, 1);
        assert!(is_better(&vote(1, Zxid(1), 1, 2), &low, &quorum));
        assert!(is_better(&vote(1, Zxid(101), 1, 1), &low, &quorum));
        assert!(!is_better(&vote(2, Zxid(100), 1, 1), &low, &quorum));
    }

    #[test]
    fn an_established_leader_is_joined_only_when_it_says_so_itself() {
        let mut one = election(1, Zxid(5), 0, false);
        let mut tell = Vec::new();
        let following = Seen { state: PeerState::Following, vote: vote(3, Zxid(2), 7, 4) };
        let leading = Seen { state: PeerState::Leading, vote: vote(3, Zxid(1), 6, 4) };
        assert_eq!(one.on_vote(Sid(2), following, &three(), &mut tell, 0), None);
        let decision = one.on_vote(Sid(3), leading, &three(), &mut tell, 0);
        assert_eq!(
            decision.map(|decision| decision.vote.leader),
            Some(Sid(3)),
            "rounds and zxids are history"
        );
    }

    #[test]
    fn a_member_without_history_keeps_silent_before_those_that_have_some() {
        let mut one = election(1, Zxid::ZERO, 0, true);
        let mut tell = Vec::new();
        let history = looking(vote(2, Zxid::new(Epoch(1), 7), 1, 1));
        assert_eq!(one.on_vote(Sid(2), history, &three(), &mut tell, 0), None);
        assert_eq!(one.own().zxid, Zxid::NONE, "which Java's members do not count either");
        assert_eq!(one.tick(&three(), &mut tell, 10_000), None);
        let mut fresh = election(1, Zxid::ZERO, 0, true);
        fresh.on_vote(Sid(2), looking(vote(2, Zxid::ZERO, 1, 0)), &three(), &mut tell, 0);
        assert_eq!(fresh.own().leader, Sid(2), "a new ensemble has no history anywhere");
    }
}
