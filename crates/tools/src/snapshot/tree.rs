//! The tree a snapshot holds, as far as the tools show it.
//!
//! Source: `DataTree`, `DataNode`.

use std::collections::HashMap;
use std::rc::Rc;

use proto::StatPersisted;

use super::file::open;
use super::quota;
use super::read::{Sink, read};
use crate::archive::Archive;
use crate::failure::Thrown;
use crate::java::hash::{CHILDREN_ROOM, DEFAULT_ROOM, long_hash, order, text_hash};
use crate::properties::Properties;

/// The owner of a container. Source: `EphemeralType.CONTAINER`.
const CONTAINER: i64 = i64::MIN;

/// One znode.
pub(super) struct Node {
    /// Empty for the root.
    pub(super) path: Rc<str>,
    /// How long its data is; 0 for null.
    pub(super) data_len: usize,
    /// The data, where it is kept.
    pub(super) data: Box<[u8]>,
    pub(super) stat: StatPersisted,
    /// In the order they stand in the file.
    children: Vec<usize>,
}

impl Node {
    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(_, name)| name)
    }
}

/// A whole snapshot.
pub(super) struct Tree {
    nodes: Vec<Node>,
    by_path: HashMap<Rc<str>, usize>,
    /// The last node without a slash in its path. In a sound snapshot that is the one with the empty path.
    root: usize,
    /// Ids and timeouts, in the order they stand in the file.
    sessions: Vec<(i64, i32)>,
    /// How many znodes each owner has.
    ephemerals: HashMap<i64, usize>,
    keeps_data: bool,
}

impl Tree {
    /// Reads a snapshot.
    ///
    /// * `keeps_data`: whether the data of znodes will be shown, and not only its length.
    pub(super) fn load(file: &str, keeps_data: bool, properties: &Properties) -> Result<Self, Thrown> {
        let mut archive = Archive::new(open(file)?, properties.length_max);
        let mut tree = Self::empty(keeps_data);
        read(&mut archive, &mut tree)
            .and_then(|()| if tree.find("").is_some() { Ok(()) } else { Err(Thrown::null()) })
            .map_err(|thrown| thrown.at(|| format!("{file}, byte {} uncompressed", archive.offset())))?;
        quota::count(&mut tree);
        Ok(tree)
    }

    fn empty(keeps_data: bool) -> Self {
        Self {
            nodes: Vec::new(),
            by_path: HashMap::new(),
            root: 0,
            sessions: Vec::new(),
            ephemerals: HashMap::new(),
            keeps_data,
        }
    }

    /// How many znodes Java counts, which knows the root by two names.
    pub(super) fn count(&self) -> usize {
        self.by_path.len() + 1
    }

    /// The znode at a path. The root is `/` or nothing.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        if path == "/" { Some(self.root) } else { self.by_path.get(path).copied() }
    }

    /// The root by its name `/`.
    pub(super) fn root(&self) -> usize {
        self.root
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The children of a znode in the order of the file.
    pub(super) fn children(&self, at: usize) -> &[usize] {
        &self.nodes[at].children
    }

    /// The children of a znode in the order Java shows them.
    pub(super) fn children_shown(&self, at: usize) -> Vec<usize> {
        let mut children = self.nodes[at].children.clone();
        order(&mut children, CHILDREN_ROOM, |&child| text_hash(self.nodes[child].name()));
        children
    }

    /// The sessions in the order Java shows them: id, timeout, number of ephemerals.
    pub(super) fn sessions_shown(&self) -> Vec<(i64, i32, usize)> {
        let mut sessions = self.sessions.clone();
        order(&mut sessions, DEFAULT_ROOM, |&(id, _)| long_hash(id));
        let ephemerals = |id| self.ephemerals.get(&id).copied().unwrap_or_default();
        sessions.into_iter().map(|(id, timeout_ms)| (id, timeout_ms, ephemerals(id))).collect()
    }

    /// Gives a znode other data, as loading does with the usage of quotas.
    pub(super) fn set_data(&mut self, at: usize, data: &[u8]) {
        let node = &mut self.nodes[at];
        node.data_len = data.len();
        if self.keeps_data {
            node.data = data.into();
        }
    }

    /// A znode and all below it, parents before their children, each with its depth below the first.
    ///
    /// * `children`: the order that counts.
    pub(super) fn walk(
        &self,
        from: usize,
        children: impl Fn(&Self, usize) -> Vec<usize>,
    ) -> impl Iterator<Item = (usize, usize)> {
        let mut waiting = vec![(from, 0)];
        std::iter::from_fn(move || {
            let (at, depth) = waiting.pop()?;
            waiting.extend(children(self, at).into_iter().rev().map(|child| (child, depth + 1)));
            Some((at, depth))
        })
    }
}

