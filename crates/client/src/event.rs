//! What a session tells without being asked.

use alloc::string::String;
use core::fmt;

use proto::Zxid;

/// How the session stands. Source: `Watcher.Event.KeeperState`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeeperState {
    /// No server at the moment.
    Disconnected,
    /// A server serves it.
    SyncConnected,
    /// An authentication was refused; the session is over.
    AuthFailed,
    /// A server without a quorum serves it.
    ConnectedReadOnly,
    /// The servers have ended it.
    Expired,
    /// This client has ended it.
    Closed,
}

/// What happened. Source: `Watcher.Event.EventType`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventType {
    /// Something about the session, no znode.
    None,
    /// A znode came into being.
    NodeCreated,
    /// It is gone.
    NodeDeleted,
    /// Its data was set.
    NodeDataChanged,
    /// A child came or went.
    NodeChildrenChanged,
    /// This client has dropped a watch on data or existence.
    DataWatchRemoved,
    /// This client has dropped a watch on children.
    ChildWatchRemoved,
    /// This client has dropped a persistent watch.
    PersistentWatchRemoved,
}

impl EventType {
    /// What a server's notification means by this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::NodeCreated),
            2 => Some(Self::NodeDeleted),
            3 => Some(Self::NodeDataChanged),
            4 => Some(Self::NodeChildrenChanged),
            _ => None,
        }
    }
}

/// One thing told. Displays as Java's `WatchedEvent` does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The session at that moment.
    pub state: KeeperState,
    /// What happened.
    pub kind: EventType,
    /// Where, as this client names it; `None` for the session itself.
    pub path: Option<String>,
    /// The transaction that did it; [`Zxid::NONE`] when there is none or the server did not say.
    pub zxid: Zxid,
}

impl Event {
    /// Something about the session.
    #[must_use]
    pub fn session(state: KeeperState) -> Self {
        Self { state, kind: EventType::None, path: None, zxid: Zxid::NONE }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or("null");
        let Self { state, kind, path: _, zxid: Zxid(zxid) } = self;
        write!(f, "WatchedEvent state:{state:?} type:{kind:?} path:{path} zxid: {zxid}")
    }
}
