//! The half of a member that decides: it prepares, numbers and applies transactions, and owns the session clock.

mod batch;
mod cleaner;
mod clock;
mod duty;
mod history;

use alloc::sync::Arc;
use alloc::vec::Vec;

use mutants::mutant;
use proto::quorum::LearnerPacket;
use proto::wire::put_bytes;
use proto::{Code, Encode, Entry, Id, OpCode, SessionId, Txn, TxnKind, Zxid};
use tree::prepare::{self, Caller, Pending, Prepared};
use tree::{Applied, DigestCheck, Observer, Outcome, Tree};
use zab::{Held, Sole};

use crate::Now;
use crate::front::ConnId;
use crate::metrics::Registry;
pub(crate) use batch::Origin;
pub use batch::Payloads;
use duty::{Duty, Follow};
pub(crate) use history::Committed;
use history::History;

use cleaner::Cleaner;
pub use cleaner::CleanerOptions;
pub(crate) use clock::SessionOwner;
pub use clock::{ClockKey, SessionClock};

/// What the core is told at birth.
#[derive(Debug)]
pub struct CoreOptions {
    /// How requests are checked.
    pub prepare: prepare::Options,
    /// tickTime in milliseconds: the grain of session expiry.
    pub tick_ms: u64,
    /// The first of the session ids it gives, which no other process gave or gives; see [`first_session`].
    pub first_session: SessionId,
    /// Containers and TTL znodes.
    pub cleaner: CleanerOptions,
}

impl CoreOptions {
    /// What Apache's server has if nothing is configured but tickTime.
    #[must_use]
    pub fn with_defaults(tick_ms: u64, first_session: SessionId) -> Self {
        let (prepare, cleaner) = (prepare::Options::default(), CleanerOptions::default());
        Self { prepare, tick_ms, first_session, cleaner }
    }
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

/// What a sync waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SyncWait {
    /// The leader's SYNC.
    Leader,
    /// The commit of this proposal, and a quorum's answer to this question.
    Commit(Zxid, u64),
}

/// What becomes of a wish to go on with a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resumed {
    /// It is open.
    Open,
    /// There is no such session.
    Unknown,
    /// The leader is asked.
    Asked,
}

/// Where session ids that member `sid` gives may begin, as far as clock and tree know. Of sessions that have ended, and of
/// what another process gave while the clock showed a later time, they know nothing.
#[must_use]
pub fn first_session(tree: &Tree, sid: u8, now: Now) -> SessionId {
    let since_ms = if mutant!(IdsRepeat) { now.mono_ms } else { now.wall_ms.unsigned_abs() };
    let by_clock = SessionId::first(sid, since_ms);
    let own = tree.sessions().keys().copied().filter(|id| id.0 >> 56 == by_clock.0 >> 56);
    own.map(|SessionId(id)| SessionId(id + 1)).fold(by_clock, SessionId::max)
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    tree: Tree,
    pending: Pending,
    duty: Duty,
    /// Up to where transactions may be delivered.
    committed: Zxid,
    clock: SessionClock,
    tick_ms: u64,
    cleaner: Cleaner,
    cleaner_options: CleanerOptions,
    options: prepare::Options,
    next_session: SessionId,
    /// The number of the next question to a quorum, and whether somebody wants it put.
    question: u64,
    wants_answer: bool,
    history: History,
    /// What is counted.
    pub metrics: Registry,
}

impl Core {
    /// Starts behind the recovered `tree`, as the only voter. Every session in it gets a full timeout from `now` on.
    #[must_use]
    pub fn new(tree: Tree, options: CoreOptions, now: Now) -> Self {
        let last = tree.last_zxid().max(Zxid::ZERO);
        let mut core = Self {
            duty: Duty::Sole(Sole::behind(last)),
            committed: last,
            pending: Pending::new(),
            clock: SessionClock::new(options.tick_ms),
            tick_ms: options.tick_ms,
            cleaner: Cleaner::new(options.cleaner, now),
            cleaner_options: options.cleaner,
            options: options.prepare,
            next_session: options.first_session,
            question: 1,
            wants_answer: false,
            history: History::new(0, tree.last_zxid()),
            metrics: Registry::default(),
            tree,
        };
        core.take_over_sessions(now);
        core
    }

