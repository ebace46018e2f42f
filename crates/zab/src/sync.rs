//! How a learner is brought level: what it keeps, what it drops, what it is sent.
//!
//! Source: `LearnerHandler#syncFollower`; quorum-protocol.md §3.6.

use alloc::collections::VecDeque;

use mutants::mutant;
use proto::Zxid;

/// Which committed transactions a member holds in memory: consecutive ones, in runs of one epoch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// The last transaction before the first run, if it is known.
    before: Option<Zxid>,
    runs: VecDeque<(Zxid, Zxid)>,
}

impl Held {
    /// Nothing is held of a history that ends at `zxid`. A zxid that only opens an epoch names no transaction.
    #[must_use]
    pub fn behind(zxid: Zxid) -> Self {
        Self { before: Some(zxid).filter(|zxid| zxid.counter() != 0), runs: VecDeque::new() }
    }

    /// Takes note of the next transaction.
    ///
    /// # Panics
    /// If it leaves a hole (R4, ZOOKEEPER-4925).
    pub fn push(&mut self, zxid: Zxid) {
        match self.runs.back_mut() {
            Some((_, last)) if last.epoch() == zxid.epoch() => {
                assert_eq!(last.next(), Some(zxid), "no hole in the recent history");
                *last = zxid;
            }
            Some((_, last)) => {
                assert!(*last < zxid && zxid.counter() == 1, "{zxid} does not follow {last}");
                self.runs.push_back((zxid, zxid));
            }
            None => self.runs.push_back((zxid, zxid)),
        }
    }

    /// Forgets everything before `first`.
    pub fn trim(&mut self, first: Zxid) {
        while let Some((start, end)) = self.runs.front_mut() {
            if *end < first {
                self.before = Some(*end);
                self.runs.pop_front();
            } else {
                *start = (*start).max(first);
                return;
            }
        }
    }

    /// The oldest and the newest; if none is held, the last before, so that a learner can be cut back to it.
    #[must_use]
    pub fn bounds(&self) -> Option<(Zxid, Zxid)> {
        let run = self.runs.front().zip(self.runs.back());
        run.map(|(first, last)| (first.0, last.1)).or(self.before.map(|before| (before, before)))
    }

    /// The first at or behind `zxid`.
    fn at_or_behind(&self, zxid: Zxid) -> Option<Zxid> {
        self.runs.iter().find(|(_, end)| *end >= zxid).map(|(start, _)| (*start).max(zxid))
    }
}

/// What to do with a learner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plan {
    /// It keeps all it has and gets what is held behind `after`.
    Diff {
        /// What it has.
        after: Zxid,
        /// The last of what it gets; what it has if that is nothing.
        last: Zxid,
    },
    /// It drops what is behind `to`; nothing is missing then.
    Trunc {
        /// The last to keep.
        to: Zxid,
    },
    /// It keeps all it has and gets what the log has behind `after`, and then what is held; if the log does not lead
    /// there without a hole, a snapshot.
    Log {
        /// What it has.
        after: Zxid,
        /// Where the memory takes over: the log is read up to here.
        upto: Zxid,
    },
    /// It drops everything.
    Snap,
}

