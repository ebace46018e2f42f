//! What is known of one connection besides its socket.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use proto::{Code, Id, OpCode, SessionId, Xid, Zxid};

use super::watch_table::Watcher;
use crate::core::ClockKey;

/// A connection. Its slot is used again, its key is not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ConnId {
    /// The index of its slot, which the driver may use for its sockets too.
    pub slot: u32,
    /// What tells it from another connection in the same slot.
    pub key: u32,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// No connect request yet.
    New,
    /// Its session is on its way to the disk, or the leader is asked for it.
    Opening,
    /// Requests are served.
    Open,
    /// It closes when its output is written; nothing more is read.
    Closing,
}

/// What stands in a connection's line, so that replies keep the order of requests.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A transaction is on its way.
    Write { xid: Xid, op: OpCode, received_ms: u64, size_bytes: u32 },
    /// The answer is known, but it is not its turn.
    Refused { xid: Xid, op: OpCode, code: Code, received_ms: u64 },
    /// A sync that is on its way to what it waits for.
    Sync { frame: Box<[u8]>, ids: Arc<[Id<'static>]>, received_ms: u64 },
    /// A request that waits for the writes before it, with the identities it came under.
    Frame { frame: Box<[u8]>, ids: Arc<[Id<'static>]>, received_ms: u64, expected_bytes: u32 },
}

/// Counters of a connection, as `cons` shows them.
#[derive(Clone, Debug)]
pub struct ConnStats {
    /// When it was accepted, in milliseconds since 1970.
    pub established_ms: i64,
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// The kind of the last request answered.
    pub last_op: &'static str,
    /// Its xid.
    pub last_cxid: i64,
    /// The zxid of the last answer.
    pub last_zxid: Zxid,
    /// When it was given, in monotonic milliseconds.
    pub last_response_ms: u64,
    /// How long it took, in milliseconds.
    pub last_latency_ms: u64,
    /// The shortest, in milliseconds.
    pub min_latency_ms: u64,
    /// The longest, in milliseconds.
    pub max_latency_ms: u64,
    /// The sum of all, in milliseconds.
    pub total_latency_ms: u64,
    /// How many answers the sum is made of.
    pub answers: u64,
}

impl ConnStats {
    fn new(established_ms: i64) -> Self {
        Self {
            established_ms,
            received: 0,
            sent: 0,
            last_op: "NA",
            last_cxid: -1,
            last_zxid: Zxid::NONE,
            last_response_ms: 0,
            last_latency_ms: 0,
            min_latency_ms: u64::MAX,
            max_latency_ms: 0,
            total_latency_ms: 0,
            answers: 0,
        }
    }

    /// As after `crst`.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.established_ms);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) phase: Phase,
    pub(crate) session: SessionId,
    pub(crate) clock_key: ClockKey,
    pub(crate) timeout_ms: u32,
    pub(crate) peer: SocketAddr,
    /// The byte of the connect request that its response mirrors.
    pub(crate) read_only: Option<bool>,
    /// Whether it stands in the driver's list of connections with something to do.
    pub(crate) dirty: bool,
    /// Whether it stands in the front's list of those that `pipeline_max` keeps waiting.
    pub(crate) stalled: bool,
    pub(crate) ids: Arc<[Id<'static>]>,
    /// Bytes to send.
    pub(crate) out: Vec<u8>,
    pub(crate) line: VecDeque<Waiting>,
    /// What the replies to the reads in the line will come to, as far as one can tell.
    pub(crate) expected_bytes: usize,
    /// Registrations in the watch table.
    pub(crate) watches: u32,
    pub(crate) stats: Box<ConnStats>,
}

impl Conn {
    pub(crate) fn new(id: ConnId, peer: SocketAddr, ids: Arc<[Id<'static>]>, wall_ms: i64) -> Self {
        Self {
            id,
            phase: Phase::New,
            session: SessionId::NONE,
            clock_key: ClockKey::default(),
            timeout_ms: 0,
            peer,
            read_only: None,
            dirty: false,
            stalled: false,
            ids,
            out: Vec::new(),
            line: VecDeque::new(),
            expected_bytes: 0,
            watches: 0,
            stats: Box::new(ConnStats::new(wall_ms)),
        }
    }

    pub(crate) fn watcher(&self) -> Watcher {
        self.id.key
    }
}

impl ConnStats {
    pub(crate) fn answered(&mut self, op: &'static str, xid: Xid, zxid: Zxid, latency_ms: u64, now_ms: u64) {
        self.sent += 1;
        self.last_op = op;
        self.last_cxid = i64::from(xid.0);
        self.last_zxid = zxid;
        self.last_response_ms = now_ms;
        self.last_latency_ms = latency_ms;
        self.min_latency_ms = self.min_latency_ms.min(latency_ms);
        self.max_latency_ms = self.max_latency_ms.max(latency_ms);
        self.total_latency_ms += latency_ms;
        self.answers += 1;
    }
}

impl Waiting {
    /// The bytes of the request, if it still takes memory.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Write { size_bytes, .. } => usize::try_from(*size_bytes).expect("u32 fits"),
            Self::Refused { .. } => 0,
            Self::Sync { frame, .. } | Self::Frame { frame, .. } => frame.len(),
        }
    }

    /// The bytes its reply will have, as far as one can tell; 0 for writes.
    pub(crate) fn expected_bytes(&self) -> usize {
        match self {
            Self::Write { .. } | Self::Refused { .. } | Self::Sync { .. } => 0,
            Self::Frame { expected_bytes, .. } => usize::try_from(*expected_bytes).expect("u32 fits"),
        }
    }

    /// Whether it counts against `globalOutstandingLimit`, which leaves out pings and the like.
    pub(crate) fn counts(&self) -> bool {
        match self {
            Self::Write { xid, .. } | Self::Refused { xid, .. } => xid.0 > 0,
            Self::Sync { frame, .. } | Self::Frame { frame, .. } => {
                frame.first().is_some_and(|byte| *byte < 0x80)
            }
        }
    }
}
