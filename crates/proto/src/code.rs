//! What went wrong, as a number every client knows.

use alloc::vec::Vec;

use crate::{Decode, DecodeError, Encode, Reader};

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $value:literal,)*) => {
        /// The result of a request, in replies and error transactions.
        ///
        /// Only codes that a server sends are here: clients cannot map an unknown one.
        /// Source: `KeeperException.Code`; client-protocol.md §11.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code { $($(#[$meta])* $name,)* }

        impl Code {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $value,)* }
            }

            /// The code with this number, if a server may send it.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// Success.
    Ok = 0,
    /// An item of a failed multi behind the one that failed.
    RuntimeInconsistency = -2,
    /// The body cannot be decoded, or holds what no client means, such as a null path.
    MarshallingError = -5,
    /// An opcode or a feature that this server does not have.
    Unimplemented = -6,
    /// A path, flag or TTL out of its range.
    BadArguments = -8,
    /// The session of the request is not known here.
    UnknownSession = -12,
    /// No quorum of the proposed configuration is connected.
    NewConfigNoQuorum = -13,
    /// A reconfiguration is under way.
    ReconfigInProgress = -14,
    /// The znode, or its parent, does not exist.
    NoNode = -101,
    /// The caller lacks the permission.
    NoAuth = -102,
    /// The version given is not the znode's.
    BadVersion = -103,
    /// An ephemeral znode cannot be a parent.
    NoChildrenForEphemerals = -108,
    /// The znode exists already.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session is closing or expired.
    SessionExpired = -112,
    /// The access control list is empty or has an entry that no scheme accepts.
    InvalidAcl = -114,
    /// Authentication was refused.
    AuthFailed = -115,
    /// The session is served elsewhere now. Never sent: the connection closes.
    SessionMoved = -118,
    /// A write on a read-only server.
    NotReadOnly = -119,
    /// A local session may not own an ephemeral znode.
    EphemeralOnLocalSession = -120,
    /// No such watch.
    NoWatcher = -121,
    /// Reconfiguration is switched off.
    ReconfigDisabled = -123,
    /// A required authentication is missing.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota would be exceeded.
    QuotaExceeded = -125,
    /// The request waited too long in a throttled server.
    ThrottledOp = -127,
}

impl Decode<'_> for Code {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = i32::decode(reader)?;
        Self::from_number(number).ok_or(DecodeError::Unknown { what: "result code", value: number.into() })
    }
}

impl Encode for Code {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number().encode(out);
    }
}
