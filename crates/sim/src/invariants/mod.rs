//! What must hold at every step, one promise in each file. Names are those of the Zab paper where it has one.
//!
//! An invariant is shown what was [`Seen`] and says what is wrong with it. The evidence comes from members'
//! observations, from what their disks were given, and from the packets on the wire; never from what a member believes.

#![expect(clippy::wildcard_enum_match_arm, reason = "each looks at what concerns it")]

mod acknowledged;
mod committed;
mod completeness;
mod durability;
mod election;
mod epochs;
mod integrity;
mod leadership;
mod memory;
mod no_gap;
mod permission;
mod read_only;
mod resources;
mod total_order;

use proto::{Epoch, Sid, Zxid};

/// A promise was broken: which, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken(pub String);

/// What happened, as evidence.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// A member ends an election.
    Decided {
        /// Who.
        sid: Sid,
        /// Whom it takes for the leader.
        leader: Sid,
        /// Whether a quorum, with itself, was heard to vote for that one.
        is_backed: bool,
    },
    /// A leader says that a quorum has its history.
    Established {
        /// Who.
        sid: Sid,
        /// Its epoch.
        epoch: Epoch,
        /// The first committed transaction that its log lacks.
        lacks: Option<Zxid>,
    },
    /// A member hands a transaction to its log.
    Logged {
        /// Who.
        sid: Sid,
        /// What it follows in that log.
        after: Zxid,
        /// Which.
        zxid: Zxid,
        /// Its payload.
        hash: u64,
        /// Whether its epoch has an established leader.
        is_led: bool,
    },
    /// The log of a member goes on elsewhere: it was read back, cut, or replaced by a snapshot.
    Moved {
        /// Who.
        sid: Sid,
        /// The last transaction.
        last: Zxid,
    },
    /// For the first time somebody shows clients the effect of a transaction.
    Committed {
        /// Which.
        zxid: Zxid,
        /// Its payload.
        hash: u64,
        /// What it follows.
        after: Zxid,
        /// Whether a quorum of voters has it on disk.
        is_durable: bool,
    },
    /// A member begins to serve behind this transaction.
    Entered {
        /// Who.
        sid: Sid,
        /// Where; perhaps the mark that opens an epoch.
        zxid: Zxid,
        /// The last transaction there.
        behind: Zxid,
        /// The digest of its tree.
        digest: u64,
    },
    /// A member that serves applied a transaction.
    Delivered {
        /// Who.
        sid: Sid,
        /// Which.
        zxid: Zxid,
        /// The digest of its tree behind it.
        digest: u64,
    },
    /// An epoch file was replaced.
    EpochStored {
        /// Who.
        sid: Sid,
        /// `acceptedEpoch`.
        accepted: Epoch,
        /// `currentEpoch`.
        current: Epoch,
    },
    /// A learner sends ACK.
    Acknowledged {
        /// Who.
        sid: Sid,
        /// Of what.
        zxid: Zxid,
        /// Whether it is on its disk.
        is_durable: bool,
    },
    /// A member starts from its files.
    Recovered {
        /// Who.
        sid: Sid,
        /// The end of the history.
        last: Zxid,
        /// The first transaction that was durable and is gone.
        lacks: Option<Zxid>,
        /// Whether the epochs are at least those that were durable.
        epochs_kept: bool,
    },
    /// The files of a member were read into a second tree.
    Replayed {
        /// Whose.
        sid: Sid,
        /// Up to which transaction.
        zxid: Zxid,
        /// The digest of the tree in memory.
        live: u64,
        /// The digest of the other.
        replayed: u64,
    },
    /// A client is told that its session is open.
    Greeted {
        /// Which client.
        client: usize,
        /// By a member that only reads.
        read_only: bool,
    },
    /// A client is shown what a znode holds, or told that it changed.
    Shown {
        /// Which client.
        client: usize,
        /// Whether it may read that znode.
        permitted: bool,
    },
    /// A member has nothing to do: what it holds for clients, and what they say they have there.
    Rested {
        /// Who.
        sid: Sid,
        /// Connections, watches, and requests that wait for a reply.
        holds: [usize; 3],
        /// The same, as clients count them.
        ought: [usize; 3],
    },
    /// A member loses its disk.
    Wiped {
        /// Who.
        sid: Sid,
    },
}

/// One promise.
pub trait Invariant {
    /// Looks at what happened.
    ///
    /// # Errors
    /// [`Broken`]
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken>;
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(election::QuorumVotes),
        Box::<leadership::Leadership>::default(),
        Box::new(completeness::LeaderCompleteness),
        Box::<integrity::Integrity>::default(),
        Box::<total_order::TotalOrder>::default(),
        Box::<committed::CommittedOrder>::default(),
        Box::new(durability::CommitDurable),
        Box::new(acknowledged::AckDurable),
        Box::<epochs::Epochs>::default(),
        Box::<no_gap::NoGap>::default(),
        Box::new(memory::MemoryEqualsFiles),
        Box::new(read_only::NoReadOnly),
        Box::new(resources::Resources),
        Box::new(permission::Permission),
    ]
}

/// Whether `zxid` may follow `after` in a history.
#[must_use]
pub fn follows(after: Zxid, zxid: Zxid) -> bool {
    if zxid.epoch() == after.epoch() {
        after.next() == Some(zxid)
    } else {
        zxid.epoch() > after.epoch() && zxid.counter() == 1
    }
}

#[cfg(test)]
fn verdict(invariant: &mut dyn Invariant, seen: &[Seen]) -> Result<(), Broken> {
    seen.iter().try_for_each(|seen| invariant.observe(seen))
}

#[cfg(test)]
fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}
