//! Which containers and TTL znodes the server removes on its own account.
//!
//! Source: `ContainerManager`; client-protocol.md §5.8.

use alloc::collections::VecDeque;
use alloc::string::String;

use tree::{NodeId, Owner, Tree};

use crate::Now;

/// How often and how fast. Source: `znode.container.*`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CleanerOptions {
    /// Between two searches, in milliseconds.
    pub interval_ms: u64,
    /// The most removals in a minute.
    pub per_minute_max: u32,
    /// After how long a container that never had a child is removed, in milliseconds; 0: never.
    pub never_used_ms: i64,
}

impl Default for CleanerOptions {
    fn default() -> Self {
        Self { interval_ms: 60_000, per_minute_max: 10_000, never_used_ms: 0 }
    }
}

/// Looks for candidates at every interval and lets them out one by one.
#[derive(Debug)]
pub(super) struct Cleaner {
    options: CleanerOptions,
    search_at_ms: u64,
    candidates: VecDeque<String>,
    next_at_ms: u64,
    started: Now,
}

impl Cleaner {
    pub(super) fn new(options: CleanerOptions, now: Now) -> Self {
        Self {
            options,
            search_at_ms: now.mono_ms.saturating_add(options.interval_ms),
            candidates: VecDeque::new(),
            next_at_ms: 0,
            started: now,
        }
    }

    /// The path whose removal is due, if any. Call again until there is none.
    pub(super) fn due(&mut self, tree: &Tree, now: Now) -> Option<String> {
        if now.mono_ms >= self.search_at_ms {
            self.search_at_ms = now.mono_ms.saturating_add(self.options.interval_ms.max(1));
            self.search(tree, now);
        }
        if now.mono_ms < self.next_at_ms {
            return None;
        }
        let wall_ms = self.wall_ms(now);
        // Candidates wait, and meanwhile one may have been set, or have got children.
        while let Some(path) = self.candidates.pop_front() {
            if tree.find(&path).is_some_and(|id| self.is_stale(tree, id, wall_ms)) {
                self.next_at_ms = now.mono_ms + u64::from(60_000 / self.options.per_minute_max.max(1));
                return Some(path);
            }
        }
        None
    }

    /// When to ask again, in monotonic milliseconds.
    pub(super) fn deadline_ms(&self) -> u64 {
        if self.candidates.is_empty() { self.search_at_ms } else { self.next_at_ms }
    }

    fn search(&mut self, tree: &Tree, now: Now) {
        let wall_ms = self.wall_ms(now);
        let all = tree.containers().chain(tree.ttl_nodes());
        let stale = all.filter(|&id| self.is_stale(tree, id, wall_ms)).map(|id| tree.node(id).path());
        self.candidates = stale.collect();
    }

    /// What a znode's age is told by: whichever clock shows it younger, the wall's or that of the monotonic time
    /// since the start. A wall clock set forward deletes nothing (ZOOKEEPER-2471).
    fn wall_ms(&self, now: Now) -> i64 {
        let since_start = i64::try_from(now.mono_ms.saturating_sub(self.started.mono_ms)).unwrap_or(i64::MAX);
        now.wall_ms.min(self.started.wall_ms.saturating_add(since_start))
    }

    fn is_stale(&self, tree: &Tree, id: NodeId, wall_ms: i64) -> bool {
        let never_used_ms = self.options.never_used_ms;
        let node = tree.node(id);
        let stat = node.persisted();
        let age_ms = wall_ms.saturating_sub(stat.mtime);
        node.child_count() == 0
            && match node.owner() {
                Owner::Container if stat.cversion > 0 => true,
                Owner::Container => never_used_ms != 0 && age_ms > never_used_ms,
                Owner::Ttl { ms } => age_ms > ms,
                Owner::Persistent | Owner::Ephemeral(_) => false,
            }
    }
}
