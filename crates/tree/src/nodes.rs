//! How a znode lies in memory: 32 bytes of its own, and one slot with its name and data.
//!
//! The 32 bytes hold what every znode has. What only some have stands before the name, in this order and only if its
//! flag is set: what changed since the creation (20 bytes), the number of the family (4), the owner (8), and rare
//! things (8). A znode that was created and left alone costs none of them.

use alloc::vec::Vec;

use proto::Buffer;

use crate::blobs::{self, Blobs, Place};

/// A znode's place in the tree of one member. Given out again once the znode is deleted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The root.
    pub const ROOT: Self = Self(0);

    /// As a number. Numbers are small and dense: good for tables beside the tree.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

const CHUNK: usize = 4096;
/// Znodes looked at, with each change, for bytes in a page that is to become empty.
const TIDIED_AT_ONCE: u32 = 8;
const NO_PARENT: u32 = u32::MAX;
/// In place of the parent: the record is free, and `blob` is the next free one.
const FREE: u32 = u32::MAX - 1;
const NO_RECORD: u32 = u32::MAX;
/// The slot of the access control list does not fit and stands among the rare things.
const ACL_IN_RARE: u16 = u16::MAX;

const CHANGED: u32 = 1;
const FAMILY: u32 = 1 << 1;
const OWNER: u32 = 1 << 2;
const RARE: u32 = 1 << 3;
const NULL_DATA: u32 = 1 << 4;
/// `blob` is the number of boxed bytes; they start with the length of the name, and end with the data.
const BOXED: u32 = 1 << 5;

const CHANGED_BYTES: usize = 20;
const FAMILY_BYTES: usize = 4;
const OWNER_BYTES: usize = 8;
const RARE_BYTES: usize = 8;
const BOXED_BYTES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Record {
    czxid: i64,
    ctime: i64,
    parent: u32,
    blob: u32,
    /// The length of the data above eight bits of flags.
    size: u32,
    name_len: u16,
    acl: u16,
}
const _: () = assert!(size_of::<Record>() == 32, "the memory figure rests on this");

/// What a setData leaves behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Changed {
    pub(crate) mzxid: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
}

/// What only some znodes have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Extra {
    pub(crate) changed: Option<Changed>,
    pub(crate) family: Option<u32>,
    pub(crate) owner: Option<i64>,
    rare: Option<Rare>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rare {
    aversion: i32,
    acl: u32,
}

/// What a znode is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) parent: Option<NodeId>,
    pub(crate) name: &'a [u8],
    pub(crate) data: Buffer<'a>,
    pub(crate) acl: u32,
    pub(crate) aversion: i32,
    pub(crate) czxid: i64,
    pub(crate) ctime: i64,
    pub(crate) extra: Extra,
}

/// The records and bytes of all znodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// Never moved: growing must not copy what is there.
    chunks: Vec<Vec<Record>>,
    free: u32,
    used: u32,
    blobs: Blobs,
    scratch: Vec<u8>,
    /// The znode to look at next, in turn, while pages are draining.
    tidied: u32,
}

struct Parts<'a> {
    head: &'a [u8],
    name: &'a [u8],
    data: &'a [u8],
}

impl Record {
    #[inline]
    fn has(&self, flag: u32) -> bool {
        self.size & flag != 0
    }

    #[inline]
    fn part(&self, flag: u32, bytes: usize) -> usize {
        if self.has(flag) { bytes } else { 0 }
    }

    /// Where the number of the family stands.
    #[inline]
    fn family_at(&self) -> usize {
        self.part(BOXED, BOXED_BYTES) + self.part(CHANGED, CHANGED_BYTES)
    }

    /// Where the name starts.
    #[inline]
    fn name_at(&self) -> usize {
        self.family_at()
            + self.part(FAMILY, FAMILY_BYTES)
            + self.part(OWNER, OWNER_BYTES)
            + self.part(RARE, RARE_BYTES)
    }

