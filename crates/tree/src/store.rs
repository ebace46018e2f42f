//! Znodes and who is whose child.

use alloc::vec::Vec;

use proto::{Buffer, Stat, StatPersisted, Zxid};

use crate::children::{Children, Newcomers};
use crate::hash::NameHash;
use crate::nodes::{Body, Changed, Extra, NodeId, Nodes};
use crate::owner::{Owner, OwnerRules};
use crate::slab::Slab;

/// What a znode knows of its children. One that never had any knows nothing.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) pzxid: i64,
    pub(crate) cversion: i32,
    /// The znode's own digest, kept because a parent changes with every creation below it.
    pub(crate) digest: u32,
    children: Children,
}

/// What a new znode is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewNode<'a> {
    pub(crate) parent: Option<NodeId>,
    pub(crate) name: &'a [u8],
    pub(crate) data: Buffer<'a>,
    pub(crate) acl: u32,
    pub(crate) stat: StatPersisted,
}

/// All znodes of a tree.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) nodes: Nodes,
    families: Slab<Family>,
    hash: NameHash,
}

impl Store {
    pub(crate) fn new(hash: NameHash) -> Self {
        Self { nodes: Nodes::new(), families: Slab::new(), hash }
    }

    #[inline]
    pub(crate) fn family(&self, id: NodeId) -> Option<&Family> {
        self.nodes.family(id).map(|number| self.families.get(number))
    }

    pub(crate) fn data_len(&self, id: NodeId) -> usize {
        self.nodes.data(id).map_or(0, <[u8]>::len)
    }

    pub(crate) fn persisted(&self, id: NodeId) -> StatPersisted {
        let extra = self.nodes.extra(id);
        let (czxid, ctime) = (self.nodes.czxid(id), self.nodes.ctime(id));
        let changed = extra.changed.unwrap_or(Changed { mzxid: czxid, mtime: ctime, version: 0 });
        let family = extra.family.map(|number| self.families.get(number));
        StatPersisted {
            czxid: Zxid(czxid),
            mzxid: Zxid(changed.mzxid),
            ctime,
            mtime: changed.mtime,
            version: changed.version,
            cversion: family.map_or(0, |family| family.cversion),
            aversion: extra.aversion(),
            ephemeral_owner: extra.owner.unwrap_or(0),
            pzxid: Zxid(family.map_or(czxid, |family| family.pzxid)),
        }
    }

    pub(crate) fn stat(&self, id: NodeId, rules: OwnerRules) -> Stat {
        let stored = self.persisted(id);
        let children = self.child_count(id).cast_signed();
        Stat {
            czxid: stored.czxid,
            mzxid: stored.mzxid,
            ctime: stored.ctime,
            mtime: stored.mtime,
            version: stored.version,
            cversion: stored.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: stored.aversion,
            ephemeral_owner: rules.decode(stored.ephemeral_owner).session(),
            data_length: i32::try_from(self.data_len(id)).unwrap_or(i32::MAX),
            num_children: children,
            pzxid: stored.pzxid,
        }
    }

    pub(crate) fn owner(&self, id: NodeId, rules: OwnerRules) -> Owner {
        self.nodes.extra(id).owner.map_or(Owner::Persistent, |stored| rules.decode(stored))
    }

    pub(crate) fn child_count(&self, id: NodeId) -> u32 {
        self.family(id).map_or(0, |family| family.children.count())
    }

