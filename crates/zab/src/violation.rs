//! Rules a peer can break. Each ends only the connection to that peer.

use proto::{Epoch, Sid, Zxid};

/// The last epoch a leader can have: a zxid compares as a signed number, and the next epoch has to fit too.
pub(crate) const EPOCH_MAX: Epoch = Epoch(0x7fff_fffe);

/// Members come apart by one epoch with each leadership that fails before all have heard of it. A member that is further
/// ahead than this has a damaged file, or is none and wants to use up the epochs (S3).
pub(crate) const EPOCHS_APART_MAX: u32 = 1 << 16;

/// The same for whoever does not come from where the member that it names is configured to be: behind a translation of
/// addresses it may be that member all the same.
pub(crate) const UNPROVEN_EPOCHS_APART_MAX: u32 = 1 << 10;

/// What a peer did that the protocol forbids, or that this member cannot go on with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// A packet that has no place in this phase.
    #[error("{packet} has no place in {phase}")]
    OutOfPlace {
        /// Its name.
        packet: &'static str,
        /// Where the connection is.
        phase: &'static str,
    },
    /// A learner from before ZooKeeper 3.4.
    #[error("protocol version {version:#x} is that of a release before 3.4")]
    OldProtocol {
        /// What it says.
        version: i32,
    },
    /// A learner that says it is this member.
    #[error("it says it is member {0}, which is this one; give every member its own myid")]
    OwnSid(Sid),
    /// It uses a member's id and is not where that member is, which is connected (S3).
    #[error("it says it is member {0}, which is connected from where it is configured to be")]
    Impostor(Sid),
    /// Learners that are in no configuration are counted.
    #[error("{0} learners that are in no configuration are here already; give this one a server line")]
    TooManyStrangers(usize),
    /// No zxid could have it.
    #[error("no leader can have epoch {0:?}")]
    EpochImpossible(Epoch),
    /// More leaderships than ever failed.
    #[error(
        "it says it accepted epoch {}, more than {apart_max} behind {}, the last one known here; if it is that member, \
         look at its acceptedEpoch file and at the address in its server line", theirs.0, ours.0
    )]
    EpochFar {
        /// The learner's.
        theirs: Epoch,
        /// The last that this member knows of.
        ours: Epoch,
        /// How far they may be apart.
        apart_max: u32,
    },
    /// A learner knows a later configuration. Source: `LearnerHandler#run`.
    #[error("its configuration {theirs:#x} is newer than {ours:#x}")]
    NewerConfiguration {
        /// The learner's.
        theirs: i64,
        /// This member's.
        ours: i64,
    },
    /// A learner has more history than the leader. Source: `Leader#waitForEpochAck`.
    #[error("it has history up to {theirs} of epoch {epoch}, which is ahead of this leader's {ours}")]
    LearnerAhead {
        /// Whose history.
        epoch: Epoch,
        /// Its end.
        theirs: Zxid,
        /// The leader's.
        ours: Zxid,
    },
    /// An acknowledgement of what was never proposed.
    #[error("it acknowledges {got}, but the newest proposal is {proposed}")]
    AckUnproposed {
        /// What came.
        got: Zxid,
        /// The newest proposal.
        proposed: Zxid,
    },
    /// The epoch of a leader that came too late. Source: `Learner#registerWithLeader`.
    #[error("its epoch {got} is before the accepted epoch {accepted}")]
    EpochPassed {
        /// The leader's.
        got: Epoch,
        /// What was promised.
        accepted: Epoch,
    },
    /// NEWLEADER of another epoch than LEADERINFO.
    #[error("it opens {got} after announcing epoch {epoch}")]
    NewLeaderOfAnotherEpoch {
        /// What came.
        got: Zxid,
        /// What was announced.
        epoch: Epoch,
    },
    /// Proposals with a hole between them (R4, ZOOKEEPER-4925).
    #[error("{got} does not follow {after}")]
    ProposalGap {
        /// The last proposal.
        after: Zxid,
        /// What came.
        got: Zxid,
    },
    /// A commit of anything but the oldest proposal. Source: `FollowerZooKeeperServer#commit`.
    #[error("it commits {got}, but the oldest proposal is {oldest:?}")]
    CommitMismatch {
        /// The oldest proposal here.
        oldest: Option<Zxid>,
        /// What came.
        got: Zxid,
    },
    /// A truncation to what this member does not have.
    #[error("it asks to keep {to}, but the log ends with {last}")]
    TruncateAhead {
        /// What should be kept.
        to: Zxid,
        /// The end of the log.
        last: Zxid,
    },
    /// A leader without what this member knows to be committed (Z10): it cannot be one by a quorum that knows of it.
    #[error(
        "its history ends this member's at {to}, but {committed} is committed; look for members that lost their data"
    )]
    ForgetsCommitted {
        /// Where it ends.
        to: Zxid,
        /// What was committed.
        committed: Zxid,
    },
    /// The session-level bytes of a packet make no sense, or a snapshot's.
    #[error("{0}")]
    Malformed(&'static str),
    /// Nothing came for too long.
    #[error("nothing came for {0} ms")]
    Silent(u64),
    /// A learner does not acknowledge proposals. Source: `LearnerHandler.SyncLimitCheck`.
    #[error("it acknowledged nothing for {0} ms")]
    Lagging(u64),
    /// A learner does not read what it is sent.
    #[error("{0} bytes wait to be sent to it")]
    NotReading(usize),
}
