//! The half of a member that decides: it prepares, numbers and applies transactions, and owns the session clock.

mod batch;
mod cleaner;
mod clock;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proto::wire::put_bytes;
use proto::{Code, Encode, Entry, Id, OpCode, SessionId, Txn, TxnKind, Zxid};
use tree::prepare::{self, Caller, Pending, Prepared};
use tree::{Applied, DigestCheck, Observer, Outcome, Tree};
use zab::Broadcast;

use crate::Now;
use crate::metrics::Registry;
pub(crate) use batch::Origin;
pub use batch::Payloads;
use batch::{Flight, Spare};

use cleaner::Cleaner;
pub use cleaner::CleanerOptions;
pub use clock::{ClockKey, SessionClock};

/// What the core is told at birth.
#[derive(Debug)]
pub struct CoreOptions {
    /// How requests are checked.
    pub prepare: prepare::Options,
    /// tickTime in milliseconds: the grain of session expiry.
    pub tick_ms: u64,
    /// The top byte of the session ids it gives.
    pub session_sid: u8,
    /// Containers and TTL znodes.
    pub cleaner: CleanerOptions,
}

/// What may wait for the log in the batch being formed.
const FORMING_BYTES_MAX: usize = 256 << 20;

/// What became of a request for a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Submitted {
    /// It has its place in the history; the reply comes when it is delivered.
    Proposed,
    /// It cannot be decoded; nothing was logged.
    Refused(Code),
}

/// A committed transaction about to be applied.
pub(crate) struct Committed {
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) at: usize,
    pub(crate) origin: Origin,
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    tree: Tree,
    pending: Pending,
    leader: Broadcast,
    clock: SessionClock,
    cleaner: Cleaner,
    options: prepare::Options,
    next_session: SessionId,
    /// The batch being formed.
    forming: Payloads,
    forming_origins: Vec<Origin>,
    /// Batches handed out, oldest first.
    flights: VecDeque<Flight>,
    spare: Spare,
    /// What is counted.
    pub metrics: Registry,
}

impl Core {
    /// Starts behind the recovered `tree`. Every session in it gets a full timeout from `now` on.
    #[must_use]
    pub fn new(tree: Tree, options: CoreOptions, now: Now) -> Self {
        let mut clock = SessionClock::new(options.tick_ms);
        let mut next_session = SessionId::first(options.session_sid, now.wall_ms.unsigned_abs());
        for (&session, &timeout_ms) in tree.sessions() {
            clock.open(session, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms);
            // An id is never given twice, not even when the clock went back over a restart.
            if session.0 >> 56 == next_session.0 >> 56 && session >= next_session {
                next_session = SessionId(session.0 + 1);
            }
        }
        Self {
            leader: Broadcast::sole_voter(tree.last_zxid().max(Zxid::ZERO)),
            pending: Pending::new(),
            clock,
            cleaner: Cleaner::new(options.cleaner, now),
            options: options.prepare,
            next_session,
            forming: Payloads::default(),
            forming_origins: Vec::new(),
            flights: VecDeque::new(),
            spare: Spare::default(),
            metrics: Registry::default(),
            tree,
        }
    }

    /// The state as of the last applied transaction.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The state, for taking a snapshot of it; only [`Core`] applies transactions.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// The sessions and their time.
    #[must_use]
    pub fn clock(&self) -> &SessionClock {
        &self.clock
    }

    pub(crate) fn clock_mut(&mut self) -> &mut SessionClock {
        &mut self.clock
    }

    /// How requests are checked.
    #[must_use]
    pub fn options(&self) -> &prepare::Options {
        &self.options
    }

