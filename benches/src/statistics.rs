//! Medians, and an interval for a median that assumes nothing about the distribution.
//!
//! The harness compares peers within each round, so the machine's drift from round to round
//! cancels; what is left is a handful of paired ratios. Their interval is the one of the sign test:
//! the k-th smallest and the k-th largest of n ratios enclose the true median unless fewer than k of
//! n fair coins fall on one side, and that probability is known. It needs no bootstrap, no normal
//! distribution and no random number. With fewer than six rounds even the extremes enclose the
//! median with less than 95 %: they are printed all the same, beside their true coverage.

/// The middle of `values`, the mean of the two middles for an even count. `NaN` for none.
pub fn median(values: &[f64]) -> f64 {
    quantile_of(&sorted(values), 0.5)
}

/// The `q`-quantile of `values`, linearly interpolated. `NaN` for none.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    quantile_of(&sorted(values), q)
}

/// Smallest and largest of `values`.
pub fn spread(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        })
}

/// A median with the interval that holds the true one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The median of the sample.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability that the interval holds the true median: at least 0.95 from six values on.
    pub coverage: f64,
}

impl Interval {
    /// The narrowest sign-test interval of at least 95 %, or the extremes where none is.
    pub fn of_median(values: &[f64]) -> Self {
        let sorted = sorted(values);
        let n = sorted.len();
        // Dropping `k` values at each end misses the median when `k` or fewer of `n` coins fall on
        // one of the two sides.
        let mut dropped = 0;
        let mut coverage = 1.0 - 2.0 * at_most(0, n);
        while 2 * (dropped + 1) < n && 1.0 - 2.0 * at_most(dropped + 1, n) >= 0.95 {
            dropped += 1;
            coverage = 1.0 - 2.0 * at_most(dropped, n);
        }
        Self {
            median: quantile_of(&sorted, 0.5),
            low: sorted.get(dropped).copied().unwrap_or(f64::NAN),
            high: n
                .checked_sub(dropped + 1)
                .map_or(f64::NAN, |last| sorted[last]),
            coverage: coverage.max(0.0),
        }
    }
}

/// Probability that at most `k` of `n` fair coins show heads.
fn at_most(k: usize, n: usize) -> f64 {
    let mut combinations = 1.0;
    let mut sum = 1.0;
    for i in 0..k {
        combinations *= (n - i) as f64 / (i + 1) as f64;
        sum += combinations;
    }
    sum / 2f64.powi(i32::try_from(n).unwrap_or(i32::MAX))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn quantile_of(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = q * last as f64;
    let (below, above) = (
        sorted[position.floor() as usize],
        sorted[position.ceil() as usize],
    );
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_even_and_odd_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn nine_values_drop_one_at_each_end() {
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        let interval = Interval::of_median(&values);
        assert_eq!(
            (interval.low, interval.median, interval.high),
            (2.0, 5.0, 8.0)
        );
        assert!((interval.coverage - 0.9609).abs() < 1e-3);
    }

    #[test]
    fn five_values_keep_the_extremes_and_say_so() {
        let interval = Interval::of_median(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((interval.low, interval.high), (1.0, 5.0));
        assert!((interval.coverage - 0.9375).abs() < 1e-9);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[0.0, 10.0], 0.25), 2.5);
        assert_eq!(quantile(&[0.0, 10.0, 20.0], 1.0), 20.0);
    }
}
