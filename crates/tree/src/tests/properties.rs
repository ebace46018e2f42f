//! The tree against the model, over drawn histories.

use proptest::prelude::*;

use super::OPTIONS;
use super::model::Model;
use super::script::any_op;
use crate::Tree;

proptest! {
    #[test]
    fn every_history_gives_the_tree_of_the_model(ops in prop::collection::vec((any_op(), 1..4_i64), 1..120)) {
        let (mut tree, mut model) = (Tree::new(OPTIONS), Model::new());
        for (zxid, (op, session)) in (1..).zip(&ops) {
            let shown = op.with_entry(*session, zxid, |entry| tree.apply(entry, &mut ()).unwrap().outcome);
            let expected = model.apply(op, *session, zxid);
            prop_assert_eq!(shown, expected, "{:?}", op);
            prop_assert_eq!(tree.digest(), model.digest(), "{:?}", op);
        }
        model.assert_shown_by(&tree);
    }

    /// Also when old transactions come again: nothing breaks, and the sums stay exact.
    #[test]
    fn what_comes_twice_leaves_the_sums_exact(
        ops in prop::collection::vec((any_op(), 1..4_i64), 1..60),
        again in 0..60_usize,
    ) {
        let (mut tree, mut model) = (Tree::new(OPTIONS), Model::new());
        let numbered: alloc::vec::Vec<_> = (1..).zip(&ops).collect();
        let from = again.min(ops.len());
        for (zxid, (op, session)) in numbered.iter().chain(&numbered[from..]) {
            let shown = op.with_entry(*session, *zxid, |entry| tree.apply(entry, &mut ()).unwrap().outcome);
            prop_assert_eq!(shown, model.apply(op, *session, *zxid), "{:?}", op);
        }
        model.assert_shown_by(&tree);
    }
}
