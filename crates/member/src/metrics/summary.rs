//! The two simplest metrics: how often something happened, and how large a quantity was.

use alloc::format;

/// How often something happened since the start or the last `srst`.
///
/// Source: `org.apache.zookeeper.server.metric.SimpleCounter`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counter(u64);

impl Counter {
    /// It happened once more.
    #[inline]
    pub fn inc(&mut self) {
        self.add(1);
    }

    /// It happened `delta` times more. Wraps at 2⁶⁴.
    #[inline]
    pub fn add(&mut self, delta: u64) {
        self.0 = self.0.wrapping_add(delta);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0
    }

    /// Back to 0.
    pub fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Smallest, largest, sum and count of a quantity; the unit is the metric's, mostly milliseconds.
///
/// Source: `org.apache.zookeeper.server.metric.AvgMinMaxCounter`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Summary {
    /// `i64::MAX` while there is no value, so that adding needs no special case.
    min: i64,
    /// `i64::MIN` while there is no value.
    max: i64,
    sum: i64,
    count: u64,
}

impl Default for Summary {
    fn default() -> Self {
        Self { min: i64::MAX, max: i64::MIN, sum: 0, count: 0 }
    }
}

impl Summary {
    /// Takes one value in. The sum wraps at 2⁶³, as Java's does.
    #[inline]
    pub fn add(&mut self, value: i64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum = self.sum.wrapping_add(value);
        self.count += 1;
    }

    /// The smallest value, 0 when there is none.
    #[must_use]
    pub fn min(&self) -> i64 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// The largest value, 0 when there is none.
    #[must_use]
    pub fn max(&self) -> i64 {
        if self.count == 0 { 0 } else { self.max }
    }

    /// The sum of all values.
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, rounded as [`average`] says.
    #[must_use]
    pub fn average(&self) -> f64 {
        average(self.sum, self.count)
    }

    /// Back to no value.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// `sum / count` rounded half away from zero to four fraction digits, 0 when `count` is 0.
///
/// Source: `AvgMinMaxCounter#getAvg`, which divides as doubles and then rounds the exact decimal value of the
/// quotient; the same order here, so that the digits agree to the last.
#[must_use]
pub fn average(sum: i64, count: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "Java divides as doubles, and the digits must agree with it"
    )]
    let quotient = sum as f64 / count as f64;
    // Formatting rounds a tie to even. A double lies exactly between two four-digit decimals only as an odd
    // multiple of 1/32, and one step away from zero makes it no tie. From 2³⁹ on a step is more than 0.0001, and
    // rounding no longer changes the number.
    let tie = (quotient * 32.0 % 2.0).abs() == 1.0 && quotient.abs() < f64::from(1_u32 << 31) * 256.0;
    let quotient = if tie { f64::from_bits(quotient.to_bits() + 1) } else { quotient };
    format!("{quotient:.4}").parse().unwrap_or(quotient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_summary_shows_zeros() {
        let summary = Summary::default();
        assert_eq!((summary.min(), summary.max(), summary.sum(), summary.count()), (0, 0, 0, 0));
        assert_eq!(summary.average(), 0.0);
    }

    #[test]
    fn a_summary_keeps_its_extremes_and_its_mean() {
        let mut summary = Summary::default();
        for value in [3, -1, 8] {
            summary.add(value);
        }
        assert_eq!((summary.min(), summary.max(), summary.sum(), summary.count()), (-1, 8, 10, 3));
        assert_eq!(summary.average(), 3.3333);
        summary.reset();
        assert_eq!(summary, Summary::default());
    }

    #[test]
    fn a_mean_between_two_decimals_goes_away_from_zero() {
        assert_eq!(average(1, 32), 0.0313);
        assert_eq!(average(-1, 32), -0.0313);
        assert_eq!(average(3, 32), 0.0938);
    }

    #[test]
    fn a_counter_counts() {
        let mut counter = Counter::default();
        counter.inc();
        counter.add(4);
        assert_eq!(counter.get(), 5);
        counter.reset();
        assert_eq!(counter.get(), 0);
    }
}
