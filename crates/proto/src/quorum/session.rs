//! The small records inside packets.

use crate::record::record;
use crate::{SessionId, Sid};

/// The protocol version that says Zab 1.0: discovery with LEADERINFO and ACKEPOCH. Source: `Learner#registerWithLeader`.
pub const PROTOCOL_VERSION: i32 = 0x1_0000;

record! {
    /// How a learner introduces itself: the data of FOLLOWERINFO and OBSERVERINFO. 20 bytes.
    ///
    /// Before 3.5 the last field was missing, and before 3.4 the last two; they are then read as 1 and 0.
    /// Source: `zookeeper.jute`, `server.quorum.LearnerInfo`; `LearnerHandler#run`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct LearnerInfo {
        /// Who it is.
        pub sid: Sid,
        /// [`PROTOCOL_VERSION`].
        pub protocol_version: i32,
        /// The version of the newest configuration it has activated. A leader with an older one closes the connection.
        pub config_version: i64,
    }
}

record! {
    /// One session in a learner's PING: its client was heard of since the last one. 12 bytes.
    ///
    /// Source: `Learner#ping`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct SessionTouch {
        /// Which.
        pub session: SessionId,
        /// Its timeout in milliseconds.
        pub timeout_ms: i32,
    }
}
