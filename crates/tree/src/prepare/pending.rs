//! What was proposed and is not applied yet: the future of a few znodes, laid over the tree.
//!
//! Every check is made against the tree as it will be when all that was proposed before has been applied. The
//! overlay holds each znode such a transaction touches, in its last future state, under its path. When a
//! transaction is applied, the znodes that no later one touches leave the overlay again.
//!
//! Source: `ZooKeeperServer#outstandingChanges`, `ChangeRecord`.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use proto::{Acl, SessionId, StatPersisted, Zxid};

use crate::nodes::NodeId;

/// The changes that were prepared and are not applied yet, in the order of their zxids.
///
/// Costs nothing while nothing is in flight; paths and rooms are used again.
#[derive(Debug, Default)]
pub struct Pending {
    hasher: DefaultHashBuilder,
    /// Rooms by the path in them.
    index: HashTable<u32>,
    rooms: Vec<Room>,
    vacant: Vec<u32>,
    /// What each transaction touched, oldest first.
    touched: VecDeque<(Zxid, Touched)>,
    /// The rooms with ephemerals, by owner.
    owned: BTreeSet<(SessionId, u32)>,
    sessions: BTreeMap<SessionId, (Zxid, SessionChange)>,
    /// Znodes and bytes on their way into the subtree with a quota, by its root.
    usage: BTreeMap<String, Usage>,
    /// The tree's digest once all of this is applied. Meaningless while nothing is in flight.
    pub(super) digest: i64,
    /// How to take back what the multi being prepared has done so far.
    undo: Option<Vec<Undo>>,
}

/// One path and its future.
#[derive(Debug)]
struct Room {
    path: String,
    hash: u64,
    /// The last transaction that touched it.
    zxid: Zxid,
    future: Future,
}

/// What a path will hold.
#[derive(Clone, Debug)]
enum Future {
    /// Nothing: the znode is being deleted.
    Gone,
    /// A znode in this state.
    There(State, FutureAcl),
}

/// A znode's future, except its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) stat: StatPersisted,
    pub(super) children: u32,
    pub(super) data_bytes: usize,
    /// Its part of the tree's digest.
    pub(super) digest: i64,
    /// The digest's running value behind path and data, once it was needed; only the stat is missing in it.
    pub(super) digest_prefix: Option<u32>,
}

/// A znode's list in the future.
#[derive(Clone, Debug)]
pub(super) enum FutureAcl {
    /// The one it has in the tree. The znode stays alive as long as this stands here.
    Applied(NodeId),
    /// Everything to everybody.
    Open,
    /// A new one.
    List(Arc<[Acl<'static>]>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SessionChange {
    Opening,
    Closing,
}

#[derive(Debug)]
enum Touched {
    Room(u32),
    Session(SessionId),
    Usage(String, Usage),
}

/// Znodes and bytes, gained or lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Usage {
    pub(super) nodes: i64,
    pub(super) bytes: i64,
}

#[derive(Debug)]
enum Undo {
    /// What was in the room, or that it was not in use.
    Room(u32, Option<(Zxid, Future)>),
    /// The digest before, and how many touches there were; the first entry of a list.
    Mark { digest: i64, touched: usize },
}

/// Where a path is or would be in the overlay. Good until the next change of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    hash: u64,
    room: Option<u32>,
}

/// What the overlay knows about a path.
pub(super) enum Known<'a> {
    /// Ask the tree.
    Nothing,
    Gone,
    There(&'a State, &'a FutureAcl),
}

