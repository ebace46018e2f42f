//! What follows a request header, one record for each shape of body. Source: `zookeeper.jute`, `proto`.

use alloc::vec::Vec;

use crate::record::record;
use crate::{Acl, Buffer, Text, Xid, Zxid};

record! {
    /// Before every request but the first. 8 bytes.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct RequestHeader {
        /// Echoed in the reply.
        pub xid: Xid,
        /// An [`OpCode`](crate::OpCode), if the client knows what it does.
        pub kind: i32,
    }
}

record! {
    /// `create`, `create2`, `createContainer`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateRequest<'a> {
        /// Where; a sequence number may be appended.
        pub path: Text<'a>,
        /// What it holds; null and empty differ.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// A `CreateMode`.
        pub flags: i32,
    }
}

record! {
    /// `createTTL`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateTtlRequest<'a> {
        /// Where; a sequence number may be appended.
        pub path: Text<'a>,
        /// What it holds.
        pub data: Buffer<'a>,
        /// Who may do what with it.
        pub acl: Option<Vec<Acl<'a>>>,
        /// A `CreateMode`.
        pub flags: i32,
        /// How long it may stay childless and unset, in milliseconds.
        pub ttl_ms: i64,
    }
}

record! {
    /// `delete`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct DeleteRequest<'a> {
        /// Which.
        pub path: Text<'a>,
        /// The version it must have; -1 for any.
        pub version: i32,
    }
}

record! {
    /// `deleteContainer`, whose path is a buffer. Source: `DeleteContainerRequest`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct DeleteContainerRequest<'a> {
        /// UTF-8.
        pub path: Buffer<'a>,
    }
}

record! {
    /// `setData`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetDataRequest<'a> {
        /// Which.
        pub path: Text<'a>,
        /// What it holds from now on.
        pub data: Buffer<'a>,
        /// The version it must have; -1 for any.
        pub version: i32,
    }
}

record! {
    /// `setACL`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetAclRequest<'a> {
        /// Which.
        pub path: Text<'a>,
        /// Who may do what with it from now on.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The aversion it must have; -1 for any.
        pub version: i32,
    }
}

record! {
    /// `check`, an item of a multi.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CheckVersionRequest<'a> {
        /// Which.
        pub path: Text<'a>,
        /// The version it must have; -1 for any.
        pub version: i32,
    }
}

record! {
    /// `exists`, `getData`, `getChildren`, `getChildren2`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct PathWatchRequest<'a> {
        /// Which.
        pub path: Text<'a>,
        /// Whether to leave a watch.
        pub watch: bool,
    }
}

record! {
    /// `getACL`, `sync`, `getAllChildrenNumber`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct PathRequest<'a> {
        /// Which.
        pub path: Text<'a>,
    }
}

record! {
    /// `getEphemerals`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct GetEphemeralsRequest<'a> {
        /// Only paths that start so, as plain text.
        pub prefix: Text<'a>,
    }
}

record! {
    /// `reconfig`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct ReconfigRequest<'a> {
        /// Servers to add or change, by comma.
        pub joining: Text<'a>,
        /// Ids to remove, by comma.
        pub leaving: Text<'a>,
        /// Instead of both: the whole new list.
        pub new_members: Text<'a>,
        /// The version the configuration must have; -1 for any.
        pub current_config: i64,
    }
}

record! {
    /// `setWatches`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetWatches<'a> {
        /// The newest transaction the client has seen.
        pub relative_zxid: Zxid,
        /// Watches of `getData` and `exists` on znodes that were there.
        pub data: Option<Vec<Text<'a>>>,
        /// Watches of `exists` on znodes that were not.
        pub exist: Option<Vec<Text<'a>>>,
        /// Watches of `getChildren`.
        pub child: Option<Vec<Text<'a>>>,
    }
}

record! {
    /// `setWatches2`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SetWatches2<'a> {
        /// The newest transaction the client has seen.
        pub relative_zxid: Zxid,
        /// Watches of `getData` and `exists` on znodes that were there.
        pub data: Option<Vec<Text<'a>>>,
        /// Watches of `exists` on znodes that were not.
        pub exist: Option<Vec<Text<'a>>>,
        /// Watches of `getChildren`.
        pub child: Option<Vec<Text<'a>>>,
        /// Persistent watches.
        pub persistent: Option<Vec<Text<'a>>>,
        /// Persistent recursive watches.
        pub persistent_recursive: Option<Vec<Text<'a>>>,
    }
}

record! {
    /// `addWatch`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct AddWatchRequest<'a> {
        /// On which path, whether it exists or not.
        pub path: Text<'a>,
        /// 0 persistent, 1 persistent recursive.
        pub mode: i32,
    }
}

record! {
    /// `checkWatches`, `removeWatches`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct WatchesRequest<'a> {
        /// On which path.
        pub path: Text<'a>,
        /// A `WatcherType`: 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive.
        pub kind: i32,
    }
}

record! {
    /// `auth`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct AuthPacket<'a> {
        /// Clients send 0; never looked at.
        pub kind: i32,
        /// `digest`, `ip`, …
        pub scheme: Text<'a>,
        /// The credential, in the form of the scheme.
        pub auth: Buffer<'a>,
    }
}

record! {
    /// `sasl`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SaslRequest<'a> {
        /// The client's next step.
        pub token: Buffer<'a>,
    }
}
