//! Hard quotas refuse what would exceed them.
//!
//! Source: `ZooKeeperServer#checkQuota`; client-protocol.md §5.10. What is in flight counts as used here; Java looks
//! at the applied numbers only, so that many requests in flight, or one multi, pass a limit together (ZOOKEEPER-4219).

use alloc::format;

use mutants::mutant;
use proto::Code;

use super::pending::Usage;
use super::view::View;

impl View<'_> {
    /// Whether the subtree that `path` counts for can take `more`.
    pub(super) fn check_quota(&self, path: &str, more: Usage) -> Result<(), Code> {
        if !self.options.enforce_quota {
            return Ok(());
        }
        let Some(quota) = self.tree.quota(path) else {
            return Ok(());
        };
        let flying = if mutant!(QuotaPassed) { Usage::default() } else { self.pending.usage(&quota.prefix) };
        let exceeds = |limit: i64, used: i64, flying: i64, more: i64| {
            more != 0 && limit > -1 && used.saturating_add(flying).saturating_add(more) > limit
        };
        let limits = quota.limits;
        if exceeds(limits.count_hard_limit, quota.usage.count, flying.nodes, more.nodes)
            || exceeds(limits.byte_hard_limit, quota.usage.bytes, flying.bytes, more.bytes)
        {
            // Where nothing is counted Java refuses nothing.
            let stats = format!("/zookeeper/quota{}/zookeeper_stats", quota.prefix);
            return if self.tree.find(&stats).is_some() { Err(Code::QuotaExceeded) } else { Ok(()) };
        }
        Ok(())
    }

    /// Notes what a change will add to the subtree it counts for.
    pub(super) fn use_quota(&mut self, path: &str, more: Usage) {
        if !self.options.enforce_quota {
            return;
        }
        if let Some(quota) = self.tree.quota(path) {
            self.pending.add_usage(&quota.prefix, self.zxid, more);
        }
    }
}

/// A length as a difference can have it.
pub(super) fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("data is shorter than 2^63 bytes")
}
