//! What a server answers: a header, and on success the record of the request's kind.

use alloc::vec::Vec;

use crate::record::record;
use crate::{Acl, Buffer, Stat, Text, Xid, Zxid};

record! {
    /// Before every reply and notification. 16 bytes.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct ReplyHeader {
        /// That of the request.
        pub xid: Xid,
        /// The state the reply shows. Rules: client-protocol.md §3.2.
        pub zxid: Zxid,
        /// A [`Code`](crate::Code) as number; a body follows only 0.
        pub err: i32,
    }
}

record! {
    /// `create`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct CreateReply<'a> {
        /// The whole path, with its sequence number.
        pub path: Text<'a>,
    }
}

record! {
    /// `create2`, `createContainer`, `createTTL`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct Create2Reply<'a> {
        /// The whole path, with its sequence number.
        pub path: Text<'a>,
        /// Of the new znode.
        pub stat: Stat,
    }
}

record! {
    /// `exists`, `setData`, `setACL`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct StatReply {
        /// Of the znode.
        pub stat: Stat,
    }
}

record! {
    /// `getData`, `reconfig`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct DataReply<'a> {
        /// What the znode holds.
        pub data: Buffer<'a>,
        /// Of the znode.
        pub stat: Stat,
    }
}

record! {
    /// `getACL`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct AclReply<'a> {
        /// The list, with what the caller may not see masked.
        pub acl: Option<Vec<Acl<'a>>>,
        /// Of the znode.
        pub stat: Stat,
    }
}

record! {
    /// `getChildren`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct ChildrenReply<'a> {
        /// Names, in no order.
        pub children: Option<Vec<Text<'a>>>,
    }
}

record! {
    /// `getChildren2`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct Children2Reply<'a> {
        /// Names, in no order.
        pub children: Option<Vec<Text<'a>>>,
        /// Of the parent.
        pub stat: Stat,
    }
}

record! {
    /// `sync`: the path of the request, whatever it was.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SyncReply<'a> {
        /// As asked.
        pub path: Text<'a>,
    }
}

record! {
    /// `getEphemerals`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct EphemeralsReply<'a> {
        /// Paths, in no order.
        pub ephemerals: Option<Vec<Text<'a>>>,
    }
}

record! {
    /// `getAllChildrenNumber`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct TotalReply {
        /// All descendants.
        pub total: i32,
    }
}

record! {
    /// One identity of a connection. Source: `data.ClientInfo`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct ClientInfo<'a> {
        /// `ip`, `digest`, …
        pub scheme: Text<'a>,
        /// The user behind it.
        pub user: Text<'a>,
    }
}

record! {
    /// `whoAmI`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct WhoAmIReply<'a> {
        /// In no order.
        pub clients: Option<Vec<ClientInfo<'a>>>,
    }
}

record! {
    /// `addWatch`, whose success is an `ErrorResponse` of 0.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct AddWatchReply {
        /// 0.
        pub err: i32,
    }
}

record! {
    /// `sasl`.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub struct SaslReply<'a> {
        /// The server's next step, or null.
        pub token: Buffer<'a>,
    }
}
