//! A tree out of a snapshot, whoever wrote it. Source: `DataTree#deserialize`; storage.md §8.

use alloc::collections::BTreeMap;
use alloc::string::String;

use proto::{AclList, Buffer, SessionId, StatPersisted, Zxid};

use crate::acls::OPEN;
use crate::children::Newcomers;
use crate::digest;
use crate::nodes::NodeId;
use crate::store::NewNode;
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

/// So many siblings are listed under their parent at once.
const SIBLINGS_AT_ONCE: usize = 1 << 18;

/// Builds a tree from the records of a snapshot, in their order: sessions, lists, then znodes, parents first.
#[derive(Debug)]
pub struct TreeLoader {
    tree: Tree,
    lists: BTreeMap<i64, u32>,
    /// The list of the last znode, which is often that of the next one.
    list: (i64, u32),
    /// Siblings follow each other, so the parent is usually the same as before.
    parent_path: String,
    parent: NodeId,
    /// Children of it that it does not list yet.
    siblings: Newcomers,
}

impl TreeLoader {
    /// Nothing so far.
    #[must_use]
    pub fn new(options: TreeOptions) -> Self {
        let lists = BTreeMap::from([(-1, OPEN)]);
        Self {
            tree: Tree::bare(options),
            lists,
            list: (-1, OPEN),
            parent_path: String::new(),
            parent: NodeId::ROOT,
            siblings: Newcomers::default(),
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
        let (parent, name) = self.place_of(path)?;
        let tree = &mut self.tree;
        if self.list.0 != acl_id {
            let list = *self.lists.entry(acl_id).or_insert_with(|| tree.acls.load_unknown(acl_id));
            self.list = (acl_id, list);
        }
        let acl = self.list.1;
        tree.acls.add_use(acl);
        let name = name.as_bytes();
        let id = tree.load(path, &NewNode { parent, name, data, acl, stat: *stat });
        if parent.is_none() {
            // What follows it is most likely its child.
            self.tree.make_parent(id, path);
        } else {
            self.siblings.push(tree.store.hash_of(name), id.0);
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
        if self.siblings.len() == 0 {
            return Ok(());
        }
        let Self { tree, parent, siblings, .. } = self;
        let listed = tree.store.list_all(*parent, siblings);
        listed.map_err(|id| LoadError::Twice { path: tree.node(id).path() })
    }

    /// The parent, which a child may be added to, and the name.
    fn place_of<'p>(&mut self, path: &'p str) -> Result<(Option<NodeId>, &'p str), LoadError> {
        let empty = self.tree.store.nodes.count() == 0;
        let Some((parent_path, name)) = path.rsplit_once('/') else {
            return match path {
                "" if empty => Ok((None, "")),
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
            self.tree.make_parent(self.parent, parent_path);
        }
        Ok((Some(self.parent), name))
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

impl Tree {
    /// Puts in a znode that its parent, which has a family, is still to list. What it is made of is at hand, so nothing is
    /// read back.
    fn load(&mut self, path: &str, new: &NewNode<'_>) -> NodeId {
        let id = self.store.insert_unlisted(new);
        let data = new.data.unwrap_or_default();
        if self.options.digest {
            let digest = digest::node_crc(path.as_bytes(), data, &new.stat);
            self.store.keep_digest(id, digest);
            self.digest = self.digest.wrapping_add(digest.into());
        }
        self.enlist_digested(id, path, data.len());
        id
    }
}
