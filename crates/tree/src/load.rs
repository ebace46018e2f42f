//! A tree out of a snapshot, whoever wrote it. Source: `DataTree#deserialize`; storage.md §8.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proto::{AclList, Buffer, SessionId, StatPersisted, Zxid};

use crate::acls::OPEN;
use crate::nodes::NodeId;
use crate::tree::{Tree, TreeOptions};

/// Why the records of a snapshot are not a tree.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// Source: `DataTree#deserialize`.
    #[error("invalid snapshot: unable to find parent {parent} of path {path}")]
    ParentMissing {
        /// Of the znode.
        path: String,
        /// What should have come before it.
        parent: String,
    },
    /// A path came twice.
    #[error("invalid snapshot: path {path} comes twice")]
    Twice {
        /// That path.
        path: String,
    },
    /// A path that no znode can have.
    #[error("invalid snapshot: {path:?} is not a path")]
    Path {
        /// What stands there.
        path: String,
    },
    /// There is no znode at all.
    #[error("invalid snapshot: it has no root")]
    NoRoot,
}

/// So many siblings are listed under their parent at once: a million one by one would each miss the caches.
const SIBLINGS_AT_ONCE: usize = 1 << 16;

/// Builds a tree from the records of a snapshot, in their order: sessions, lists, then znodes, parents first.
#[derive(Debug)]
pub struct TreeLoader {
    tree: Tree,
    lists: BTreeMap<i64, u32>,
    /// Siblings follow each other, so the parent is usually the same as before.
    parent_path: String,
    parent: NodeId,
    /// Children of it that it does not list yet, with the hashes of their names.
    siblings: Vec<(u64, NodeId)>,
}

impl TreeLoader {
    /// Nothing so far.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        let lists = BTreeMap::from([(-1, OPEN)]);
        Self {
            tree: Tree::bare(options),
            lists,
            parent_path: String::new(),
            parent: NodeId::ROOT,
            siblings: Vec::new(),
        }
    }

    /// A session and its timeout in milliseconds.
    pub fn add_session(&mut self, session: SessionId, timeout_ms: i32) {
        self.tree.sessions.insert(session, timeout_ms);
    }

    /// A list and its id. Of two with one id the first counts.
    pub fn add_acl(&mut self, id: i64, list: AclList) {
        let Self { tree, lists, .. } = self;
        lists.entry(id).or_insert_with(|| tree.acls.load(id, list));
    }

    /// A znode. An id of a list that was not added is taken, as Java does: nobody may do anything with the znode.
    ///
    /// # Errors
    /// [`LoadError`], naming the path, of this znode or one before: that one comes twice shows some znodes later. The
    /// loader is of no use afterwards.
    pub fn add_node(
        &mut self,
        path: &str,
        data: Buffer<'_>,
        acl_id: i64,
        stat: &StatPersisted,
    ) -> Result<(), LoadError> {
        let parent = self.parent_of(path)?;
        let tree = &mut self.tree;
        let list = *self.lists.entry(acl_id).or_insert_with(|| tree.acls.load_unknown(acl_id));
        tree.acls.add_use(list);
        let id = tree.add_unlisted(path, parent, list, stat, data);
        if parent.is_some() {
            let name = path.rsplit_once('/').map_or("", |(_, name)| name);
            self.siblings.push((tree.store.hash_of(name.as_bytes()), id));
            if self.siblings.len() == SIBLINGS_AT_ONCE {
                self.list_siblings()?;
            }
        }
        Ok(())
    }

    /// Finds what may be wrong with the znodes added last. [`TreeLoader::finish`] does this, too.
    ///
    /// # Errors
    /// [`LoadError::Twice`]
    pub fn end_of_nodes(&mut self) -> Result<(), LoadError> {
        self.list_siblings()
    }

    fn list_siblings(&mut self) -> Result<(), LoadError> {
        if self.siblings.is_empty() {
            return Ok(());
        }
        let listed = self.tree.store.list_all(self.parent, &mut self.siblings);
        listed.map_err(|id| LoadError::Twice { path: self.tree.node(id).path() })
    }

    fn parent_of(&mut self, path: &str) -> Result<Option<NodeId>, LoadError> {
        let empty = self.tree.store.nodes.count() == 0;
        let Some((parent_path, name)) = path.rsplit_once('/') else {
            return match path {
                "" if empty => Ok(None),
                "" => Err(LoadError::Twice { path: path.into() }),
                _ => Err(LoadError::Path { path: path.into() }),
            };
        };
        let missing = || LoadError::ParentMissing { path: path.into(), parent: parent_path.into() };
        if empty {
            return Err(missing());
        }
        if name.is_empty() {
            return Err(LoadError::Path { path: path.into() });
        }
        if parent_path != self.parent_path {
            self.list_siblings()?;
            self.parent = self.tree.find(parent_path).ok_or_else(missing)?;
            self.parent_path.clear();
            self.parent_path.push_str(parent_path);
        }
        Ok(Some(self.parent))
    }

    /// What the tree must be at `zxid`, as the snapshot says. A snapshot that Java took while transactions went on is
    /// whole only then: until [`Tree::apply`] comes to it, no digest is compared or noted.
    pub fn expect_digest(&mut self, zxid: Zxid, digest: u64) {
        self.tree.pending_digest = Some((zxid, digest));
    }

    /// The tree at `zxid`, with its quotas counted and unused lists dropped.
    ///
    /// # Errors
    /// [`LoadError::NoRoot`] and [`LoadError::Twice`]
    pub fn finish(mut self, zxid: Zxid) -> Result<Tree, LoadError> {
        self.list_siblings()?;
        let Self { mut tree, lists, .. } = self;
        if tree.store.nodes.count() == 0 {
            return Err(LoadError::NoRoot);
        }
        tree.last_zxid = zxid;
        tree.add_built_in();
        tree.acls.purge(&lists);
        tree.recount_quotas();
        Ok(tree)
    }
}