/// Decides about a learner that has everything up to `theirs` of its own history.
///
/// * `held`: the recent committed transactions.
/// * `last`: the last transaction of this member's tree, which may be older than all that was ever held.
/// * `whole_from`: from here on this member's log has no hole; before, a snapshot came from another member
///   (ZOOKEEPER-2846, ZOOKEEPER-4352).
#[must_use]
pub fn plan(held: &Held, last: Zxid, whole_from: Zxid, theirs: Zxid) -> Plan {
    let (min, max) = held.bounds().unwrap_or((last, last));
    // Such a zxid names no transaction: it says "all of the epochs before".
    let opens_epoch = theirs.counter() == 0;
    if theirs == last || theirs == max {
        return Plan::Diff { after: theirs, last: theirs };
    }
    if theirs > max {
        // Java truncates to an earlier epoch too. A learner that was led by another in between may not have what it is
        // told to keep (ZOOKEEPER-2832), so that gets a snapshot here. And of a mark, which no log has, Java's learner
        // keeps the transaction behind it.
        return if !opens_epoch && max.counter() > 0 && theirs.epoch() == max.epoch() {
            Plan::Trunc { to: max }
        } else {
            Plan::Snap
        };
    }
    if theirs >= min {
        return match held.at_or_behind(theirs) {
            Some(first) if first == theirs || opens_epoch || mutant!(TailSurvives) => {
                Plan::Diff { after: theirs, last: max }
            }
            // Its end is not in this history, and the place where they part lies in an earlier epoch.
            Some(_) | None => Plan::Snap,
        };
    }
    if (theirs >= whole_from || mutant!(ZeroIsBound)) && !opens_epoch {
        Plan::Log { after: theirs, upto: min }
    } else {
        Plan::Snap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Epoch;

    fn z(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    fn held(runs: &[(u32, core::ops::RangeInclusive<u32>)]) -> Held {
        let mut held = Held::default();
        for (epoch, counters) in runs {
            counters.clone().for_each(|counter| held.push(z(*epoch, counter)));
        }
        held
    }

    /// The worked cases of quorum-protocol.md §3.6, which were seen on live servers.
    #[test]
    fn as_java_decides() {
        let none = Held::default();
        assert_eq!(plan(&none, z(1, 0), z(0, 0), z(0, 0)), Plan::Snap, "an empty server joins late");
        assert_eq!(plan(&none, z(0, 0), z(0, 0), z(0, 0)), Plan::Diff { after: z(0, 0), last: z(0, 0) });
        let fresh = held(&[(2, 1..=4)]);
        assert_eq!(plan(&fresh, z(3, 0), z(0, 0), z(2, 4)), Plan::Diff { after: z(2, 4), last: z(2, 4) });
        let one = held(&[(1, 1..=5)]);
        assert_eq!(plan(&one, z(2, 0), z(0, 0), z(1, 6)), Plan::Trunc { to: z(1, 5) });
        let two = held(&[(1, 1..=5), (2, 1..=2)]);
        assert_eq!(plan(&two, z(2, 2), z(0, 0), z(1, 6)), Plan::Snap);
        assert_eq!(plan(&two, z(2, 2), z(0, 0), z(1, 3)), Plan::Diff { after: z(1, 3), last: z(2, 2) });
        assert_eq!(plan(&two, z(2, 2), z(0, 0), z(2, 0)), Plan::Diff { after: z(2, 0), last: z(2, 2) });
        assert_eq!(plan(&two, z(2, 2), z(0, 0), z(3, 0)), Plan::Snap);
    }

    #[test]
    fn the_log_helps_out_where_it_has_no_hole() {
        let held = held(&[(2, 100..=600)]);
        let log = Plan::Log { after: z(2, 50), upto: z(2, 100) };
        assert_eq!(plan(&held, z(2, 600), z(1, 7), z(2, 50)), log);
        assert_eq!(plan(&held, z(2, 600), z(2, 60), z(2, 50)), Plan::Snap);
    }

    #[test]
    fn a_tail_of_a_reign_in_between_is_never_cut_blindly() {
        assert_eq!(plan(&held(&[(2, 1..=5)]), z(4, 0), z(0, 0), z(3, 1)), Plan::Snap, "ZOOKEEPER-2832");
    }

    /// Java holds what it replayed at its start; here only the end of that is known, and suffices.
    #[test]
    fn a_leader_that_has_just_started_cuts_a_tail_off() {
        let held = Held::behind(z(1, 5));
        assert_eq!(plan(&held, z(2, 0), z(0, 0), z(1, 6)), Plan::Trunc { to: z(1, 5) });
        assert_eq!(plan(&held, z(2, 0), z(0, 0), z(1, 5)), Plan::Diff { after: z(1, 5), last: z(1, 5) });
        let log = Plan::Log { after: z(1, 3), upto: z(1, 5) };
        assert_eq!(plan(&held, z(2, 0), z(0, 0), z(1, 3)), log);
        assert_eq!(plan(&Held::behind(z(1, 0)), z(1, 0), z(0, 0), z(0, 0)), Plan::Snap);
    }

    #[test]
    fn nobody_is_told_to_keep_a_mark() {
        assert_eq!(plan(&Held::default(), z(5, 0), z(0, 0), z(5, 3)), Plan::Snap);
    }

    #[test]
    fn trimming_keeps_the_rest() {
        let mut held = held(&[(1, 1..=5), (2, 1..=2)]);
        held.trim(z(1, 4));
        assert_eq!(held.bounds(), Some((z(1, 4), z(2, 2))));
        held.trim(z(2, 1));
        assert_eq!(held.bounds(), Some((z(2, 1), z(2, 2))));
        held.trim(z(2, 3));
        assert_eq!(held.bounds(), Some((z(2, 2), z(2, 2))));
    }
}