    #[inline]
    fn place(&self) -> Place {
        if self.has(BOXED) { Place::Boxed(self.blob) } else { Place::Slot(self.blob) }
    }

    fn slot_len(&self) -> usize {
        self.name_at() + usize::from(self.name_len) + (self.size >> 8) as usize
    }
}

fn int(bytes: &[u8], at: usize) -> [u8; 4] {
    *bytes[at..].first_chunk().expect("a part is as long as its flag says")
}

fn long(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(*bytes[at..].first_chunk().expect("a part is as long as its flag says"))
}

impl Extra {
    fn decode(flags: u32, mut head: &[u8]) -> Self {
        let mut part = |flag: u32, bytes: usize| {
            if flags & flag == 0 {
                return None;
            }
            let (part, rest) = head.split_at(bytes);
            head = rest;
            Some(part)
        };
        part(BOXED, BOXED_BYTES);
        Self {
            changed: part(CHANGED, CHANGED_BYTES).map(|part| Changed {
                mzxid: long(part, 0),
                mtime: long(part, 8),
                version: i32::from_be_bytes(int(part, 16)),
            }),
            family: part(FAMILY, FAMILY_BYTES).map(|part| u32::from_be_bytes(int(part, 0))),
            owner: part(OWNER, OWNER_BYTES).map(|part| long(part, 0)),
            rare: part(RARE, RARE_BYTES).map(|part| Rare {
                aversion: i32::from_be_bytes(int(part, 0)),
                acl: u32::from_be_bytes(int(part, 4)),
            }),
        }
    }

    fn flags(&self) -> u32 {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        flag(self.changed.is_some(), CHANGED)
            | flag(self.family.is_some(), FAMILY)
            | flag(self.owner.is_some(), OWNER)
            | flag(self.rare.is_some(), RARE)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(Changed { mzxid, mtime, version }) = self.changed {
            out.extend_from_slice(&mzxid.to_be_bytes());
            out.extend_from_slice(&mtime.to_be_bytes());
            out.extend_from_slice(&version.to_be_bytes());
        }
        if let Some(family) = self.family {
            out.extend_from_slice(&family.to_be_bytes());
        }
        if let Some(owner) = self.owner {
            out.extend_from_slice(&owner.to_be_bytes());
        }
        if let Some(Rare { aversion, acl }) = self.rare {
            out.extend_from_slice(&aversion.to_be_bytes());
            out.extend_from_slice(&acl.to_be_bytes());
        }
    }

    /// Puts the slot of the list where it fits, and returns what the record says of it.
    fn set_acl(&mut self, acl: u32, aversion: i32) -> u16 {
        let short = u16::try_from(acl).ok().filter(|&acl| acl != ACL_IN_RARE);
        self.rare = (short.is_none() || aversion != 0).then_some(Rare { aversion, acl });
        short.unwrap_or(ACL_IN_RARE)
    }

