//! What a member is told at birth, and what it asks for.

use alloc::collections::BTreeSet;

use proto::{Epoch, Sid, Zxid};

use crate::leader::Resigned;
use crate::{ElectionTimes, Quorum, Seen, Violation};

/// A connection between two members. Never given twice in the life of a process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

/// How long is too long, in milliseconds. Source: quorum-protocol.md §1.4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `tickTime`.
    pub tick_ms: u64,
    /// `initLimit` x `tickTime`.
    pub init_ms: u64,
    /// `syncLimit` x `tickTime`.
    pub sync_ms: u64,
    /// How long a learner calls its leader: `connectToLearnerMasterLimit` or `initLimit` x `tickTime`.
    pub connect_ms: u64,
    /// Between two calls: `leaderConnectDelayDuringRetryMs`.
    pub redial_ms: u64,
    /// How long a connection on the quorum port may take to say whose it is (reliability.md §6).
    pub greeting_ms: u64,
    /// The last counter of an epoch; behind it the leader hands over (ZOOKEEPER-1277).
    pub counter_max: u32,
}

/// What a member is told at birth.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// Its `myid`.
    pub me: Sid,
    /// Who decides.
    pub quorum: Quorum,
    /// Members that do not vote.
    pub observers: BTreeSet<Sid>,
    /// The version of the configuration; 0 from static files.
    pub version: i64,
    /// The last epoch it promised itself to.
    pub accepted: Epoch,
    /// The epoch of its history.
    pub current: Epoch,
    /// Whether an empty history is meant to be: the file `initialize` was there (R15).
    pub may_be_blank: bool,
    /// See there.
    pub limits: Limits,
    /// See there.
    pub election: ElectionTimes,
}

/// What a member does as seen from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It looks for a leader.
    Looking,
    /// It follows, and votes.
    Following,
    /// It leads.
    Leading,
    /// It follows without a vote.
    Observing,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell a member a vote.
    Notify {
        /// Whom.
        to: Sid,
        /// What.
        seen: Seen,
    },
    /// The role ended. Serve nobody; when the log is still, say [`Peer::on_drained`](crate::Peer::on_drained).
    Retire,
    /// A new role begins.
    Begin(Role),
    /// Replace `acceptedEpoch`; then [`Peer::on_accepted_stored`](crate::Peer::on_accepted_stored).
    StoreAccepted(Epoch),
    /// Replace `currentEpoch` behind everything that goes to the log until then; then [`Peer::on_current_stored`](crate::Peer::on_current_stored).
    StoreCurrent(Epoch),

    /// Leader: open the quorum port, or close it.
    Listen(bool),
    /// Leader: LEADERINFO.
    LeaderInfo {
        /// To whom.
        link: LinkId,
        /// The new epoch.
        epoch: Epoch,
    },
    /// Leader: the whole log of this member is now the history of the ensemble to be.
    TakeOver,
    /// Leader: bring a learner level and end with NEWLEADER; from here on it gets what is proposed and committed.
    Synchronize {
        /// Whom.
        link: LinkId,
        /// What it has.
        last: Zxid,
        /// Whether it gets INFORM.
        is_observer: bool,
        /// For NEWLEADER.
        epoch: Epoch,
    },
    /// Leader: a quorum has the history. Proposals may begin.
    Establish {
        /// The epoch.
        epoch: Epoch,
    },
    /// Leader: UPTODATE.
    UpToDate {
        /// To whom.
        link: LinkId,
    },
    /// Leader: PING.
    Ping {
        /// To whom.
        link: LinkId,
        /// The newest proposal.
        zxid: Zxid,
    },
    /// Leader: close a learner's connection.
    Expel {
        /// Whose.
        link: LinkId,
        /// Why.
        why: Violation,
    },
    /// Leader: the member of this connection has come again by another one; close it.
    Replaced {
        /// Which.
        link: LinkId,
    },
    /// Leader: a quorum was still led by this member when this question was put, so that no other leader had committed
    /// anything.
    Answered {
        /// Which; those before it are answered too.
        question: u64,
    },
    /// Leader: the history of a member ends before what it acknowledged and a quorum committed. It does not count before
    /// it has been brought level (R15).
    WentBack {
        /// Whose.
        sid: Sid,
        /// Where it ends.
        last: Zxid,
        /// What the member acknowledged.
        acked: Zxid,
    },
    /// Everything up to here is committed: deliver it; a leader tells its learners too.
    Commit {
        /// The last one.
        upto: Zxid,
    },

    /// Learner: call the leader's quorum port.
    Dial {
        /// Whose.
        leader: Sid,
    },
    /// Learner: FOLLOWERINFO or OBSERVERINFO.
    Register {
        /// The last epoch promised.
        accepted: Epoch,
        /// Which of the two.
        is_observer: bool,
    },
    /// Learner: ACKEPOCH.
    AckEpoch {
        /// The end of the history.
        last: Zxid,
        /// Whose it is.
        current: Option<Epoch>,
    },
    /// Learner: what this member has stays (DIFF).
    Keep,
    /// Learner: cut the log behind `to`; then [`Peer::on_truncated`](crate::Peer::on_truncated).
    Truncate {
        /// The last to keep.
        to: Zxid,
    },
    /// Learner: what follows on the connection is a snapshot; then [`Peer::on_snapshot`](crate::Peer::on_snapshot).
    ReceiveSnapshot {
        /// Of what moment.
        zxid: Zxid,
    },
    /// Learner: make the received tree durable; then [`Peer::on_installed`](crate::Peer::on_installed).
    Install,
    /// Learner: the proposal just handed in belongs to the log.
    Append {
        /// Its zxid.
        zxid: Zxid,
    },
    /// Learner: ACK.
    Ack {
        /// Of what.
        zxid: Zxid,
    },
    /// Learner: deliver what is committed and serve clients.
    Serve {
        /// Up to where.
        committed: Zxid,
    },
    /// Learner: close the connection to the leader.
    HangUp {
        /// Why, unless the leader did.
        why: Option<Violation>,
    },
    /// Leader: it gives up.
    Resign(Resigned),
}

#[cfg(test)]
impl Limits {
    /// Round numbers.
    pub(crate) const FOR_TESTS: Self = Self {
        tick_ms: 100,
        init_ms: 1000,
        sync_ms: 500,
        connect_ms: 1000,
        redial_ms: 100,
        greeting_ms: 1000,
        counter_max: Zxid::COUNTER_MAX,
    };
}
