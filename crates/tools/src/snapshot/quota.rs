//! The usage of quotas, which the original counts anew whenever it loads a snapshot, and then shows.
//!
//! Source: `DataTree#setupQuota`, `StatsTrack`.

use super::tree::Tree;

const HOME: &str = "/zookeeper/quota";
const LIMITS: &str = "/zookeeper_limits";
const STATS: &str = "/zookeeper_stats";

/// Puts the count of each subtree with a quota into the znode that shows it.
pub(super) fn count(tree: &mut Tree) {
    let Some(home) = tree.find(HOME) else { return };
    let mut usages = Vec::new();
    for (at, _) in tree.walk(home, |tree, at| tree.children(at).to_vec()) {
        let path = &tree.node(at).path;
        if !tree.children(at).is_empty() || !path.ends_with(LIMITS) {
            continue;
        }
        let subject = path[HOME.len()..].split(LIMITS).next().unwrap_or_default();
        if let Some(stats) = tree.find(&format!("{HOME}{subject}{STATS}")) {
            usages.push((stats, usage(tree, subject)));
        }
    }
    for (stats, usage) in usages {
        tree.set_data(stats, usage.as_bytes());
    }
}

fn usage(tree: &Tree, subject: &str) -> String {
    let (mut count, mut bytes) = (0_u64, 0_usize);
    if let Some(from) = tree.find(subject) {
        for (at, _) in tree.walk(from, |tree, at| tree.children(at).to_vec()) {
            count += 1;
            bytes += tree.node(at).data_len;
        }
    }
    format!("count={count},bytes={bytes}")
}
