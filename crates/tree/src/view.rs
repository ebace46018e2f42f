//! A look at one znode.

use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use proto::{AclList, Buffer, Stat, StatPersisted};

use crate::nodes::NodeId;
use crate::owner::Owner;
use crate::tree::Tree;

/// A znode of a tree, as long as the tree does not change.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) id: NodeId,
}

fn text(name: &[u8]) -> &str {
    str::from_utf8(name).expect("names come from text and are never cut")
}

impl<'a> Node<'a> {
    /// Its id.
    #[must_use]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// What a client is told about it.
    #[must_use]
    pub fn stat(self) -> Stat {
        self.tree.store.stat(self.id, self.tree.owner_rules())
    }

    /// What a snapshot keeps about it; its `cversion` is the next sequence number below it.
    #[must_use]
    pub fn persisted(self) -> StatPersisted {
        self.tree.store.persisted(self.id)
    }

    /// Its data; null is not empty.
    #[must_use]
    pub fn data(self) -> Buffer<'a> {
        self.tree.store.nodes.data(self.id)
    }

    /// Who may do what with it. Where a fuzzy snapshot lost the list, one entry that grants nothing.
    #[must_use]
    pub fn acl(self) -> &'a AclList {
        self.tree.acls.list(self.tree.store.nodes.acl(self.id))
    }

    /// The id of that list in snapshots of this member; -1 is the open list.
    #[must_use]
    pub fn acl_id(self) -> i64 {
        self.tree.acls.id(self.tree.store.nodes.acl(self.id))
    }

    /// How many children it has.
    #[must_use]
    pub fn child_count(self) -> u32 {
        self.tree.store.child_count(self.id)
    }

    /// The names of its children, in no order that means anything.
    pub fn children(self) -> impl Iterator<Item = &'a str> {
        self.child_ids().map(move |id| text(self.tree.store.nodes.name(id)))
    }

    /// The same as bytes, which nobody has to look at again: they were text when they came in.
    pub fn child_names(self) -> impl Iterator<Item = &'a [u8]> {
        self.child_ids().map(move |id| self.tree.store.nodes.name(id))
    }

    /// Its children, in the order of [`Self::children`].
    pub fn child_ids(self) -> impl Iterator<Item = NodeId> + 'a {
        let Self { tree, id } = self;
        tree.store.children(id)
    }

    /// The last component of its path; empty for the root.
    #[must_use]
    pub fn name(self) -> &'a str {
        text(self.tree.store.nodes.name(self.id))
    }

    /// Its parent; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<NodeId> {
        self.tree.store.nodes.parent(self.id)
    }

    /// Appends its path; `/` for the root.
    pub fn write_path(self, out: &mut String) {
        if self.id == NodeId::ROOT {
            out.push('/');
            return;
        }
        let mut bytes = Vec::new();
        self.tree.store.write_path(self.id, &mut bytes);
        out.push_str(text(&bytes));
    }

    /// Its path; `/` for the root.
    #[must_use]
    pub fn path(self) -> String {
        let mut path = String::new();
        self.write_path(&mut path);
        path
    }

    /// How long it lives.
    #[must_use]
    pub fn owner(self) -> Owner {
        self.tree.store.owner(self.id, self.tree.owner_rules())
    }

    /// What it adds to the digest of the tree; 0 where digests are switched off.
    #[must_use]
    pub fn digest(self) -> u64 {
        self.tree.digest_of(self.id, &self.path()).into()
    }
}
