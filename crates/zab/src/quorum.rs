//! Which sets of members decide.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

use proto::Sid;

/// A quorum system as a value: any two sets it accepts have a member in common.
///
/// Source: `QuorumMaj`, `QuorumHierarchical`, `SyncedLearnerTracker`; quorum-protocol.md §1.5.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Quorum {
    /// More than half of the voters.
    Majority(BTreeSet<Sid>),
    /// More than half of the weight in more than half of the groups that have any.
    Hierarchical {
        /// The group of each voter.
        groups: BTreeMap<Sid, i64>,
        /// The weight of each voter; 1 where nothing is said.
        weights: BTreeMap<Sid, u64>,
    },
    /// Both at once: what a change from one membership to the next needs.
    Both(Box<Self>, Box<Self>),
}

impl Quorum {
    /// Whether a member counts.
    #[must_use]
    pub fn is_voter(&self, sid: Sid) -> bool {
        match self {
            Self::Majority(voters) => voters.contains(&sid),
            Self::Hierarchical { groups, .. } => groups.contains_key(&sid),
            Self::Both(one, other) => one.is_voter(sid) || other.is_voter(sid),
        }
    }

    /// Everyone who counts, in order.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<Sid> {
        match self {
            Self::Majority(voters) => voters.clone(),
            Self::Hierarchical { groups, .. } => groups.keys().copied().collect(),
            Self::Both(one, other) => one.voters().union(&other.voters()).copied().collect(),
        }
    }

    /// What a voter weighs; who weighs nothing cannot lead.
    #[must_use]
    pub fn weight(&self, sid: Sid) -> u64 {
        match self {
            Self::Majority(_) => 1,
            Self::Hierarchical { groups, weights } if groups.contains_key(&sid) => {
                weights.get(&sid).copied().unwrap_or(1)
            }
            Self::Hierarchical { .. } => 0,
            Self::Both(one, other) => one.weight(sid).max(other.weight(sid)),
        }
    }

    /// Whether those voters that `is_in` picks can decide.
    pub fn is_met(&self, is_in: &dyn Fn(Sid) -> bool) -> bool {
        match self {
            Self::Majority(voters) => voters.iter().filter(|&&sid| is_in(sid)).count() > voters.len() / 2,
            Self::Hierarchical { groups, .. } => {
                let mut sums: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
                for (&sid, &group) in groups {
                    let (all, there) = sums.entry(group).or_default();
                    let weight = self.weight(sid);
                    *all += weight;
                    *there += if is_in(sid) { weight } else { 0 };
                }
                sums.retain(|_, (all, _)| *all > 0);
                sums.values().filter(|(all, there)| *there > all / 2).count() > sums.len() / 2
            }
            Self::Both(one, other) => one.is_met(is_in) && other.is_met(is_in),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sids: &[i64]) -> BTreeSet<Sid> {
        sids.iter().copied().map(Sid).collect()
    }

    fn met(quorum: &Quorum, sids: &[i64]) -> bool {
        let set = of(sids);
        quorum.is_met(&|sid| set.contains(&sid))
    }

    #[test]
    fn more_than_half() {
        let quorum = Quorum::Majority(of(&[1, 2, 3, 4]));
        assert!(!met(&quorum, &[1, 2]) && met(&quorum, &[1, 2, 4]));
        assert!(!met(&quorum, &[1, 2, 9]), "a stranger does not count");
    }

    #[test]
    fn groups_and_weights() {
        let groups = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 3), (8, 3), (9, 3)];
        let mut weights: BTreeMap<Sid, u64> = (1..=9).map(|sid| (Sid(sid), 1)).collect();
        let groups: BTreeMap<Sid, i64> = groups.into_iter().map(|(sid, group)| (Sid(sid), group)).collect();
        let quorum = Quorum::Hierarchical { groups: groups.clone(), weights: weights.clone() };
        assert!(met(&quorum, &[1, 2, 4, 5]), "two of three groups by two of three votes");
        assert!(!met(&quorum, &[1, 2, 3, 4, 7]), "five of nine, but one group only");
        for sid in 7..=9 {
            weights.insert(Sid(sid), 0);
        }
        let quorum = Quorum::Hierarchical { groups, weights };
        assert!(!met(&quorum, &[1, 2, 7, 8, 9]), "a group without weight is none: both others are needed");
        assert!(met(&quorum, &[1, 2, 4, 5]));
        assert_eq!((quorum.weight(Sid(7)), quorum.weight(Sid(1)), quorum.weight(Sid(99))), (0, 1, 0));
    }

    #[test]
    fn old_and_new() {
        let [old, new] = [of(&[1, 2, 3]), of(&[3, 4, 5])].map(|set| Box::new(Quorum::Majority(set)));
        let quorum = Quorum::Both(old, new);
        assert!(!met(&quorum, &[1, 2, 4]) && met(&quorum, &[1, 3, 4]));
    }
}
