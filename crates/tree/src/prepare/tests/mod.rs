//! What is decided, and in which order: a small world of one tree, and requests to it.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects, and all else fails it")]

mod multi;
mod order;
mod pending;
mod property;

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use proto::{
    Acl, Code, CreateRequest, CreateTtlRequest, DeleteRequest, Encode, Entry, Id, OpCode, SessionId,
    SetAclRequest, SetDataRequest, Text, Txn, TxnKind, Zxid,
};

use super::{Caller, Options, Pending, Prepared, prepare};
use crate::{DigestCheck, OwnerRules, Tree, TreeOptions};

/// The session most requests come from.
const ME: SessionId = SessionId(0x0100_0000_0000_0001);
const OTHER: SessionId = SessionId(0x0100_0000_0000_0002);
const TIME: i64 = 1_700_000_000_000;

pub(super) struct World {
    pub(super) tree: Tree,
    pub(super) pending: Pending,
    pub(super) options: Options,
    pub(super) ids: Vec<Id<'static>>,
    zxid: i64,
    flying: VecDeque<Vec<u8>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(OwnerRules { extended_types: true, emulate_353_ttl: false })
    }

    /// Two sessions are open, nothing else was done.
    pub(super) fn with(rules: OwnerRules) -> Self {
        let mut world = Self {
            tree: new_tree(rules),
            pending: Pending::new(),
            options: Options::default(),
            ids: vec![Id::new("ip", "127.0.0.1")],
            zxid: 0,
            flying: VecDeque::new(),
        };
        for session in [ME, OTHER] {
            world.ask_as(session, OpCode::CreateSession, &bytes(&30_000_i32));
        }
        world.settle();
        world
    }

    pub(super) fn ask_as(&mut self, session: SessionId, op: OpCode, body: &[u8]) -> Prepared {
        let caller = Caller { session, cxid: 7, ids: &self.ids };
        let (zxid, mut out) = (Zxid(self.zxid + 1), vec![]);
        let tree = &self.tree;
        let pending = &mut self.pending;
        let prepared =
            prepare(tree, pending, &self.options, op, body, &caller, zxid, TIME + zxid.0, &mut out);
        match prepared {
            Prepared::Logged { .. } => {
                self.zxid += 1;
                self.flying.push_back(out);
            }
            Prepared::Refused(_) => assert_eq!(out, []),
        }
        prepared
    }

    pub(super) fn ask(&mut self, op: OpCode, body: &impl Encode) -> Prepared {
        self.ask_as(ME, op, &bytes(body))
    }

    /// Applies the oldest transaction in flight, and holds it to its digest.
    pub(super) fn apply_one(&mut self) -> bool {
        let Some(payload) = self.flying.pop_front() else {
            return false;
        };
        let entry = Entry::decode(&payload).unwrap();
        apply(&mut self.tree, &entry);
        self.pending.forget(entry.header.zxid);
        true
    }

    pub(super) fn settle(&mut self) {
        while self.apply_one() {}
        assert!(self.pending.is_empty());
    }

    /// One request at a time.
    pub(super) fn run(&mut self, op: OpCode, body: &impl Encode) -> Result<TxnKind, Code> {
        let prepared = self.ask(op, body);
        self.settle();
        outcome(prepared)
    }

    /// The newest entry in flight.
    pub(super) fn newest(&self) -> Entry<'_> {
        Entry::decode(self.flying.back().unwrap()).unwrap()
    }

    pub(super) fn newest_bytes(&self) -> Option<&[u8]> {
        self.flying.back().map(Vec::as_slice)
    }

    pub(super) fn make(&mut self, path: &str, flags: i32) {
        assert_eq!(self.run(OpCode::Create, &create(path, flags)), Ok(TxnKind::Create), "{path}");
    }

    pub(super) fn make_closed(&mut self, path: &str, perms: i32) {
        let request = CreateRequest { acl: Some(vec![anyone(perms)]), ..create(path, 0) };
        assert_eq!(self.run(OpCode::Create, &request), Ok(TxnKind::Create), "{path}");
    }
}

fn new_tree(rules: OwnerRules) -> Tree {
    let OwnerRules { extended_types, emulate_353_ttl } = rules;
    Tree::new(TreeOptions { hash_seed: 1, extended_types, emulate_353_ttl, digest: true })
}

fn apply(tree: &mut Tree, entry: &Entry<'_>) {
    let applied = tree.apply(entry, &mut ()).unwrap();
    let must_match = entry.digest.is_some();
    assert!(!must_match || applied.digest == DigestCheck::Match, "{:?} {entry:?}", applied.digest);
}

pub(super) fn outcome(prepared: Prepared) -> Result<TxnKind, Code> {
    match prepared {
        Prepared::Logged { kind, error: None } => Ok(kind),
        Prepared::Logged { kind, error: Some(code) } => {
            assert_eq!(kind, TxnKind::Error);
            Err(code)
        }
        Prepared::Refused(code) => panic!("refused: {code:?}"),
    }
}

pub(super) fn bytes(record: &impl Encode) -> Vec<u8> {
    let mut out = vec![];
    record.encode(&mut out);
    out
}

pub(super) fn text(text: &str) -> Text<'_> {
    Some(Cow::Borrowed(text))
}

pub(super) fn anyone(perms: i32) -> Acl<'static> {
    Acl { perms, id: Id::new("world", "anyone") }
}

pub(super) fn create(path: &str, flags: i32) -> CreateRequest<'_> {
    CreateRequest { path: text(path), data: Some(b"data"), acl: Some(vec![anyone(31)]), flags }
}

pub(super) fn create_ttl(path: &str, flags: i32, ttl_ms: i64) -> CreateTtlRequest<'_> {
    let CreateRequest { path, data, acl, flags } = create(path, flags);
    CreateTtlRequest { path, data, acl, flags, ttl_ms }
}

pub(super) fn delete(path: &str, version: i32) -> DeleteRequest<'_> {
    DeleteRequest { path: text(path), version }
}

pub(super) fn set_data(path: &str, version: i32) -> SetDataRequest<'_> {
    SetDataRequest { path: text(path), data: Some(b"other"), version }
}

pub(super) fn set_acl(path: &str, version: i32) -> SetAclRequest<'_> {
    SetAclRequest { path: text(path), acl: Some(vec![anyone(31)]), version }
}

/// The path a create transaction ended with.
pub(super) fn created(entry: &Entry<'_>) -> alloc::string::String {
    match &entry.txn {
        Txn::Create(txn) | Txn::Create2(txn) => txn.path.as_deref().unwrap().into(),
        Txn::CreateContainer(txn) => txn.path.as_deref().unwrap().into(),
        Txn::CreateTtl(txn) => txn.path.as_deref().unwrap().into(),
        other => panic!("{other:?}"),
    }
}
