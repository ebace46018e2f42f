//! Proposals in memory: those on their way, and the last ones that were delivered.
//!
//! One line of batches, oldest first: delivered ones that are kept for learners that come back soon, then those handed
//! to the log, then the one being formed. A commit may come for any of them; nobody waits for the own disk.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use mutants::mutant;
use proto::Zxid;
use zab::Held;

use super::batch::{Flight, Origin, Payloads, Spare};

/// What is kept for learners takes no more than this, however few transactions that are.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// A committed transaction about to be applied.
pub(crate) struct Committed {
    pub(crate) payload: Payload,
    pub(crate) origin: Origin,
}

/// Where its bytes are.
pub(crate) enum Payload {
    /// In a batch that went to the log.
    InBatch(Arc<Payloads>, usize),
    /// In the batch being formed, copied out of it.
    Copied(Vec<u8>),
}

impl Payload {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::InBatch(batch, at) => batch.entry(*at).1,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct History {
    /// The batch being formed, and who waits for what in it.
    pub(super) forming: Payloads,
    pub(super) forming_origins: Vec<Origin>,
    /// How many of its entries are delivered.
    forming_delivered: usize,
    /// Whether the batch being formed must not go to the log yet.
    pub(super) is_held_back: bool,
    /// Batches handed out, oldest first.
    flights: VecDeque<Flight>,
    spare: Spare,
    /// Delivered batches, oldest first.
    kept: VecDeque<Arc<Payloads>>,
    kept_entries: usize,
    kept_bytes: usize,
    /// `commitLogCount`; 0 keeps none.
    keep: usize,
    /// Which delivered transactions are still here.
    held: Held,
}

impl History {
    /// Nothing is here yet.
    ///
    /// * `end`: the last transaction of what came before.
    pub(super) fn new(keep: usize, end: Zxid) -> Self {
        Self {
            forming: Payloads::default(),
            forming_origins: Vec::new(),
            forming_delivered: 0,
            is_held_back: false,
            flights: VecDeque::new(),
            spare: Spare::default(),
            kept: VecDeque::new(),
            kept_entries: 0,
            kept_bytes: 0,
            keep,
            held: Held::behind(end),
        }
    }

    /// Transactions that are not delivered.
    pub(super) fn in_flight(&self) -> usize {
        let flying = self.flights.iter().map(|flight| flight.payloads.len() - flight.delivered);
        self.forming.len() - self.forming_delivered + flying.sum::<usize>()
    }

    /// Whether there are any.
    pub(super) fn has_undelivered(&self) -> bool {
        let is_flying = self.flights.back().is_some_and(|flight| flight.delivered < flight.payloads.len());
        is_flying || self.forming_delivered < self.forming.len()
    }

    /// Which delivered transactions are still here.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// Appends a proposal made elsewhere.
    pub(super) fn push(&mut self, zxid: Zxid, payload: &[u8], origin: Origin) {
        self.forming.push(zxid, payload);
        self.forming_origins.push(origin);
    }

    /// Takes the batch formed so far, for the log.
    pub(super) fn take_batch(&mut self) -> Option<Arc<Payloads>> {
        if self.forming.is_empty() || self.is_held_back {
            return None;
        }
        let payloads = Arc::new(core::mem::replace(&mut self.forming, self.spare.payloads()));
        let origins = core::mem::replace(&mut self.forming_origins, self.spare.origins());
        let delivered = core::mem::take(&mut self.forming_delivered);
        self.flights.push_back(Flight { payloads: Arc::clone(&payloads), origins, delivered });
        Some(payloads)
    }

    /// The next transaction up to `committed` that is not delivered.
    pub(super) fn next_committed(&mut self, committed: Zxid) -> Option<Committed> {
        while self.flights.front().is_some_and(|flight| flight.delivered == flight.payloads.len()) {
            let flight = self.flights.pop_front().expect("there is a first one");
            self.keep(flight);
        }
        if let Some(flight) = self.flights.front_mut() {
            let at = flight.delivered;
            let zxid = flight.payloads.entry(at).0;
            if zxid > committed {
                return None;
            }
            flight.delivered += 1;
            let payload = Payload::InBatch(Arc::clone(&flight.payloads), at);
            let origin = flight.origins[at];
            self.note(zxid);
            return Some(Committed { payload, origin });
        }
        let at = self.forming_delivered;
        if at == self.forming.len() || self.forming.entry(at).0 > committed {
            return None;
        }
        self.forming_delivered += 1;
        let (zxid, payload) = self.forming.entry(at);
        let payload = Payload::Copied(payload.to_vec());
        let origin = self.forming_origins[at];
        self.note(zxid);
        Some(Committed { payload, origin })
    }

    fn note(&mut self, zxid: Zxid) {
        if self.keep > 0 {
            self.held.push(zxid);
        }
    }

