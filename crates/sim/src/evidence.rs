//! What is known from outside: what each disk holds durably, what was proposed, what clients may have seen.

use std::collections::{BTreeMap, BTreeSet};

use member::Quorum;
use proto::{Epoch, Sid, Zxid};

use crate::invariants::{self, Broken, Invariant, Seen};
use crate::model::Model;

/// What the disk of a member holds, by what its driver completed there.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// Everything up to here is covered by a snapshot from a leader, or was never there.
    pub base: Zxid,
    /// Transactions behind it, and the hashes of their payloads.
    pub entries: Vec<(Zxid, u64)>,
    /// `acceptedEpoch`.
    pub accepted: Epoch,
    /// `currentEpoch`.
    pub current: Epoch,
}

impl Durable {
    /// The last transaction.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.entries.last().map_or(self.base, |(zxid, _)| *zxid)
    }

    /// Whether it holds this very transaction.
    #[must_use]
    pub fn holds(&self, zxid: Zxid, hash: u64) -> bool {
        zxid <= self.base
            || self
                .entries
                .binary_search_by_key(&zxid, |(zxid, _)| *zxid)
                .is_ok_and(|at| self.entries[at].1 == hash)
    }

    /// Ends it behind `to`.
    pub fn cut(&mut self, to: Zxid) {
        self.entries.retain(|(zxid, _)| *zxid <= to);
        self.base = self.base.min(to);
    }

    /// A snapshot takes its place.
    pub fn install(&mut self, zxid: Zxid) {
        self.entries.clear();
        self.base = zxid;
    }
}

/// A transaction that clients may have seen.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Which.
    pub zxid: Zxid,
    /// Its payload.
    pub hash: u64,
}

/// See the module.
pub struct Evidence {
    /// By the place of the member.
    pub durable: Vec<Durable>,
    /// What was on disks that were lost, and whose they were.
    lost: Vec<(usize, Durable)>,
    /// What each member gave its log, on disk or not.
    chains: Vec<Vec<Zxid>>,
    quorum: Quorum,
    invariants: Vec<Box<dyn Invariant>>,
    /// Proposals that nobody has shown yet.
    proposed: BTreeMap<Zxid, (u64, Vec<u8>)>,
    shown: Vec<Shown>,
    /// What clients can have seen, and what they saw.
    pub model: Model,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
    /// Which epochs were established, and by whom.
    pub established: BTreeMap<Epoch, Sid>,
    kinds: BTreeSet<&'static str>,
}

impl core::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Evidence").field("shown", &self.shown.len()).field("broken", &self.broken).finish()
    }
}

impl Evidence {
    /// Nothing is known. The first `n` members are those with sids 1 to `n`.
    #[must_use]
    pub fn new(members: usize, quorum: Quorum) -> Self {
        Self {
            durable: vec![Durable::default(); members],
            lost: Vec::new(),
            chains: vec![Vec::new(); members],
            quorum,
            invariants: invariants::all(),
            proposed: BTreeMap::new(),
            shown: Vec::new(),
            model: Model::default(),
            broken: None,
            established: BTreeMap::new(),
            kinds: BTreeSet::new(),
        }
    }

