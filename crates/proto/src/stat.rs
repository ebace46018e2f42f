//! What is known about a znode besides its data.

use crate::record::record;
use crate::{SessionId, Zxid};

record! {
    /// What a client is told about a znode. 68 bytes. Source: `zookeeper.jute`, `data.Stat`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Stat {
        /// The transaction that created it.
        pub czxid: Zxid,
        /// The last one that set its data.
        pub mzxid: Zxid,
        /// When it was created, in milliseconds since 1970.
        pub ctime: i64,
        /// When its data was last set, in milliseconds since 1970.
        pub mtime: i64,
        /// How often its data was set.
        pub version: i32,
        /// Creations and deletions of children: twice the stored count less the children there are, wrapping.
        pub cversion: i32,
        /// How often its access control list was set.
        pub aversion: i32,
        /// Its session if it is ephemeral, else 0, also for containers and TTL znodes.
        pub ephemeral_owner: SessionId,
        /// Bytes of data; 0 for null.
        pub data_length: i32,
        /// How many children it has.
        pub num_children: i32,
        /// The last transaction that changed its list of children.
        pub pzxid: Zxid,
    }
}

record! {
    /// What a snapshot keeps about a znode. 60 bytes; note the order. Source: `data.StatPersisted`.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct StatPersisted {
        /// The transaction that created it.
        pub czxid: Zxid,
        /// The last one that set its data.
        pub mzxid: Zxid,
        /// When it was created, in milliseconds since 1970.
        pub ctime: i64,
        /// When its data was last set, in milliseconds since 1970.
        pub mtime: i64,
        /// How often its data was set.
        pub version: i32,
        /// Creations of children only, which is also the next sequence number.
        pub cversion: i32,
        /// How often its access control list was set.
        pub aversion: i32,
        /// 0, a session, or the mark of a container or TTL znode. Source: `EphemeralType`.
        pub ephemeral_owner: i64,
        /// The last transaction that changed its list of children.
        pub pzxid: Zxid,
    }
}
