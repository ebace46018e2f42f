//! Small arithmetic on measured values.

/// `part / whole`; an empty whole gives NaN, which every table shows as missing.
pub(crate) fn per(part: u64, whole: u64) -> f64 {
    if whole == 0 { f64::NAN } else { part as f64 / whole as f64 }
}

/// The middle value, NaN for none; of an even number the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// Three significant digits with a unit prefix: `1.23 M`, `45.6 k`, `7.89`.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let (scaled, unit) = match value.abs() {
        big if big >= 1e9 => (value / 1e9, " G"),
        big if big >= 1e6 => (value / 1e6, " M"),
        big if big >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        big if big >= 100.0 => 0,
        big if big >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, f64::NAN, 2.0]).to_string(), "2");
        assert_eq!(median([1.0, 2.0]).to_string(), "1.5");
        assert!(median([]).is_nan());
    }

    #[test]
    fn short_numbers() {
        assert_eq!(short(1_234_567.0), "1.23 M");
        assert_eq!(short(45_600.0), "45.6 k");
        assert_eq!(short(0.5), "0.50");
    }
}
