//! How a leadership ends.

/// Why a leader gives up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Resigned {
    /// Source: `Leader#getEpochToPropose`.
    #[error("no quorum of followers connected within initLimit")]
    NoFollowers,
    /// Source: `Leader#waitForEpochAck`.
    #[error("no quorum of followers acknowledged the new epoch within initLimit")]
    NoComparison,
    /// Source: `Leader#waitForNewLeaderAck`.
    #[error("no quorum of followers was synchronized within initLimit")]
    NoSynchronization,
    /// Source: `Leader#lead`.
    #[error("no quorum of followers is heard of any more")]
    NoQuorum,
    /// Whoever follows has heard nothing for so long that he looks for another leader (R16).
    #[error("this member stood still for longer than syncLimit")]
    StoodStill,
    /// The own disk took longer than syncLimit (P8).
    #[error("the log of this member takes longer than syncLimit")]
    SlowDisk,
    /// Source: `Leader#propose`.
    #[error("the counter of the epoch is spent")]
    CounterSpent,
    /// Source: `Leader`, whose constructor fails.
    #[error("the quorum port cannot be listened on; the line above says where and why")]
    NoPort,
    /// What this member shows is not what the log says (R9).
    #[error("the tree of this member differs from what its log says, so that it has to learn from another")]
    TreeDiffers,
    /// A member that promised itself to a later epoch can only follow a leader of a still later one.
    #[error("a member has promised itself to a later epoch")]
    Passed,
}
