//! Quotas: how many znodes and bytes a subtree has, and may have. Source: `Quotas`, `StatsTrack`; client-protocol.md §5.10.
//!
//! The znodes below `/zookeeper/quota` are all there is: a subtree `P` has a quota exactly while
//! `/zookeeper/quota<P>/zookeeper_limits` exists, and its usage is the text in `zookeeper_stats` beside it. So a tree
//! that was loaded and one that lived through the same transactions cannot disagree.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::nodes::NodeId;
use crate::tree::Tree;

pub(crate) const HOME: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// The four numbers of a quota text. -1 stands for "unlimited", and for whatever is missing or is no number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuotaNumbers {
    /// Znodes; of limits, the soft one.
    pub count: i64,
    /// Bytes of data; of limits, the soft one.
    pub bytes: i64,
    /// Znodes that are never exceeded where quotas are enforced.
    pub count_hard_limit: i64,
    /// Bytes that are never exceeded where quotas are enforced.
    pub byte_hard_limit: i64,
}

/// A quota and how much of it is used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QuotaUsage {
    /// The subtree it is for.
    pub prefix: String,
    /// What is allowed.
    pub limits: QuotaNumbers,
    /// What is there: `count` and `bytes`; -1 where the `zookeeper_stats` znode is missing.
    pub usage: QuotaNumbers,
}

/// Pairs of key and number, as `StatsTrack` reads them. Where it would give up, a value counts as -1, and what is no
/// pair at all as nothing.
fn pairs(text: &str) -> impl Iterator<Item = (&str, i64)> {
    text.split([',', ';']).filter_map(|pair| {
        let (key, value) = pair.split_once('=').filter(|(key, _)| !key.is_empty())?;
        // The number may be followed by one more `=`.
        let value = value.split('=').next().and_then(|value| value.parse().ok());
        Some((key, value.unwrap_or(-1)))
    })
}

impl QuotaNumbers {
    /// Reads the data of a `zookeeper_limits` or `zookeeper_stats` znode.
    #[must_use]
    pub fn parse(data: &[u8]) -> Self {
        let mut numbers = Self { count: -1, bytes: -1, count_hard_limit: -1, byte_hard_limit: -1 };
        for (key, value) in pairs(&String::from_utf8_lossy(data)) {
            match key {
                "count" => numbers.count = value,
                "bytes" => numbers.bytes = value,
                "countHardLimit" => numbers.count_hard_limit = value,
                "byteHardLimit" => numbers.byte_hard_limit = value,
                _ => {}
            }
        }
        numbers
    }
}

/// The text with other counts, in the form `StatsTrack` writes: what it does not know comes after an extra `=`.
fn with_usage(old: &[u8], count: i64, bytes: i64) -> String {
    let old = String::from_utf8_lossy(old);
    let mut others: Vec<(&str, i64)> = Vec::new();
    for (key, value) in pairs(&old).filter(|(key, _)| !matches!(*key, "count" | "bytes")) {
        match others.iter_mut().find(|(one, _)| *one == key) {
            Some(same) => same.1 = value,
            None => others.push((key, value)),
        }
    }
    others.sort_unstable();
    let mut text = format!("count={count},bytes={bytes}");
    if !others.is_empty() {
        text.push('=');
    }
    for (key, value) in others {
        // Writing into a string cannot fail.
        let _ = write!(text, ";{key}={value}");
    }
    text
}

/// Whose quota this path holds the limits of; the root has none.
pub(crate) fn subject_of_limits(path: &str) -> Option<&str> {
    subject_of(path, LIMITS).filter(|subject| !subject.is_empty())
}

fn subject_of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let subject = path.strip_prefix(HOME)?.strip_suffix(name)?.strip_suffix('/')?;
    (subject.is_empty() || subject.starts_with('/')).then_some(subject)
}

impl Tree {
    /// The quota that counts `path`: the one of the deepest subtree that has one. Source: `PathTrie#findMaxPrefix`.
    #[must_use]
    pub fn quota(&self, path: &str) -> Option<QuotaUsage> {
        let (length, home) = self.quota_of(path)?;
        Some(self.quota_usage(path[..length].into(), home))
    }

