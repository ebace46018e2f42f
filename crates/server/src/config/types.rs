//! The values of [`Config`](super::Config) that are more than a number.

use std::fmt;
use std::time::Duration;

/// What only a member of an ensemble is told. Its membership is that of [`Config`](super::Config).
#[derive(Clone, Debug, PartialEq)]
pub struct EnsembleConfig {
    /// `myid`; it is in the membership.
    pub my_id: i64,
    /// `initLimit`: ticks for a learner to connect and to be brought level.
    pub init_limit: u32,
    /// `syncLimit`: ticks for an answer from then on.
    pub sync_limit: u32,
    /// `connectToLearnerMasterLimit`: ticks for a learner to connect; `init_limit` unless set.
    pub connect_to_learner_master_limit: u32,
    /// `leaderServes`: `false` keeps clients away from the leader.
    pub leader_serves: bool,
    /// `quorumListenOnAllIPs`: the quorum and election ports are bound on all interfaces.
    pub quorum_listen_on_all_ips: bool,
    /// `electionPortBindRetry`: how often, a second apart, the election port is tried; `None` (0) is for ever.
    pub election_port_bind_retry: Option<u32>,
    /// `cnxTimeout`: how long a call to the election port of another may take.
    pub cnx_timeout: Duration,
    /// `fastleader.minNotificationInterval`: votes are sent again after this long without an answer, then after twice
    /// as long, and so on.
    pub min_notification_interval: Duration,
    /// `fastleader.maxNotificationInterval`: the longest such wait.
    pub max_notification_interval: Duration,
    /// `tcpKeepAlive`: `SO_KEEPALIVE` on connections of the election port.
    pub tcp_keep_alive: bool,
    /// `leader.nodelay` (`-D` only): `TCP_NODELAY` on connections that learners made.
    pub leader_nodelay: bool,
    /// `follower.nodelay` (`-D` only): `TCP_NODELAY` on the connection to the leader.
    pub follower_nodelay: bool,
    /// `multiAddress.enabled`: the greeting on the election port names all addresses of this member.
    pub multi_address: bool,
    /// `commitLogCount`: how many transactions are kept in memory for learners that missed them; at least 500.
    pub commit_log_count: u32,
    /// `snapshotSizeFactor`: a learner is brought level from the log if what it lacks is not larger than this share of
    /// the newest snapshot; `None` (negative) is never.
    pub snapshot_size_factor: Option<f64>,
    /// `jute.maxbuffer.extrasize`: how much longer than a client's a packet of another member may be, in bytes.
    pub jute_max_buffer_extra_bytes: usize,
}

impl EnsembleConfig {
    /// Java's defaults, and of the keys that have none what the guide shows.
    pub fn with_defaults(my_id: i64) -> Self {
        Self {
            my_id,
            init_limit: 10,
            sync_limit: 5,
            connect_to_learner_master_limit: 10,
            leader_serves: true,
            quorum_listen_on_all_ips: false,
            election_port_bind_retry: Some(3),
            cnx_timeout: Duration::from_secs(5),
            min_notification_interval: Duration::from_millis(200),
            max_notification_interval: Duration::from_secs(60),
            tcp_keep_alive: false,
            leader_nodelay: true,
            follower_nodelay: true,
            multi_address: false,
            commit_log_count: 500,
            snapshot_size_factor: Some(0.33),
            jute_max_buffer_extra_bytes: 0xF_FFFF,
        }
    }
}

/// How old files are removed. Source: `DatadirCleanupManager`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Autopurge {
    /// `autopurge.snapRetainCount`: how many snapshots stay, at least 3.
    pub snap_retain_count: u32,
    /// `autopurge.purgeInterval`: `None` (0 or less) is never; otherwise the first run is at start.
    pub purge_interval: Option<Duration>,
}

impl Default for Autopurge {
    fn default() -> Self {
        Self { snap_retain_count: 3, purge_interval: None }
    }
}

