//! A look at one znode.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::str;

use proto::{AclList, Buffer, Stat, StatPersisted};

use crate::nodes::NodeId;
use crate::owner::Owner;
use crate::tree::Tree;

/// From so many children on they are read in the order in which they lie in memory: sorting their ids takes a tenth of
/// what the misses of the caches would.
const SCATTERED: u32 = 50_000;

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

    /// Hands over the names of its children as bytes, in no order that means anything, until it is told to stop.
    pub fn each_child_name(self, mut take: impl FnMut(&'a [u8]) -> ControlFlow<()>) {
        let nodes = &self.tree.store.nodes;
        // Each part of the index has its own loop in this way; a plain `for` asks at every name which part it is in.
        let _ = if self.child_count() < SCATTERED {
            self.child_ids().try_for_each(|id| take(nodes.name(id)))
        } else {
            let mut ids: Vec<u32> = self.child_ids().map(|id| id.0).collect();
            ids.sort_unstable();
            ids.into_iter().try_for_each(|id| take(nodes.name(NodeId(id))))
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{OPTIONS, create, next};
    use alloc::format;

    #[test]
    fn children_are_all_named_once_whatever_their_number() {
        let mut tree = Tree::new(OPTIONS);
        let mut names = Vec::new();
        for number in 0..SCATTERED + 1 {
            next(&mut tree, create(&format!("/{number}"), b""));
            names.push(format!("{number}").into_bytes());
            if number + 2 < SCATTERED {
                continue;
            }
            let mut listed: Vec<_> = Vec::new();
            tree.node(NodeId::ROOT).each_child_name(|name| {
                listed.push(name.to_vec());
                ControlFlow::Continue(())
            });
            listed.retain(|name| name != b"zookeeper");
            listed.sort_unstable();
            let mut wanted = names.clone();
            wanted.sort_unstable();
            assert!(listed == wanted, "{} and {} names", listed.len(), wanted.len());
        }
        let mut taken = 0;
        tree.node(NodeId::ROOT).each_child_name(|_| {
            taken += 1;
            if taken == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(taken, 7);
    }
}
