//! Pictures of the tree at one zxid each, taken while transactions go on. Source: storage.md §6.1.
//!
//! Any small number of them may be under way, one for the snapshot of this member and one for each learner that is
//! sent one; they know nothing of each other, and a tree without any pays one look at an empty list for a change.
//!
//! A step writes the next znodes in the order of their ids. Whatever is about to change before its turn has come is
//! written first, as it was, and shows up at the front of the next step. A znode's parents are always written before
//! it, and what was born after the beginning not at all. Writers wait for nobody, and the picture is exact: unlike
//! the snapshots of Java it never holds effects of later transactions.

use alloc::vec;
use alloc::vec::Vec;

use mutants::mutant;
use proto::{AclList, Encode, SessionId, Zxid, wire};

use crate::acls::AclTable;
use crate::nodes::NodeId;
use crate::store::Store;
use crate::tree::Tree;

/// Free places passed in one step per znode it may write.
const GAPS_PER_NODE: usize = 16;

/// A step that has written so much ends, however few znodes that were: a znode may hold a megabyte.
const STEP_BYTES: usize = 256 * 1024;

/// What stands before the znodes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotHead {
    /// The last transaction in the picture.
    pub zxid: Zxid,
    /// The digest of the tree in it.
    pub digest: u64,
    /// Sessions and their timeouts in milliseconds.
    pub sessions: Vec<(SessionId, i32)>,
    /// Access control lists by id.
    pub acls: Vec<(i64, AclList)>,
}

/// One picture of many. Only the tree that gave it out knows it, and no number is given out twice there.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WalkId(u64);

/// A picture under way.
#[derive(Debug)]
pub(crate) struct Walk {
    id: WalkId,
    next: u32,
    end: u32,
    /// A bit per id at or behind `next`: written already, or born since.
    done: Vec<u64>,
    /// Written before their turn.
    ahead: Vec<u8>,
}

impl Walk {
    fn is_done(&self, id: NodeId) -> bool {
        id.0 < self.next || id.0 >= self.end || self.done[id.0 as usize / 64] >> (id.0 % 64) & 1 == 1
    }

    fn mark(&mut self, id: NodeId) {
        if id.0 < self.end {
            self.done[id.0 as usize / 64] |= 1 << (id.0 % 64);
        }
    }

    /// Writes a znode, after those of its ancestors that are not written yet.
    fn write(&mut self, store: &Store, acls: &AclTable, id: NodeId, out: &mut Vec<u8>) {
        let mut line = Vec::from([id]);
        let mut at = id;
        while let Some(parent) = store.nodes.parent(at).filter(|&parent| !self.is_done(parent)) {
            line.push(parent);
            at = parent;
        }
        for id in line.into_iter().rev() {
            write_node(store, acls, id, out);
            self.mark(id);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.done.capacity() * 8 + self.ahead.capacity()
    }
}

fn write_node(store: &Store, acls: &AclTable, id: NodeId, out: &mut Vec<u8>) {
    wire::put_frame(out, |out| store.write_path(id, out));
    store.nodes.data(id).encode(out);
    acls.id(store.nodes.acl(id)).encode(out);
    store.persisted(id).encode(out);
}

impl Tree {
    /// Begins a picture of the tree as it is now, beside those under way.
    ///
    /// The walk takes a bit for each znode, what was written ahead of its turn, and time with each change, until its
    /// last step or [`Tree::snapshot_end`]. The head has a copy of all sessions and lists.
    pub fn snapshot_begin(&mut self) -> (WalkId, SnapshotHead) {
        let end = self.store.nodes.end();
        // Zeroed memory comes from the system untouched, so this takes no time for large trees either.
        let done = vec![0; end.div_ceil(64) as usize];
        let id = WalkId(self.walks_begun);
        self.walks_begun += 1;
        self.walks.push(Walk { id, next: 0, end, done, ahead: Vec::new() });
        let mut sessions: Vec<_> =
            self.sessions.iter().map(|(&session, &timeout_ms)| (session, timeout_ms)).collect();
        if mutant!(SessionsOlder) {
            sessions.pop();
        }
        let head =
            SnapshotHead { zxid: self.last_zxid, digest: self.digest, sessions, acls: self.acls.all() };
        (id, head)
    }

    /// Bytes of what changed and had to be written ahead of its turn, for the next step of a picture.
    #[must_use]
    pub fn snapshot_waiting_bytes(&self, walk: WalkId) -> usize {
        self.walks.iter().find(|one| one.id == walk).map_or(0, |walk| walk.ahead.len())
    }

    /// Appends up to about `nodes_max` znodes or 256 KiB to `out`, each as path, data, list id and `StatPersisted`, and whatever
    /// had to be written ahead; says whether all are out, which ends the walk. The first one is the root, whose path is
    /// empty.
    ///
    /// Of a picture that has ended there is nothing to append, and all are out.
    pub fn snapshot_step(&mut self, walk: WalkId, nodes_max: usize, out: &mut Vec<u8>) -> bool {
        let Self { walks, store, acls, .. } = self;
        let Some(at) = walks.iter().position(|one| one.id == walk) else { return true };
        let walk = &mut walks[at];
        out.append(&mut walk.ahead);
        let (mut nodes, mut places) = (0, 0);
        let places_max = nodes_max.saturating_mul(GAPS_PER_NODE);
        let full = out.len() + STEP_BYTES;
        while walk.next < walk.end && nodes < nodes_max && places < places_max && out.len() < full {
            let id = NodeId(walk.next);
            if store.nodes.is_used(id) && !walk.is_done(id) {
                walk.write(store, acls, id, out);
                nodes += 1;
            }
            places += 1;
            walk.next += 1;
        }
        let all_out = walk.next == walk.end;
        if all_out {
            walks.swap_remove(at);
        }
        all_out
    }

    /// Gives a picture up. One that has ended may be ended again.
    pub fn snapshot_end(&mut self, walk: WalkId) {
        self.walks.retain(|one| one.id != walk);
    }

    /// How many pictures are under way.
    #[must_use]
    pub fn snapshots_under_way(&self) -> usize {
        self.walks.len()
    }

    /// Before a znode changes or goes: writes it as it is, for each picture that still needs it.
    #[inline]
    pub(crate) fn save_for_snapshot(&mut self, id: NodeId) {
        if !self.walks.is_empty() && !mutant!(FuzzySnapshot) {
            self.save_for_walks(id);
        }
    }

    #[cold]
    fn save_for_walks(&mut self, id: NodeId) {
        let Self { walks, store, acls, .. } = self;
        for walk in walks.iter_mut().filter(|walk| !walk.is_done(id)) {
            let mut ahead = core::mem::take(&mut walk.ahead);
            walk.write(store, acls, id, &mut ahead);
            walk.ahead = ahead;
        }
    }

    /// A znode that was not there when the pictures began.
    #[inline]
    pub(crate) fn leave_out_of_snapshot(&mut self, id: NodeId) {
        for walk in &mut self.walks {
            walk.mark(id);
        }
    }
}