    /// Transactions proposed and not yet applied.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.forming.len()
            + self.flights.iter().map(|flight| flight.payloads.len() - flight.delivered).sum::<usize>()
    }

    /// Decides a client's write and puts it into the batch being formed.
    pub(crate) fn submit(
        &mut self,
        op: OpCode,
        body: &[u8],
        caller: &Caller<'_>,
        origin: Origin,
        now: Now,
    ) -> Submitted {
        let start = self.forming.open().len();
        // Behind a full disk, clients that come and go could pile up writes for ever.
        if start > FORMING_BYTES_MAX && matches!(origin, Origin::Client(_)) && op != OpCode::CloseSession {
            return Submitted::Refused(Code::ThrottledOp);
        }
        let zxid = self.leader.next();
        let out = self.forming.open();
        let prepared = prepare::prepare(
            &self.tree,
            &mut self.pending,
            &self.options,
            op,
            body,
            caller,
            zxid,
            now.wall_ms,
            out,
        );
        match prepared {
            Prepared::Refused(code) => {
                self.forming.open().truncate(start);
                Submitted::Refused(code)
            }
            Prepared::Logged { kind, error } => {
                self.leader.propose();
                self.metrics.proposal_count.inc();
                self.forming.seal(zxid, start);
                self.forming_origins.push(origin);
                if kind == TxnKind::CloseSession && error.is_none() {
                    self.clock.close(caller.session);
                }
                Submitted::Proposed
            }
        }
    }

    /// Proposes a new session; its id is known at once, and it is open when the transaction is delivered.
    pub(crate) fn open_session(&mut self, timeout_ms: i32, origin: Origin, now: Now) -> SessionId {
        let session = self.next_session;
        self.next_session = SessionId(session.0.wrapping_add(1));
        let mut body = Vec::with_capacity(4);
        timeout_ms.encode(&mut body);
        let caller = Caller { session, cxid: 0, ids: &[] };
        self.submit(OpCode::CreateSession, &body, &caller, origin, now);
        session
    }

    /// What is due by the clock: ends of sessions, removals of containers and TTL znodes.
    pub(crate) fn tick(&mut self, now: Now) {
        for session in self.clock.expired(now.mono_ms) {
            self.metrics.stale_sessions_expired.inc();
            self.end_session(session, now);
        }
        while let Some(path) = self.cleaner.due(&self.tree, now) {
            self.remove_container(&path, now);
        }
    }

    /// Proposes the end of a session on the server's own account.
    pub fn end_session(&mut self, session: SessionId, now: Now) {
        self.clock.close(session);
        let caller = Caller { session, cxid: 0, ids: &[] };
        self.submit(OpCode::CloseSession, &[], &caller, Origin::Server, now);
    }

    fn remove_container(&mut self, path: &str, now: Now) {
        let mut body = Vec::with_capacity(path.len() + 4);
        put_bytes(path.as_bytes(), &mut body);
        let ids: &[Id<'static>] = &[];
        let caller = Caller { session: SessionId::NONE, cxid: 0, ids };
        self.submit(OpCode::DeleteContainer, &body, &caller, Origin::Server, now);
    }

    /// When [`Self::tick`] has something to do again, in monotonic milliseconds.
    pub(crate) fn deadline_ms(&self) -> u64 {
        self.clock.deadline_ms().unwrap_or(u64::MAX).min(self.cleaner.deadline_ms())
    }

    /// How many transactions the batch being formed holds.
    pub(crate) fn formed(&self) -> usize {
        self.forming.len()
    }

    /// Takes the batch formed so far, to be written to the log and confirmed by [`Self::on_persisted`].
    pub(crate) fn take_batch(&mut self) -> Option<Arc<Payloads>> {
        if self.forming.is_empty() {
            return None;
        }
        let payloads = Arc::new(core::mem::replace(&mut self.forming, self.spare.payloads()));
        let origins = core::mem::replace(&mut self.forming_origins, self.spare.origins());
        self.flights.push_back(Flight { payloads: Arc::clone(&payloads), origins, delivered: 0 });
        Some(payloads)
    }

    /// Everything up to `zxid` is durable.
    pub(crate) fn on_persisted(&mut self, zxid: Zxid) {
        self.leader.on_persisted(zxid).expect("the log confirms what it was given");
    }

    /// The next transaction that is committed and not yet applied.
    pub(crate) fn next_committed(&mut self) -> Option<Committed> {
        while self.flights.front().is_some_and(|flight| flight.delivered == flight.payloads.len()) {
            let flight = self.flights.pop_front().expect("there is a first one");
            self.spare.give_back(flight);
        }
        let committed = self.leader.committed();
        let flight = self.flights.front_mut()?;
        let at = flight.delivered;
        if flight.payloads.entry(at).0 > committed {
            return None;
        }
        flight.delivered += 1;
        Some(Committed { payloads: Arc::clone(&flight.payloads), at, origin: flight.origins[at] })
    }

    /// Applies a committed transaction: the one place where the tree changes while serving.
    pub(crate) fn apply(&mut self, entry: &Entry<'_>, observer: &mut dyn Observer, now: Now) -> Applied {
        let applied =
            self.tree.apply(entry, observer).expect("a transaction prepared here can be applied (R13)");
        self.pending.forget(entry.header.zxid);
        self.metrics.commit_count.inc();
        if !matches!(applied.outcome, Outcome::Failed(_)) {
            self.count_write(&entry.txn);
        }
        if matches!(applied.digest, DigestCheck::Mismatch { .. }) {
            self.metrics.digest_mismatches_count.inc();
        }
        let session = entry.header.session;
        match TxnKind::from_number(entry.header.kind) {
            Some(TxnKind::CreateSession) => {
                let timeout_ms = self.tree.sessions().get(&session).copied().unwrap_or(0);
                self.clock.open(session, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms);
            }
            Some(TxnKind::CloseSession) => self.clock.remove(session),
            _ => {}
        }
        applied
    }

    /// Source: `DataTree#updateWriteStat`.
    fn count_write(&mut self, txn: &Txn<'_>) {
        let (path, data) = match txn {
            Txn::Create(txn) | Txn::Create2(txn) => (&txn.path, txn.data),
            Txn::CreateContainer(txn) => (&txn.path, txn.data),
            Txn::CreateTtl(txn) => (&txn.path, txn.data),
            Txn::Delete(txn) | Txn::DeleteContainer(txn) => (&txn.path, None),
            Txn::SetData(txn) | Txn::Reconfig(txn) => (&txn.path, txn.data),
            Txn::Multi(subs) => {
                for txn in subs.iter().filter_map(|sub| Txn::decode_sub(sub).ok()) {
                    self.count_write(&txn);
                }
                return;
            }
            Txn::CreateSession(_) | Txn::CloseSession(_) | Txn::Error(_) | Txn::SetAcl(_) | Txn::Check(_) => {
                return;
            }
        };
        let path = path.as_deref().unwrap_or_default();
        if let Some(namespace) = top_namespace(path) {
            let bytes = path.len() + data.map_or(0, <[u8]>::len);
            self.metrics.write_per_namespace.at(namespace).add(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

/// The first part of a path. Source: `PathUtils#getTopNamespace`.
pub(crate) fn top_namespace(path: &str) -> Option<&str> {
    path.get(1..)?.split('/').next().filter(|name| !name.is_empty())
}
