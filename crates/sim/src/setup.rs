//! What an ensemble is like in a run: who votes, and how everything is configured.

use std::net::{IpAddr, Ipv4Addr};

use member::ensemble::{Address, EnsembleOptions, PeerAddress};
use member::{CoreOptions, FrontOptions, Quorum};
use proto::{Epoch, SessionId, Sid, Zxid};
use store::log::LogOptions;
use tree::TreeOptions;

use crate::net::Host;

/// The host of the first client.
pub const CLIENTS: Host = 100;

/// See the module.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many vote.
    pub voters: usize,
    /// How many observe.
    pub observers: usize,
    /// Whether those who observe have the smaller ids.
    pub observers_first: bool,
    /// The group and the weight of each voter, in order; a majority decides if there are none.
    pub groups: Vec<(i64, u64)>,
    /// tickTime
    pub tick_ms: u64,
    /// initLimit
    pub init_limit: u32,
    /// syncLimit
    pub sync_limit: u32,
    /// commitLogCount
    pub commit_log_count: usize,
    /// The last counter of an epoch.
    pub counter_max: u32,
    /// Znodes that a leader sends to a learner in one step.
    pub step_nodes: usize,
    /// Transactions between two snapshots; 0 for none.
    pub snap_count: u64,
    /// In so many of 1000 cases old files are purged behind a snapshot.
    pub purge_permille: u64,
    /// The bytes of a log file.
    pub log_bytes: u64,
    /// Somebody moves the files of a member aside that refuses to start with them.
    pub has_operator: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            voters: 3,
            observers: 0,
            observers_first: false,
            groups: Vec::new(),
            tick_ms: 500,
            init_limit: 10,
            sync_limit: 4,
            commit_log_count: 500,
            counter_max: Zxid::COUNTER_MAX,
            step_nodes: 4096,
            snap_count: 0,
            purge_permille: 0,
            log_bytes: 8192,
            has_operator: false,
        }
    }
}

impl Setup {
    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.voters + self.observers
    }

    /// The name of a member's host.
    #[must_use]
    pub fn host_name(at: usize) -> String {
        format!("m{}", at + 1)
    }

    /// Whose name that is.
    #[must_use]
    pub fn host_of(name: &str) -> Option<Host> {
        name.strip_prefix('m')?.parse::<usize>().ok()?.checked_sub(1)
    }

    /// The address of a host.
    #[must_use]
    pub fn ip(host: Host) -> IpAddr {
        let host = u8::try_from(host + 1).unwrap_or(255);
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))
    }

    /// Whether the member at a place observes.
    #[must_use]
    pub fn observes(&self, at: usize) -> bool {
        if self.observers_first { at < self.observers } else { at >= self.voters }
    }

    /// Who decides.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        let voters = (0..self.members()).filter(|&at| !self.observes(at)).map(sid);
        if self.groups.is_empty() {
            return Quorum::Majority(voters.collect());
        }
        let (groups, weights) =
            voters.zip(&self.groups).map(|(sid, &(group, weight))| ((sid, group), (sid, weight))).unzip();
        Quorum::Hierarchical { groups, weights }
    }

    pub(crate) fn tree(&self) -> TreeOptions {
        TreeOptions { hash_seed: 7, extended_types: true, emulate_353_ttl: false, digest: true }
    }

    pub(crate) fn log(&self) -> LogOptions {
        LogOptions { prealloc_bytes: self.log_bytes, size_limit_bytes: 0, force_sync: true }
    }

    pub(crate) fn core(&self, first_session: SessionId) -> CoreOptions {
        let prepare = tree::prepare::Options { enforce_quota: true, ..Default::default() };
        CoreOptions { prepare, ..CoreOptions::with_defaults(self.tick_ms, first_session) }
    }

    pub(crate) fn front(&self) -> FrontOptions {
        FrontOptions::with_defaults(i32::try_from(self.tick_ms).unwrap_or(i32::MAX))
    }

    pub(crate) fn member(
        &self,
        at: usize,
        accepted: Epoch,
        current: Epoch,
        whole_from: Zxid,
        may_be_blank: bool,
    ) -> EnsembleOptions {
        let address = |at: usize, port: u16| vec![Address { host: Self::host_name(at), port }];
        let members = (0..self.members()).map(|at| {
            let is_observer = self.observes(at);
            (sid(at), PeerAddress { quorum: address(at, 2888), election: address(at, 3888), is_observer })
        });
        let members = members.collect();
        EnsembleOptions {
            accepted_epoch: accepted,
            current_epoch: current,
            whole_from,
            may_be_blank,
            init_limit: self.init_limit,
            sync_limit: self.sync_limit,
            election_connect_timeout_ms: 2000,
            notification_max_ms: 10_000,
            commit_log_count: self.commit_log_count,
            counter_max: self.counter_max,
            tells_deliveries: true,
            step_nodes: self.step_nodes,
            ..EnsembleOptions::with_defaults(self.tick_ms, sid(at), members, self.quorum())
        }
    }
}

/// The sid of the member at a place.
#[must_use]
pub fn sid(at: usize) -> Sid {
    Sid(i64::try_from(at).unwrap_or(0) + 1)
}
