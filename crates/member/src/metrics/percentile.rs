//! A summary that can also say what the slow ones are like.

use alloc::vec::Vec;
use core::fmt;

use super::Summary;

/// How many values a [`PercentileSummary`] remembers. Source: `AvgMinMaxPercentileCounter`, `DEFAULT_SIZE`.
pub const SAMPLES_MAX: usize = 4096;

/// A [`Summary`] with percentiles, taken from a uniform sample of at most [`SAMPLES_MAX`] values.
///
/// Costs nothing but its own 72 bytes until the first value, and at most 32 KiB after many.
///
/// Source: `org.apache.zookeeper.server.metric.AvgMinMaxPercentileCounter`.
#[derive(Clone)]
pub struct PercentileSummary {
    summary: Summary,
    samples: Vec<i64>,
    /// The generator that chooses whom a new value replaces. Its seed is fixed: the choice must only be even, and
    /// a run must be repeatable.
    random: u64,
}

impl Default for PercentileSummary {
    fn default() -> Self {
        Self { summary: Summary::default(), samples: Vec::new(), random: 0x9e37_79b9_7f4a_7c15 }
    }
}

impl fmt::Debug for PercentileSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PercentileSummary")
            .field("summary", &self.summary)
            .field("samples", &self.samples.len())
            .finish()
    }
}

impl PercentileSummary {
    /// Takes one value in.
    #[inline]
    pub fn add(&mut self, value: i64) {
        self.summary.add(value);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(value);
            return;
        }
        // Vitter's algorithm R: the n-th value enters with probability SAMPLES_MAX / n.
        let slot = self.draw(self.summary.count());
        if let Some(sample) = usize::try_from(slot).ok().and_then(|slot| self.samples.get_mut(slot)) {
            *sample = value;
        }
    }

    /// An even draw from `0..bound`, without a division: the high half of a product.
    #[inline]
    fn draw(&mut self, bound: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let product = u128::from(self.random) * u128::from(bound);
        u64::try_from(product >> 64).expect("half of the bits are gone")
    }

    /// Extremes, sum, count and mean of all values, not only of the sample.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The values below which these shares lie, given in thousandths (500 is the median); 0 when there is none.
    ///
    /// Sorts the sample once for all of them.
    ///
    /// Source: the metrics library's `UniformSnapshot#getValue`: between two neighbours in proportion, then rounded
    /// half up.
    #[must_use]
    pub fn quantiles<const N: usize>(&self, permille: [u16; N]) -> [i64; N] {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        permille.map(|permille| quantile(&sorted, permille))
    }

    /// Back to no value. The sample's memory is given back too.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn quantile(sorted: &[i64], permille: u16) -> i64 {
    let Some(&last) = sorted.last() else { return 0 };
    let position = usize::from(permille) * (sorted.len() + 1);
    let (index, beyond) = (position / 1000, position % 1000);
    if index == 0 {
        return sorted[0];
    }
    let Some(&upper) = sorted.get(index) else { return last };
    let lower = i128::from(sorted[index - 1]);
    let beyond = i128::try_from(beyond).expect("less than 1000");
    let thousandths = lower * 1000 + beyond * (i128::from(upper) - lower);
    i64::try_from((thousandths + 500).div_euclid(1000)).expect("between two i64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_summary_holds_no_memory() {
        let mut idle = PercentileSummary::default();
        assert_eq!(idle.samples.capacity(), 0);
        idle.add(1);
        idle.reset();
        assert_eq!(idle.samples.capacity(), 0);
        assert_eq!(idle.quantiles([500, 999]), [0, 0]);
    }

    #[test]
    fn the_sample_stays_bounded_and_even() {
        let mut ramp = PercentileSummary::default();
        for value in 0..1_000_000 {
            ramp.add(value);
        }
        assert_eq!(ramp.samples.len(), SAMPLES_MAX);
        assert_eq!(ramp.summary().count(), 1_000_000);
        let [p50, p95, p99] = ramp.quantiles([500, 950, 990]);
        // Four standard deviations of a sample of 4096.
        assert!((468_000..532_000).contains(&p50), "{p50}");
        assert!((936_000..964_000).contains(&p95), "{p95}");
        assert!((983_000..997_000).contains(&p99), "{p99}");
    }

    #[test]
    fn quantiles_stay_in_range_at_the_extremes() {
        let mut wide = PercentileSummary::default();
        wide.add(i64::MIN);
        wide.add(i64::MAX);
        assert_eq!(wide.quantiles([0, 500, 999]), [i64::MIN, 0, i64::MAX]);
    }
}
