//! The half of a member that serves: connections, the order of their requests, their watches.
//!
//! A connection's replies keep the order of its requests. A write goes to the core at once; whatever comes behind
//! it on the same connection waits in the connection's line until the write is delivered. All other connections go
//! on. Source: `CommitProcessor`, `FinalRequestProcessor`; client-protocol.md §8.

mod conn;
mod connect;
mod deliver;
mod read;
mod request;
mod status;
mod watch_request;
mod watch_table;
mod watches;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use proto::wire::put_frame;
use proto::{Code, Encode as _, Id, OpCode, ReplyHeader, SessionId, Xid, Zxid};
use slab::Slab;
use tree::auth::{self, AuthOptions};

use crate::Now;
use crate::core::Core;
use crate::metrics::{Registry, ServerStats};
use crate::throttle::{ConnectionThrottle, ThrottleOptions};
use conn::{Conn, Phase, Waiting};
pub use conn::{ConnId, ConnStats};
pub use status::{ConnView, WatchSummary};
use watch_table::{WatchTable, Watcher};

/// What a front is told at birth. The keys are those of `zoo.cfg`.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// `minSessionTimeout` in milliseconds.
    pub session_timeout_min_ms: i32,
    /// `maxSessionTimeout` in milliseconds.
    pub session_timeout_max_ms: i32,
    /// `globalOutstandingLimit`: above it, a connection that waits for a reply is not read from.
    pub outstanding_max: usize,
    /// `maxClientCnxns`: connections from one address; 0 is no limit.
    pub per_address_max: usize,
    /// `maxCnxns`: connections in all; 0 is no limit.
    pub connections_max: usize,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may be without a session, in milliseconds.
    pub sessionless_ms: u64,
    /// `enforce.auth.schemes`: one of these a connection must have proved; none if empty.
    pub required_schemes: Vec<String>,
    /// `throttled_op_wait_time` in milliseconds; 0 is off.
    pub throttled_op_wait_ms: u64,
    /// `connection_throttle_*`.
    pub throttle: ThrottleOptions,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// `maxClientCnxns` of its address are open.
    Address,
    /// `maxCnxns` are open.
    Total,
}

/// A connection stops being read from while this much waits to be sent to it.
const OUT_BYTES_MAX: usize = 1 << 20;