    pub(crate) fn aversion(&self) -> i32 {
        self.rare.map_or(0, |rare| rare.aversion)
    }
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: NO_RECORD,
            used: 0,
            blobs: Blobs::new(),
            scratch: Vec::new(),
            tidied: 0,
        }
    }

    #[inline]
    fn record(&self, id: NodeId) -> &Record {
        &self.chunks[id.0 as usize / CHUNK][id.0 as usize % CHUNK]
    }

    fn record_mut(&mut self, id: NodeId) -> &mut Record {
        &mut self.chunks[id.0 as usize / CHUNK][id.0 as usize % CHUNK]
    }

    #[inline]
    fn bytes(&self, record: &Record) -> &[u8] {
        let length = if record.has(BOXED) { self.blobs.boxed_len(record.blob) } else { record.slot_len() };
        self.blobs.get(record.place(), length)
    }

    #[inline]
    fn parts(&self, record: &Record) -> Parts<'_> {
        let (head, rest) = self.bytes(record).split_at(record.name_at());
        let name_len = if record.has(BOXED) {
            u32::from_be_bytes(int(head, 0)) as usize
        } else {
            usize::from(record.name_len)
        };
        let (name, data) = rest.split_at(name_len);
        Parts { head, name, data }
    }

    pub(crate) fn extra(&self, id: NodeId) -> Extra {
        let record = self.record(id);
        if !record.has(CHANGED | FAMILY | OWNER | RARE) {
            return Extra::default();
        }
        Extra::decode(record.size, self.parts(record).head)
    }

    #[inline]
    pub(crate) fn family(&self, id: NodeId) -> Option<u32> {
        let record = self.record(id);
        record.has(FAMILY).then(|| u32::from_be_bytes(int(self.bytes(record), record.family_at())))
    }

    #[inline]
    pub(crate) fn name(&self, id: NodeId) -> &[u8] {
        self.parts(self.record(id)).name
    }

    #[inline]
    pub(crate) fn data(&self, id: NodeId) -> Buffer<'_> {
        let record = self.record(id);
        if record.has(NULL_DATA) { None } else { Some(self.parts(record).data) }
    }

    #[inline]
    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        let parent = self.record(id).parent;
        (parent != NO_PARENT).then_some(NodeId(parent))
    }

    pub(crate) fn czxid(&self, id: NodeId) -> i64 {
        self.record(id).czxid
    }

    pub(crate) fn ctime(&self, id: NodeId) -> i64 {
        self.record(id).ctime
    }

    /// The slot of the access control list.
    pub(crate) fn acl(&self, id: NodeId) -> u32 {
        match self.record(id).acl {
            ACL_IN_RARE => self.extra(id).rare.expect("the slot stands among the rare things").acl,
            acl => u32::from(acl),
        }
    }

    /// How many znodes there are.
    pub(crate) fn count(&self) -> u32 {
        self.used
    }

    /// One more than the highest number that was ever given out.
    pub(crate) fn end(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        u32::try_from(full + self.chunks.last().map_or(0, Vec::len)).expect("ids are 32 bits")
    }

    pub(crate) fn is_used(&self, id: NodeId) -> bool {
        self.record(id).parent != FREE
    }

    pub(crate) fn insert(&mut self, body: &Body<'_>) -> NodeId {
        let mut extra = body.extra;
        let acl = extra.set_acl(body.acl, body.aversion);
        let parent = body.parent.map_or(NO_PARENT, |parent| parent.0);
        let Body { czxid, ctime, .. } = *body;
        let id = self.give(Record { czxid, ctime, parent, blob: 0, size: 0, name_len: 0, acl });
        let mut head = core::mem::take(&mut self.scratch);
        head.clear();
        extra.encode(&mut head);
        self.write(id, extra.flags(), body.name.len(), [&head, body.name], body.data);
        self.scratch = head;
        id
    }

    fn give(&mut self, record: Record) -> NodeId {
        self.used += 1;
        if self.free != NO_RECORD {
            let id = NodeId(self.free);
            self.free = self.record(id).blob;
            *self.record_mut(id) = record;
            return id;
        }
        let id = NodeId(self.end());
        assert!(id.0 < FREE, "a tree holds fewer than 2^32 - 2 znodes");
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows as it needs, so that a small tree stays small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        self.chunks.last_mut().expect("one was just made sure of").push(record);
        id
    }

    /// Puts a znode's bytes into a new place.
    ///
    /// * `front`: all that stands before the data.
    fn write(&mut self, id: NodeId, flags: u32, name_len: usize, front: [&[u8]; 2], data: Buffer<'_>) {
        let flags = flags | if data.is_none() { NULL_DATA } else { 0 };
        let data = data.unwrap_or_default();
        let [head, name] = front;
        let short = "what lies in a slot is at most 4 KiB";
        let (blob, size, name_len) = match self.blobs.insert(&[head, name, data]) {
            Some(at) => {
                let data_len = u32::try_from(data.len()).expect(short);
                (at, data_len << 8 | flags, u16::try_from(name_len).expect(short))
            }
            None => {
                let name_len = u32::try_from(name_len).expect("a name comes from a transaction below 2 GiB");
                let bytes = [&name_len.to_be_bytes(), head, name, data].concat();
                (self.blobs.insert_boxed(bytes.into_boxed_slice()), flags | BOXED, 0)
            }
        };
        let record = self.record_mut(id);
        (record.blob, record.size, record.name_len) = (blob, size, name_len);
        self.tidy();
    }

    /// Moves the bytes of a few znodes out of pages that are draining, if there are any.
    #[inline]
    fn tidy(&mut self) {
        if self.blobs.is_any_draining() {
            self.tidy_some();
        }
    }

    #[cold]
    fn tidy_some(&mut self) {
        for _ in 0..TIDIED_AT_ONCE {
            self.tidied = if self.tidied + 1 < self.end() { self.tidied + 1 } else { 0 };
            let id = NodeId(self.tidied);
            let record = *self.record(id);
            if record.parent == FREE || !self.blobs.is_draining(record.place()) {
                continue;
            }
            let mut bytes = core::mem::take(&mut self.scratch);
            bytes.clear();
            bytes.extend_from_slice(self.blobs.get(record.place(), record.slot_len()));
            if let Some(at) = self.blobs.insert(&[&bytes]) {
                self.blobs.remove(record.place());
                self.record_mut(id).blob = at;
            }
            self.scratch = bytes;
        }
    }

    /// Changes what stands before the name, and the data. In place if it fits where it was.
    pub(crate) fn replace(&mut self, id: NodeId, extra: &Extra, data: Buffer<'_>) {
        let record = *self.record(id);
        let new_data = data.unwrap_or_default();
        let kept = CHANGED | FAMILY | OWNER | RARE;
        let before = record.name_at() + usize::from(record.name_len);
        if record.size & (kept | BOXED) == extra.flags()
            && blobs::same_slot(record.slot_len(), before + new_data.len())
        {
            let length = before + new_data.len();
            let mut head = core::mem::take(&mut self.scratch);
            head.clear();
            extra.encode(&mut head);
            let bytes = self.blobs.get_mut(record.place(), length);
            bytes[..head.len()].copy_from_slice(&head);
            bytes[before..].copy_from_slice(new_data);
            self.scratch = head;
            let null = if data.is_none() { NULL_DATA } else { 0 };
            let data_len = u32::try_from(new_data.len()).expect("what lies in a slot is at most 4 KiB");
            self.record_mut(id).size = data_len << 8 | record.size & kept | null;
            self.tidy();
            return;
        }
        let mut front = core::mem::take(&mut self.scratch);
        front.clear();
        extra.encode(&mut front);
        let name = self.parts(&record).name;
        let name_len = name.len();
        front.extend_from_slice(name);
        self.blobs.remove(record.place());
        self.write(id, extra.flags(), name_len, [&front, &[]], data);
        // One huge name must not leave its size behind.
        front.clear();
        front.shrink_to(1 << 16);
        self.scratch = front;
    }

    /// Changes what stands before the name.
    pub(crate) fn set_extra(&mut self, id: NodeId, extra: &Extra) {
        // The data passes through a copy: this happens once per kind of extra in a znode's life.
        let data = self.data(id).map(Vec::from);
        self.replace(id, extra, data.as_deref());
    }

    /// Changes the access control list and how often it was set.
    pub(crate) fn set_acl(&mut self, id: NodeId, acl: u32, aversion: i32) {
        let old = self.extra(id);
        let mut extra = old;
        self.record_mut(id).acl = extra.set_acl(acl, aversion);
        if extra != old {
            self.set_extra(id, &extra);
        }
    }

    /// Forgets a znode.
    pub(crate) fn remove(&mut self, id: NodeId) {
        let place = self.record(id).place();
        self.blobs.remove(place);
        let next = core::mem::replace(&mut self.free, id.0);
        let record = self.record_mut(id);
        (record.parent, record.blob) = (FREE, next);
        self.used -= 1;
        self.tidy();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Record>()).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<Record>>()
            + self.blobs.memory_bytes()
    }
}
