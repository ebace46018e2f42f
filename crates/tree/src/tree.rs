//! The replicated state as a whole, and what can be asked of it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use proto::{Acl, SessionId, StatPersisted, Zxid};

use crate::acls::{AclTable, OPEN};
use crate::digest::{self, DigestLog};
use crate::hash::NameHash;
use crate::nodes::{Changed, NodeId};
use crate::owner::{Owner, OwnerRules};
use crate::quota;
use crate::snapshot::Walk;
use crate::store::{NewNode, Store};
use crate::view::Node;

/// What a tree is made with. Only `hash_seed` may differ between the members of an ensemble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TreeOptions {
    /// Random per process, so that nobody can choose names that collide; fixed in the simulator.
    pub hash_seed: u64,
    /// `zookeeper.extendedTypesEnabled`: TTL znodes are known as such.
    pub extended_types: bool,
    /// `zookeeper.emulate353TTLNodes`: those of ZooKeeper 3.5.3 too.
    pub emulate_353_ttl: bool,
    /// `zookeeper.digest.enabled`: without it [`Tree::digest`] is 0 and nothing is compared.
    pub digest: bool,
}

/// The replicated state: equal on every member at equal zxid, and its digest proves it.
///
/// Changed only by [`Tree::apply`]. Source: `DataTree`, `ZKDatabase`.
#[derive(Debug)]
pub struct Tree {
    pub(crate) options: TreeOptions,
    pub(crate) store: Store,
    pub(crate) acls: AclTable,
    pub(crate) sessions: BTreeMap<SessionId, i32>,
    pub(crate) ephemerals: BTreeSet<(SessionId, NodeId)>,
    pub(crate) containers: BTreeSet<NodeId>,
    pub(crate) ttl_nodes: BTreeSet<NodeId>,
    /// The `zookeeper_limits` znodes. Empty almost everywhere, and then quotas cost nothing.
    pub(crate) limits: BTreeSet<NodeId>,
    pub(crate) last_zxid: Zxid,
    pub(crate) digest: u64,
    pub(crate) digest_log: DigestLog,
    /// What the tree must be at this zxid: a fuzzy snapshot is not whole before it.
    pub(crate) pending_digest: Option<(Zxid, u64)>,
    pub(crate) data_size: u64,
    /// The pictures being taken. Empty almost always, and then they cost nothing.
    pub(crate) walks: Vec<Walk>,
    /// How many there ever were.
    pub(crate) walks_begun: u64,
}