    /// All quotas.
    pub fn quotas(&self) -> impl Iterator<Item = QuotaUsage> + '_ {
        self.limits.iter().filter_map(|&limits| {
            let home = self.store.nodes.parent(limits)?;
            let path = self.node(home).path();
            Some(self.quota_usage(path.strip_prefix(HOME)?.into(), home))
        })
    }

    fn quota_usage(&self, prefix: String, home: NodeId) -> QuotaUsage {
        let numbers = |name| {
            let id = self.child(home, name);
            QuotaNumbers::parse(id.and_then(|id| self.store.nodes.data(id)).unwrap_or_default())
        };
        QuotaUsage { prefix, limits: numbers(LIMITS), usage: numbers(STATS) }
    }

    /// The length of the deepest prefix of `path` with a quota, and the znode that holds limits and stats.
    fn quota_of(&self, path: &str) -> Option<(usize, NodeId)> {
        if self.limits.is_empty() {
            return None;
        }
        let mut at = self.find(HOME)?;
        let mut length = 0;
        let mut deepest = None;
        for name in path.strip_prefix('/')?.split('/') {
            let Some(next) = self.child(at, name) else { break };
            at = next;
            length += 1 + name.len();
            if self.child(at, LIMITS).is_some() {
                deepest = Some((length, at));
            }
        }
        deepest
    }

    /// Counts a change at `path` in the quota it belongs to.
    pub(crate) fn count_in_quota(&mut self, path: &str, count: i64, bytes: i64) {
        let Some((_, home)) = self.quota_of(path) else { return };
        let Some(stats) = self.child(home, STATS) else { return };
        let old = self.store.nodes.data(stats).unwrap_or_default();
        let numbers = QuotaNumbers::parse(old);
        let count = numbers.count.wrapping_add(count);
        let text = with_usage(old, count, numbers.bytes.wrapping_add(bytes));
        self.write_stats(stats, &text);
    }

    /// A quota changed its shape: `zookeeper_stats` or `zookeeper_limits` were created at `path`.
    ///
    /// Java recounts only for the former, and so keeps counting from an outdated number when limits are deleted and
    /// created again.
    pub(crate) fn count_new_quota(&mut self, path: &str) {
        if let Some(subject) = subject_of(path, STATS).or_else(|| subject_of_limits(path)) {
            let (home, _) = path.rsplit_once('/').unwrap_or_default();
            let stats = self.find(home).and_then(|home| self.child(home, STATS));
            if let Some(stats) = stats {
                self.recount(stats, subject);
            }
        }
    }

    /// Counts every quota anew: after loading.
    pub(crate) fn recount_quotas(&mut self) {
        let limits: Vec<NodeId> = self.limits.iter().copied().collect();
        for id in limits {
            let path = self.node(id).path();
            self.count_new_quota(&path);
        }
    }

    fn recount(&mut self, stats: NodeId, subject: &str) {
        let (mut count, mut bytes) = (0_i64, 0_i64);
        if let Some(id) = self.find(subject) {
            for one in self.subtree(id) {
                count += 1;
                bytes += i64::try_from(self.store.data_len(one)).unwrap_or(i64::MAX);
            }
        }
        self.write_stats(stats, &with_usage(&[], count, bytes));
    }

    /// No version, no zxid, no time, no watch: members keep these numbers each on its own account.
    fn write_stats(&mut self, stats: NodeId, text: &str) {
        self.save_for_snapshot(stats);
        self.data_size -= self.store.data_len(stats) as u64;
        self.data_size += text.len() as u64;
        self.store.set_data_only(stats, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_and_written_as_java_does() {
        let text = b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3";
        let numbers = QuotaNumbers { count: -1, bytes: -1, count_hard_limit: 3, byte_hard_limit: 10 };
        assert_eq!(QuotaNumbers::parse(text), numbers);
        assert_eq!(with_usage(text, 4, 5), "count=4,bytes=5=;byteHardLimit=10;countHardLimit=3");
        assert_eq!(with_usage(b"", 1, 0), "count=1,bytes=0");
        // What Java cannot read stops it; here it is unlimited.
        assert_eq!(QuotaNumbers::parse(b",count=x;bytes;;=7").count, -1);
        assert_eq!(with_usage(b"\x00,===;x=y", 1, 2), "count=1,bytes=2=;x=-1");
    }

    #[test]
    fn the_root_has_no_quota() {
        assert_eq!(subject_of_limits("/zookeeper/quota/a/b/zookeeper_limits"), Some("/a/b"));
        assert_eq!(subject_of_limits("/zookeeper/quota/zookeeper_limits"), None);
        assert_eq!(subject_of_limits("/zookeeper/quotas/zookeeper_limits"), None);
        assert_eq!(subject_of("/zookeeper/quota/zookeeper_stats", STATS), Some(""));
    }
}
