//! What a watch tells.

use crate::Text;
use crate::record::record;

/// What happened to a znode. Source: `Watcher.Event.EventType`, as far as servers send it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EventKind {
    /// It came into being.
    Created,
    /// It is gone.
    Deleted,
    /// Its data was set.
    DataChanged,
    /// A child came or went.
    ChildrenChanged,
}

impl EventKind {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Created => 1,
            Self::Deleted => 2,
            Self::DataChanged => 3,
            Self::ChildrenChanged => 4,
        }
    }
}

/// The state in every event a server sends: `SyncConnected`.
pub const WATCH_STATE_CONNECTED: i32 = 3;

record! {
    /// A notification, behind a header of xid -1. Source: `proto.WatcherEvent`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct WatcherEvent<'a> {
        /// An [`EventKind`] as number.
        pub kind: i32,
        /// [`WATCH_STATE_CONNECTED`].
        pub state: i32,
        /// Where.
        pub path: Text<'a>,
    }
}