    fn keep(&mut self, flight: Flight) {
        if self.keep == 0 {
            return self.spare.give_back(flight);
        }
        self.kept_entries += flight.payloads.len();
        self.kept_bytes += flight.payloads.size_bytes();
        self.kept.push_back(flight.payloads);
        while let Some(oldest) = self.kept.front() {
            let rest = self.kept_entries - oldest.len();
            if rest < self.keep && self.kept_bytes <= KEPT_BYTES_MAX {
                break;
            }
            self.kept_entries = rest;
            self.kept_bytes -= oldest.size_bytes();
            let last = oldest.last().expect("no batch is empty");
            self.kept.pop_front();
            self.held.trim(Zxid(last.0 + 1));
        }
    }

    /// Every transaction in memory behind `after`, delivered or not.
    ///
    /// Looks for the first batch from the end: who asks at every write asks for the last ones.
    pub(super) fn behind(&self, after: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        let is_behind = |batch: &Payloads| batch.last().is_some_and(|last| last > after);
        let flying = self.flights.iter().rev().take_while(|flight| is_behind(&flight.payloads)).count();
        let kept = match flying {
            n if n == self.flights.len() => {
                self.kept.iter().rev().take_while(|batch| is_behind(batch)).count()
            }
            _ => 0,
        };
        let kept = self.kept.range(self.kept.len() - kept..);
        let flying = self.flights.range(self.flights.len() - flying..).map(|flight| &flight.payloads);
        let batches = kept.chain(flying).map(AsRef::as_ref).chain([&self.forming]);
        batches.flat_map(move |batch| batch.behind(after))
    }

    /// Nobody of this member waits any more.
    pub(super) fn forget_origins(&mut self) {
        let flying = self.flights.iter_mut().flat_map(|flight| &mut flight.origins);
        for origin in flying.chain(&mut self.forming_origins) {
            *origin = Origin::Server;
        }
    }

    /// What was held back goes to the log, without what is delivered: that is in the snapshot before it.
    ///
    /// * `end`: the last delivered transaction.
    pub(super) fn release(&mut self, end: Zxid) {
        self.is_held_back = false;
        if !mutant!(HoleInRecent) {
            self.held = Held::behind(end);
        }
        self.forming = self.forming.without_first(self.forming_delivered);
        self.forming_origins.drain(..self.forming_delivered);
        self.forming_delivered = 0;
    }

    /// What was delivered behind `after` is not kept, though it counts as held (ZOOKEEPER-4925).
    pub(super) fn leave_hole(&mut self, after: Zxid) {
        while let Some(batch) = self.kept.pop_back_if(|batch| batch.entry(0).0 > after) {
            self.kept_entries -= batch.len();
            self.kept_bytes -= batch.size_bytes();
        }
    }

    /// Drops everything that is not delivered. The log's copy is cut by the caller.
    pub(super) fn drop_undelivered(&mut self) {
        while let Some(mut flight) = self.flights.pop_front() {
            if flight.delivered == flight.payloads.len() {
                self.keep(flight);
            } else if flight.delivered > 0 {
                let mut front = Payloads::default();
                for (zxid, payload) in flight.payloads.iter().take(flight.delivered) {
                    front.push(zxid, payload);
                }
                flight.payloads = Arc::new(front);
                self.keep(flight);
            }
        }
        self.forming = Payloads::default();
        self.forming_origins.clear();
        self.forming_delivered = 0;
        self.is_held_back = false;
    }

    /// Drops everything: the history is another one, which ends at `end`.
    pub(super) fn clear(&mut self, end: Zxid) {
        *self = Self::new(self.keep, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of one, two and three transactions that are delivered, one half delivered, one not, and one being formed.
    fn history(keep: usize) -> History {
        let mut history = History::new(keep, Zxid(100));
        let mut next = 101;
        for length in [1, 2, 3, 2, 2, 1] {
            for _ in 0..length {
                history.push(Zxid(next), &next.to_be_bytes(), Origin::Server);
                next += 1;
            }
            if next < 112 {
                history.take_batch().unwrap();
            }
        }
        while history.next_committed(Zxid(107)).is_some() {}
        history
    }

    #[test]
    fn what_is_behind_a_transaction_is_found_wherever_it_is_kept() {
        for (keep, first) in [(100, 101), (6, 101), (5, 102), (3, 104), (0, 107)] {
            let history = history(keep);
            for after in 99..=112 {
                let behind: Vec<i64> = history.behind(Zxid(after)).map(|(zxid, _)| zxid.0).collect();
                let expected: Vec<i64> = (first.max(after + 1)..=111).collect();
                assert_eq!(behind, expected, "of {keep} behind {after}");
            }
        }
    }
}
