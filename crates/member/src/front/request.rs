//! What becomes of each frame: answered at once, sent to the core, or put in line.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;

use mutants::mutant;
use proto::{
    AuthPacket, Code, Encode as _, Id, OpCode, PathWatchRequest, Reader, RequestHeader, SaslReply,
    SaslRequest, Xid, Zxid,
};
use tree::Tree;
use tree::auth::{self, AuthRefused};
use tree::prepare::Caller;

use super::conn::{ConnId, Phase, Waiting};
use super::{Answer, Ask, Front, index};
use crate::Now;
use crate::core::{Core, Origin, Submitted, SyncWait};

/// Every permission check looks at each identity, so nobody may gather them without end.
const IDENTITIES_MAX: usize = 1000;

impl Front {
    /// A whole frame of a connection, without its length.
    pub(crate) fn receive(&mut self, core: &mut Core, id: ConnId, frame: &[u8], now: Now) {
        let Some(conn) = self.conn_mut(id) else { return };
        conn.stats.received += 1;
        let phase = conn.phase;
        self.stats.packets_received += 1;
        if self.large(frame.len()) + self.large_bytes > self.options.large_bytes_max {
            core.metrics.large_requests_rejected.inc();
            return self.close(id.slot);
        }
        match phase {
            Phase::New => self.on_connect(core, id.slot, frame, now),
            Phase::Open => self.on_request(core, id.slot, frame, now),
            // The driver was told that no input is wanted.
            Phase::Opening | Phase::Closing => {}
        }
    }

    fn on_request(&mut self, core: &mut Core, slot: u32, frame: &[u8], now: Now) {
        let mut reader = Reader::new(frame);
        let Ok(RequestHeader { xid, kind }) = reader.take() else { return self.close(slot) };
        let body = reader.rest();
        // The server's own opcodes are unknown to clients (docs/compat.md); `check` stands in a multi only.
        let op = OpCode::from_number(kind)
            .filter(|op| !matches!(op, OpCode::Check | OpCode::CreateSession | OpCode::DeleteContainer));
        if matches!(op, Some(OpCode::Auth | OpCode::Sasl)) {
            return self.on_proof(core, slot, xid, op == Some(OpCode::Auth), body, now);
        }
        if !self.has_required_scheme(slot) {
            let answer = Answer {
                xid,
                op: op.unwrap_or(OpCode::Ping),
                zxid: Zxid::ZERO,
                code: Code::SessionClosedRequireSaslAuth,
                received_ms: now.mono_ms,
            };
            self.respond(slot, answer, &mut core.metrics, now, |_| {});
            return self.close(slot);
        }
        let conn = &self.conns[index(slot)];
        if !core.clock_mut().touch(conn.clock_key, conn.session, now.mono_ms) {
            // The session is closing: what still comes is not answered.
            return;
        }
        let Some(op) = op else {
            let answer = Answer {
                xid,
                op: OpCode::Ping,
                zxid: Zxid::NONE,
                code: Code::Unimplemented,
                received_ms: now.mono_ms,
            };
            self.respond(slot, answer, &mut core.metrics, now, |_| {});
            return self.close(slot);
        };
        let xid = if op == OpCode::Ping { Xid::PING } else { xid };
        let ask = Ask { slot, xid, op, received_ms: now.mono_ms, now };
        if op.is_write() {
            self.on_write(core, ask, body);
        } else if op == OpCode::Sync && self.waits_for_others(core, ask, frame, body) {
            // It is answered when what it waits for has come.
        } else if self.conns[index(slot)].line.is_empty() || mutant!(ReadOvertakes) {
            let ids = Arc::clone(&self.conns[index(slot)].ids);
            self.on_read(core, ask, body, &ids);
        } else {
            let conn = &mut self.conns[index(slot)];
            let waiting = Waiting::Frame {
                frame: frame.into(),
                ids: Arc::clone(&conn.ids),
                received_ms: now.mono_ms,
                expected_bytes: expected_bytes(core.tree(), op, body),
            };
            self.enqueue(slot, waiting);
        }
    }

