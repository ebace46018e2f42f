//! What only `mntr` shows: gauges, some of which cost a walk to find out.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use proto::Sid;

/// The present values behind the gauges of `mntr` that [`Status`](super::Status) does not have.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Data watches and child watches.
    pub watch_count: u64,
    /// Ephemeral znodes.
    pub ephemerals_count: u64,
    /// Lengths of all paths and data, bytes; 44 in an empty tree.
    pub approximate_data_size: u64,
    /// Sessions the ensemble knows.
    pub global_sessions: u64,
    /// Sessions only this member knows.
    pub local_sessions: u64,
    /// Descriptors this process has open; `None` where the system does not tell.
    pub open_file_descriptor_count: Option<u64>,
    /// Descriptors this process may open.
    pub max_file_descriptor_count: Option<u64>,
    /// Of the connection throttle, 0 to 1.
    pub connection_drop_probability: f64,
    /// TLS handshakes in progress.
    pub outstanding_tls_handshake: u64,
    /// One entry for each first path name under which there is a quota.
    pub quotas: Vec<NamespaceQuota>,
    /// Members of an ensemble of servers only.
    pub ensemble: Option<EnsembleGauges>,
}

/// Sums of all quotas under one first path name. Source: `QuotaMetricsUtils`.
#[derive(Clone, Debug)]
pub struct NamespaceQuota {
    /// First name of the path, without slash.
    pub namespace: String,
    /// Znodes allowed, the hard limit where there is one; -1 is no limit.
    pub count_limit: i64,
    /// Bytes allowed, the hard limit where there is one; -1 is no limit.
    pub bytes_limit: i64,
    /// Znodes in use.
    pub count_usage: i64,
    /// Bytes in use.
    pub bytes_usage: i64,
}

/// What a member of an ensemble of servers shows besides.
#[derive(Clone, Debug)]
pub struct EnsembleGauges {
    /// `leading - broadcast`. Source: `QuorumPeer#getDetailedPeerState`.
    pub peer_state: String,
    /// Number of voters. Source: `QuorumPeer#getQuorumSize`.
    pub quorum_size: u64,
    /// Whom an observer follows; `Some(Sid(-1))` while nobody. `None` on all others.
    pub observer_master_id: Option<Sid>,
    /// On leaders and observer masters.
    pub synced_observers: Option<u64>,
    /// On leaders.
    pub leader: Option<LeaderGauges>,
}

/// What a leader shows besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeaderGauges {
    /// Connected learners.
    pub learners: u64,
    /// Followers that have been brought level, voters or not.
    pub synced_followers: u64,
    /// Those of them without a vote.
    pub synced_non_voting_followers: u64,
    /// `sync` requests waiting for their place.
    pub pending_syncs: u64,
    /// Since the reign began.
    pub uptime: Duration,
}
