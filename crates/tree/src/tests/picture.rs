//! Snapshots: the tree as it was when they began, whatever is written meanwhile.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use proto::{Buffer, Reader, StatPersisted, Text};

use super::OPTIONS;
use super::model::Model;
use super::script::{Op, any_op};
use crate::{SnapshotHead, Tree, TreeLoader, WalkId};

/// Loads what a snapshot wrote, and checks on the way that parents come first and nothing comes twice.
pub(super) fn load(head: &SnapshotHead, bytes: &[u8]) -> Tree {
    let mut loader = TreeLoader::new(OPTIONS);
    head.sessions.iter().for_each(|&(session, timeout_ms)| loader.add_session(session, timeout_ms));
    head.acls.iter().for_each(|(id, list)| loader.add_acl(*id, list.clone()));
    let known: BTreeSet<i64> = head.acls.iter().map(|(id, _)| *id).chain([-1]).collect();
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let path: Text<'_> = reader.take().unwrap();
        let data: Buffer<'_> = reader.take().unwrap();
        let (acl, stat): (i64, StatPersisted) = (reader.take().unwrap(), reader.take().unwrap());
        assert!(known.contains(&acl), "list {acl} is not in the head");
        loader.add_node(&path.unwrap(), data, acl, &stat).unwrap();
    }
    loader.finish(head.zxid).unwrap()
}

/// Data that counts itself follows other rules than the rest: it is counted anew at loading.
fn without_usage(model: &Model) -> Model {
    let mut model = model.clone();
    let limited = |path: &str| {
        let home = path.strip_suffix("/zookeeper_stats")?;
        model.znodes.get_key_value(&alloc::format!("{home}/zookeeper_limits")).map(|_| String::from(path))
    };
    let stats: Vec<String> = model.znodes.keys().filter_map(|path| limited(path)).collect();
    for path in stats {
        model.znodes.get_mut(&path).unwrap().data = None;
    }
    model
}

fn model_of(tree: &Tree) -> Model {
    let mut model = Model::new();
    model.znodes.clear();
    for id in tree.subtree(crate::NodeId::ROOT) {
        let node = tree.node(id);
        let path = if node.parent().is_none() { String::new() } else { node.path() };
        let (data, acl, stat) = (node.data().map(Vec::from), node.acl().clone(), node.persisted());
        model.znodes.insert(path, super::model::Znode { data, acl, stat });
    }
    model.sessions = tree.sessions().iter().map(|(session, timeout_ms)| (session.0, *timeout_ms)).collect();
    model.zxid = tree.last_zxid().0;
    model
}

fn apply(tree: &mut Tree, ops: &[(Op, i64)], zxid: &mut i64) {
    for (op, session) in ops {
        *zxid += 1;
        op.with_entry(*session, *zxid, |entry| tree.apply(entry, &mut ()).unwrap());
    }
}

type Ops = Vec<(Op, i64)>;

fn some_ops(most: usize) -> impl Strategy<Value = Ops> {
    prop::collection::vec((any_op(), 1..4_i64), 0..most)
}

/// A picture, what it must show, and what of it is out.
struct Taken {
    walk: WalkId,
    head: SnapshotHead,
    then: Model,
    bytes: Vec<u8>,
    all_out: bool,
}

impl Taken {
    fn begin(tree: &mut Tree) -> Self {
        let then = model_of(tree);
        let (walk, head) = tree.snapshot_begin();
        Self { walk, head, then, bytes: Vec::new(), all_out: false }
    }

    fn step(&mut self, tree: &mut Tree, nodes_max: usize) {
        self.all_out = tree.snapshot_step(self.walk, nodes_max, &mut self.bytes);
    }

    fn check(mut self, tree: &mut Tree) -> Result<(), TestCaseError> {
        while !self.all_out {
            self.step(tree, 7);
        }
        // What has ended is not begun again.
        let length = self.bytes.len();
        self.step(tree, 7);
        prop_assert!(self.all_out && self.bytes.len() == length);
        let loaded = load(&self.head, &self.bytes);
        prop_assert_eq!(loaded.digest(), self.head.digest);
        prop_assert_eq!(without_usage(&model_of(&loaded)), without_usage(&self.then));
        Ok(())
    }
}

proptest! {
    #[test]
    fn each_snapshot_is_the_tree_at_its_beginning(
        before in some_ops(80),
        between in prop::collection::vec((some_ops(8), 1..6_usize, 0..4_usize), 1..30),
        give_up in any::<bool>(),
    ) {
        let (mut tree, mut zxid) = (Tree::new(OPTIONS), 0);
        apply(&mut tree, &before, &mut zxid);
        let given_up = tree.snapshot_begin().0;
        tree.snapshot_step(given_up, 3, &mut Vec::new());
        if give_up {
            tree.snapshot_end(given_up);
        }
        let mut all = Vec::from([Taken::begin(&mut tree)]);
        for (ops, nodes_max, which) in &between {
            apply(&mut tree, ops, &mut zxid);
            match all.get_mut(*which) {
                Some(taken) => taken.step(&mut tree, *nodes_max),
                None => all.push(Taken::begin(&mut tree)),
            }
        }
        for taken in all {
            taken.check(&mut tree)?;
        }
        tree.snapshot_end(given_up);
        prop_assert_eq!(tree.snapshots_under_way(), 0);
        // The tree went on as if there had been no snapshot.
        let mut undisturbed = Tree::new(OPTIONS);
        let mut zxid = 0;
        apply(&mut undisturbed, &before, &mut zxid);
        between.iter().for_each(|(ops, ..)| apply(&mut undisturbed, ops, &mut zxid));
        prop_assert_eq!(model_of(&tree), model_of(&undisturbed));
    }
}

#[test]
fn a_step_of_large_znodes_is_short() {
    let mut tree = Tree::new(OPTIONS);
    let megabyte = alloc::vec![7; 1 << 20];
    for name in ["/a", "/b", "/c"] {
        super::next(&mut tree, super::create(name, &megabyte));
    }
    let walk = tree.snapshot_begin().0;
    let mut steps = 1;
    let mut bytes = Vec::new();
    while !tree.snapshot_step(walk, 512, &mut bytes) {
        steps += 1;
    }
    assert!(steps >= 3, "three megabytes in {steps} steps");
}
