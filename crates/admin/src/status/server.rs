//! The answer to "how are you?": what `srvr` shows and `mntr` begins with.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use member::metrics::{BufferStats, ServerStats};
use proto::Zxid;

/// What a member is in its ensemble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The only member of its ensemble.
    Standalone,
    /// Makes the proposals.
    Leader,
    /// A voter that follows.
    Follower,
    /// A learner without a vote.
    Observer,
    /// Serves reads to read-only clients while there is no quorum.
    ReadOnly,
}

/// The word operators and `zkServer.sh status` read. Source: `ServerStats.Provider#getState` of each server class.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        })
    }
}

/// The state of a serving member in a few cheap numbers.
#[derive(Clone, Debug)]
pub struct Status {
    /// `3.9.5-<commit>, built on 2026-02-11 20:18 UTC`: tools take the part before the dash for the version.
    pub version: String,
    /// Its role.
    pub mode: Mode,
    /// Latency, packets, reply sizes; the connection that asks is counted already.
    pub stats: ServerStats,
    /// Open client connections, the asking one included.
    pub connections: u64,
    /// Requests taken in and not yet answered.
    pub outstanding: u64,
    /// The last transaction applied; a new leader shows the zxid that opens its epoch.
    pub zxid: Zxid,
    /// Znodes, the root counted twice: 5 in an empty tree. Source: `DataTree#getNodeCount`.
    pub znode_count: u64,
    /// Since the server object was made.
    pub uptime: Duration,
    /// Sizes of the proposals; on a leader only.
    pub proposals: Option<BufferStats>,
    /// Why writes are refused at the moment, for instance `disk full: …`; one line.
    pub fenced: Option<String>,
    /// Settings in effect that give up safety or security, such as `forceSync=no`.
    pub unsafe_settings: Vec<String>,
    /// How often, since the server started, a voter came back with less than it had acknowledged.
    pub forgotten_histories: u64,
}
