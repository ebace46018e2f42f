//! Who comes in at the quorum port.
//!
//! Whoever calls has proved nothing. Until it has said who it is it is one of a few, of which the oldest has to go for a
//! new one; who is in no configuration is one of a few, too; and a member's connection yields only to a caller from where
//! that member is configured to be (S3, S6).

use core::net::IpAddr;

use proto::Sid;
use proto::quorum::LearnerPacket;
use zab::Violation;

use super::link::{Link, Visitor};
use super::order::LinkId;
use crate::{Member, Now};

/// Callers that have not said who they are. Members do so at once.
const UNNAMED_MAX: usize = 64;

/// Learners that are in no configuration.
const STRANGERS_MAX: usize = 64;

/// The longest field of a packet before the learner is served. What it says until then has a few dozen bytes. Source:
/// reliability.md §6, "memory".
const FIRST_FIELDS_BYTES_MAX: usize = 16 * 1024;

impl Member {
    /// Takes a caller in, if this member leads.
    pub(super) fn admit(&mut self, link: LinkId, from: IpAddr, now: Now) -> bool {
        let Some(ensemble) = &mut self.ensemble else { return false };
        if !ensemble.peer.on_learner_linked(link, now.mono_ms) {
            return false;
        }
        let is_unnamed = |entry: &Link| entry.visitor.is_some_and(|visitor| visitor.sid.is_none());
        let mut unnamed = ensemble.links.iter().filter(|(_, entry)| is_unnamed(entry)).map(|(link, _)| *link);
        let oldest = unnamed.next();
        let is_full = 1 + unnamed.count() >= UNNAMED_MAX;
        ensemble.links.insert(link, Link::called_from(from));
        if let Some(oldest) = oldest.filter(|_| is_full) {
            ensemble.peer.on_learner_lost(oldest);
            self.close_link(oldest);
        }
        true
    }

    /// A learner says who it is.
    ///
    /// # Errors
    /// [`Violation`]: it is not let in.
    pub(super) fn name(&mut self, link: LinkId, packet: &LearnerPacket<'_>) -> Result<(), Violation> {
        let (LearnerPacket::FollowerInfo { info, .. } | LearnerPacket::ObserverInfo { info, .. }) = packet
        else {
            return Ok(());
        };
        let Some(ensemble) = &mut self.ensemble else { return Ok(()) };
        let Some(visitor) = ensemble.links.get(&link).and_then(|entry| entry.visitor) else { return Ok(()) };
        let mut others = ensemble.links.values().filter_map(|entry| entry.visitor);
        let is_member = |sid: Sid| ensemble.quorum_addresses.contains_key(&sid);
        let is_proven = ensemble.mesh.is_at(info.sid, visitor.from);
        if is_member(info.sid) {
            let is_there = |other: Visitor| other.sid == Some(info.sid) && other.is_proven;
            if !is_proven && others.any(is_there) {
                return Err(Violation::Impostor(info.sid));
            }
        } else if others.filter(|other| other.sid.is_some_and(|sid| !is_member(sid))).count() >= STRANGERS_MAX
        {
            return Err(Violation::TooManyStrangers(STRANGERS_MAX));
        }
        if let Some(visitor) = ensemble.links.get_mut(&link).and_then(|entry| entry.visitor.as_mut()) {
            visitor.sid.get_or_insert(info.sid);
            visitor.is_proven = is_proven;
        }
        Ok(())
    }

    /// The longest field that a packet of this learner may have.
    pub(super) fn learner_field_bytes_max(&self, link: LinkId) -> usize {
        let Some(ensemble) = &self.ensemble else { return 0 };
        if ensemble.peer.is_live_learner(link) {
            ensemble.packet_bytes_max
        } else {
            ensemble.packet_bytes_max.min(FIRST_FIELDS_BYTES_MAX)
        }
    }
}