    pub(crate) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.family(id).into_iter().flat_map(|family| family.children.iter().map(NodeId))
    }

    #[inline]
    pub(crate) fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let family = self.family(parent)?;
        let is_it = |id| self.nodes.name(NodeId(id)) == name;
        family.children.find(self.hash.of(name), is_it).map(NodeId)
    }

    /// Appends the whole path; nothing for the root.
    pub(crate) fn write_path(&self, id: NodeId, out: &mut Vec<u8>) {
        let start = out.len();
        let mut length = 0;
        let mut at = id;
        while let Some(parent) = self.nodes.parent(at) {
            length += 1 + self.nodes.name(at).len();
            at = parent;
        }
        out.resize(start + length, b'/');
        let mut end = out.len();
        let mut at = id;
        while let Some(parent) = self.nodes.parent(at) {
            let name = self.nodes.name(at);
            out[end - name.len()..end].copy_from_slice(name);
            end -= 1 + name.len();
            at = parent;
        }
    }

    /// Makes a znode and lists it under its parent, which must not have one of that name.
    pub(crate) fn insert(&mut self, new: &NewNode<'_>) -> NodeId {
        let id = self.insert_unlisted(new);
        if let Some(parent) = new.parent {
            self.list(parent, id);
        }
        id
    }

    /// Makes a znode that is to be listed under its parent.
    pub(crate) fn insert_unlisted(&mut self, new: &NewNode<'_>) -> NodeId {
        let NewNode { parent, name, data, acl, ref stat } = *new;
        let changed = Changed { mzxid: stat.mzxid.0, mtime: stat.mtime, version: stat.version };
        let unchanged = Changed { mzxid: stat.czxid.0, mtime: stat.ctime, version: 0 };
        let has_family = stat.cversion != 0 || stat.pzxid != stat.czxid;
        let family = has_family.then(|| self.new_family(stat.pzxid.0, stat.cversion));
        let mut extra = Extra::default();
        extra.changed = (changed != unchanged).then_some(changed);
        extra.family = family;
        extra.owner = (stat.ephemeral_owner != 0).then_some(stat.ephemeral_owner);
        let (czxid, ctime) = (stat.czxid.0, stat.ctime);
        let body = Body { parent, name, data, acl, aversion: stat.aversion, czxid, ctime, extra };
        self.nodes.insert(&body)
    }

    /// The hash of a name, as [`Self::list_all`] wants it.
    #[inline]
    pub(crate) fn hash_of(&self, name: &[u8]) -> u64 {
        self.hash.of(name)
    }

    /// Lists a znode under its parent, which must not have one of that name.
    pub(crate) fn list(&mut self, parent: NodeId, id: NodeId) {
        let family = self.make_family(parent);
        let Self { nodes, families, hash } = self;
        let hash_of = |id: u32| hash.of(nodes.name(NodeId(id)));
        families.get_mut(family).children.insert(hash_of(id.0), id.0, hash_of);
    }

    /// Lists znodes under their parent. `Err` is one whose name the parent has already; then not all are listed.
    pub(crate) fn list_all(&mut self, parent: NodeId, new: &mut Newcomers) -> Result<(), NodeId> {
        let family = self.make_family(parent);
        let Self { nodes, families, hash } = self;
        let hash_of = |id: u32| hash.of(nodes.name(NodeId(id)));
        let is_same = |one: u32, other: u32| nodes.name(NodeId(one)) == nodes.name(NodeId(other));
        families.get_mut(family).children.insert_all(new, hash_of, is_same).map_err(NodeId)
    }

    fn new_family(&mut self, pzxid: i64, cversion: i32) -> u32 {
        self.families.insert(Family { pzxid, cversion, digest: 0, children: Children::new() })
    }

    /// The number of a znode's family. A new one holds no digest yet.
    pub(crate) fn make_family(&mut self, id: NodeId) -> u32 {
        if let Some(number) = self.nodes.family(id) {
            return number;
        }
        let number = self.new_family(self.nodes.czxid(id), 0);
        let mut extra = self.nodes.extra(id);
        extra.family = Some(number);
        self.nodes.set_extra(id, &extra);
        number
    }

    /// The family, made if there is none.
    pub(crate) fn family_mut(&mut self, id: NodeId) -> &mut Family {
        let number = self.make_family(id);
        self.families.get_mut(number)
    }

    /// Keeps a znode's digest, if it is one that keeps it.
    pub(crate) fn keep_digest(&mut self, id: NodeId, digest: u32) {
        if let Some(number) = self.nodes.family(id) {
            self.families.get_mut(number).digest = digest;
        }
    }

    pub(crate) fn set_data(&mut self, id: NodeId, data: Buffer<'_>, changed: Changed) {
        let mut extra = self.nodes.extra(id);
        extra.changed = Some(changed);
        self.nodes.replace(id, &extra, data);
    }

    /// Data alone: what quota bookkeeping does.
    pub(crate) fn set_data_only(&mut self, id: NodeId, data: &[u8]) {
        let extra = self.nodes.extra(id);
        self.nodes.replace(id, &extra, Some(data));
    }

    /// Takes a znode out of its parent's list; it stays readable until [`Self::remove`].
    pub(crate) fn unlist(&mut self, id: NodeId) {
        let Some(number) = self.nodes.parent(id).and_then(|parent| self.nodes.family(parent)) else { return };
        let hash = self.hash.of(self.nodes.name(id));
        self.families.get_mut(number).children.remove(hash, id.0);
    }

    /// Forgets a znode that is not listed any more.
    pub(crate) fn remove(&mut self, id: NodeId) {
        if let Some(number) = self.nodes.family(id) {
            self.families.remove(number);
        }
        self.nodes.remove(id);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let indexes = self.families.iter().map(|family| family.children.memory_bytes());
        self.nodes.memory_bytes() + self.families.memory_bytes() + indexes.sum::<usize>()
    }
}
