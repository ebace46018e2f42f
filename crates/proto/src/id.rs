//! The ids everything is named by. Each is a type of its own, so that none is taken for another.

use alloc::vec::Vec;
use core::fmt;

use crate::{Decode, DecodeError, Encode, Reader};

/// The place of a transaction in the one history all members agree on.
///
/// Epoch in the upper 32 bits, counter in the lower. Kept as the signed number of wire and files, because both
/// compare it as one and use -1 for "none"; shown as ZooKeeper logs it, `0x500000012`. Source: `ZxidUtils`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Zxid(pub i64);

impl Zxid {
    /// What a reply carries when no transaction stands behind it: catch-up events, refused opcodes.
    pub const NONE: Self = Self(-1);
    /// Before the first transaction.
    pub const ZERO: Self = Self(0);

    /// The zxid with this epoch and counter.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self(((epoch.0 as i64) << 32) | counter as i64)
    }

    /// Whose proposal it was.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        Epoch(u32::from_be_bytes([a, b, c, d]))
    }

    /// 1 for the first transaction of the epoch; 0 is the NEWLEADER mark that opens it.
    #[must_use]
    pub const fn counter(self) -> u32 {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The last counter of an epoch. The one behind it stays unused since ZOOKEEPER-1277.
    pub const COUNTER_MAX: u32 = u32::MAX - 1;

    /// What must follow in the same epoch, or `None`: the counter is spent and the leader resigns.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let counter = self.counter().checked_add(1).filter(|&counter| counter <= Self::COUNTER_MAX)?;
        Some(Self::new(self.epoch(), counter))
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The reign of one leader.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A member's `myid`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sid(pub i64);

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A session. Its top byte is the [`Sid`] that opened it; 0 is no session.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session: a connect request for a new one, and what the server does on its own account.
    pub const NONE: Self = Self(0);

    /// Where a server's session ids start: `sid` above 40 bits of `millis`, then 16 bits of counter.
    ///
    /// Source: `SessionTrackerImpl#initializeNextSessionId`.
    #[must_use]
    pub const fn first(sid: u8, millis: u64) -> Self {
        let id = (((millis << 24) >> 8) | ((sid as u64) << 56)).cast_signed();
        // The one value that means "container" where an ephemeral's owner stands.
        Self(if id == i64::MIN { id + 1 } else { id })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The number a client gives a request, so that it finds the reply.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Xid(pub i32);

impl Xid {
    /// A watch notification.
    pub const NOTIFICATION: Self = Self(-1);
    /// A ping, and every answer to one.
    pub const PING: Self = Self(-2);
}

macro_rules! on_the_wire {
    ($($name:ident($inner:ty)),*) => {$(
        impl Decode<'_> for $name {
            #[inline]
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$inner>::decode(reader).map(Self)
            }
        }
        impl Encode for $name {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }
    )*};
}
on_the_wire!(Zxid(i64), Sid(i64), SessionId(i64), Xid(i32));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_is_an_epoch_above_a_counter() {
        let zxid = Zxid::new(Epoch(5), 0x12);
        assert_eq!(zxid, Zxid(0x5_0000_0012));
        assert_eq!((zxid.epoch(), zxid.counter()), (Epoch(5), 0x12));
        assert_eq!(alloc::format!("{zxid}"), "0x500000012");
        assert_eq!(Zxid(0x5_ffff_fffd).next(), Some(Zxid(0x5_ffff_fffe)));
        assert_eq!(Zxid(0x5_ffff_fffe).next(), None);
    }

    #[test]
    fn a_session_id_carries_its_server() {
        assert_eq!(SessionId::first(1, 0x0000_0021_c96c), SessionId(0x0100_0021_c96c_0000));
        assert_eq!(SessionId::first(0x80, 0), SessionId(i64::MIN + 1));
    }
}
