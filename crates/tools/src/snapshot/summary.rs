//! `zkSnapshotRecursiveSummaryToolkit.sh`: how many znodes and bytes lie below the znodes of a snapshot.
//!
//! Source: `server.SnapshotRecursiveSummary`.

use super::tree::Tree;
use crate::failure::{Failure, Thrown};
use crate::java::path;
use crate::out::Out;
use crate::properties::Properties;

const USAGE: &str = "\
USAGE:


SnapshotRecursiveSummary  <snapshot_file>  <starting_node>  <max_depth>


snapshot_file:    path to the zookeeper snapshot
starting_node:    the path in the zookeeper tree where the traversal should begin
max_depth:        defines the depth where the tool still writes to the output. 0 means there is no depth limit, every \
non-leaf node's stats will be displayed, 1 means it will only contain the starting node's and it's children's stats, 2 \
ads another level and so on. This ONLY affects the level of details displayed, NOT the calculation.";

/// Runs the tool and gives its exit code.
pub(crate) fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let [file, from, depth_max] = words else { return Err(Failure::told(2, USAGE)) };
    let Ok(depth_max) = depth_max.parse::<i32>() else { return Err(Failure::told(2, USAGE)) };
    let tree = Tree::load(&path::normalized(file), false, properties)?;
    let Some(start) = tree.find(from) else {
        return Err(Thrown::null().at(|| format!("{from}, which is not in the snapshot")).into());
    };
    show(&tree, start, from, depth_max, out);
    Ok(0)
}

/// A znode on the way and what lies below it.
struct Seen {
    at: usize,
    depth: usize,
    /// Where its parent stands in the list.
    parent: usize,
    count: u64,
    bytes: usize,
}

fn show(tree: &Tree, start: usize, from: &str, depth_max: i32, out: &mut Out) {
    let all = counted(tree, start);
    let depth_max = match depth_max {
        0 => usize::MAX,
        // Below zero nothing is shown but the end.
        depth => usize::try_from(depth).map_or(0, |depth| depth + 1),
    };
    for Seen { at, depth, count, bytes, .. } in all {
        if tree.children(at).is_empty() || depth.saturating_add(1) > depth_max {
            continue;
        }
        let path = if depth == 0 { from } else { &*tree.node(at).path };
        let indent = "--".repeat(depth);
        out.line(format_args!(
            "{indent} {path}\n{indent}   children: {}\n{indent}   data: {bytes}",
            count - 1
        ));
    }
    out.text("\n");
}

/// The znodes below `start` in the order they are shown, each with what lies below it.
fn counted(tree: &Tree, start: usize) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    // The place of the last znode of each depth: the parent of what comes one deeper.
    let mut last_of_depth: Vec<usize> = Vec::new();
    for (at, depth) in tree.walk(start, Tree::children_shown) {
        last_of_depth.truncate(depth);
        let parent = last_of_depth.last().copied().unwrap_or_default();
        last_of_depth.push(all.len());
        all.push(Seen { at, depth, parent, count: 1, bytes: tree.node(at).data_len });
    }
    for place in (1..all.len()).rev() {
        let Seen { parent, count, bytes, .. } = all[place];
        all[parent].count += count;
        all[parent].bytes += bytes;
    }
    all
}
