//! SASL between members, before anything else on a connection.

use alloc::vec::Vec;

use crate::{Buffer, Decode, DecodeError, Encode, Reader};

/// The first eight bytes of every [`QuorumAuthPacket`]. No zxid, sid or packet type looks like it, so that an acceptor
/// that does not insist can look at the first bytes and tell. Source: `QuorumAuth.QUORUM_AUTH_MAGIC_NUMBER`.
pub const AUTH_MAGIC: i64 = 0x5F24_3501_3501_EDCC;

/// How far the exchange is. Source: `QuorumAuth.Status`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthStatus {
    /// More to come.
    InProgress,
    /// Authenticated.
    Success,
    /// Refused.
    Error,
}

impl AuthStatus {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::InProgress => 0,
            Self::Success => 1,
            Self::Error => -1,
        }
    }
}

impl Decode<'_> for AuthStatus {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match i32::decode(reader)? {
            0 => Ok(Self::InProgress),
            1 => Ok(Self::Success),
            -1 => Ok(Self::Error),
            other => Err(DecodeError::Unknown { what: "authentication status", value: other.into() }),
        }
    }
}

impl Encode for AuthStatus {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number().encode(out);
    }
}

/// One step of the exchange, in either direction. Source: `zookeeper.jute`, `server.quorum.QuorumAuthPacket`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuorumAuthPacket<'a> {
    /// How far the exchange is.
    pub status: AuthStatus,
    /// The mechanism's bytes.
    pub token: Buffer<'a>,
}

impl<'a> Decode<'a> for QuorumAuthPacket<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.take()? {
            AUTH_MAGIC => Ok(Self { status: reader.take()?, token: reader.take()? }),
            value => Err(DecodeError::Unknown { what: "magic of an authentication packet", value }),
        }
    }
}

impl Encode for QuorumAuthPacket<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        AUTH_MAGIC.encode(out);
        self.status.encode(out);
        self.token.encode(out);
    }
}
