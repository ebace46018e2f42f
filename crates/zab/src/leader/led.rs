//! Learners as their leader keeps them.

use alloc::collections::VecDeque;

use proto::{Sid, Zxid};

use crate::effect::LinkId;

/// How far a learner's connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// It has not said who it is.
    Unknown,
    /// It waits for the new epoch.
    Waiting,
    /// It was told the epoch.
    Invited,
    /// It told what it has and waits for barrier 2.
    Compared { last: Zxid },
    /// What it lacks is on its way, with NEWLEADER at the end.
    Synchronizing,
    /// It has the history on disk.
    Synchronized,
    /// It serves.
    Live,
}

impl Progress {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "greeting",
            Self::Waiting | Self::Invited => "discovery",
            Self::Compared { .. } | Self::Synchronizing => "synchronization",
            Self::Synchronized | Self::Live => "broadcast",
        }
    }
}

/// What there is to a learner's word about who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Claimed {
    /// It says it is a member, voter or observer.
    pub(crate) is_member: bool,
    /// It comes from where that member is configured to be.
    pub(crate) is_proven: bool,
}

/// One learner's connection.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    pub(super) sid: Sid,
    /// By the type of its first packet, whatever the configuration says.
    pub(super) is_observer: bool,
    /// It follows, and the configuration lets it vote.
    pub(super) counts: bool,
    pub(super) progress: Progress,
    /// When it has been silent for too long.
    pub(super) deadline_ms: u64,
    /// Proposals up to here are on its disk.
    pub(super) acked: Zxid,
    pub(super) lag: Lag,
    /// PINGs that it has not answered, each by the newest question when it was sent. It answers them in their order.
    pub(super) pings: VecDeque<u64>,
    /// It was still led by this member when this question was put, or later.
    pub(super) answered: u64,
}

/// How long the oldest proposal without an acknowledgement has waited. Source: `LearnerHandler.SyncLimitCheck`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    pub(super) current: Option<(Zxid, u64)>,
    next: Option<(Zxid, u64)>,
}

impl Lag {
    pub(super) fn proposed(&mut self, zxid: Zxid, now_ms: u64) {
        if self.current.is_none() {
            self.current = Some((zxid, now_ms));
        } else {
            self.next = Some((zxid, now_ms));
        }
    }

    pub(super) fn acked(&mut self, zxid: Zxid) {
        if self.current.is_some_and(|(current, _)| current <= zxid) {
            self.current = self.next.take().filter(|(next, _)| *next > zxid);
        }
    }
}

/// A learner as its leader sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LearnerView {
    /// Its connection.
    pub link: LinkId,
    /// Who it says it is.
    pub sid: Sid,
    /// Whether it asked for INFORM instead of PROPOSAL and COMMIT.
    pub is_observer: bool,
    /// Whether its acknowledgements count.
    pub counts: bool,
    /// Whether it has the history on disk.
    pub is_synced: bool,
    /// Whether it serves clients.
    pub is_live: bool,
}
