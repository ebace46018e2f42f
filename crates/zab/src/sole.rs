//! A server without an ensemble: the only voter, whose own disk is the quorum.

use proto::{Epoch, Zxid};

/// The leader's book-keeping. Invariant: `committed <= proposed`.
///
/// Source: `Leader#propose`, `Leader#tryToCommit`; standalone: `ZooKeeperServer#getNextZxid`.
#[derive(Clone, Debug)]
pub struct Sole {
    proposed: Zxid,
    committed: Zxid,
}

impl Sole {
    /// Starts behind a history that ends with `last` and is durable and committed whole: there is no other voter.
    #[must_use]
    pub fn behind(last: Zxid) -> Self {
        Self { proposed: last, committed: last }
    }

    /// The zxid the next proposal will have.
    ///
    /// A sole voter whose counter is spent opens the next epoch itself: nobody else could take over.
    #[must_use]
    pub fn next(&self) -> Zxid {
        self.proposed.next().unwrap_or_else(|| Zxid::new(Epoch(self.proposed.epoch().0.wrapping_add(1)), 1))
    }

    /// Takes note that the transaction numbered [`Self::next`] is on its way to the disk; returns its zxid.
    pub fn propose(&mut self) -> Zxid {
        self.proposed = self.next();
        self.proposed
    }

    /// Everything up to `zxid` is durable here: the quorum of one is complete.
    ///
    /// # Panics
    /// If that was never proposed: the log confirms what it was given.
    pub fn on_persisted(&mut self, zxid: Zxid) {
        assert!(zxid <= self.proposed, "{zxid} is durable, but the newest proposal is {}", self.proposed);
        self.committed = self.committed.max(zxid);
    }

    /// The newest proposal.
    #[must_use]
    pub fn proposed(&self) -> Zxid {
        self.proposed
    }

    /// Up to where the history may be delivered.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_committed_before_it_is_durable() {
        let mut leader = Sole::behind(Zxid(4));
        assert_eq!((leader.propose(), leader.propose()), (Zxid(5), Zxid(6)));
        assert_eq!(leader.committed(), Zxid(4));
        leader.on_persisted(Zxid(5));
        assert_eq!(leader.committed(), Zxid(5));
    }

    #[test]
    fn a_spent_counter_opens_the_next_epoch() {
        let leader = Sole::behind(Zxid::new(Epoch(3), u32::MAX - 1));
        assert_eq!(leader.next(), Zxid::new(Epoch(4), 1));
    }
}
