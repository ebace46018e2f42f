//! Means and percentiles, against numbers that Apache's own classes computed.

use crate::server::golden;
use admin::java::Double;
use member::metrics::{PercentileSummary, average};

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn means_agree_to_the_last_digit() {
    for line in lines(&golden("numbers/averages")) {
        let [sum, count, text] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let mean = average(sum.parse().unwrap(), count.parse().unwrap());
        assert_eq!(Double(mean).to_string(), text, "{line}");
    }
}

#[test]
fn percentiles_agree() {
    for line in lines(&golden("numbers/percentiles")) {
        let (expected, samples) = line.split_once(':').unwrap();
        let mut summary = PercentileSummary::default();
        samples.split_whitespace().for_each(|sample| summary.add(sample.parse().unwrap()));
        let expected: Vec<i64> = expected.split_whitespace().map(|value| value.parse().unwrap()).collect();
        assert_eq!(summary.quantiles([500, 950, 990, 999]).to_vec(), expected, "{} samples", samples.len());
    }
}
