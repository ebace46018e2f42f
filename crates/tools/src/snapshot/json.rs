//! A snapshot for `ncdu`: one line of nested lists.
//!
//! Source: `SnapshotFormatter#printSnapshotJson`.

use std::fmt::Write;

use super::tree::Tree;
use crate::java::json::put_escaped;
use crate::out::Out;

/// The first inode; each znode gets one more, so that they count as different files.
const FIRST_INODE: u64 = 1001;

/// Prints the tree.
pub(super) fn show(tree: &Tree, now_ms: u128, out: &mut Out) {
    let mut text = format!(
        "[1,0,{{\"progname\":\"SnapshotFormatter.java\",\"progver\":\"0.01\",\"timestamp\":{now_ms}}}"
    );
    let mut inner_depths = Vec::new();
    for ((at, depth), inode) in tree.walk(tree.root(), Tree::children_shown).zip(FIRST_INODE..) {
        close(&mut inner_depths, depth, &mut text);
        out.text(&text);
        text.clear();
        text.push(',');
        if !tree.children(at).is_empty() {
            text.push('[');
            inner_depths.push(depth);
        }
        let node = tree.node(at);
        text.push_str("{\"name\":\"");
        put_escaped(&mut text, if depth == 0 { "/" } else { node.name() });
        let length = node.data_len;
        // Writing into a string cannot fail.
        let _ = write!(text, "\",\"asize\":{length},\"dsize\":{length},\"dev\":0,\"ino\":{inode}}}");
    }
    close(&mut inner_depths, 0, &mut text);
    text.push(']');
    out.text(&text);
}

/// Ends the lists of all znodes that are not above one at `depth`.
fn close(inner_depths: &mut Vec<usize>, depth: usize, text: &mut String) {
    while inner_depths.last().is_some_and(|&inner| inner >= depth) {
        inner_depths.pop();
        text.push(']');
    }
}
