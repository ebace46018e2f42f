//! Replay over a state that already holds what comes: storage.md §7.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::OPTIONS;
use super::script::{Kind, Op, any_op};
use crate::Tree;

/// Keeps what a leader would let through, and fills in the absolute numbers it would write.
#[derive(Default)]
struct Leader {
    /// Path to version, aversion, cversion and whether it is ephemeral.
    znodes: BTreeMap<String, (i32, i32, i32, i64)>,
}

impl Leader {
    fn new() -> Self {
        let paths = ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
        Self { znodes: paths.into_iter().map(|path| (path.to_string(), (0, 0, 0, 0))).collect() }
    }

    fn has_children(&self, path: &str) -> bool {
        self.znodes.keys().any(|other| other.starts_with(&(path.to_string() + "/")))
    }

    fn prepare(&mut self, op: &Op, session: i64) -> Option<Op> {
        let mut op = op.clone();
        match &mut op {
            Op::Create { kind, path, parent_cversion, .. } => {
                let (parent, _) = path.rsplit_once('/')?;
                if path == "/" || self.znodes.contains_key(path) {
                    return None;
                }
                let (_, _, cversion, owner) = self.znodes.get_mut(parent).filter(|parent| parent.3 == 0)?;
                let _ = owner;
                *cversion += 1;
                *parent_cversion = *cversion;
                let owner = if *kind == Kind::Ephemeral { session } else { 0 };
                self.znodes.insert(path.clone(), (0, 0, 0, owner));
            }
            Op::Delete { path } => {
                if self.has_children(path) || path == "/zookeeper/quota" {
                    return None;
                }
                self.znodes.remove(path)?;
            }
            Op::SetData { path, version, .. } => {
                let path = if path == "/" { "" } else { path };
                let znode = self.znodes.get_mut(path)?;
                znode.0 += 1;
                *version = znode.0;
            }
            Op::SetAcl { path, version, .. } => {
                let path = if path == "/" { "" } else { path };
                let znode = self.znodes.get_mut(path)?;
                znode.1 += 1;
                *version = znode.1;
            }
            Op::CloseSession { listed } => {
                *listed = self
                    .znodes
                    .iter()
                    .filter(|(_, znode)| znode.3 == session)
                    .map(|(path, _)| path.clone())
                    .collect();
                self.znodes.retain(|_, znode| znode.3 != session);
            }
            Op::Multi(items) => {
                // One that fails does nothing, so the leader forgets what it had let through.
                if items.iter().any(|item| matches!(item, Op::Fail)) {
                    return Some(op);
                }
                *items = items.iter().filter_map(|item| self.prepare(item, session)).collect();
            }
            Op::Check { .. } | Op::Fail | Op::OpenSession { .. } => {}
        }
        Some(op)
    }
}

fn history(drawn: &[(Op, i64)]) -> Vec<(i64, Op, i64)> {
    let mut leader = Leader::new();
    let allowed = drawn.iter().filter_map(|(op, session)| Some((leader.prepare(op, *session)?, *session)));
    (1..).zip(allowed).map(|(zxid, (op, session))| (zxid, op, session)).collect()
}

fn apply(tree: &mut Tree, history: &[(i64, Op, i64)]) {
    for (zxid, op, session) in history {
        op.with_entry(*session, *zxid, |entry| tree.apply(entry, &mut ()).unwrap());
    }
}

/// Everything but quota numbers, which are each member's own.
fn shown(tree: &Tree) -> Vec<(String, proto::Stat, Option<Vec<u8>>, proto::AclList)> {
    let mut all: Vec<_> = tree
        .subtree(crate::NodeId::ROOT)
        .map(|id| tree.node(id))
        .filter(|node| node.name() != "zookeeper_stats")
        .map(|node| (node.path(), node.stat(), node.data().map(Vec::from), node.acl().clone()))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

proptest! {
    #[test]
    fn replay_over_any_later_state_ends_where_the_log_ends(
        drawn in prop::collection::vec((any_op(), 1..4_i64), 1..150),
        from in any::<prop::sample::Index>(),
        state in any::<prop::sample::Index>(),
    ) {
        let history = history(&drawn);
        let mut straight = Tree::new(OPTIONS);
        apply(&mut straight, &history);
        let (one, other) = (from.index(history.len() + 1), state.index(history.len() + 1));
        let (from, state) = (one.min(other), one.max(other));
        let mut replayed = Tree::new(OPTIONS);
        apply(&mut replayed, &history[..state]);
        apply(&mut replayed, &history[from..]);
        prop_assert_eq!(shown(&replayed), shown(&straight));
        prop_assert_eq!(replayed.digest(), straight.digest());
        prop_assert_eq!(replayed.last_zxid(), straight.last_zxid());
        prop_assert_eq!(replayed.ephemerals_count(), straight.ephemerals_count());
        prop_assert_eq!(replayed.sessions(), straight.sessions());
    }
}
