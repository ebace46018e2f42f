//! What a process remembers of members it led: what each acknowledged (R15).

use alloc::collections::BTreeMap;

use proto::{Sid, Zxid};

/// By member, the last transaction it said to have on disk. Only of voters, so that it is small; and only as long as
/// the process lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    acked: BTreeMap<Sid, Zxid>,
}

impl Memory {
    /// A member acknowledged everything up to `zxid`.
    pub(super) fn note(&mut self, sid: Sid, zxid: Zxid) {
        let acked = self.acked.entry(sid).or_default();
        *acked = zxid.max(*acked);
    }

    /// The last transaction that `sid` acknowledged.
    pub(super) fn of(&self, sid: Sid) -> Zxid {
        self.acked.get(&sid).copied().unwrap_or_default()
    }
}
