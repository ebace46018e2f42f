//! What a process remembers of members it led: what each acknowledged (R15), and what they promised.

use alloc::collections::BTreeMap;

use proto::{Epoch, Sid, Zxid};

/// By member, the last transaction it said to have on disk. Only of voters, so that it is small; and only as long as
/// the process lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    acked: BTreeMap<Sid, Zxid>,
    /// The latest epoch that a member promised itself to which therefore could not follow.
    promised: Epoch,
}

impl Memory {
    /// A member acknowledged everything up to `zxid`.
    pub(super) fn note(&mut self, sid: Sid, zxid: Zxid) {
        let acked = self.acked.entry(sid).or_default();
        *acked = zxid.max(*acked);
    }

    /// A member is told to give up what is behind `zxid`: it may end before that has come again.
    pub(super) fn cut(&mut self, sid: Sid, zxid: Zxid) {
        if let Some(acked) = self.acked.get_mut(&sid) {
            *acked = zxid.min(*acked);
        }
    }

    /// A member cannot follow, since it promised itself to this later epoch.
    pub(super) fn note_promise(&mut self, epoch: Epoch) {
        self.promised = self.promised.max(epoch);
    }

    /// The next epoch comes behind this one, or such a member cannot follow again.
    pub(super) fn promised(&self) -> Epoch {
        self.promised
    }

    /// The last transaction that `sid` acknowledged.
    pub(super) fn of(&self, sid: Sid) -> Zxid {
        self.acked.get(&sid).copied().unwrap_or_default()
    }
}
