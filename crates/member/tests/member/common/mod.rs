//! A member without sockets and disk: what a driver does, step by step, with the clock in the test's hands.

use std::net::SocketAddr;

use member::{CleanerOptions, ConnId, Core, CoreOptions, Front, FrontOptions, Member, Now};
use proto::{
    Acl, ConnectRequest, ConnectResponse, CreateRequest, Encode, OpCode, PathRequest, PathWatchRequest,
    Reader, ReplyHeader, RequestHeader, SessionId, SetDataRequest, Xid, Zxid, session_password,
};
use tree::auth::AuthOptions;
use tree::{Tree, TreeOptions};

/// tickTime.
pub(crate) const TICK_MS: u64 = 1000;
/// What [`Rig::connect`] asks for.
pub(crate) const TIMEOUT_MS: i32 = 4000;

/// A member and the moment.
pub(crate) struct Rig {
    pub(crate) member: Member,
    pub(crate) now: Now,
    peers: u16,
}

/// One frame a client got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) zxid: Zxid,
    pub(crate) err: i32,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn front_options() -> FrontOptions {
    FrontOptions::with_defaults(i32::try_from(TICK_MS).unwrap())
}

impl Rig {
    pub(crate) fn new(front: FrontOptions) -> Self {
        let now = Now { mono_ms: 5000, wall_ms: 1_700_000_000_000 };
        let tree = Tree::new(TreeOptions {
            hash_seed: 3,
            extended_types: true,
            emulate_353_ttl: false,
            digest: true,
        });
        let first_session = SessionId::first(1, now.wall_ms.unsigned_abs());
        let cleaner = CleanerOptions { interval_ms: 60_000, per_minute_max: 60, never_used_ms: 0 };
        let core = CoreOptions { cleaner, ..CoreOptions::with_defaults(TICK_MS, first_session) };
        let core = Core::new(tree, core, now);
        Self { member: Member::new(core, Front::new(front, AuthOptions::default(), 1)), now, peers: 0 }
    }

    /// Time goes on, and the member is told when it asked to be.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now.mono_ms + millis;
        while self.member.deadline_ms() <= end {
            let due = self.member.deadline_ms().max(self.now.mono_ms);
            self.now.wall_ms += i64::try_from(due - self.now.mono_ms).unwrap();
            self.now.mono_ms = due;
            self.member.tick(self.now);
        }
        self.now.wall_ms += i64::try_from(end - self.now.mono_ms).unwrap();
        self.now.mono_ms = end;
    }

    /// The disk takes all that was proposed.
    pub(crate) fn persist(&mut self) {
        while let Some(batch) = self.member.take_batch() {
            self.member.on_persisted(batch.last().unwrap(), self.now);
        }
    }

    pub(crate) fn accept(&mut self) -> ConnId {
        self.peers += 1;
        let peer = SocketAddr::from(([127, 0, 0, 1], self.peers));
        self.member.accept(peer, self.now).unwrap()
    }

    /// Sends a connect request, for a new session or to resume one.
    pub(crate) fn greet(&mut self, id: ConnId, session: SessionId) {
        let mut frame = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: TIMEOUT_MS,
            session_id: session,
            password: Some(&session_password(session)),
            read_only: Some(false),
        }
        .encode(&mut frame);
        assert!(self.member.wants_input(id));
        self.member.receive(id, &frame, self.now);
    }

    /// The answer to that.
    pub(crate) fn greeting(&mut self, id: ConnId) -> ConnectResponse {
        let frames = self.frames(id);
        let [frame] = frames.as_slice() else { panic!("{} frames", frames.len()) };
        Reader::new(frame).take().unwrap()
    }

    /// A connection with a session of its own.
    pub(crate) fn connect(&mut self) -> (ConnId, SessionId) {
        let id = self.accept();
        self.greet(id, SessionId::NONE);
        self.persist();
        let greeting = self.greeting(id);
        assert_eq!(greeting.timeout_ms, TIMEOUT_MS);
        (id, greeting.session_id)
    }

    pub(crate) fn send(&mut self, id: ConnId, xid: i32, op: OpCode, body: &dyn Encode) {
        let mut frame = Vec::new();
        RequestHeader { xid: Xid(xid), kind: op.number() }.encode(&mut frame);
        body.encode(&mut frame);
        self.member.receive(id, &frame, self.now);
    }

    pub(crate) fn create(&mut self, id: ConnId, xid: i32, path: &str, flags: i32) {
        let acl = Some(vec![Acl::open()]);
        let request = CreateRequest { path: Some(path.into()), data: Some(b"new"), acl, flags };
        self.send(id, xid, OpCode::Create, &request);
    }

    pub(crate) fn set(&mut self, id: ConnId, xid: i32, path: &str, data: &[u8]) {
        let request = SetDataRequest { path: Some(path.into()), data: Some(data), version: -1 };
        self.send(id, xid, OpCode::SetData, &request);
    }

    pub(crate) fn get(&mut self, id: ConnId, xid: i32, path: &str, watch: bool) {
        self.send(id, xid, OpCode::GetData, &PathWatchRequest { path: Some(path.into()), watch });
    }

    pub(crate) fn sync(&mut self, id: ConnId, xid: i32) {
        self.send(id, xid, OpCode::Sync, &PathRequest { path: Some("/".into()) });
    }

    pub(crate) fn ping(&mut self, id: ConnId) {
        let mut frame = Vec::new();
        RequestHeader { xid: Xid::PING, kind: OpCode::Ping.number() }.encode(&mut frame);
        self.member.receive(id, &frame, self.now);
    }

    /// What was sent to a connection since the last time, frame by frame.
    fn frames(&mut self, id: ConnId) -> Vec<Vec<u8>> {
        let out = std::mem::take(self.member.output(id).unwrap());
        self.member.on_sent(id);
        let mut rest = out.as_slice();
        let mut frames = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = behind.split_at(usize::try_from(i32::from_be_bytes(*length)).unwrap());
            frames.push(frame.to_vec());
            rest = behind;
        }
        assert_eq!(rest, b"");
        frames
    }

    /// The same as replies and events.
    pub(crate) fn replies(&mut self, id: ConnId) -> Vec<Reply> {
        let frames = self.frames(id);
        let replies = frames.iter().map(|frame| {
            let mut reader = Reader::new(frame);
            let ReplyHeader { xid, zxid, err } = reader.take().unwrap();
            Reply { xid: xid.0, zxid, err, body: reader.rest().to_vec() }
        });
        replies.collect()
    }

    /// Only the xids of them.
    pub(crate) fn xids(&mut self, id: ConnId) -> Vec<i32> {
        self.replies(id).iter().map(|reply| reply.xid).collect()
    }

    /// The connections that have something to do.
    pub(crate) fn dirty(&mut self) -> Vec<ConnId> {
        std::iter::from_fn(|| self.member.next_dirty()).collect()
    }
}