impl Sink for Tree {
    fn session(&mut self, id: i64, timeout_ms: i32) {
        self.sessions.push((id, timeout_ms));
    }

    fn node(&mut self, path: String, data: &[u8], stat: StatPersisted) -> Result<(), Thrown> {
        let at = self.nodes.len();
        let path: Rc<str> = path.into();
        let known = self.by_path.insert(Rc::clone(&path), at);
        if let Some((parent, _)) = path.rsplit_once('/') {
            let Some(&parent) = self.by_path.get(parent) else {
                let message = format!("Invalid Datatree, unable to find parent {parent} of path {path}");
                return Err(Thrown::io(message));
            };
            let children = &mut self.nodes[parent].children;
            // The later of two of one path counts.
            match known.and_then(|known| children.iter_mut().find(|child| **child == known)) {
                Some(child) => *child = at,
                None => children.push(at),
            }
            if stat.ephemeral_owner != 0 && stat.ephemeral_owner != CONTAINER && known.is_none() {
                *self.ephemerals.entry(stat.ephemeral_owner).or_default() += 1;
            }
        } else {
            self.root = at;
        }
        let kept = if self.keeps_data { data.into() } else { Box::default() };
        self.nodes.push(Node { path, data_len: data.len(), data: kept, stat, children: Vec::new() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::empty(false);
        for path in paths {
            let stat = StatPersisted { ephemeral_owner: 7, ..StatPersisted::default() };
            Sink::node(&mut tree, (*path).to_owned(), b"data", stat).unwrap();
        }
        tree
    }

    fn walked(tree: &Tree, from: usize) -> Vec<&str> {
        tree.walk(from, Tree::children_shown).map(|(at, _)| &*tree.node(at).path).collect()
    }

    #[test]
    fn znodes_come_parents_first_in_the_order_of_a_hash_table() {
        let tree = tree(&["", "/b", "/b/x", "/a", "/i"]);
        // `a` is 97 and `i` 105: one bucket of eight, in the order they came.
        assert_eq!(walked(&tree, tree.root()), ["", "/a", "/i", "/b", "/b/x"]);
        assert_eq!((tree.count(), tree.find("/"), tree.find("/nothing")), (6, Some(0), None));
        assert_eq!(tree.ephemerals.get(&7), Some(&4));
    }

    #[test]
    fn what_only_a_damaged_file_holds_counts_as_in_java() {
        let tree = tree(&["", "/a", "/a/b", "/a", "/a/c", "/a/b"]);
        assert_eq!(walked(&tree, tree.root()), ["", "/a", "/a/b", "/a/c"], "the later of two counts");
        let tree = self::tree(&["", "/a", "a"]);
        assert_eq!(walked(&tree, tree.root()), ["a"], "without slash it is the root");
        let mut tree = self::tree(&[""]);
        let error = Sink::node(&mut tree, "/a/b".into(), b"", StatPersisted::default()).unwrap_err();
        assert_eq!(error.message(), "Invalid Datatree, unable to find parent /a of path /a/b");
    }
}