/// How many output buffers are kept for the next replies, and how large each may be.
const SPARES_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// Connections from one address share what is known of it.
#[derive(Debug)]
struct Address {
    ids: Arc<[Id<'static>]>,
    connections: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Front {
    options: FrontOptions,
    auth: AuthOptions,
    conns: Slab<Conn>,
    next_key: Watcher,
    addresses: HashMap<IpAddr, Address>,
    by_session: HashMap<SessionId, ConnId>,
    /// Connections that watch, by their key.
    watchers: HashMap<Watcher, u32>,
    table: WatchTable,
    /// Connections without a session and when their time is up, oldest first.
    sessionless: VecDeque<(u64, ConnId)>,
    dirty: Vec<ConnId>,
    /// Requests that wait for their reply, pings and the like left out.
    outstanding: usize,
    throttle: ConnectionThrottle,
    /// What is counted apart from the metrics.
    pub stats: ServerStats,
    selected: Vec<Watcher>,
    fired: Vec<Watcher>,
    event: Vec<u8>,
    /// Output buffers that no connection needs at the moment.
    spare: Vec<Vec<u8>>,
}

impl Front {
    /// A front without connections. `auth` is what the core checks with, too.
    #[must_use]
    pub fn new(options: FrontOptions, auth: AuthOptions, seed: u64) -> Self {
        let throttle = ConnectionThrottle::new(options.throttle, seed);
        Self {
            options,
            auth,
            conns: Slab::new(),
            next_key: 1,
            addresses: HashMap::new(),
            by_session: HashMap::new(),
            watchers: HashMap::new(),
            table: WatchTable::default(),
            sessionless: VecDeque::new(),
            dirty: Vec::new(),
            outstanding: 0,
            throttle,
            stats: ServerStats::default(),
            selected: Vec::new(),
            fired: Vec::new(),
            event: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Takes a new connection.
    ///
    /// # Errors
    /// [`Refused`]: close it without a byte.
    pub(crate) fn accept(&mut self, peer: SocketAddr, now: Now) -> Result<ConnId, Refused> {
        let total = self.options.connections_max;
        if total > 0 && self.conns.len() >= total {
            return Err(Refused::Total);
        }
        let ip = peer.ip().to_canonical();
        let address = self.addresses.entry(ip).or_insert_with(|| {
            let ids = [auth::ip_identity(&auth::address_text(ip))];
            Address { ids: Arc::new(ids), connections: 0 }
        });
        let per_address = self.options.per_address_max;
        if per_address > 0 && address.connections >= per_address {
            return Err(Refused::Address);
        }
        address.connections += 1;
        let ids = Arc::clone(&address.ids);
        let slot = self.conns.vacant_entry();
        let id = ConnId {
            slot: u32::try_from(slot.key()).expect("fewer than 2^32 connections"),
            key: self.next_key,
        };
        slot.insert(Conn::new(id, peer, ids, now.wall_ms));
        self.advance_key();
        self.sessionless.push_back((now.mono_ms + self.options.sessionless_ms, id));
        Ok(id)
    }

    /// Keys stay below the watch table's mark for "many". When they start over, no watch of an old one may be left.
    fn advance_key(&mut self) {
        self.next_key += 1;
        if self.next_key == 1 << 31 {
            self.next_key = 1;
        }
        if self.next_key & 0x3fff_ffff == 1 {
            let watchers = &self.watchers;
            self.table.sweep(&|watcher| watchers.contains_key(&watcher));
        }
        while self.watchers.contains_key(&self.next_key) {
            self.next_key += 1;
        }
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(index(id.slot)).filter(|conn| conn.id == id)
    }

    fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(index(id.slot)).filter(|conn| conn.id == id)
    }

    /// The connection's socket is gone; its session goes on.
    pub(crate) fn lost(&mut self, id: ConnId) {
        if self.conn(id).is_none() {
            return;
        }
        let conn = self.conns.remove(index(id.slot));
        self.outstanding -= conn.line.iter().filter(|waiting| waiting.counts()).count();
        if self.by_session.get(&conn.session) == Some(&id) {
            self.by_session.remove(&conn.session);
        }
        let ip = conn.peer.ip().to_canonical();
        if let Some(address) = self.addresses.get_mut(&ip) {
            address.connections -= 1;
            if address.connections == 0 {
                self.addresses.remove(&ip);
            }
        }
        if conn.watches > 0 {
            self.watchers.remove(&conn.watcher());
            let watchers = &self.watchers;
            self.table.forget(conn.watches, &|watcher| watchers.contains_key(&watcher));
        }
    }

    /// Whether the next frame of a connection may be handed in. If not, the connection is dirty again when it may.
    pub(crate) fn wants_input(&self, id: ConnId) -> bool {
        self.conn(id).is_some_and(|conn| match conn.phase {
            Phase::New => true,
            Phase::Opening | Phase::Closing => false,
            Phase::Open => {
                conn.out.len() < OUT_BYTES_MAX
                    && (self.outstanding <= self.options.outstanding_max || conn.line.is_empty())
            }
        })
    }

    /// The next connection that has something to send, to close, or to read again.
    pub(crate) fn next_dirty(&mut self) -> Option<ConnId> {
        while let Some(id) = self.dirty.pop() {
            if let Some(conn) = self.conn_mut(id) {
                conn.dirty = false;
                return Some(id);
            }
        }
        None
    }

    /// Sends the last words to a connection that is no session's: the answer to a four-letter word.
    pub(crate) fn close_with(&mut self, id: ConnId, text: &[u8]) {
        if let Some(conn) = self.conn_mut(id) {
            conn.out.extend_from_slice(text);
            conn.stats.received += 1;
            self.close(id.slot);
        }
    }

    /// All output of a connection is sent: an idle connection keeps no buffer.
    pub(crate) fn on_sent(&mut self, id: ConnId) {
        if let Some(conn) = self.conn_mut(id) {
            let mut buffer = core::mem::take(&mut conn.out);
            buffer.clear();
            if buffer.capacity() <= SPARE_BYTES_MAX && self.spare.len() < SPARES_MAX {
                self.spare.push(buffer);
            }
        }
    }

    /// What is to be sent; the driver removes what it has sent.
    pub(crate) fn output(&mut self, id: ConnId) -> Option<&mut Vec<u8>> {
        self.conn_mut(id).map(|conn| &mut conn.out)
    }

    /// Whether to close the socket once all output is sent.
    pub(crate) fn is_closing(&self, id: ConnId) -> bool {
        self.conn(id).is_none_or(|conn| conn.phase == Phase::Closing)
    }

    fn mark_dirty(&mut self, slot: u32) {
        let conn = &mut self.conns[index(slot)];
        if !conn.dirty {
            conn.dirty = true;
            self.dirty.push(conn.id);
        }
    }

    /// Nothing more is read; what is in the output still goes out.
    fn close(&mut self, slot: u32) {
        let conn = &mut self.conns[index(slot)];
        conn.phase = Phase::Closing;
        let waiting = conn.line.drain(..).filter(Waiting::counts).count();
        self.outstanding -= waiting;
        self.mark_dirty(slot);
    }

    /// Closes the connection that serves `session`, if one does.
    pub(crate) fn close_session(&mut self, session: SessionId) {
        if let Some(&id) = self.by_session.get(&session) {
            self.close(id.slot);
        }
    }

    /// Connections whose time without a session is up.
    pub(crate) fn tick(&mut self, metrics: &mut Registry, now: Now) {
        while let Some(&(_, id)) = self.sessionless.front().filter(|(due_ms, _)| *due_ms <= now.mono_ms) {
            self.sessionless.pop_front();
            if self.conn(id).is_some_and(|conn| conn.phase == Phase::New) {
                metrics.sessionless_connections_expired.inc();
                self.close(id.slot);
            }
        }
    }

    /// When [`Self::tick`] has something to do again, in monotonic milliseconds.
    pub(crate) fn deadline_ms(&self) -> u64 {
        self.sessionless.front().map_or(u64::MAX, |(due_ms, _)| *due_ms)
    }

    /// Appends one reply and counts it.
    fn respond(
        &mut self,
        slot: u32,
        answer: Answer,
        metrics: &mut Registry,
        now: Now,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let Answer { xid, op, zxid, code, received_ms } = answer;
        let conn = &mut self.conns[index(slot)];
        if conn.out.capacity() == 0 {
            conn.out = self.spare.pop().unwrap_or_default();
        }
        let before = conn.out.len();
        put_frame(&mut conn.out, |out| {
            ReplyHeader { xid, zxid, err: code.number() }.encode(out);
            body(out);
        });
        let size_bytes = conn.out.len() - before;
        let latency_ms = now.mono_ms.saturating_sub(received_ms);
        conn.stats.answered(op.label(), xid, zxid, latency_ms, now.mono_ms);
        let latency = i64::try_from(latency_ms).unwrap_or(i64::MAX);
        if op.is_write() {
            metrics.updatelatency.add(latency);
        } else {
            metrics.readlatency.add(latency);
        }
        metrics.response_bytes.add(u64::try_from(size_bytes).unwrap_or(0));
        self.stats.client_response.record(size_bytes);
        self.stats.latency.add(latency);
        self.stats.packets_sent += 1;
        self.mark_dirty(slot);
    }
}

/// The head of a reply, and what it answers.
#[derive(Clone, Copy, Debug)]
struct Answer {
    xid: Xid,
    op: OpCode,
    zxid: Zxid,
    code: Code,
    received_ms: u64,
}

/// A request being served: whose, and since when.
#[derive(Clone, Copy, Debug)]
struct Ask {
    slot: u32,
    xid: Xid,
    op: OpCode,
    received_ms: u64,
    now: Now,
}

impl Ask {
    fn answer(self, core: &Core, code: Code) -> Answer {
        let Self { xid, op, received_ms, .. } = self;
        Answer { xid, op, zxid: core.tree().last_zxid(), code, received_ms }
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("a slot fits a pointer")
}
