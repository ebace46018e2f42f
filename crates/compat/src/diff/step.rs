//! Steps: everything a round can do to both servers, as values that can be drawn, shown, dropped and repeated.

use std::fmt;

use super::op::{Op, code};
use super::show;
use super::wire::{Writer, frame};

/// What a round does next. A slot is one of the round's client connections, open or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Opens a connection in this slot, ending the one that is there without a word to the server.
    Connect {
        /// Where.
        slot: usize,
        /// How.
        connect: Connect,
    },
    /// Sends requests back to back. Skipped when the slot is closed.
    Burst {
        /// Where.
        slot: usize,
        /// In this order, without waiting in between.
        requests: Vec<Request>,
        /// How the bytes are handed to the socket.
        cut: Cut,
    },
    /// Sends bytes that are no frame on an established connection, which has to end it.
    Junk {
        /// Where.
        slot: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Sends these bytes as the first ones of a new connection of their own and listens to the end.
    First {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Ends the connection, perhaps in the middle of a frame. The session stays.
    Drop {
        /// Where.
        slot: usize,
        /// The start of a frame that is never finished, or nothing.
        partial: Vec<u8>,
    },
    /// Stops both servers in order and starts them again. All connections end, sessions stay.
    Restart,
}

impl Step {
    /// The slot it acts on.
    pub fn slot(&self) -> Option<usize> {
        match self {
            Self::Connect { slot, .. }
            | Self::Burst { slot, .. }
            | Self::Junk { slot, .. }
            | Self::Drop { slot, .. } => Some(*slot),
            Self::First { .. } | Self::Restart => None,
        }
    }

    /// Whether it may end a session by request, which deletes its ephemerals in an order nobody promises.
    pub fn closes_session(&self) -> bool {
        match self {
            Self::Burst { requests, .. } => requests.iter().any(|request| request.op == Op::CloseSession),
            Self::Connect { .. }
            | Self::Junk { .. }
            | Self::First { .. }
            | Self::Drop { .. }
            | Self::Restart => false,
        }
    }

    /// The request bytes, as a report shows them.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Burst { requests, .. } => requests.iter().flat_map(Request::frame).collect(),
            Self::Junk { bytes, .. } | Self::First { bytes } | Self::Drop { partial: bytes, .. } => {
                bytes.clone()
            }
            Self::Connect { .. } | Self::Restart => Vec::new(),
        }
    }
}

/// One request of a burst.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Its number; not -1, which would make its reply look like an event.
    pub xid: i32,
    /// What it asks.
    pub op: Op,
    /// What is done to its body before it is sent.
    pub mangle: Mangle,
}

impl Request {
    /// Length, header and body.
    pub fn frame(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.int(self.xid);
        out.int(self.op.code());
        out.raw(&self.mangle.apply(self.op.body()));
        frame(&out.into_bytes())
    }

    /// A ping as clients number it.
    pub fn ping() -> Self {
        Self { xid: -2, op: Op::Ping, mangle: Mangle::None }
    }
}

/// A change to the bytes of a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mangle {
    /// None.
    None,
    /// This many of its bytes are missing at the end (all, when it has fewer).
    Truncate(usize),
    /// These follow it.
    Trailing(Vec<u8>),
    /// The byte at this place (wrapping around) is exclusive-ored.
    Flip(usize, u8),
}

impl Mangle {
    fn apply(&self, mut body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::None => {}
            Self::Truncate(missing) => body.truncate(body.len().saturating_sub(*missing)),
            Self::Trailing(bytes) => body.extend(bytes),
            Self::Flip(at, mask) => {
                let length = body.len().max(1);
                if let Some(byte) = body.get_mut(at % length) {
                    *byte ^= mask;
                }
            }
        }
        body
    }
}

/// How bytes are handed to the socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// All at once, several frames coalesced.
    Whole,
    /// One by one.
    Bytes,
    /// In pieces of this many bytes.
    Pieces(usize),
}

/// A `ConnectRequest`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connect {
    /// The session asked for.
    pub session: Which,
    /// The proof for it.
    pub password: Password,
    /// What the client claims to have seen.
    pub seen: LastZxid,
    /// Milliseconds.
    pub timeout: i32,
    /// Never looked at by the server.
    pub protocol: i32,
    /// The byte newer clients add.
    pub read_only: Option<u8>,
    /// Bytes behind the last field, which are ignored. Only with `read_only`.
    pub trailing: Vec<u8>,
}

impl Connect {
    /// A new session as the Java client asks for it.
    pub fn new_session() -> Self {
        Self {
            session: Which::New,
            password: Password::Right,
            seen: LastZxid::Zero,
            timeout: 500_000,
            protocol: 0,
            read_only: Some(0),
            trailing: Vec::new(),
        }
    }
}

/// Which session a `ConnectRequest` names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// A new one.
    New,
    /// The nth that was created in this round, living or not; a new one when there is none.
    Known(usize),
    /// An id no server gave out.
    Foreign(i64),
}

/// Which password goes with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Password {
    /// The one the server gave, or 16 zero bytes for a new session.
    Right,
    /// One bit differs.
    Wrong,
    /// A null buffer.
    Null,
    /// No bytes.
    Empty,
    /// The right one and a byte more.
    Long,
    /// The first half of the right one.
    Short,
}

/// Which zxid a `ConnectRequest` claims to have seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LastZxid {
    /// 0, as new clients do.
    Zero,
    /// The newest one this round saw.
    Newest,
    /// That much beyond the newest.
    Ahead(i64),
    /// Any number not above 0.
    Old(i64),
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "xid {} {}", self.xid, self.op)?;
        if self.mangle == Mangle::None { Ok(()) } else { write!(out, " {:?}", self.mangle) }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { slot, connect } => write!(out, "slot {slot}: {connect:?}"),
            Self::Burst { slot, requests, cut } => {
                write!(out, "slot {slot}: ")?;
                show::list(out, requests)?;
                if *cut == Cut::Whole { Ok(()) } else { write!(out, " sent in {cut:?}") }
            }
            Self::Junk { slot, bytes } => write!(out, "slot {slot}: junk {}", show::hex(bytes)),
            Self::First { bytes } => write!(out, "new connection: first bytes {}", show::hex(bytes)),
            Self::Drop { slot, partial } => {
                write!(out, "slot {slot}: connection dropped after {}", show::hex(partial))
            }
            Self::Restart => out.write_str("both servers restart"),
        }
    }
}

/// Whether this reply is one a server ends the connection behind.
pub fn ends_connection(op: &Op, zxid: i64, err: i32) -> bool {
    match op.code() {
        code::CLOSE_SESSION => err == 0,
        code::AUTH | code::SASL => err != 0,
        _ => err == -6 && zxid == -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_mangled_behind_an_honest_length() {
        let mut request = Request::ping();
        request.op = Op::Delete { path: super::super::wire::Text::of("/a"), version: 7 };
        let whole = request.frame();
        assert_eq!(whole.len(), 4 + 8 + 6 + 4);
        request.mangle = Mangle::Truncate(1);
        assert_eq!(request.frame()[..4], [0, 0, 0, 17]);
        request.mangle = Mangle::Flip(9, 1);
        assert_eq!(request.frame().last(), Some(&6));
        request.mangle = Mangle::Trailing(vec![1, 2]);
        assert_eq!(request.frame().len(), whole.len() + 2);
    }
}
