//! What `dump`, `wchs` and `hash` show.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use proto::{SessionId, Zxid};

/// What will expire at the same tick. Source: `ExpiryQueue#dump`.
#[derive(Clone, Debug)]
pub struct Bucket<T> {
    /// When, as text in the form of Java's `Date`: `Sun Nov 22 11:20:13 UTC 2026`.
    pub expires_at: String,
    /// When, milliseconds on the server's monotonic clock. The AdminServer shows this one.
    pub expires_at_ms: i64,
    /// Who; may be nobody any more.
    pub members: Vec<T>,
}

/// The sessions of a member.
#[derive(Clone, Debug)]
pub struct SessionDump {
    /// Sessions only this member knows, soonest bucket first; `None` unless local sessions are enabled.
    pub local: Option<Vec<Bucket<SessionId>>>,
    /// Sessions the ensemble knows.
    pub global: GlobalSessions,
}

/// Who watches over the global sessions decides what is known of them.
#[derive(Clone, Debug)]
pub enum GlobalSessions {
    /// This member expires them: standalone or leader. Soonest bucket first.
    Tracked(Vec<Bucket<SessionId>>),
    /// The leader does; only the ids and timeouts (milliseconds) are known here. In the order of the ids.
    Known(Vec<(SessionId, u32)>),
}

/// A connection that will be closed if it stays silent.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionExpiry {
    /// The client's end.
    pub address: SocketAddr,
    /// [`SessionId::NONE`] before the session request.
    pub session: SessionId,
}

/// How many data watches there are. Child watches are not counted here, as in Apache. Source: `WatchesSummary`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WatchSummary {
    /// Connections with a watch.
    pub connections: u64,
    /// Paths with a watch.
    pub paths: u64,
    /// Pairs of the two.
    pub watches: u64,
}

/// The digest of the tree as it was after one transaction. Source: `DataTree.ZxidDigest`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ZxidDigest {
    /// The transaction.
    pub zxid: Zxid,
    /// The digest.
    pub digest: i64,
    /// How it was computed. No word shows it; the AdminServer does.
    pub version: i32,
}
