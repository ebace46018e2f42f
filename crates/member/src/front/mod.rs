//! The half of a member that serves: connections, the order of their requests, their watches.
//!
//! A connection's replies keep the order of its requests. A write goes to the core at once; whatever comes behind
//! it on the same connection waits in the connection's line until the write is delivered. All other connections go
//! on. Source: `CommitProcessor`, `FinalRequestProcessor`; client-protocol.md §8.

mod conn;
mod connect;
mod deliver;
mod listings;
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
use proto::wire::length_of;
use proto::{Code, Id, OpCode, SessionId, Xid, Zxid};
use slab::Slab;
use tree::auth::{self, AuthOptions};

use crate::Now;
use crate::core::Core;
use crate::metrics::{Registry, ServerStats};
use crate::throttle::{ConnectionThrottle, ThrottleOptions};
use conn::{Conn, Phase, Waiting};
pub use conn::{ConnId, ConnStats};
use listings::Listings;
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
    /// `request_throttle_max_requests`: while so many requests wait for a reply nobody is read from; 0 is off.
    pub pipeline_max: usize,
    /// `request_stale_latency_check`: a request that waited longer than its session's timeout is dropped, and its
    /// connection closed.
    pub drop_late: bool,
    /// `largeRequestThreshold`: from this many bytes on a request is large; `None` is off.
    pub large_bytes_min: Option<usize>,
    /// `largeRequestMaxBytes`: what all large requests in flight may come to.
    pub large_bytes_max: usize,
    /// `throttled_op_wait_time` in milliseconds; 0 is off.
    pub throttled_op_wait_ms: u64,
    /// `connection_throttle_*`.
    pub throttle: ThrottleOptions,
}

impl FrontOptions {
    /// What Apache's server has if nothing is configured but tickTime.
    #[must_use]
    pub fn with_defaults(tick_ms: i32) -> Self {
        Self {
            session_timeout_min_ms: 2 * tick_ms,
            session_timeout_max_ms: 20 * tick_ms,
            outstanding_max: 1000,
            per_address_max: 60,
            connections_max: 0,
            sessionless_ms: 10_000,
            required_schemes: Vec::new(),
            pipeline_max: 0,
            drop_late: false,
            large_bytes_min: None,
            large_bytes_max: 0,
            throttled_op_wait_ms: 0,
            throttle: ThrottleOptions::default(),
        }
    }
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
    /// Whether clients are served: not while there is no leader.
    serving: bool,
    next_key: Watcher,
    addresses: HashMap<IpAddr, Address>,
    by_session: HashMap<SessionId, ConnId>,
    /// Connections that watch, by their key.
    watchers: HashMap<Watcher, u32>,
    table: WatchTable,
    /// Connections without a session and when their time is up, oldest first.
    sessionless: VecDeque<(u64, ConnId)>,
    dirty: Vec<ConnId>,
    /// Syncs of a leader's own clients, and the proposal and the question each waits for.
    syncs: VecDeque<(Zxid, u64, ConnId)>,
    /// Requests that wait for their reply, pings and the like left out.
    outstanding: usize,
    /// Bytes of the large ones among them.
    large_bytes: usize,
    /// Connections that are not read from because of `pipeline_max`.
    stalled: Vec<ConnId>,
    listings: Listings,
    /// How many requests but pings were answered without the core.
    reads: u64,
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
            serving: true,
            next_key: 1,
            addresses: HashMap::new(),
            by_session: HashMap::new(),
            watchers: HashMap::new(),
            table: WatchTable::default(),
            sessionless: VecDeque::new(),
            dirty: Vec::new(),
            syncs: VecDeque::new(),
            outstanding: 0,
            large_bytes: 0,
            stalled: Vec::new(),
            listings: Listings::default(),
            reads: 0,
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
        conn.line.iter().for_each(|waiting| self.settle(waiting));
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
    pub(crate) fn wants_input(&mut self, id: ConnId) -> bool {
        let FrontOptions { outstanding_max, pipeline_max, .. } = self.options;
        let outstanding = self.outstanding;
        let Some(conn) = self.conn_mut(id) else { return false };
        match conn.phase {
            Phase::New => true,
            Phase::Opening | Phase::Closing => false,
            // Reads behind a write are all answered when it is delivered, before anything else is applied.
            Phase::Open if conn.out.len() + conn.expected_bytes >= OUT_BYTES_MAX => false,
            Phase::Open if pipeline_max > 0 && outstanding >= pipeline_max => {
                if !core::mem::replace(&mut conn.stalled, true) {
                    self.stalled.push(id);
                }
                false
            }
            // Pings are not outstanding, and yet no connection may have more than that many in its line.
            Phase::Open => outstanding.max(conn.line.len()) <= outstanding_max || conn.line.is_empty(),
        }
    }

    /// A request stands in a line from now on.
    fn enqueue(&mut self, slot: u32, waiting: Waiting) {
        self.outstanding += usize::from(waiting.counts());
        self.large_bytes += self.large(waiting.size_bytes());
        let conn = &mut self.conns[index(slot)];
        conn.expected_bytes += waiting.expected_bytes();
        conn.line.push_back(waiting);
    }

