//! When it is time for a snapshot.
//!
//! Java counts transactions, so that a large tree is written again and again for few changes (performance.md §1,
//! finding 8). Here the log has to be worth half the last snapshot, so at most three bytes are written for one of
//! log. Who configured Java's limits gets them.

/// What is configured. Source: `SyncRequestProcessor`; storage.md §11.3.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SnapshotPolicy {
    /// `snapCount`, if configured: transactions.
    pub snap_count: Option<u64>,
    /// `snapSizeLimitInKb`, if configured, here in bytes; 0 for "no limit", Java's negative value.
    pub snap_size_limit_bytes: Option<u64>,
}

/// What has happened since the last snapshot was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SinceSnapshot {
    /// Transactions logged.
    pub txns: u64,
    /// Bytes of log they take.
    pub log_bytes: u64,
    /// The size of the last snapshot.
    pub snapshot_bytes: u64,
}

/// Below this much log no snapshot is worth it.
const LOG_BYTES_MIN: u64 = 64 << 20;

impl SnapshotPolicy {
    /// Whether a snapshot is due.
    ///
    /// * `random`: any number, drawn anew after each snapshot. Java spreads its limits over their upper half, so
    ///   that the members of an ensemble do not all write at once.
    #[must_use]
    pub fn is_due(&self, since: SinceSnapshot, random: u64) -> bool {
        match (self.snap_count, self.snap_size_limit_bytes) {
            (None, None) => since.log_bytes > LOG_BYTES_MIN.max(since.snapshot_bytes / 2),
            (count, size) => {
                // Java's smallest count is 2, so that the division below makes sense.
                count.is_some_and(|count| since.txns > spread(count.max(2), random))
                    || size.is_some_and(|size| size > 0 && since.log_bytes > spread(size, random))
            }
        }
    }
}

/// Something between half of `limit` and all of it.
fn spread(limit: u64, random: u64) -> u64 {
    let half = limit / 2;
    half + if half == 0 { 0 } else { random % half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unconfigured_the_log_has_to_be_worth_it() {
        let policy = SnapshotPolicy::default();
        let since = |log_bytes, snapshot_bytes| SinceSnapshot { txns: 1 << 40, log_bytes, snapshot_bytes };
        assert!(!policy.is_due(since(64 << 20, 0), 7));
        assert!(policy.is_due(since((64 << 20) + 1, 100 << 20), 7));
        assert!(!policy.is_due(since(500 << 20, 1 << 30), 7));
        assert!(policy.is_due(since(513 << 20, 1 << 30), 7));
    }

    #[test]
    fn configured_limits_are_javas() {
        let by_count = SnapshotPolicy { snap_count: Some(100), ..SnapshotPolicy::default() };
        let txns = |txns| SinceSnapshot { txns, ..SinceSnapshot::default() };
        assert!(!by_count.is_due(txns(50), 0));
        assert!(by_count.is_due(txns(51), 50));
        assert!(!by_count.is_due(txns(99), 49));
        assert!(by_count.is_due(txns(100), 49));
        let by_size = SnapshotPolicy { snap_size_limit_bytes: Some(1000), ..SnapshotPolicy::default() };
        let bytes = |log_bytes| SinceSnapshot { log_bytes, txns: 9, ..SinceSnapshot::default() };
        assert!(!by_size.is_due(bytes(500), 0));
        assert!(by_size.is_due(bytes(501), 0));
        let unlimited = SnapshotPolicy { snap_size_limit_bytes: Some(0), ..SnapshotPolicy::default() };
        assert!(!unlimited.is_due(bytes(u64::MAX), 0));
    }
}