impl Tree {
    /// The tree of a new ensemble: `/`, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config`, at zxid 0.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        let mut tree = Self::bare(options);
        tree.add("", None, OPEN, &StatPersisted::default(), Some(&[]));
        tree.add_built_in();
        tree
    }

    /// Not even a root.
    pub(crate) fn bare(options: TreeOptions) -> Self {
        let hash = NameHash::new(options.hash_seed);
        Self {
            options,
            store: Store::new(hash),
            acls: AclTable::new(hash),
            sessions: BTreeMap::new(),
            ephemerals: BTreeSet::new(),
            containers: BTreeSet::new(),
            ttl_nodes: BTreeSet::new(),
            limits: BTreeSet::new(),
            last_zxid: Zxid::ZERO,
            digest: 0,
            digest_log: DigestLog::default(),
            pending_digest: None,
            data_size: 0,
            walks: Vec::new(),
            walks_begun: 0,
        }
    }

    /// Adds what every tree has below the root, where it is missing: files older than 3.5 know no configuration.
    pub(crate) fn add_built_in(&mut self) {
        let read = [Acl { perms: proto::Perms::READ.0, id: proto::Id::new("world", "anyone") }];
        let plain = StatPersisted::default();
        // The aversion of the configuration is -1 in every ZooKeeper.
        let config = StatPersisted { aversion: -1, ..plain };
        let all: [(_, Option<&[Acl<'_>]>, _); 3] = [
            ("/zookeeper", None, plain),
            (quota::HOME, None, plain),
            ("/zookeeper/config", Some(&read), config),
        ];
        for (path, acl, stat) in all {
            if self.find(path).is_none() {
                let acl = self.acls.acquire(acl);
                let parent = path.rsplit_once('/').and_then(|(parent, _)| self.find(parent));
                self.add(path, parent, acl, &stat, Some(&[]));
            }
        }
    }

    /// Puts a znode below `parent` as it stands in a snapshot: with a `Stat` of its own, and no effect on the parent's.
    pub(crate) fn add(
        &mut self,
        path: &str,
        parent: Option<NodeId>,
        acl: u32,
        stat: &StatPersisted,
        data: proto::Buffer<'_>,
    ) -> NodeId {
        let (parent_path, name) = path.rsplit_once('/').unwrap_or(("", ""));
        if let Some(parent) = parent {
            self.make_parent(parent, parent_path);
        }
        let id = self.store.insert(&NewNode { parent, name: name.as_bytes(), data, acl, stat: *stat });
        self.enlist(id, path);
        id
    }

    /// Before a znode gets its first child: that gives it a place to keep its digest, which then must be the right one.
    pub(crate) fn make_parent(&mut self, id: NodeId, path: &str) {
        if self.store.family(id).is_none() {
            self.subtract_digest(id, path);
            self.store.make_family(id);
            self.add_digest(id, path);
        }
    }

    /// A leader opens its epoch: what is read from now on is shown at `mark`, though nothing has changed.
    ///
    /// Source: `Leader#lead`, `ZooKeeperServer#setZxid`.
    pub fn open_epoch(&mut self, mark: Zxid) {
        self.last_zxid = self.last_zxid.max(mark);
    }

    /// Shows the configuration of this member where clients look for it. It is each member's own and no part of the
    /// digest; transactions change it only where reconfiguration is enabled.
    ///
    /// * `version`: of the configuration; 0 from static files.
    /// * `now_ms`: milliseconds since 1970.
    ///
    /// Source: `ZKDatabase#initConfigInZKDatabase`.
    pub fn show_configuration(&mut self, text: &[u8], version: Zxid, now_ms: i64) {
        let Some(id) = self.find("/zookeeper/config") else { return };
        self.save_for_snapshot(id);
        let old = self.store.data_len(id);
        self.store.set_data(id, Some(text), Changed { mzxid: version.0, mtime: now_ms, version: -1 });
        self.data_size = self.data_size + text.len() as u64 - old as u64;
    }

    /// The znode at `path`, if there is one. `""` and `"/"` are the root; a path that is not valid has no znode.
    #[inline]
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        let Some(names) = path.as_bytes().strip_prefix(b"/") else {
            return path.is_empty().then_some(NodeId::ROOT);
        };
        if names.is_empty() {
            return Some(NodeId::ROOT);
        }
        names.split(|&byte| byte == b'/').try_fold(NodeId::ROOT, |at, name| self.store.child(at, name))
    }

    /// The child of `parent` with this name.
    #[must_use]
    pub fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.store.child(parent, name.as_bytes())
    }

    /// A look at a znode.
    ///
    /// # Panics
    /// If the number was never given out; one of a deleted znode shows another znode or panics.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Node<'_> {
        assert!(self.store.nodes.is_used(id), "an id is used only while its znode is there");
        Node { tree: self, id }
    }

    /// How many znodes are below this one, at any depth. Source: `DataTree#getAllChildrenNumber`.
    #[must_use]
    pub fn descendants(&self, id: NodeId) -> u64 {
        if id == NodeId::ROOT {
            return u64::from(self.store.nodes.count()) - 1;
        }
        self.subtree(id).count() as u64 - 1
    }

    /// A znode and everything below it, each before its children.
    pub(crate) fn subtree(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        // One iterator per level: a parent of millions costs no list of them.
        let mut levels: Vec<alloc::boxed::Box<dyn Iterator<Item = NodeId> + '_>> = Vec::new();
        levels.push(alloc::boxed::Box::new(core::iter::once(id)));
        core::iter::from_fn(move || {
            while let Some(level) = levels.last_mut() {
                if let Some(next) = level.next() {
                    if self.store.child_count(next) > 0 {
                        levels.push(alloc::boxed::Box::new(self.store.children(next)));
                    }
                    return Some(next);
                }
                levels.pop();
            }
            None
        })
    }

    /// The ephemeral znodes of a session.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = NodeId> + '_ {
        let all = (session, NodeId(0))..=(session, NodeId(u32::MAX));
        self.ephemerals.range(all).map(|&(_, id)| id)
    }

    /// The sessions that own ephemerals, by id.
    pub fn sessions_with_ephemerals(&self) -> impl Iterator<Item = SessionId> + '_ {
        let mut next = self.ephemerals.first().map(|&(session, _)| session);
        core::iter::from_fn(move || {
            let session = next?;
            let beyond =
                self.ephemerals.range((session, NodeId(u32::MAX))..).find(|(one, _)| *one != session);
            next = beyond.map(|&(session, _)| session);
            Some(session)
        })
    }

    /// The sessions that own ephemerals but are not in the session table: what a fuzzy snapshot can leave behind.
    ///
    /// The member closes them. Source: `ZooKeeperServer#loadData`.
    pub fn orphans(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions_with_ephemerals().filter(|session| !self.sessions.contains_key(session))
    }

    /// The session table: every global session and its timeout in milliseconds.
    #[must_use]
    pub fn sessions(&self) -> &BTreeMap<SessionId, i32> {
        &self.sessions
    }

    /// The container znodes.
    pub fn containers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.containers.iter().copied()
    }

    /// The TTL znodes.
    pub fn ttl_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.ttl_nodes.iter().copied()
    }

    /// The last transaction in it.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The digest of the whole, version 2; 0 where it is switched off.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digests at every 128th zxid, oldest first, at most 1024: what `hash` shows.
    pub fn digest_log(&self) -> impl ExactSizeIterator<Item = (Zxid, u64)> + '_ {
        self.digest_log.iter()
    }

    /// How many znodes there are, as Java counts: the root twice, 5 when empty.
    #[must_use]
    pub fn node_count(&self) -> u64 {
        u64::from(self.store.nodes.count()) + 1
    }

    /// How many of them are ephemeral.
    #[must_use]
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals.len()
    }

    /// Characters of all paths and bytes of all data: 44 when empty. Source: `DataTree#approximateDataSize`.
    #[must_use]
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// The id this list has in snapshots: -1 for the open one, `None` if no znode has it.
    #[must_use]
    pub fn acl_id_of(&self, list: &[Acl<'_>]) -> Option<i64> {
        self.acls.id_of(list)
    }

    /// What the tree was made with.
    #[must_use]
    pub fn options(&self) -> &TreeOptions {
        &self.options
    }

    /// How stored owners are understood.
    #[must_use]
    pub fn owner_rules(&self) -> OwnerRules {
        let TreeOptions { extended_types, emulate_353_ttl, .. } = self.options;
        OwnerRules { extended_types, emulate_353_ttl }
    }

    /// Bytes of memory in use, by the tree's own accounting; what the allocator adds is not in it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        // What a B-tree of small entries takes beside them.
        let set = |entries: usize, bytes: usize| entries * bytes * 3 / 2;
        self.store.memory_bytes()
            + self.acls.memory_bytes()
            + set(self.sessions.len(), size_of::<(SessionId, i32)>())
            + set(self.ephemerals.len(), size_of::<(SessionId, NodeId)>())
            + set(self.containers.len() + self.ttl_nodes.len() + self.limits.len(), size_of::<NodeId>())
            + self.walks.iter().map(Walk::memory_bytes).sum::<usize>()
    }

    /// Counts a znode in: digest, size, and the list for its kind.
    pub(crate) fn enlist(&mut self, id: NodeId, path: &str) {
        self.add_digest(id, path);
        self.enlist_digested(id, path, self.store.data_len(id));
    }

    /// The same, where the digest has it already.
    pub(crate) fn enlist_digested(&mut self, id: NodeId, path: &str, data_len: usize) {
        self.data_size += path_size(path) + data_len as u64;
        match self.store.owner(id, self.owner_rules()) {
            Owner::Persistent => {}
            Owner::Ephemeral(session) => drop(self.ephemerals.insert((session, id))),
            Owner::Container => drop(self.containers.insert(id)),
            Owner::Ttl { .. } => drop(self.ttl_nodes.insert(id)),
        }
        if quota::subject_of_limits(path).is_some() {
            self.limits.insert(id);
        }
    }

    /// Counts a znode out.
    pub(crate) fn delist(&mut self, id: NodeId, path: &str) {
        self.subtract_digest(id, path);
        self.data_size -= path_size(path) + self.store.data_len(id) as u64;
        match self.store.owner(id, self.owner_rules()) {
            Owner::Persistent => {}
            Owner::Ephemeral(session) => drop(self.ephemerals.remove(&(session, id))),
            Owner::Container => drop(self.containers.remove(&id)),
            Owner::Ttl { .. } => drop(self.ttl_nodes.remove(&id)),
        }
        if !self.limits.is_empty() {
            self.limits.remove(&id);
        }
    }

    /// What the znode adds to the digest now.
    pub(crate) fn digest_of(&self, id: NodeId, path: &str) -> u32 {
        if !self.options.digest {
            return 0;
        }
        match self.store.family(id) {
            Some(family) => family.digest,
            None => self.compute_digest(id, path),
        }
    }

    fn compute_digest(&self, id: NodeId, path: &str) -> u32 {
        let data = self.store.nodes.data(id).unwrap_or_default();
        digest::node_crc(path.as_bytes(), data, &self.store.persisted(id))
    }

    /// Before a znode changes.
    pub(crate) fn subtract_digest(&mut self, id: NodeId, path: &str) {
        self.digest = self.digest.wrapping_sub(self.digest_of(id, path).into());
    }

    /// After it has changed.
    pub(crate) fn add_digest(&mut self, id: NodeId, path: &str) {
        if self.options.digest {
            let digest = self.compute_digest(id, path);
            self.store.keep_digest(id, digest);
            self.digest = self.digest.wrapping_add(digest.into());
        }
    }
}

/// What a path counts for in the approximate data size: Java's characters, and the root's two names together.
fn path_size(path: &str) -> u64 {
    let characters = if path.is_ascii() { path.len() } else { path.encode_utf16().count() };
    characters.max(1) as u64
}