    /// A request stands in no line any more.
    fn settle(&mut self, waiting: &Waiting) {
        self.outstanding -= usize::from(waiting.counts());
        self.large_bytes -= self.large(waiting.size_bytes());
        while let Some(id) = self.stalled.pop() {
            if let Some(conn) = self.conn_mut(id) {
                conn.stalled = false;
                self.mark_dirty(id.slot);
            }
        }
    }

    /// What a request of this size counts against `largeRequestMaxBytes`.
    fn large(&self, size_bytes: usize) -> usize {
        if self.options.large_bytes_min.is_some_and(|min| size_bytes > min) { size_bytes } else { 0 }
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

    /// A connection asks a four-letter word: it will get its answer and nothing else, and shows itself so.
    pub(crate) fn on_word(&mut self, id: ConnId) {
        if let Some(conn) = self.conn_mut(id) {
            conn.stats.received += 1;
            self.stats.packets_received += 1;
            self.close(id.slot);
        }
    }

    /// The answer to a four-letter word, after [`Self::on_word`].
    pub(crate) fn answer_word(&mut self, id: ConnId, text: &[u8]) {
        if let Some(conn) = self.conn_mut(id) {
            conn.out.extend_from_slice(text);
            self.stats.packets_sent += 1;
            self.mark_dirty(id.slot);
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
        let line = core::mem::take(&mut conn.line);
        conn.expected_bytes = 0;
        line.iter().for_each(|waiting| self.settle(waiting));
        self.mark_dirty(slot);
    }

    /// Begins or ends to serve. At the end every client is sent away; its session goes on elsewhere.
    ///
    /// Source: `NIOServerCnxnFactory#closeAll`.
    pub(crate) fn serve(&mut self, serving: bool) {
        self.serving = serving;
        if !serving {
            self.table = WatchTable::default();
            self.listings.clear();
            self.watchers.clear();
            self.syncs.clear();
            self.conns.iter_mut().for_each(|(_, conn)| conn.watches = 0);
            let slots: Vec<u32> = self.conns.iter().map(|(_, conn)| conn.id.slot).collect();
            slots.into_iter().for_each(|slot| self.close(slot));
        }
    }

    /// How many requests were answered from the tree, so far; pings are none.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Whether clients are served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving
    }

    /// The connection that waits for the transaction `cxid` of `session`, if it is one of this front's.
    pub(crate) fn waiter(&self, session: SessionId, cxid: i32) -> Option<ConnId> {
        let id = *self.by_session.get(&session)?;
        match self.conn(id)?.line.front()? {
            Waiting::Write { xid, .. } if xid.0 == cxid => Some(id),
            Waiting::Write { .. }
            | Waiting::Refused { .. }
            | Waiting::Sync { .. }
            | Waiting::Frame { .. } => None,
        }
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
            if self.conn(id).is_some_and(|conn| matches!(conn.phase, Phase::New | Phase::Opening)) {
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
        let (mut out, start) = self.open_reply(slot);
        body(&mut out);
        self.seal_reply(slot, out, start, answer, metrics, now);
    }

    /// Takes a connection's output to append a reply to it, with room for the length and header.
    fn open_reply(&mut self, slot: u32) -> (Vec<u8>, usize) {
        let mut out = core::mem::take(&mut self.conns[index(slot)].out);
        if out.capacity() == 0 {
            out = self.spare.pop().unwrap_or_default();
        }
        let start = out.len();
        out.extend_from_slice(&[0; REPLY_HEAD_LEN]);
        (out, start)
    }

    /// Writes the head of the reply that begins at `start`, gives the output back, and counts.
    fn seal_reply(
        &mut self,
        slot: u32,
        mut out: Vec<u8>,
        start: usize,
        answer: Answer,
        metrics: &mut Registry,
        now: Now,
    ) {
        let Answer { xid, op, zxid, code, received_ms } = answer;
        let size_bytes = out.len() - start;
        put_head(&mut out[start..], xid, zxid, code);
        let latency_ms = now.mono_ms.saturating_sub(received_ms);
        let latency = i64::try_from(latency_ms).unwrap_or(i64::MAX);
        let summary = if op.is_write() { &mut metrics.updatelatency } else { &mut metrics.readlatency };
        summary.add(latency);
        metrics.response_bytes.add(u64::try_from(size_bytes).unwrap_or(0));
        self.stats.client_response.record(size_bytes);
        self.stats.latency.add(latency);
        self.stats.packets_sent += 1;
        let conn = &mut self.conns[index(slot)];
        conn.out = out;
        conn.stats.answered(op.label(), xid, zxid, latency_ms, now.mono_ms);
        self.mark_dirty(slot);
    }
}

/// Length and [`ReplyHeader`](proto::ReplyHeader).
const REPLY_HEAD_LEN: usize = 20;

/// Fills in the head of `reply`, which is a whole frame.
fn put_head(reply: &mut [u8], xid: Xid, zxid: Zxid, code: Code) {
    let length = length_of(reply.len() - 4);
    reply[..4].copy_from_slice(&length.to_be_bytes());
    reply[4..8].copy_from_slice(&xid.0.to_be_bytes());
    reply[8..16].copy_from_slice(&zxid.0.to_be_bytes());
    reply[16..20].copy_from_slice(&code.number().to_be_bytes());
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
