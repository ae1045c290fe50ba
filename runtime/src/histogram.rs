//! How often a length of time occurred, by powers of two.

use core::array;
use core::fmt;
use core::time::Duration;

use crate::metrics::Counter;

/// Bucket `n` holds what took less than `2^n` nanoseconds, and not less than half of that.
const BUCKETS: usize = 48;

/// Written by one thread, read by any.
#[derive(Debug)]
pub struct Recorder([Counter; BUCKETS]);

impl Default for Recorder {
    fn default() -> Self {
        Self(array::from_fn(|_| Counter::default()))
    }
}

impl Recorder {
    /// Something took `duration`, `count` times.
    pub fn record(&self, duration: Duration, count: u64) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - nanos.leading_zeros()) as usize;
        self.0[bucket.min(BUCKETS - 1)].add(count);
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Histogram {
        Histogram(self.0.iter().map(Counter::get).collect())
    }
}

/// How often a length of time occurred, by powers of two of nanoseconds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Histogram(Box<[u64]>);

impl Histogram {
    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every bucket that is not empty: the time that its members were shorter than, and how many they are.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let buckets = self.0.iter().enumerate();
        buckets
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (below(bucket), *count))
    }

    /// The time that the fraction `quantile` (0.5: the median) of what was recorded is shorter than. Zero,
    /// if nothing was recorded. Too long by a factor of two at most.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (self.count() as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (shorter_than, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                return shorter_than;
            }
        }
        Duration::ZERO
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0 = vec![0; other.0.len()].into();
        }
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }
}

fn below(bucket: usize) -> Duration {
    Duration::from_nanos(1 << bucket)
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_bucket_whose_bounds_hold_it() {
        let recorder = Recorder::default();
        for nanos in [0, 1, 2, 3, 4, 1_000, 1_024] {
            recorder.record(Duration::from_nanos(nanos), 1);
        }
        recorder.record(Duration::MAX, 2);
        let histogram = recorder.snapshot();
        let buckets: Vec<_> = histogram
            .buckets()
            .map(|(d, n)| (d.as_nanos(), n))
            .collect();
        let last = 1 << (BUCKETS - 1);
        assert_eq!(
            buckets,
            [
                (1, 1),
                (2, 1),
                (4, 2),
                (8, 1),
                (1_024, 1),
                (2_048, 1),
                (last, 2)
            ]
        );
        assert_eq!(histogram.count(), 9);
        assert_eq!(histogram.quantile(0.5).as_nanos(), 8);
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