    /// The same in an ensemble: it decides nothing before it is told to.
    ///
    /// * `keep`: delivered transactions that are kept for learners.
    pub(crate) fn join(&mut self, keep: usize) {
        self.duty = Duty::Idle;
        self.history = History::new(keep, self.tree.last_zxid());
        self.options.unknown_session = Code::SessionExpired;
    }

    /// Every session of the tree has its full time from now on, and no owner.
    fn take_over_sessions(&mut self, now: Now) {
        for (&session, &timeout_ms) in self.tree.sessions() {
            self.clock.open(session, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms);
            // An id is never given twice.
            if session.0 >> 56 == self.next_session.0 >> 56 && session >= self.next_session {
                self.next_session = SessionId(session.0 + 1);
            }
        }
    }

    /// A quorum has the history up to `mark`, the zxid that opens the epoch: from here on this core decides.
    ///
    /// * `counter_max`: the counter of the last proposal it may make.
    pub(crate) fn lead(&mut self, mark: Zxid, counter_max: u32, now: Now) {
        self.duty = Duty::Lead { proposed: mark, counter_max };
        self.committed = self.committed.max(mark);
        self.tree.open_epoch(mark);
        self.pending = Pending::new();
        self.clock = SessionClock::new(self.tick_ms);
        self.cleaner = Cleaner::new(self.cleaner_options, now);
        if !mutant!(SessionsForgotten) {
            self.take_over_sessions(now);
        }
    }

    /// Another member decides.
    pub(crate) fn follow(&mut self, now: Now) {
        self.duty = Duty::Follow(Follow::default());
        self.clock = SessionClock::of_learner(self.tick_ms);
        self.take_over_sessions(now);
    }

    /// The role is over. What was proposed here still goes to the log, and is history.
    pub(crate) fn retire(&mut self) {
        if !mutant!(OldRoleGoesOn) {
            self.duty = Duty::Idle;
            self.clock = SessionClock::new(self.tick_ms);
        }
        self.wants_answer = false;
        self.pending = Pending::new();
        self.history.forget_origins();
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

    /// Whether there are transactions that are not delivered.
    pub(crate) fn has_undelivered(&self) -> bool {
        self.history.has_undelivered()
    }

    /// Transactions proposed and not yet applied.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.history.in_flight()
    }

    /// Whether this core decides.
    fn decides(&self) -> bool {
        matches!(self.duty, Duty::Sole(_) | Duty::Lead { .. })
    }

    /// The zxid of the next proposal, if this core may make one.
    fn next_zxid(&self) -> Option<Zxid> {
        match &self.duty {
            Duty::Sole(sole) => Some(sole.next()),
            Duty::Lead { proposed, counter_max } => {
                proposed.next().filter(|next| next.counter() <= *counter_max)
            }
            Duty::Follow(_) | Duty::Idle => None,
        }
    }

