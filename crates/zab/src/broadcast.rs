//! A leader in its broadcast phase: it numbers proposals and commits what a quorum has on disk.

use proto::{Epoch, Zxid};

/// A step that the rules of broadcast forbid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// The disk says it holds what was never proposed.
    #[error("{persisted} was confirmed as durable, but the newest proposal is {proposed}")]
    PersistedUnproposed {
        /// What was confirmed.
        persisted: Zxid,
        /// The newest proposal.
        proposed: Zxid,
    },
}

/// The leader's book-keeping. Invariant: `committed <= persisted <= proposed`.
///
/// Source: `Leader#propose`, `Leader#tryToCommit`; standalone: `ZooKeeperServer#getNextZxid`.
#[derive(Clone, Debug)]
pub struct Broadcast {
    proposed: Zxid,
    persisted: Zxid,
    committed: Zxid,
}

impl Broadcast {
    /// Starts behind a history that ends with `last` and is durable and committed whole: there is no other voter.
    #[must_use]
    pub fn sole_voter(last: Zxid) -> Self {
        Self { proposed: last, persisted: last, committed: last }
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

    /// Everything up to `zxid` is durable here. Returns up to where the history is committed now.
    ///
    /// # Errors
    /// [`Violation::PersistedUnproposed`]
    pub fn on_persisted(&mut self, zxid: Zxid) -> Result<Zxid, Violation> {
        if zxid > self.proposed {
            return Err(Violation::PersistedUnproposed { persisted: zxid, proposed: self.proposed });
        }
        self.persisted = self.persisted.max(zxid);
        // The quorum of one is complete with its own disk.
        self.committed = self.persisted;
        Ok(self.committed)
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
        let mut leader = Broadcast::sole_voter(Zxid(4));
        assert_eq!((leader.propose(), leader.propose()), (Zxid(5), Zxid(6)));
        assert_eq!(leader.committed(), Zxid(4));
        assert_eq!(leader.on_persisted(Zxid(5)), Ok(Zxid(5)));
        assert_eq!(
            leader.on_persisted(Zxid(7)),
            Err(Violation::PersistedUnproposed { persisted: Zxid(7), proposed: Zxid(6) })
        );
    }

    #[test]
    fn a_spent_counter_opens_the_next_epoch() {
        let leader = Broadcast::sole_voter(Zxid::new(Epoch(3), u32::MAX - 1));
        assert_eq!(leader.next(), Zxid::new(Epoch(4), 1));
    }
}
