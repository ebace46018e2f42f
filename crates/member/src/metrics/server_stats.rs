//! The few numbers of `srvr` that are older than the metrics and are reset apart from them.

use super::Summary;

/// Last, smallest and largest size of a message, in bytes; -1 before the first.
///
/// Source: `org.apache.zookeeper.server.quorum.BufferStats`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BufferStats {
    /// The newest message.
    pub last: i64,
    /// The smallest since the last reset.
    pub min: i64,
    /// The largest since the last reset.
    pub max: i64,
}

impl Default for BufferStats {
    fn default() -> Self {
        Self { last: -1, min: -1, max: -1 }
    }
}

impl BufferStats {
    /// Takes a message of `size_bytes` in.
    #[inline]
    pub fn record(&mut self, size_bytes: usize) {
        let size = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        self.last = size;
        if self.min < 0 || size < self.min {
            self.min = size;
        }
        self.max = self.max.max(size);
    }

    /// Back to "before the first".
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// What a server counts about its clients, whatever metrics provider is chosen.
///
/// Source: `org.apache.zookeeper.server.ServerStats`.
#[derive(Clone, Debug, Default)]
pub struct ServerStats {
    /// From a request's arrival to its reply, milliseconds.
    pub latency: Summary,
    /// Requests of clients, pings and four-letter words included.
    pub packets_received: u64,
    /// Replies and watch events.
    pub packets_sent: u64,
    /// Sizes of the replies.
    pub client_response: BufferStats,
    /// Connections whose identity was refused.
    pub auth_failed_count: u64,
    /// Connections without a client certificate from another machine.
    pub non_mtls_remote_conn_count: u64,
    /// Connections without a client certificate from this machine.
    pub non_mtls_local_conn_count: u64,
    /// How often an fsync took longer than `fsync.warningthresholdms`.
    pub fsync_threshold_exceed_count: u64,
}

impl ServerStats {
    /// The part of `srst` that is about this value: latency, packets, reply sizes. The other counts go on.
    ///
    /// Source: `ServerStats#reset`.
    pub fn reset(&mut self) {
        self.latency.reset();
        self.packets_received = 0;
        self.packets_sent = 0;
        self.client_response.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_minus_one_until_the_first() {
        let mut sizes = BufferStats::default();
        assert_eq!(sizes, BufferStats { last: -1, min: -1, max: -1 });
        for size in [48, 87, 60] {
            sizes.record(size);
        }
        assert_eq!(sizes, BufferStats { last: 60, min: 48, max: 87 });
    }

    #[test]
    fn a_reset_spares_what_apache_spares() {
        let mut stats = ServerStats { packets_sent: 9, auth_failed_count: 2, ..ServerStats::default() };
        stats.latency.add(5);
        stats.reset();
        assert_eq!((stats.packets_sent, stats.latency.count(), stats.auth_failed_count), (0, 0, 2));
    }
}