/// How often containers and TTL nodes are looked through. Source: `ContainerManager`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContainerSweep {
    /// `znode.container.checkIntervalMs`.
    pub check_interval: Duration,
    /// `znode.container.maxPerMinute`: deletions of one minute.
    pub max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`: after this an unused container goes too; `None` (0) is never.
    pub max_never_used_interval: Option<Duration>,
}

impl Default for ContainerSweep {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(60),
            max_per_minute: 10_000,
            max_never_used_interval: None,
        }
    }
}

/// The budget for large requests. Source: `ZooKeeperServer#checkRequestSizeWhenReceivingMessage`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LargeRequests {
    /// `largeRequestMaxBytes`: bytes of all large requests in flight.
    pub max_bytes: u32,
    /// `largeRequestThreshold`: a request above this many bytes is large; `None` (-1) is off.
    pub threshold_bytes: Option<u32>,
}

impl Default for LargeRequests {
    fn default() -> Self {
        Self { max_bytes: 100 * 1024 * 1024, threshold_bytes: None }
    }
}

/// What happens to requests when the pipeline is full. Source: `RequestThrottler`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestThrottle {
    /// `request_throttle_max_requests`: requests in the pipeline before new ones wait; `None` (0 or less) is off.
    pub max_requests: Option<u32>,
    /// `request_throttle_drop_stale`: requests of closed connections are dropped instead of carried out.
    pub drop_stale: bool,
    /// `request_stale_latency_check`: a request that waited longer than its session timeout is stale.
    pub stale_latency_check: bool,
    /// `throttled_op_wait_time`: after this wait a request is answered THROTTLEDOP; `None` (0 or less) is off.
    pub throttled_op_wait_time: Option<Duration>,
}

impl Default for RequestThrottle {
    fn default() -> Self {
        Self {
            max_requests: None,
            drop_stale: true,
            stale_latency_check: false,
            throttled_op_wait_time: None,
        }
    }
}

/// The token bucket for new sessions. Source: `BlueThrottle`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConnectionThrottle {
    /// `connection_throttle_tokens`, already multiplied by the global weight when weights are on; 0 is off.
    pub tokens: u32,
    /// `connection_throttle_fill_time`.
    pub fill_time: Duration,
    /// `connection_throttle_fill_count`, already multiplied as `tokens`.
    pub fill_count: u32,
    /// `connection_throttle_freeze_time`: pause between two changes of the drop chance; `None` (-1) drops none by chance.
    pub freeze_time: Option<Duration>,
    /// `connection_throttle_drop_increase`.
    pub drop_increase: f64,
    /// `connection_throttle_drop_decrease`.
    pub drop_decrease: f64,
    /// `connection_throttle_decrease_ratio`.
    pub decrease_ratio: f64,
    /// `connection_throttle_weight_enabled` and the tokens one session of a kind costs; `None` is one token each.
    pub weights: Option<SessionWeights>,
}

/// Tokens a new session costs. Source: `BlueThrottle`, `connection_throttle_*_session_weight`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionWeights {
    /// A session all members know.
    pub global: u32,
    /// A session only its member knows.
    pub local: u32,
    /// A session that comes back.
    pub renew: u32,
}

impl Default for SessionWeights {
    fn default() -> Self {
        Self { global: 3, local: 1, renew: 2 }
    }
}

impl Default for ConnectionThrottle {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_time: Duration::from_millis(1),
            fill_count: 1,
            freeze_time: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weights: None,
        }
    }
}

/// How snapshots are written; all three forms are read whatever this says. Source: `SnapStream.StreamMode`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SnapshotCompression {
    /// `snapshot.<zxid>`.
    #[default]
    None,
    /// `snapshot.<zxid>.gz`.
    Gzip,
    /// `snapshot.<zxid>.snappy`.
    Snappy,
}

/// A value that is never shown: its `Debug` and `Display` print three stars.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for comparing and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