impl Pending {
    /// Nothing in flight.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether everything that was prepared is applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// How many changes are in flight: the metric `outstanding_changes_queued`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.touched.len()
    }

    /// The transaction `zxid`, and all before it, are applied to the tree.
    pub fn forget(&mut self, zxid: Zxid) {
        while let Some((touched_by, touched)) = self.touched.pop_front_if(|(by, _)| *by <= zxid) {
            match touched {
                Touched::Room(room) => {
                    if self.room(room).zxid == touched_by {
                        self.leave(room);
                    }
                }
                Touched::Session(session) => {
                    if self.sessions.get(&session).is_some_and(|&(by, _)| by == touched_by) {
                        self.sessions.remove(&session);
                    }
                }
                Touched::Usage(prefix, usage) => self.subtract_usage(&prefix, usage),
            }
        }
    }

    /// Nothing of what was prepared will be applied: the tree was replaced, or the leader is none any more.
    pub fn clear(&mut self) {
        self.forget(Zxid(i64::MAX));
    }

    pub(super) fn spot(&self, path: &str) -> Spot {
        let hash = self.hasher.hash_one(path);
        let room = self.index.find(hash, |&room| self.room(room).path == path).copied();
        Spot { hash, room }
    }

    pub(super) fn known(&self, spot: Spot) -> Known<'_> {
        match spot.room.map(|room| &self.room(room).future) {
            None => Known::Nothing,
            Some(Future::Gone) => Known::Gone,
            Some(Future::There(state, acl)) => Known::There(state, acl),
        }
    }

    /// The znode at `path` will be in this state, and have this list.
    pub(super) fn put(&mut self, spot: Spot, path: &str, zxid: Zxid, state: State, acl: FutureAcl) {
        self.set(spot, path, zxid, Future::There(state, acl));
    }

    /// There will be no znode at `path`.
    pub(super) fn remove(&mut self, spot: Spot, path: &str, zxid: Zxid) {
        self.set(spot, path, zxid, Future::Gone);
    }

    fn set(&mut self, spot: Spot, path: &str, zxid: Zxid, future: Future) {
        let room = match spot.room {
            Some(room) => {
                self.disown(room);
                let old = self.room_mut(room);
                let touched_before = old.zxid;
                let before = core::mem::replace(&mut old.future, future);
                old.zxid = zxid;
                if let Some(undo) = &mut self.undo {
                    undo.push(Undo::Room(room, Some((touched_before, before))));
                }
                if touched_before == zxid {
                    self.own(room);
                    return;
                }
                room
            }
            None => {
                let room = self.enter(spot.hash, path, zxid, future);
                if let Some(undo) = &mut self.undo {
                    undo.push(Undo::Room(room, None));
                }
                room
            }
        };
        self.own(room);
        self.touched.push_back((zxid, Touched::Room(room)));
    }

    /// Takes a room for `path`, with the text buffer of whoever was in it before.
    fn enter(&mut self, hash: u64, path: &str, zxid: Zxid, future: Future) -> u32 {
        let room = if let Some(room) = self.vacant.pop() {
            let old = self.room_mut(room);
            old.path.push_str(path);
            (old.hash, old.zxid, old.future) = (hash, zxid, future);
            room
        } else {
            self.rooms.push(Room { path: String::from(path), hash, zxid, future });
            u32::try_from(self.rooms.len() - 1).expect("far fewer than 2^32 changes are in flight")
        };
        let rooms = &self.rooms;
        self.index.insert_unique(hash, room, |&other| rooms[index(other)].hash);
        room
    }

    fn leave(&mut self, room: u32) {
        self.disown(room);
        let hash = self.room(room).hash;
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == room) {
            entry.remove();
        }
        let old = self.room_mut(room);
        old.path.clear();
        (old.zxid, old.future) = (Zxid::NONE, Future::Gone);
        self.vacant.push(room);
    }

    fn room(&self, room: u32) -> &Room {
        &self.rooms[index(room)]
    }

    fn room_mut(&mut self, room: u32) -> &mut Room {
        &mut self.rooms[index(room)]
    }

    fn owner(&self, room: u32) -> Option<SessionId> {
        match &self.room(room).future {
            // Containers and TTL znodes get in here too, under owners that no session has.
            Future::There(state, _) if state.stat.ephemeral_owner != 0 => {
                Some(SessionId(state.stat.ephemeral_owner))
            }
            Future::There(..) | Future::Gone => None,
        }
    }

    fn own(&mut self, room: u32) {
        if let Some(owner) = self.owner(room) {
            self.owned.insert((owner, room));
        }
    }

    fn disown(&mut self, room: u32) {
        if let Some(owner) = self.owner(room) {
            self.owned.remove(&(owner, room));
        }
    }

    /// The ephemerals that `session` will have, as far as the overlay knows their paths.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        let rooms = self.owned.range((session, 0)..=(session, u32::MAX));
        rooms.map(|&(_, room)| self.room(room).path.as_str())
    }

    pub(super) fn session(&self, session: SessionId) -> Option<SessionChange> {
        self.sessions.get(&session).map(|&(_, change)| change)
    }

    pub(super) fn change_session(&mut self, session: SessionId, zxid: Zxid, change: SessionChange) {
        self.sessions.insert(session, (zxid, change));
        self.touched.push_back((zxid, Touched::Session(session)));
    }

    /// What is on its way into the subtree at `prefix`.
    pub(super) fn usage(&self, prefix: &str) -> Usage {
        self.usage.get(prefix).copied().unwrap_or_default()
    }

    pub(super) fn add_usage(&mut self, prefix: &str, zxid: Zxid, usage: Usage) {
        if usage == Usage::default() {
            return;
        }
        let sum = match self.usage.get_mut(prefix) {
            Some(sum) => sum,
            None => self.usage.entry(String::from(prefix)).or_default(),
        };
        sum.nodes = sum.nodes.saturating_add(usage.nodes);
        sum.bytes = sum.bytes.saturating_add(usage.bytes);
        self.touched.push_back((zxid, Touched::Usage(String::from(prefix), usage)));
    }

    fn subtract_usage(&mut self, prefix: &str, usage: Usage) {
        let sum = self.usage.entry(String::from(prefix)).or_default();
        sum.nodes = sum.nodes.saturating_sub(usage.nodes);
        sum.bytes = sum.bytes.saturating_sub(usage.bytes);
        // A sum can pass through zero, so an absent one means zero and not that nothing is in flight.
        if *sum == Usage::default() {
            self.usage.remove(prefix);
        }
    }

    /// From here on everything can be taken back, until [`keep`](Self::keep) or [`take_back`](Self::take_back).
    pub(super) fn begin(&mut self) {
        let mark = Undo::Mark { digest: self.digest, touched: self.touched.len() };
        self.undo = Some(alloc::vec![mark]);
    }

    pub(super) fn keep(&mut self) {
        self.undo = None;
    }

    /// Everything since [`begin`](Self::begin) has not been. Source: `rollbackPendingChanges`.
    pub(super) fn take_back(&mut self) {
        for step in self.undo.take().into_iter().flatten().rev() {
            match step {
                Undo::Room(room, None) => self.leave(room),
                Undo::Room(room, Some((zxid, future))) => {
                    self.disown(room);
                    let old = self.room_mut(room);
                    (old.zxid, old.future) = (zxid, future);
                    self.own(room);
                }
                Undo::Mark { digest, touched } => {
                    self.digest = digest;
                    while self.touched.len() > touched {
                        if let Some((_, Touched::Usage(prefix, usage))) = self.touched.pop_back() {
                            self.subtract_usage(&prefix, usage);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Pending {
    pub(super) fn rooms(&self) -> usize {
        self.rooms.len()
    }
}

fn index(room: u32) -> usize {
    usize::try_from(room).expect("a room number is an index")
}
