//! What a client can ask for.

macro_rules! opcodes {
    ($($(#[$meta:meta])* $name:ident = $value:literal, $label:literal;)*) => {
        /// The `type` of a request header. Source: `ZooDefs.OpCode`; client-protocol.md §2.4.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum OpCode { $($(#[$meta])* $name,)* }

        impl OpCode {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $value,)* }
            }

            /// The opcode with this number.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($value => Some(Self::$name),)* _ => None }
            }

            /// The four letters `cons` shows for it as last operation. Source: `Request#op2String` and `NIOServerCnxn`.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

opcodes! {
    /// A new znode; the reply is its path.
    Create = 1, "CREA";
    /// Removes a znode.
    Delete = 2, "DELE";
    /// The `Stat` of a znode, and perhaps a watch on it, present or not.
    Exists = 3, "EXIS";
    /// Data and `Stat`.
    GetData = 4, "GETD";
    /// Replaces the data.
    SetData = 5, "SETD";
    /// The access control list and `Stat`.
    GetAcl = 6, "GETA";
    /// Replaces the access control list.
    SetAcl = 7, "SETA";
    /// The names of the children.
    GetChildren = 8, "GETC";
    /// A barrier against the leader.
    Sync = 9, "SYNC";
    /// Keeps the session alive.
    Ping = 11, "PING";
    /// The names of the children, and the `Stat`.
    GetChildren2 = 12, "GETC";
    /// Tests a version; only inside a multi.
    Check = 13, "CHEC";
    /// Several writes, all or none.
    Multi = 14, "MULT";
    /// A new znode; the reply is its path and `Stat`.
    Create2 = 15, "CREA";
    /// Changes the ensemble.
    Reconfig = 16, "RECO";
    /// Is there such a watch of mine?
    CheckWatches = 17, "CHKW";
    /// Drops watches of mine.
    RemoveWatches = 18, "REMW";
    /// A new container znode.
    CreateContainer = 19, "CREA";
    /// Removes an empty container or expired TTL znode; the server's own.
    DeleteContainer = 20, "DELE";
    /// A new TTL znode.
    CreateTtl = 21, "CREA";
    /// Several reads.
    MultiRead = 22, "MLTR";
    /// Adds an identity to the connection.
    Auth = 100, "SESS";
    /// Registers watches again after a reconnect.
    SetWatches = 101, "SETW";
    /// A step of a SASL exchange.
    Sasl = 102, "SESS";
    /// The ephemeral znodes of the session.
    GetEphemerals = 103, "GETE";
    /// How many descendants a znode has.
    GetAllChildrenNumber = 104, "GETACN";
    /// As `SetWatches`, with persistent ones.
    SetWatches2 = 105, "STW2";
    /// A persistent watch.
    AddWatch = 106, "ADDW";
    /// The identities of the connection.
    WhoAmI = 107, "HOMI";
    /// Opens a session; the server's own.
    CreateSession = -10, "SESS";
    /// Ends the session.
    CloseSession = -11, "CLOS";
}

impl OpCode {
    /// Whether it becomes a transaction that the ensemble agrees on.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Delete
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Create2
                | Self::Reconfig
                | Self::CreateContainer
                | Self::DeleteContainer
                | Self::CreateTtl
                | Self::Check
                | Self::CreateSession
                | Self::CloseSession
        )
    }
}
