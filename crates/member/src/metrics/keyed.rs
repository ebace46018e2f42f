//! A metric kept once per namespace or per learner.

use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;

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
    /// Hashed, because every request looks here and a search in order took five times as long
    /// among 100 keys.
    /// Nothing sees the order of the table: [`Self::iter`] sorts.
    members: HashMap<String, T>,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { members: HashMap::new() }
    }
}

impl<T: Default + Reset> Keyed<T> {
    /// So many keys are kept apart.
    pub const KEYS_MAX: usize = 1000;

    /// The metric of this key.
    pub fn at(&mut self, key: &str) -> &mut T {
        let room = self.members.len() < Self::KEYS_MAX || self.members.contains_key(key);
        self.members.entry_ref(if room { key } else { OTHERS }).or_default()
    }

    /// All members, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let mut members: Vec<_> = self.members.iter().map(|(key, metric)| (key.as_str(), metric)).collect();
        members.sort_unstable_by_key(|&(key, _)| key);
        members.into_iter()
    }

    /// Every member back to no value. The keys stay, as in Apache.
    pub fn reset(&mut self) {
        self.members.values_mut().for_each(Reset::reset);
    }

    /// Drops a key that will not come back, such as a learner that left.
    pub fn remove(&mut self, key: &str) {
        self.members.remove(key);
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
