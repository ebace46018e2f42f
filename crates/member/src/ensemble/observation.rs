//! What happens in an ensemble that somebody may want to read.

use proto::{Epoch, Sid, Zxid};
use zab::{Plan, Resigned, Violation};

use super::order::LinkId;

/// One line for a log, and a step for a simulator's evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A role begins. `leader` is who is followed, or this member.
    Began {
        /// The role.
        role: zab::Role,
        /// Who leads.
        leader: Option<Sid>,
    },
    /// A leader's quorum is complete.
    Established {
        /// Its epoch.
        epoch: Epoch,
    },
    /// A learner serves.
    Serving {
        /// Its leader.
        leader: Option<Sid>,
        /// What it shows.
        zxid: Zxid,
    },
    /// A leader gives up.
    Resigned(Resigned),
    /// The leader is lost.
    LeaderLost {
        /// What it did wrong, if it did.
        why: Option<Violation>,
    },
    /// A learner is brought level.
    Synchronizing {
        /// Its link.
        link: LinkId,
        /// What it has.
        last: Zxid,
        /// How.
        plan: Plan,
    },
    /// A learner is sent away.
    Expelled {
        /// Its link.
        link: LinkId,
        /// Why.
        why: Violation,
    },
    /// The history of a voter ends before what it acknowledged and a quorum committed (R15).
    WentBack {
        /// Whose.
        sid: Sid,
        /// Where it ends.
        last: Zxid,
        /// What the member acknowledged.
        acked: Zxid,
    },
    /// A snapshot came in.
    SnapshotReceived {
        /// Of what moment.
        zxid: Zxid,
        /// How many znodes.
        nodes: u64,
    },
    /// A transaction was applied.
    Delivered {
        /// Which.
        zxid: Zxid,
        /// What the tree came to.
        digest: u64,
    },
    /// The tree differs from the leader's (R9).
    TreeDiffers {
        /// After which transaction.
        zxid: Zxid,
    },
}
