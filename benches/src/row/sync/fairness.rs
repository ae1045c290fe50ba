//! How evenly locks and semaphores serve, beside how fast: for a while 1, 2, 8 and 100 tasks take and give
//! back as often as they can, at once or with a yield between.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Figure, How, NOBODY, Rounds, Row, Unit, row};
use crate::measure::{Sample, Stopwatch, in_a_task};
use crate::operation::Countdown;
use crate::peer::Peer;
use crate::primitive::{Lock, Semaphore};

/// What one operation costs, the longest that a task waited, and Jain's index of how often each was
/// served: 1 if all were served as often, 1/n if one had it all.
const FAIRNESS: &[Figure] = &[
    Figure::nanoseconds("time"),
    Figure::nanoseconds("cpu"),
    Figure::nanoseconds("longest"),
    Figure::of("jain", Unit::Share),
];

/// How long a round lasts.
const FULL: u64 = 200;

macro_rules! lock {
    ($name:literal, $tasks:literal, $yields:literal, $question:literal) => {
        row!($name, $question, FAIRNESS, NOBODY, with_lock LOCKS BARGING_LOCKS, P, L, size =>
            locks::<P, L>($tasks, $yields, Duration::from_millis(size.of(FULL))))
    };
}

macro_rules! semaphore {
    ($name:literal, $tasks:literal, $yields:literal, $question:literal) => {
        row!($name, $question, FAIRNESS, NOBODY,
            with_semaphore SEMAPHORES BARGING_SEMAPHORES, P, S, size =>
            permits::<P, S>($tasks, $yields, Duration::from_millis(size.of(FULL))))
    };
}

pub(in crate::row) const ROWS: &[Row] = &[
    lock!("sync_fair_lock_1", 1, false, "a task locks"),
    lock!("sync_fair_lock_2", 2, false, "2 tasks lock"),
    lock!("sync_fair_lock_8", 8, false, "8 tasks lock"),
    lock!("sync_fair_lock_100", 100, false, "100 tasks lock"),
    lock!("sync_fair_lock_1_yield", 1, true, "a task locks and yields"),
    lock!("sync_fair_lock_2_yield", 2, true, "2 tasks lock and yield"),
    lock!("sync_fair_lock_8_yield", 8, true, "8 tasks lock and yield"),
    lock!(
        "sync_fair_lock_100_yield",
        100,
        true,
        "100 tasks lock and yield"
    ),
    semaphore!("sync_fair_permit_1", 1, false, "a task takes the permit"),
    semaphore!("sync_fair_permit_2", 2, false, "2 tasks take the permit"),
    semaphore!("sync_fair_permit_8", 8, false, "8 tasks take the permit"),
    semaphore!(
        "sync_fair_permit_100",
        100,
        false,
        "100 tasks take the permit"
    ),
    semaphore!(
        "sync_fair_permit_1_yield",
        1,
        true,
        "a task takes the permit and yields"
    ),
    semaphore!(
        "sync_fair_permit_2_yield",
        2,
        true,
        "2 tasks take the permit and yield"
    ),
    semaphore!(
        "sync_fair_permit_8_yield",
        8,
        true,
        "8 tasks take the permit and yield"
    ),
    semaphore!(
        "sync_fair_permit_100_yield",
        100,
        true,
        "100 tasks take the permit and yield"
    ),
];

fn locks<P: Peer, L: Lock>(tasks: u64, yields: bool, duration: Duration) -> Sample {
    contest::<P, _, _>(
        tasks,
        duration,
        L::new(),
        move |lock, mut tally| async move {
            while tally.is_open() {
                let asked = Instant::now();
                let mut guard = lock.lock().await;
                tally.served(asked);
                if yields {
                    P::yield_now().await;
                }
                *guard += 1;
            }
            tally
        },
    )
}

fn permits<P: Peer, S: Semaphore>(tasks: u64, yields: bool, duration: Duration) -> Sample {
    contest::<P, _, _>(
        tasks,
        duration,
        S::new(1),
        move |semaphore, mut tally| async move {
            while tally.is_open() {
                let asked = Instant::now();
                let permit = semaphore.acquire().await;
                tally.served(asked);
                if yields {
                    P::yield_now().await;
                }
                drop(permit);
            }
            tally
        },
    )
}

/// What one task saw.
#[derive(Clone, Copy, Debug)]
struct Tally {
    start: Instant,
    end: Instant,
    served: u64,
    longest: Duration,
}

impl Tally {
    fn new(start: Instant, duration: Duration) -> Self {
        Self {
            start,
            end: start + duration,
            served: 0,
            longest: Duration::ZERO,
        }
    }

    /// Each looks for itself: where nobody ever gives way a task that calls time may not run.
    fn is_open(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.end && self.served == 0 {
            // It has waited all the time, and if only to run.
            self.longest = now - self.start;
        }
        now < self.end
    }

    fn served(&mut self, asked: Instant) {
        self.longest = self.longest.max(asked.elapsed());
        self.served += 1;
    }
}

/// Lets `tasks` tasks at one thing at the same time.
fn contest<P, T, F>(
    tasks: u64,
    duration: Duration,
    thing: T,
    play: impl Fn(Arc<T>, Tally) -> F + Send + 'static,
) -> Sample
where
    P: Peer,
    T: Send + Sync + 'static,
    F: Future<Output = Tally> + Send + 'static,
{
    in_a_task::<P, _>(async move {
        let thing = Arc::new(thing);
        let tallies = Arc::new(Mutex::new(Vec::new()));
        let ended = Countdown::new(tasks);
        let watch = Stopwatch::start();
        let start = Instant::now();
        for _ in 0..tasks {
            let playing = play(Arc::clone(&thing), Tally::new(start, duration));
            let (tallies, ended) = (Arc::clone(&tallies), Arc::clone(&ended));
            P::spawn_detached(async move {
                let tally = playing.await;
                tallies.lock().expect("nobody panics under it").push(tally);
                ended.tick();
            });
        }
        ended.zero().await;
        let tallies = tallies.lock().expect("nobody panics under it");
        let served = tallies.iter().map(|tally| tally.served).sum();
        let mut sample = watch.stop(served);
        let longest = tallies.iter().map(|tally| tally.longest).max();
        sample.push(longest.unwrap_or_default().as_nanos() as f64);
        sample.push(jain(tallies.iter().map(|tally| tally.served as f64)));
        sample
    })
}

/// The square of the sum over the sum of the squares, for each.
fn jain(shares: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let n = shares.len() as f64;
    let sum: f64 = shares.clone().sum();
    let squares: f64 = shares.map(|share| share * share).sum();
    sum * sum / (n * squares)
}

#[cfg(test)]
mod tests {
    use super::jain;

    #[test]
    fn all_alike_is_one_and_one_for_all_is_a_share() {
        assert_eq!(jain([3.0, 3.0, 3.0, 3.0].into_iter()), 1.0);
        assert_eq!(jain([8.0, 0.0, 0.0, 0.0].into_iter()), 0.25);
    }
}
