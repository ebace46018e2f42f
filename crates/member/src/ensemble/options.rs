//! What a member of an ensemble is told at birth.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use proto::{Epoch, Sid, Zxid};
use zab::{ElectionTimes, Limits, PeerOptions, Quorum};

use super::mesh::MeshOptions;
use super::order::Address;

/// Where a member is, and what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerAddress {
    /// Where its learners call.
    pub quorum: Vec<Address>,
    /// Where votes are exchanged.
    pub election: Vec<Address>,
    /// Whether it is an observer.
    pub is_observer: bool,
}

/// See the module. The keys are those of `zoo.cfg`.
#[derive(Clone, Debug)]
pub struct EnsembleOptions {
    /// `myid`.
    pub me: Sid,
    /// `server.N`, of all members.
    pub members: BTreeMap<Sid, PeerAddress>,
    /// Who decides.
    pub quorum: Quorum,
    /// The membership as text, as clients see it at `/zookeeper/config`.
    pub config_text: String,
    /// `acceptedEpoch` as it is on disk.
    pub accepted_epoch: Epoch,
    /// `currentEpoch` as it is on disk.
    pub current_epoch: Epoch,
    /// From this zxid on the log was seen to have no hole: the snapshot that recovery started from.
    pub whole_from: Zxid,
    /// An empty history is meant to be: the file `initialize` was there.
    pub may_be_blank: bool,
    /// `tickTime` in milliseconds.
    pub tick_ms: u64,
    /// `initLimit` in ticks.
    pub init_limit: u32,
    /// `syncLimit` in ticks.
    pub sync_limit: u32,
    /// `connectToLearnerMasterLimit` in ticks; 0 is `init_limit`.
    pub connect_limit: u32,
    /// `cnxTimeout` in milliseconds.
    pub election_connect_timeout_ms: u64,
    /// `fastleader.minNotificationInterval` in milliseconds.
    pub notification_min_ms: u64,
    /// `fastleader.maxNotificationInterval` in milliseconds.
    pub notification_max_ms: u64,
    /// `leaderServes`.
    pub leader_serves: bool,
    /// `commitLogCount`: delivered transactions kept for learners that come back.
    pub commit_log_count: usize,
    /// The last counter of an epoch, behind which a leader hands over: 0xffff_fffe but in tests.
    pub counter_max: u32,
    /// `multiAddress.enabled`.
    pub multi_address: bool,
    /// Whether each delivery is told as an [`Observation`](super::Observation), which a simulator checks.
    pub tells_deliveries: bool,
    /// What one field of a packet may hold: `jute.maxbuffer` and its extra size.
    pub packet_bytes_max: usize,
    /// Znodes that are put together for a learner in one step, unless they are large; the next come when those are sent.
    pub step_nodes: usize,
}

/// How long to listen for better votes. Source: `FastLeaderElection.finalizeWait`.
const FINALIZE_MS: u64 = 200;
/// Between two calls to a leader that does not answer yet. Source: `leaderConnectDelayDuringRetryMs`.
const REDIAL_MS: u64 = 100;
/// How long a connection on the quorum port may take to say whose it is. Source: reliability.md §6.
const GREETING_MS: u64 = 10_000;
/// How long a caller of the election port may take. Source: reliability.md §6.
const FIRST_MESSAGE_MS: u64 = 5000;
/// Callers of the election port that have not said who they are. Source: reliability.md §6.
const PENDING_MAX: usize = 64;
/// The same from one address.
const PER_ADDRESS_MAX: usize = 8;

impl EnsembleOptions {
    /// See `step_nodes`: what else waits meanwhile does not wait long.
    pub const STEP_NODES: usize = 4096;

    /// What Apache's server has if nothing is configured but tickTime and who is where, with the limits of its sample: a member
    /// without history.
    #[must_use]
    pub fn with_defaults(tick_ms: u64, me: Sid, members: BTreeMap<Sid, PeerAddress>, quorum: Quorum) -> Self {
        Self {
            me,
            members,
            quorum,
            config_text: "version=0".into(),
            accepted_epoch: Epoch(0),
            current_epoch: Epoch(0),
            whole_from: Zxid::ZERO,
            may_be_blank: false,
            tick_ms,
            init_limit: 10,
            sync_limit: 5,
            connect_limit: 0,
            election_connect_timeout_ms: 5000,
            notification_min_ms: 200,
            notification_max_ms: 60_000,
            leader_serves: true,
            commit_log_count: 500,
            counter_max: Zxid::COUNTER_MAX,
            multi_address: false,
            tells_deliveries: false,
            packet_bytes_max: 2 * 0xf_ffff,
            step_nodes: Self::STEP_NODES,
        }
    }

    pub(super) fn peer(&self) -> PeerOptions {
        let ticks_ms = |ticks: u32| u64::from(ticks) * self.tick_ms;
        let connect = if self.connect_limit == 0 { self.init_limit } else { self.connect_limit };
        let observers: BTreeSet<Sid> =
            self.members.iter().filter(|(_, at)| at.is_observer).map(|(&sid, _)| sid).collect();
        PeerOptions {
            me: self.me,
            quorum: self.quorum.clone(),
            observers,
            version: 0,
            accepted: self.accepted_epoch,
            current: self.current_epoch,
            may_be_blank: self.may_be_blank,
            limits: Limits {
                tick_ms: self.tick_ms,
                init_ms: ticks_ms(self.init_limit),
                sync_ms: ticks_ms(self.sync_limit),
                connect_ms: ticks_ms(connect),
                redial_ms: REDIAL_MS,
                greeting_ms: GREETING_MS,
                counter_max: self.counter_max,
            },
            election: ElectionTimes {
                repeat_min_ms: self.notification_min_ms,
                repeat_max_ms: self.notification_max_ms,
                finalize_ms: FINALIZE_MS,
            },
        }
    }

    pub(super) fn mesh(&self) -> MeshOptions {
        let own = self.members.get(&self.me).map(|at| at.election.clone()).unwrap_or_default();
        MeshOptions {
            me: self.me,
            own_addresses: own,
            members: self.members.iter().map(|(&sid, at)| (sid, at.election.clone())).collect(),
            multi_address: self.multi_address,
            connect_timeout_ms: self.election_connect_timeout_ms,
            first_message_ms: FIRST_MESSAGE_MS,
            pending_max: PENDING_MAX,
            per_address_max: PER_ADDRESS_MAX,
        }
    }
}