    /// A sync that has something to wait for stands in line until that has come.
    fn waits_for_others(&mut self, core: &mut Core, ask: Ask, frame: &[u8], body: &[u8]) -> bool {
        let conn = &self.conns[index(ask.slot)];
        let caller = Caller { session: conn.session, cxid: ask.xid.0, ids: &conn.ids };
        let Some(wait) = core.sync(&caller, body, conn.id) else { return false };
        let waiting =
            Waiting::Sync { frame: frame.into(), ids: Arc::clone(&conn.ids), received_ms: ask.received_ms };
        let id = conn.id;
        self.enqueue(ask.slot, waiting);
        if let SyncWait::Commit(zxid, question) = wait {
            self.syncs.push_back((zxid, question, id));
        }
        true
    }

    /// What the oldest sync of a connection waited for has come, and so has everything before it in its line.
    pub(crate) fn on_synced(&mut self, core: &mut Core, id: ConnId, now: Now) {
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.phase == Phase::Open) else { return };
        let first = conn.line.iter_mut().find(|waiting| matches!(waiting, Waiting::Sync { .. }));
        if let Some(waiting) = first
            && let Waiting::Sync { frame, ids, received_ms } = waiting
        {
            let (frame, ids) = (core::mem::take(frame), Arc::clone(ids));
            *waiting = Waiting::Frame { frame, ids, received_ms: *received_ms, expected_bytes: 0 };
            self.advance(core, id.slot, now);
        }
    }

    /// Answers the syncs of this leader's own clients that waited for `committed` and the answer to `question`.
    pub(crate) fn on_committed(&mut self, core: &mut Core, committed: Zxid, question: u64, now: Now) {
        let is_due = |&&(zxid, asked, _): &&(Zxid, u64, ConnId)| zxid <= committed && asked <= question;
        while let Some(&(_, _, id)) = self.syncs.front().filter(is_due) {
            self.syncs.pop_front();
            self.on_synced(core, id, now);
        }
    }

    fn on_write(&mut self, core: &mut Core, ask: Ask, body: &[u8]) {
        let Ask { slot, xid, op, received_ms, now } = ask;
        let conn = &mut self.conns[index(slot)];
        let caller = Caller { session: conn.session, cxid: xid.0, ids: &conn.ids };
        let waiting = match core.submit(op, body, &caller, Origin::Client(conn.id), now) {
            Submitted::Proposed => {
                let size_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
                Waiting::Write { xid, op, received_ms, size_bytes }
            }
            Submitted::Refused(code) if conn.line.is_empty() => {
                let answer = ask.answer(core, code);
                return self.respond(slot, answer, &mut core.metrics, now, |_| {});
            }
            Submitted::Refused(code) => Waiting::Refused { xid, op, code, received_ms },
        };
        self.enqueue(slot, waiting);
    }

    /// Serves the line up to the next write that is on its way.
    pub(super) fn advance(&mut self, core: &mut Core, slot: u32, now: Now) {
        loop {
            let conn = &mut self.conns[index(slot)];
            let stands =
                matches!(conn.line.front(), None | Some(Waiting::Write { .. } | Waiting::Sync { .. }));
            if conn.phase != Phase::Open || stands {
                return;
            }
            let Some(waiting) = conn.line.pop_front() else { return };
            conn.expected_bytes -= waiting.expected_bytes();
            self.settle(&waiting);
            match waiting {
                Waiting::Write { .. } | Waiting::Sync { .. } => {}
                Waiting::Refused { xid, op, code, received_ms } => {
                    let answer = Ask { slot, xid, op, received_ms, now }.answer(core, code);
                    self.respond(slot, answer, &mut core.metrics, now, |_| {});
                }
                Waiting::Frame { frame, ids, received_ms, .. } => {
                    self.on_waited(core, slot, &frame, &ids, received_ms, now);
                }
            }
        }
    }

    fn on_waited(
        &mut self,
        core: &mut Core,
        slot: u32,
        frame: &[u8],
        ids: &[Id<'static>],
        received_ms: u64,
        now: Now,
    ) {
        let mut reader = Reader::new(frame);
        let header: RequestHeader = reader.take().expect("it was decoded when it came");
        let op = OpCode::from_number(header.kind).expect("it was known when it came");
        let xid = if op == OpCode::Ping { Xid::PING } else { header.xid };
        let ask = Ask { slot, xid, op, received_ms, now };
        let waited_ms = now.mono_ms.saturating_sub(received_ms);
        if self.options.drop_late && waited_ms > u64::from(self.conns[index(slot)].timeout_ms) {
            core.metrics.stale_requests_dropped.inc();
            return self.close(slot);
        }
        let limit_ms = self.options.throttled_op_wait_ms;
        if limit_ms > 0 && op != OpCode::Ping && waited_ms > limit_ms {
            core.metrics.throttled_ops.inc();
            let answer = ask.answer(core, Code::ThrottledOp);
            return self.respond(slot, answer, &mut core.metrics, now, |_| {});
        }
        self.on_read(core, ask, reader.rest(), ids);
    }

    fn has_required_scheme(&self, slot: u32) -> bool {
        let required = &self.options.required_schemes;
        required.is_empty()
            || self.conns[index(slot)].ids.iter().any(|id| {
                id.scheme.as_deref().is_some_and(|scheme| required.iter().any(|name| name == scheme))
            })
    }

    /// `auth` and `sasl`, which are answered on arrival and touch only the connection.
    fn on_proof(&mut self, core: &mut Core, slot: u32, xid: Xid, is_auth: bool, body: &[u8], now: Now) {
        let op = if is_auth { OpCode::Auth } else { OpCode::Sasl };
        let answer = Answer { xid, op, zxid: Zxid::ZERO, code: Code::Ok, received_ms: now.mono_ms };
        if !is_auth {
            // No SASL is configured: a null token, and the connection stays as it is.
            match Reader::new(body).take::<SaslRequest<'_>>() {
                Ok(SaslRequest { token: Some(_) }) => {
                    let none = SaslReply { token: None };
                    self.respond(slot, answer, &mut core.metrics, now, |out| none.encode(out));
                }
                Ok(SaslRequest { token: None }) | Err(_) => self.close(slot),
            }
            return;
        }
        let Ok(packet) = Reader::new(body).take::<AuthPacket<'_>>() else { return self.close(slot) };
        let peer = self.conns[index(slot)].peer.ip().to_canonical().to_string();
        match auth::authenticate(&packet, &self.auth, &peer) {
            Ok(proved) => {
                self.add_identities(slot, proved);
                self.respond(slot, answer, &mut core.metrics, now, |_| {});
            }
            Err(AuthRefused::Failed) => {
                self.stats.auth_failed_count += 1;
                let answer = Answer { code: Code::AuthFailed, ..answer };
                self.respond(slot, answer, &mut core.metrics, now, |_| {});
                self.close(slot);
            }
            Err(AuthRefused::WrongEnsemble) => {
                core.metrics.ensemble_auth_fail.inc();
                self.close(slot);
            }
        }
    }

    fn add_identities(&mut self, slot: u32, proved: Vec<Id<'static>>) {
        let conn = &mut self.conns[index(slot)];
        let mut all = conn.ids.to_vec();
        for id in proved {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        if all.len() > IDENTITIES_MAX {
            return self.close(slot);
        }
        self.conns[index(slot)].ids = all.into();
    }
}

/// About how many bytes the reply to a read will have. A multiRead may have any number, so nothing more is read
/// behind one.
#[expect(clippy::wildcard_enum_match_arm, reason = "the replies to all others are short")]
fn expected_bytes(tree: &Tree, op: OpCode, body: &[u8]) -> u32 {
    const NAME_BYTES: u32 = 64;
    let node = || {
        let request: PathWatchRequest<'_> = Reader::new(body).take().ok()?;
        tree.find(request.path.as_deref()?).map(|id| tree.node(id))
    };
    match op {
        OpCode::GetData => {
            let data = node().and_then(|node| node.data()).unwrap_or_default();
            u32::try_from(data.len()).unwrap_or(u32::MAX)
        }
        OpCode::GetChildren | OpCode::GetChildren2 => {
            node().map_or(0, |node| node.child_count().saturating_mul(NAME_BYTES))
        }
        OpCode::MultiRead => u32::try_from(super::OUT_BYTES_MAX).unwrap_or(u32::MAX),
        _ => 0,
    }
}