    /// Takes note of a broken promise; only the first counts.
    pub fn fail(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// Shows the invariants what happened.
    pub fn see(&mut self, seen: &Seen) {
        for invariant in &mut self.invariants {
            if let Err(broken) = invariant.observe(seen) {
                self.broken.get_or_insert(broken);
            }
        }
    }

    /// The last transaction that anybody has shown.
    #[must_use]
    pub fn tip(&self) -> Zxid {
        self.shown.last().map_or(Zxid::ZERO, |shown| shown.zxid)
    }

    /// The last transaction up to `zxid` that anybody has shown.
    #[must_use]
    pub fn behind(&self, zxid: Zxid) -> Zxid {
        let at = self.shown.partition_point(|shown| shown.zxid <= zxid);
        at.checked_sub(1).map_or(Zxid::ZERO, |at| self.shown[at].zxid)
    }

    /// How many transactions were shown.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// A member hands a transaction to its log. Returns the hash of the payload.
    pub fn logged(&mut self, member: usize, zxid: Zxid, payload: &[u8]) -> u64 {
        let hash = crate::trace::hash_bytes(payload);
        let sid = Sid(i64::try_from(member).unwrap_or(i64::MAX) + 1);
        let after = self.chains[member].last().copied().unwrap_or_default();
        let is_led = self.established.contains_key(&zxid.epoch());
        self.see(&Seen::Logged { sid, after, zxid, hash, is_led });
        self.chains[member].push(zxid);
        if zxid > self.tip() {
            self.proposed.entry(zxid).or_insert_with(|| (hash, payload.to_vec()));
        }
        hash
    }

    /// A member shows clients everything up to `zxid`. What is new is committed by that; which transactions those are its
    /// own log says.
    pub fn show_up_to(&mut self, member: usize, zxid: Zxid) {
        while self.tip() < zxid && self.broken.is_none() {
            let after = self.tip();
            let chain = &self.chains[member];
            let at = chain.partition_point(|&logged| logged <= after);
            // What a quorum of others has may be shown before the own log is given it.
            let first = Zxid::new(zxid.epoch(), 1);
            let in_flight = after.next().filter(|_| after.epoch() == zxid.epoch()).unwrap_or(first);
            let Some(next) = chain.get(at).copied().or(Some(in_flight)).filter(|next| *next <= zxid) else {
                return;
            };
            let Some((hash, payload)) = self.proposed.remove(&next) else {
                return self.fail(Broken(format!("{next} is shown, and nobody proposed it")));
            };
            // A disk that was lost since had it when that was told.
            let held = |at: usize| {
                let lost = self.lost.iter().filter(|(of, _)| *of == at).map(|(_, durable)| durable);
                self.durable.get(at).into_iter().chain(lost).any(|durable| durable.holds(next, hash))
            };
            let is_durable =
                self.quorum.is_met(&|Sid(sid)| held(usize::try_from(sid - 1).unwrap_or(usize::MAX)));
            self.see(&Seen::Committed { zxid: next, hash, after, is_durable });
            self.shown.push(Shown { zxid: next, hash });
            if let Err(broken) = self.model.apply(next, &payload) {
                self.fail(broken);
            }
        }
    }

    /// The log of a member, with what is not on its disk yet, ends with `last` from now on.
    pub fn moved(&mut self, member: usize, sid: Sid, last: Zxid) {
        self.chains[member].retain(|&zxid| zxid <= last);
        self.see(&Seen::Moved { sid, last });
    }

    /// A snapshot of another member takes the place of a log: with it comes what led there.
    pub fn installed(&mut self, member: usize, sid: Sid, last: Zxid) {
        let led_there = self.chains.iter().find_map(|chain| {
            let at = chain.binary_search(&last).ok()?;
            Some(chain[..=at].to_vec())
        });
        // The mark that opens an epoch is in no log; whoever sends it shows clients what led there.
        self.chains[member] = led_there.unwrap_or_else(|| {
            self.shown.iter().map(|shown| shown.zxid).filter(|&zxid| zxid <= last).collect()
        });
        self.moved(member, sid, last);
    }

    /// The log of a member as it was read back; it ends with `last`.
    pub fn recovered(&mut self, member: usize, last: Zxid, entries: impl IntoIterator<Item = Zxid>) {
        let chain = &mut self.chains[member];
        let mut entries = entries.into_iter().peekable();
        let keep = entries.peek().map_or(last, |first| Zxid(first.0 - 1));
        chain.retain(|&zxid| zxid <= keep);
        chain.extend(entries);
    }

    /// A member's disk is gone.
    pub fn wiped(&mut self, member: usize, sid: Sid) {
        let mut durable = std::mem::take(&mut self.durable[member]);
        // Only of what nobody has shown yet will anybody ask who had it.
        let tip = self.tip();
        durable.entries.retain(|(zxid, _)| *zxid > tip);
        self.lost.push((member, durable));
        self.moved(member, sid, Zxid::ZERO);
        self.see(&Seen::Wiped { sid });
    }

    /// A member is told of as one that lost what it had acknowledged: its disk was lost, or replaced by an older one.
    pub fn said_to_have_gone_back(&mut self, whose: Sid) {
        let is_lost = |at: usize| i64::try_from(at).is_ok_and(|at| at + 1 == whose.0);
        if !self.lost.iter().any(|(at, _)| is_lost(*at)) {
            self.fail(Broken(format!("member {} lost nothing, and is told of as if it had (R15)", whose.0)));
        }
    }

    /// The last transaction of epochs before this one that clients may have seen and this disk lacks. A leader that stood
    /// still may find itself established when later epochs have begun; it can commit nothing.
    #[must_use]
    pub fn lacks(&self, at: usize, epoch: Epoch) -> Option<Zxid> {
        let durable = &self.durable[at];
        self.shown
            .iter()
            .rev()
            .take_while(|shown| shown.zxid > durable.base)
            .find(|shown| shown.zxid.epoch() < epoch && !durable.holds(shown.zxid, shown.hash))
            .map(|shown| shown.zxid)
    }

    /// Takes note of a kind of event, for the table of what was hit.
    pub fn hit(&mut self, kind: &'static str) {
        self.kinds.insert(kind);
    }

    /// What was hit.
    #[must_use]
    pub fn kinds(&self) -> &BTreeSet<&'static str> {
        &self.kinds
    }
}
