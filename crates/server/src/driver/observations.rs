//! What happens in an ensemble, as lines of the log. Operators search for the words of Java's.
//!
//! Source: `QuorumPeer#setPeerState`, `Leader`, `Learner`, `LearnerHandler`; operations.md §11.3.

use member::ensemble::Observation;

/// Writes the line of `observation`.
pub(super) fn tell(observation: &Observation) {
    match observation {
        Observation::Began { role, leader } => {
            let state = format!("{role:?}").to_uppercase();
            let leader = leader.map(|sid| sid.0);
            tracing::info!(leader, "{state}");
        }
        Observation::Established { epoch } => {
            tracing::info!(%epoch, "Peer state changed: leading - broadcast");
        }
        Observation::Serving { leader, zxid } => {
            let leader = leader.map(|sid| sid.0);
            tracing::info!(leader, %zxid, "Learner received UPTODATE message");
        }
        Observation::Resigned(why) => tracing::warn!(%why, "Shutdown called: this member leads no more"),
        Observation::LeaderLost { why: None } => tracing::warn!("the leader hung up, or cannot be reached"),
        Observation::LeaderLost { why: Some(why) } => {
            tracing::warn!(%why, "the connection to the leader was closed");
        }
        Observation::Synchronizing { link, last, plan } => {
            tracing::info!(link = link.0, learner = %last, ?plan, "Synchronizing with Learner");
        }
        Observation::Expelled { link, why } => {
            tracing::warn!(link = link.0, %why, "a learner was sent away");
        }
        Observation::SnapshotReceived { zxid, nodes } => {
            tracing::info!(%zxid, nodes, "Getting a snapshot from leader: received");
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
