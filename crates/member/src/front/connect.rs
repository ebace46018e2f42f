//! Opening and resuming sessions. Source: `ZooKeeperServer#processConnectRequest`; client-protocol.md §4.

use proto::wire::put_frame;
use proto::{ConnectRequest, ConnectResponse, Encode as _, Reader, SessionId, session_password};

use super::conn::{ConnId, Phase};
use super::{Front, index};
use crate::Now;
use crate::core::{Core, Resumed};
use crate::throttle::Kind;

impl Front {
    /// The first frame of a connection.
    pub(super) fn on_connect(&mut self, core: &mut Core, slot: u32, frame: &[u8], now: Now) {
        core.metrics.connection_request_count.inc();
        if !self.serving {
            // Source: `NIOServerCnxn#readConnectRequest`.
            return self.close(slot);
        }
        let Ok(request) = Reader::new(frame).take::<ConnectRequest<'_>>() else {
            return self.close(slot);
        };
        let kind = if request.session_id == SessionId::NONE { Kind::New } else { Kind::Renew };
        if !self.throttle.admits(kind, now.mono_ms) {
            core.metrics.connection_rejected.inc();
            return self.close(slot);
        }
        // A client that has seen more than this server has must look for another.
        if request.last_zxid_seen > core.tree().last_zxid() {
            return self.close(slot);
        }
        let timeout_ms = request
            .timeout_ms
            .max(self.options.session_timeout_min_ms)
            .min(self.options.session_timeout_max_ms);
        let conn = &mut self.conns[index(slot)];
        conn.read_only = request.read_only;
        conn.timeout_ms = timeout_ms.unsigned_abs();
        if request.session_id == SessionId::NONE {
            conn.phase = Phase::Opening;
            let id = conn.id;
            let session = core.open_session(timeout_ms, id, now);
            self.conns[index(slot)].session = session;
        } else {
            self.resume(core, slot, &request, now);
        }
    }

    /// The password is looked at first: whoever does not know it disturbs nobody. Apache closes the session's
    /// other connection before (docs/compat.md).
    fn resume(&mut self, core: &mut Core, slot: u32, request: &ConnectRequest<'_>, now: Now) {
        let session = request.session_id;
        let proved = request.password.is_some_and(|given| same(given, &session_password(session)));
        if !proved {
            return self.refuse_session(slot);
        }
        self.close_session(session);
        core.metrics.connection_revalidate_count.inc();
        let conn = &mut self.conns[index(slot)];
        conn.session = session;
        match core.resume(session, conn.timeout_ms, conn.id, now) {
            Resumed::Open => self.establish(core, slot),
            Resumed::Unknown => self.refuse_session(slot),
            Resumed::Asked => conn.phase = Phase::Opening,
        }
    }

    /// The leader knows about a session that a connection here wants to go on with.
    pub(crate) fn on_revalidated(
        &mut self,
        core: &mut Core,
        id: ConnId,
        session: SessionId,
        valid: bool,
        now: Now,
    ) {
        let Some(conn) = self.conn(id).filter(|conn| conn.phase == Phase::Opening && conn.session == session)
        else {
            return;
        };
        if !valid {
            return self.refuse_session(id.slot);
        }
        core.open_clock(session, conn.timeout_ms, now);
        self.establish(core, id.slot);
    }

    fn refuse_session(&mut self, slot: u32) {
        let conn = &mut self.conns[index(slot)];
        let response = ConnectResponse::expired(conn.read_only.map(|_| false));
        put_frame(&mut conn.out, |out| response.encode(out));
        self.close(slot);
    }

    /// The session of an opening connection is committed.
    pub(super) fn on_session_open(&mut self, core: &Core, id: ConnId) {
        if self.conn(id).is_some_and(|conn| conn.phase == Phase::Opening) {
            self.establish(core, id.slot);
        }
    }

    fn establish(&mut self, core: &Core, slot: u32) {
        let conn = &mut self.conns[index(slot)];
        let Some(clock_key) = core.clock().find(conn.session) else {
            return self.refuse_session(slot);
        };
        conn.clock_key = clock_key;
        conn.phase = Phase::Open;
        let response = ConnectResponse {
            timeout_ms: i32::try_from(conn.timeout_ms).unwrap_or(i32::MAX),
            session_id: conn.session,
            password: session_password(conn.session),
            read_only: conn.read_only.map(|_| false),
        };
        put_frame(&mut conn.out, |out| response.encode(out));
        conn.stats.sent += 1;
        self.stats.packets_sent += 1;
        let (session, id) = (conn.session, conn.id);
        self.by_session.insert(session, id);
        self.mark_dirty(slot);
    }
}

/// Compares secrets in constant time (S9).
fn same(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
