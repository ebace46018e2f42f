//! The client port: a whole member, its connections, and frames.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use member::{CleanerOptions, ConnId, Core, CoreOptions, Front, FrontOptions, Member, Now, Payloads};
use proto::{ConnectRequest, Encode, Entry, SessionId, Zxid, session_password};
use tree::auth::AuthOptions;
use tree::{DigestCheck, Tree, TreeOptions};

use crate::pieces::Pieces;
use crate::requests::request;

const CONNECTIONS: usize = 4;
const STEPS_MAX: usize = 300;

pub(crate) const TREE: TreeOptions =
    TreeOptions { hash_seed: 1, extended_types: true, emulate_353_ttl: false, digest: true };

/// Connections, frames and time, in any order.
///
/// What the member logs is applied to a second tree, which must come to the same state; what it sends must be frames.
pub fn client_port(data: &[u8]) {
    let mut run = Run::new();
    for (control, piece) in Pieces::new(data).take(STEPS_MAX) {
        run.step(control, piece);
        run.flush();
    }
    run.settle();
}

struct Run {
    member: Member,
    /// What another member, or a restart, would make of the log.
    replica: Tree,
    connections: [Option<ConnId>; CONNECTIONS],
    writing: VecDeque<Arc<Payloads>>,
    now: Now,
    xid: i32,
    picture: Vec<u8>,
    walks: Vec<tree::WalkId>,
}

impl Run {
    fn new() -> Self {
        let now = Now { mono_ms: 1000, wall_ms: 1_795_347_327_809 };
        let core = CoreOptions {
            prepare: tree::prepare::Options { enforce_quota: true, ..Default::default() },
            cleaner: CleanerOptions { interval_ms: 1000, per_minute_max: 10_000, never_used_ms: 5000 },
            ..CoreOptions::with_defaults(2000, SessionId::first(1, now.wall_ms.unsigned_abs()))
        };
        let front = FrontOptions {
            outstanding_max: 20,
            per_address_max: 3,
            pipeline_max: 40,
            drop_late: true,
            large_bytes_min: Some(200),
            large_bytes_max: 1000,
            ..FrontOptions::with_defaults(2000)
        };
        let core = Core::new(Tree::new(TREE), core, now);
        Self {
            member: Member::new(core, Front::new(front, AuthOptions::default(), 1)),
            replica: Tree::new(TREE),
            connections: [None; CONNECTIONS],
            writing: VecDeque::new(),
            now,
            xid: 0,
            picture: Vec::new(),
            walks: Vec::new(),
        }
    }

    fn step(&mut self, control: u8, piece: &[u8]) {
        let at = usize::from(control >> 6) % CONNECTIONS;
        match control & 0x0f {
            0..=1 => self.receive(at, piece),
            2..=5 => {
                self.xid += 1;
                self.receive(at, &request(self.xid, piece));
            }
            6..=7 => self.connect(at, piece),
            8 => self.write(),
            9..=10 => self.persisted(),
            11 => self.lost(at),
            12 => self.pass(piece),
            13 => self.word(at, piece),
            14 => self.begin_picture(),
            _ => {
                for walk in &self.walks {
                    self.member.core_mut().tree_mut().snapshot_step(*walk, 1, &mut self.picture);
                }
            }
        }
    }

    /// Two at a time; the older one is given up.
    fn begin_picture(&mut self) {
        let tree = self.member.core_mut().tree_mut();
        if self.walks.len() == 2 {
            tree.snapshot_end(self.walks.remove(0));
        }
        self.walks.push(tree.snapshot_begin().0);
    }

    /// The connection at `at`, a new one if there is none.
    fn connection(&mut self, at: usize) -> Option<ConnId> {
        if self.connections[at].is_none() {
            let host = if at == 0 { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(10, 0, 0, 1) };
            let port = 40_000 + u16::try_from(at).expect("few connections");
            self.connections[at] = self.member.accept(SocketAddr::from((host, port)), self.now).ok();
        }
        self.connections[at]
    }

    fn receive(&mut self, at: usize, frame: &[u8]) {
        if let Some(id) = self.connection(at)
            && self.member.wants_input(id)
        {
            self.member.receive(id, frame, self.now);
        }
    }

    /// A well-formed handshake: a new session, or one that may exist.
    fn connect(&mut self, at: usize, piece: &[u8]) {
        let choice = piece.first().copied().unwrap_or_default();
        let first = SessionId::first(1, self.now.wall_ms.unsigned_abs());
        let session = match choice {
            0..=127 => SessionId::NONE,
            other => SessionId(first.0 + i64::from(other % 4)),
        };
        let password = session_password(session);
        let mut frame = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(i64::from(choice % 3)),
            timeout_ms: i32::from(choice) * 100,
            session_id: session,
            password: Some(&password),
            read_only: Some(false),
        }
        .encode(&mut frame);
        self.receive(at, &frame);
    }

    fn write(&mut self) {
        self.writing.extend(self.member.take_batch());
    }

    fn persisted(&mut self) {
        self.write();
        let Some(batch) = self.writing.pop_front() else { return };
        for (zxid, payload) in batch.iter() {
            let entry = Entry::decode(payload).expect("what the core logs can be read");
            assert_eq!(entry.header.zxid, zxid);
            let mut again = Vec::new();
            entry.encode(&mut again);
            assert_eq!(again, payload, "what the core logs is in its normal form");
            let applied = self.replica.apply(&entry, &mut ()).expect("what the core logs can be applied");
            if let DigestCheck::Mismatch { expected, actual } = applied.digest {
                panic!("{entry:?} should come to digest {expected:#x}, and came to {actual:#x}");
            }
        }
        let last = batch.last().expect("a batch has entries");
        self.member.on_persisted(last, self.now);
        let tree = self.member.core().tree();
        assert_eq!((tree.last_zxid(), tree.digest()), (self.replica.last_zxid(), self.replica.digest()));
        assert_eq!(tree.node_count(), self.replica.node_count());
        assert_eq!(tree.sessions(), self.replica.sessions());
    }

    fn lost(&mut self, at: usize) {
        if let Some(id) = self.connections[at].take() {
            self.member.lost(id);
        }
    }

    /// Time passes: up to 65 seconds, or until the next deadline.
    fn pass(&mut self, piece: &[u8]) {
        let passed = match piece {
            [high, low, ..] => u64::from(u16::from_be_bytes([*high, *low])),
            _ => self.member.deadline_ms().saturating_sub(self.now.mono_ms).min(60_000),
        };
        self.now.mono_ms += passed;
        self.now.wall_ms += i64::try_from(passed).expect("a minute fits");
        self.member.tick(self.now);
    }

    fn word(&mut self, at: usize, text: &[u8]) {
        if let Some(id) = self.connection(at)
            && self.member.wants_input(id)
        {
            self.member.on_word(id);
            self.member.answer_word(id, text);
        }
    }

    /// Sends what is there to send, as a driver does.
    fn flush(&mut self) {
        while let Some(id) = self.member.next_dirty() {
            let Some(out) = self.member.output(id) else { continue };
            out.clear();
            self.member.on_sent(id);
            if self.member.is_closing(id) {
                self.member.lost(id);
                for connection in &mut self.connections {
                    if *connection == Some(id) {
                        *connection = None;
                    }
                }
            }
        }
    }

    /// Everything is written and answered, and nothing is left over.
    fn settle(&mut self) {
        for _ in 0..STEPS_MAX * 8 {
            self.write();
            if self.writing.is_empty() {
                break;
            }
            self.persisted();
            self.flush();
        }
        assert_eq!(self.member.core().in_flight(), 0, "something is left in flight");
    }
}