    /// Decides a write and puts it into the batch being formed, or hands it on to the leader.
    pub(crate) fn submit(
        &mut self,
        op: OpCode,
        body: &[u8],
        caller: &Caller<'_>,
        origin: Origin,
        now: Now,
    ) -> Submitted {
        if let Duty::Follow(follow) = &mut self.duty {
            // Java's leader makes a transaction of it that no follower can read, or one that is never committed.
            if let Err(code) = prepare::check_form(op, body) {
                return Submitted::Refused(code);
            }
            let ids = (op != OpCode::CreateSession).then_some(caller.ids);
            follow.request(caller.session, caller.cxid, op, body, ids);
            if op == OpCode::CloseSession {
                self.clock.close(caller.session);
            }
            return Submitted::Proposed;
        }
        let start = self.history.forming.open().len();
        // Behind a full disk, clients that come and go could pile up writes for ever.
        let is_clients = matches!(origin, Origin::Client(_) | Origin::Link(_));
        if start > FORMING_BYTES_MAX && is_clients && op != OpCode::CloseSession {
            return Submitted::Refused(Code::ThrottledOp);
        }
        let Some(zxid) = self.next_zxid() else {
            // A leader whose counter is spent has resigned: whoever asked is not answered, and its connection ends with
            // the role (P19).
            let resigns = matches!(self.duty, Duty::Lead { .. });
            return if resigns { Submitted::Proposed } else { Submitted::Refused(Code::ThrottledOp) };
        };
        if !self.may_write(op, caller.session, origin) {
            self.propose_error(Code::SessionMoved, caller, origin, now);
            return Submitted::Proposed;
        }
        let out = self.history.forming.open();
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
                self.history.forming.open().truncate(start);
                Submitted::Refused(code)
            }
            Prepared::Logged { kind, error } => {
                self.proposed(zxid, start, origin);
                if kind == TxnKind::CloseSession && error.is_none() {
                    self.clock.close(caller.session);
                }
                Submitted::Proposed
            }
        }
    }

    /// Whether the session is served where the request came from.
    fn may_write(&mut self, op: OpCode, session: SessionId, origin: Origin) -> bool {
        if matches!(self.duty, Duty::Sole(_)) || matches!(op, OpCode::CreateSession | OpCode::CloseSession) {
            return true;
        }
        match origin {
            Origin::Client(_) => self.clock.claims(session, SessionOwner::Here),
            Origin::Link(link) => self.clock.claims(session, SessionOwner::Link(link)),
            Origin::Connect(_) | Origin::Server => true,
        }
    }

    /// What was appended to the batch behind `start` is the proposal `zxid`.
    fn proposed(&mut self, zxid: Zxid, start: usize, origin: Origin) {
        match &mut self.duty {
            Duty::Sole(sole) => {
                sole.propose();
            }
            Duty::Lead { proposed, .. } => *proposed = zxid,
            Duty::Follow(_) | Duty::Idle => unreachable!("only who decides proposes"),
        }
        self.metrics.proposal_count.inc();
        self.history.forming.seal(zxid, start);
        self.history.forming_origins.push(origin);
    }

    /// Decides that a request fails. Its learner hears of it by the transaction, so it takes a zxid.
    pub(crate) fn propose_error(&mut self, code: Code, caller: &Caller<'_>, origin: Origin, now: Now) {
        let Some(zxid) = self.next_zxid() else { return };
        let out = self.history.forming.open();
        let start = out.len();
        prepare::refuse(caller, code, zxid, now.wall_ms, out);
        self.proposed(zxid, start, origin);
    }

    /// Proposes a new session; its id is known at once, and it is open when the transaction is delivered.
    pub(crate) fn open_session(&mut self, timeout_ms: i32, conn: ConnId, now: Now) -> SessionId {
        let session = self.next_session;
        self.next_session = SessionId(session.0.wrapping_add(1));
        if let Duty::Follow(follow) = &mut self.duty {
            follow.opening.insert(session, conn);
        }
        let mut body = Vec::with_capacity(4);
        timeout_ms.encode(&mut body);
        let caller = Caller { session, cxid: 0, ids: &[] };
        self.submit(OpCode::CreateSession, &body, &caller, Origin::Connect(conn), now);
        session
    }

    /// A client whose password is right wants to go on with its session.
    pub(crate) fn resume(&mut self, session: SessionId, timeout_ms: u32, conn: ConnId, now: Now) -> Resumed {
        if let Duty::Follow(follow) = &mut self.duty {
            let timeout_ms = i32::try_from(timeout_ms).unwrap_or(i32::MAX);
            LearnerPacket::Revalidate { session, timeout_ms }.encode(&mut follow.out);
            follow.revalidating.insert(session, conn);
            return Resumed::Asked;
        }
        if !self.revalidate(session, timeout_ms, SessionOwner::Here, now) {
            return Resumed::Unknown;
        }
        Resumed::Open
    }

    /// A session moves to `owner`, if there is such a session. Source: `Leader`, `LearnerHandler#run`, REVALIDATE.
    pub(crate) fn revalidate(
        &mut self,
        session: SessionId,
        timeout_ms: u32,
        owner: SessionOwner,
        now: Now,
    ) -> bool {
        if self.clock.find(session).is_none() {
            return false;
        }
        self.clock.open(session, timeout_ms, now.mono_ms);
        self.clock.set_owner(session, owner);
        true
    }

    /// The leader's answer about a session: the connection that waits for it, which may have gone.
    pub(crate) fn on_revalidated(&mut self, session: SessionId) -> Option<ConnId> {
        match &mut self.duty {
            Duty::Follow(follow) => follow.revalidating.remove(&session),
            Duty::Sole(_) | Duty::Lead { .. } | Duty::Idle => None,
        }
    }

    /// A session is open here, whatever this learner's tree says yet.
    pub(crate) fn open_clock(&mut self, session: SessionId, timeout_ms: u32, now: Now) {
        self.clock.open(session, timeout_ms, now.mono_ms);
    }

    /// A client wants to see everything that was committed before. `None`: that is what it sees already. Otherwise it
    /// waits: a leader for the proposal returned and for a quorum's word that nobody else leads, a learner for the next
    /// SYNC that is its own.
    pub(crate) fn sync(&mut self, caller: &Caller<'_>, body: &[u8], conn: ConnId) -> Option<SyncWait> {
        match &mut self.duty {
            Duty::Sole(_) | Duty::Idle => None,
            Duty::Lead { proposed, .. } => {
                let proposed = *proposed;
                Some(SyncWait::Commit(proposed, self.want_answer()))
            }
            Duty::Follow(follow) => {
                follow.request(caller.session, caller.cxid, OpCode::Sync, body, Some(caller.ids));
                follow.syncs.push_back(conn);
                Some(SyncWait::Leader)
            }
        }
    }

    /// Somebody waits for a quorum's word that this member leads it now: the number of the question. It is put before
    /// anything that is proposed from now on goes out.
    pub(crate) fn want_answer(&mut self) -> u64 {
        self.wants_answer = true;
        self.question
    }

    /// The question to put, if one is wanted.
    pub(crate) fn take_question(&mut self) -> Option<u64> {
        let question = core::mem::take(&mut self.wants_answer).then_some(self.question)?;
        self.question += 1;
        Some(question)
    }

    /// SYNC came: whose it is.
    pub(crate) fn on_sync(&mut self) -> Option<ConnId> {
        match &mut self.duty {
            Duty::Follow(follow) => follow.syncs.pop_front(),
            Duty::Sole(_) | Duty::Lead { .. } | Duty::Idle => None,
        }
    }

    /// A learner's packets for its leader.
    pub(crate) fn take_packets(&mut self, out: &mut Vec<u8>) -> bool {
        match &mut self.duty {
            Duty::Follow(follow) if !follow.out.is_empty() => {
                out.append(&mut follow.out);
                true
            }
            Duty::Sole(_) | Duty::Lead { .. } | Duty::Follow(_) | Duty::Idle => false,
        }
    }

    /// What is due by the clock: ends of sessions, removals of containers and TTL znodes.
    pub(crate) fn tick(&mut self, now: Now) {
        if !self.decides() {
            return;
        }
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
        if !self.decides() {
            return u64::MAX;
        }
        self.clock.deadline_ms().unwrap_or(u64::MAX).min(self.cleaner.deadline_ms())
    }

    /// How many transactions the batch being formed holds.
    pub(crate) fn formed(&self) -> usize {
        if self.history.is_held_back { 0 } else { self.history.forming.len() }
    }

    /// Takes the batch formed so far, to be written to the log and confirmed by [`Self::on_persisted`].
    pub(crate) fn take_batch(&mut self) -> Option<Arc<Payloads>> {
        self.history.take_batch()
    }

    /// Everything up to `zxid` is durable: all that a sole voter waits for.
    pub(crate) fn on_persisted(&mut self, zxid: Zxid) {
        if let Duty::Sole(sole) = &mut self.duty {
            sole.on_persisted(zxid);
            self.committed = sole.committed();
        }
    }

    /// Everything up to `upto` may be delivered.
    pub(crate) fn commit(&mut self, upto: Zxid) {
        self.committed = self.committed.max(upto);
    }

    /// Up to where transactions may be delivered.
    pub(crate) fn committed(&self) -> Zxid {
        self.committed
    }

    /// The next transaction that is committed and not yet applied.
    pub(crate) fn next_committed(&mut self) -> Option<Committed> {
        self.history.next_committed(self.committed)
    }

    /// Another member's proposal.
    pub(crate) fn append(&mut self, zxid: Zxid, payload: &[u8]) {
        self.history.push(zxid, payload, Origin::Server);
    }

    /// Every transaction in memory behind `after`, delivered or not.
    pub(crate) fn transactions(&self, after: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.history.behind(after)
    }

    /// Which delivered transactions are still in memory.
    pub(crate) fn held(&self) -> &Held {
        self.history.held()
    }

    /// Drops what is not delivered, because the ensemble decided otherwise.
    pub(crate) fn drop_undelivered(&mut self) {
        self.history.drop_undelivered();
    }

    /// Another tree takes the place of this one, and with it another history. What is appended from now on waits for
    /// [`Self::release`] before it goes to the log.
    pub(crate) fn replace_tree(&mut self, tree: Tree, hold_back: bool) {
        self.committed = tree.last_zxid();
        self.tree = tree;
        self.history.clear(self.committed);
        self.history.is_held_back = hold_back;
    }

    /// Whether a received tree waits to be saved.
    pub(crate) fn is_held_back(&self) -> bool {
        self.history.is_held_back
    }

    /// See [`Self::replace_tree`].
    pub(crate) fn release(&mut self) {
        self.history.release(self.tree.last_zxid());
    }

    /// The mistake of [`mutants::Mutant::HoleInRecent`].
    pub(crate) fn leave_hole(&mut self, after: Zxid) {
        self.history.leave_hole(after);
    }

    /// Who waits for a transaction that another member decided.
    pub(crate) fn opened(&mut self, session: SessionId) -> Option<Origin> {
        match &mut self.duty {
            Duty::Follow(follow) => Some(follow.opened(session)),
            Duty::Sole(_) | Duty::Lead { .. } | Duty::Idle => None,
        }
    }

    /// Whether writes are handed on to a leader.
    pub(crate) fn follows(&self) -> bool {
        matches!(self.duty, Duty::Follow(_))
    }

    /// Applies a committed transaction: the one place where the tree changes while serving.
    pub(crate) fn apply(
        &mut self,
        entry: &Entry<'_>,
        origin: Origin,
        observer: &mut dyn Observer,
        now: Now,
    ) -> Applied {
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
                let timeout_ms = u32::try_from(timeout_ms).unwrap_or(0);
                let key = self.clock.open(session, timeout_ms, now.mono_ms);
                match origin {
                    Origin::Link(link) => self.clock.set_owner(session, SessionOwner::Link(link)),
                    Origin::Connect(_) => self.clock.set_owner(session, SessionOwner::Here),
                    // Every learner tells a new session once.
                    Origin::Server | Origin::Client(_) => self.clock.hear(key),
                }
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
