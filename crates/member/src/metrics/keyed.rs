//! A metric kept once per namespace or per learner.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Counter, PercentileSummary, Summary};

/// Where values go once a set has [`Keyed::KEYS_MAX`] members.
pub const OTHERS: &str = "_others";

/// A counter per key.
pub type CounterSet = Keyed<Counter>;
/// A summary per key.
pub type SummarySet = Keyed<Summary>;
/// A summary with percentiles per key.
pub type PercentileSet = Keyed<PercentileSummary>;

/// What can go back to where it started.
pub trait Reset {
    /// Back to no value.
    fn reset(&mut self);
}

macro_rules! can_reset {
    ($($metric:ty),*) => {$(
        impl Reset for $metric {
            fn reset(&mut self) {
                <$metric>::reset(self);
            }
        }
    )*};
}
can_reset!(Counter, Summary, PercentileSummary);

/// One metric per key, made when the key is first used and shown in the order of the keys.
///
/// Keys come from clients (the first name of a path), so there is a limit to them; what comes later is counted under
/// [`OTHERS`]. Apache keeps every key for ever.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// Sorted by key.
    members: Vec<(Box<str>, T)>,
    /// Where the last key was found: most writes of one namespace follow each other.
    last: usize,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { members: Vec::new(), last: 0 }
    }
}

impl<T: Default + Reset> Keyed<T> {
    /// So many keys are kept apart.
    pub const KEYS_MAX: usize = 1000;

    /// The metric of this key.
    pub fn at(&mut self, key: &str) -> &mut T {
        if self.members.get(self.last).is_none_or(|(last, _)| **last != *key) {
            self.last = self.index_of(key);
        }
        &mut self.members[self.last].1
    }

    fn index_of(&mut self, key: &str) -> usize {
        match self.members.binary_search_by(|(known, _)| (**known).cmp(key)) {
            Ok(index) => index,
            Err(_) if self.members.len() >= Self::KEYS_MAX && key != OTHERS => self.index_of(OTHERS),
            Err(index) => {
                self.members.insert(index, (key.into(), T::default()));
                index
            }
        }
    }

    /// All members, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.members.iter().map(|(key, metric)| (&**key, metric))
    }

    /// Every member back to no value. The keys stay, as in Apache.
    pub fn reset(&mut self) {
        for (_, metric) in &mut self.members {
            metric.reset();
        }
    }

    /// Drops a key that will not come back, such as a learner that left.
    pub fn remove(&mut self, key: &str) {
        self.members.retain(|(known, _)| **known != *key);
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn keys_are_shown_in_order_and_survive_a_reset() {
        let mut set = CounterSet::default();
        for key in ["b", "a", "b", "c", "b"] {
            set.at(key).inc();
        }
        let shown: Vec<_> = set.iter().map(|(key, counter)| (key, counter.get())).collect();
        assert_eq!(shown, [("a", 1), ("b", 3), ("c", 1)]);
        set.reset();
        assert!(set.iter().all(|(_, counter)| counter.get() == 0));
        set.remove("b");
        assert_eq!(set.iter().count(), 2);
    }

    #[test]
    fn a_flood_of_keys_costs_bounded_memory() {
        let mut set = CounterSet::default();
        for key in 0..5000 {
            set.at(&format!("ns{key}")).inc();
        }
        assert_eq!(set.iter().count(), CounterSet::KEYS_MAX + 1);
        assert_eq!(set.at(OTHERS).get(), 4000);
        set.at("ns7").inc();
        assert_eq!(set.at("ns7").get(), 2);
    }
}
