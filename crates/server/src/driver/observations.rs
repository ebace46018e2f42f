//! What happens in an ensemble, as lines of the log and as metrics. Operators search for the words of Java's.
//!
//! Source: `QuorumPeer#setZabState`, `Leader`, `Learner`, `LearnerHandler`; operations.md §11.3.

use member::Now;
use member::ensemble::{Observation, PeerRole, Plan};
use member::metrics::Registry;
use proto::{Sid, Zxid};

/// Remembers when things began, to say how long they took.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    /// Since when this member looks for a leader.
    looking_ms: u64,
    /// Since when it has its present role.
    began_ms: u64,
    role: Option<PeerRole>,
}

impl Chronicle {
    /// Writes the line of `observation`, and counts it.
    ///
    /// * `learner`: whose link it is about, if that is known.
    pub(super) fn tell(
        &mut self,
        observation: &Observation,
        learner: Option<Sid>,
        metrics: &mut Registry,
        now: Now,
    ) {
        match observation {
            Observation::Began { role, leader } => {
                self.on_role(*role, metrics, now);
                let leader = leader.map(|sid| sid.0);
                match role {
                    PeerRole::Looking => tracing::info!("LOOKING"),
                    PeerRole::Following => tracing::info!(leader, "FOLLOWING"),
                    PeerRole::Leading => tracing::info!(leader, "LEADING"),
                    PeerRole::Observing => tracing::info!(leader, "OBSERVING"),
                }
            }
            Observation::Established { epoch } => {
                let unavailable_ms = self.unavailable(metrics, now);
                metrics.leader_unavailable_time.add(unavailable_ms);
                tracing::info!(%epoch, unavailable_ms, "Peer state changed: leading - broadcast");
            }
            Observation::Serving { leader, zxid } => {
                let unavailable_ms = self.unavailable(metrics, now);
                let sync_ms = since(self.began_ms, now);
                let leader = leader.map(|sid| sid.0);
                if self.role == Some(PeerRole::Observing) {
                    metrics.observer_sync_time.add(sync_ms);
                    tracing::info!(leader, %zxid, sync_ms, unavailable_ms, "Peer state changed: observing - broadcast");
                } else {
                    metrics.follower_sync_time.add(sync_ms);
                    tracing::info!(leader, %zxid, sync_ms, unavailable_ms, "Peer state changed: following - broadcast");
                }
            }
            Observation::Resigned(why) => tracing::warn!(%why, "Shutting down: this member leads no more"),
            Observation::LeaderLost { why: None } => {
                tracing::warn!("the leader hung up, or cannot be reached");
            }
            Observation::LeaderLost { why: Some(why) } => {
                tracing::warn!(%why, "the connection to the leader was closed; look at the leader's log");
            }
            Observation::Synchronizing { last, plan, .. } => {
                on_plan(learner.map(|sid| sid.0), *last, *plan, metrics);
            }
            Observation::Expelled { link, why } => {
                let sid = learner.map(|sid| sid.0);
                tracing::warn!(sid, link = link.0, %why, "a learner was sent away; look at its log");
            }
            Observation::WentBack { sid, last, acked } => {
                tracing::error!(
                    sid = sid.0, %last, %acked,
                    "a member lost what it had acknowledged, as if its disk were an old copy; it does not count before \
                     it is brought level, and forgotten_history_count counts it. If no leader comes about, start the members that are missing; only if they \
                     are lost for good, restart this one, which forgets"
                );
            }
            Observation::SnapshotReceived { zxid, nodes } => {
                tracing::info!(%zxid, nodes, "a snapshot came from the leader");
            }
            Observation::Delivered { zxid, digest } => tracing::trace!(%zxid, digest, "delivered"),
            Observation::TreeDiffers { zxid } => {
                tracing::error!(
                    %zxid,
                    "the digest of the tree is not the leader's, whose tree is copied; see digest_mismatches_count"
                );
            }
        }
    }

    fn on_role(&mut self, role: PeerRole, metrics: &mut Registry, now: Now) {
        self.began_ms = now.mono_ms;
        self.role = Some(role);
        match role {
            PeerRole::Looking => {
                self.looking_ms = now.mono_ms;
                metrics.looking_count.inc();
            }
            PeerRole::Following | PeerRole::Leading => {
                let took_ms = since(self.looking_ms, now);
                metrics.election_time.add(took_ms);
                let state = if role == PeerRole::Leading { "LEADING" } else { "FOLLOWING" };
                tracing::info!("{state} - LEADER ELECTION TOOK - {took_ms} MS");
            }
            PeerRole::Observing => {}
        }
    }

    /// How long nobody was served here.
    fn unavailable(&self, metrics: &mut Registry, now: Now) -> i64 {
        let unavailable_ms = since(self.looking_ms, now);
        metrics.unavailable_time.add(unavailable_ms);
        unavailable_ms
    }
}

/// Source: `LearnerHandler#syncFollower`.
fn on_plan(sid: Option<i64>, has: Zxid, plan: Plan, metrics: &mut Registry) {
    match plan {
        Plan::Snap => {
            metrics.snap_count.inc();
            tracing::info!(sid, %has, "Synchronizing with Learner: SNAP");
        }
        Plan::Trunc { to } => {
            metrics.diff_count.inc();
            tracing::info!(sid, %has, %to, "Synchronizing with Learner: TRUNC");
        }
        Plan::Diff { last, .. } => {
            metrics.diff_count.inc();
            tracing::info!(sid, %has, %last, "Synchronizing with Learner: DIFF");
        }
        Plan::Log { upto, .. } => {
            metrics.diff_count.inc();
            tracing::info!(sid, %has, %upto, "Synchronizing with Learner: DIFF from the log");
        }
    }
}

fn since(then_ms: u64, now: Now) -> i64 {
    i64::try_from(now.mono_ms.saturating_sub(then_ms)).unwrap_or(i64::MAX)
}
