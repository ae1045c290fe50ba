//! What is done with locks, semaphores, events and conditions.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Countdown;
use crate::measure::{Sample, Stopwatch};
use crate::peer::Peer;
use crate::primitive::{Event, Lock, ReadLock, Semaphore, Turns};

/// Tasks that want one lock.
const CROWD: u64 = 10;
/// Tasks that want one of [`PERMITS`].
const THRONG: u64 = 100;
/// Fewer than there are tasks.
const PERMITS: usize = 10;
/// Tasks that wait for one event.
pub const AUDIENCE: u64 = 10_000;

/// Divides `n` operations on one thing among `tasks` tasks, and waits for all of them.
pub async fn shared<P, T, F>(tasks: u64, n: u64, thing: T, operation: fn(Arc<T>, u64) -> F)
where
    P: Peer,
    T: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let thing = Arc::new(thing);
    let countdown = Countdown::new(tasks);
    for i in 0..tasks {
        let (thing, countdown) = (Arc::clone(&thing), Arc::clone(&countdown));
        let share = n / tasks + u64::from(i < n % tasks);
        P::spawn_detached(async move {
            operation(thing, share).await;
            countdown.tick();
        });
    }
    countdown.zero().await;
}

async fn lock_and_add<L: Lock>(lock: Arc<L>, n: u64) {
    for _ in 0..n {
        *black_box(&*lock).lock().await += 1;
    }
}

/// Locks and unlocks what nobody else wants.
pub async fn lock<L: Lock>(n: u64) {
    lock_and_add(Arc::new(L::new()), n).await;
}

/// Reads what nobody else wants.
pub async fn read<L: ReadLock>(n: u64) {
    let lock = L::new();
    for _ in 0..n {
        black_box(*black_box(&lock).read().await);
    }
}

/// Takes a permit that is free and gives it back.
pub async fn permit<S: Semaphore>(n: u64) {
    take_permits(Arc::new(S::new(1)), n).await;
}

async fn take_permits<S: Semaphore>(semaphore: Arc<S>, n: u64) {
    for _ in 0..n {
        drop(black_box(&*semaphore).acquire().await);
    }
}

/// Ten tasks lock and unlock in turn; a lock of one task is one operation.
pub async fn lock_of_a_crowd<P: Peer, L: Lock>(n: u64) {
    shared::<P, _, _>(CROWD, n, L::new(), lock_and_add::<L>).await;
}

/// The same with a yield while it is locked.
pub async fn lock_across_a_yield<P: Peer, L: Lock>(n: u64) {
    shared::<P, _, _>(CROWD, n, L::new(), |lock, n| async move {
        for _ in 0..n {
            let mut guard = lock.lock().await;
            P::yield_now().await;
            *guard += 1;
        }
    })
    .await;
}

/// A hundred tasks take one of ten permits; a permit of one task is one operation. Each yields with it, or
/// no permit would ever be missing.
pub async fn permits_of_a_throng<P: Peer, S: Semaphore>(n: u64) {
    shared::<P, _, _>(THRONG, n, S::new(PERMITS), |semaphore, n| async move {
        for _ in 0..n {
            let permit = semaphore.acquire().await;
            P::yield_now().await;
            drop(permit);
        }
    })
    .await;
}

/// Tells [`AUDIENCE`] tasks that wait, so many times, and returns the time of one of them from the call
/// until all have run. That they come to wait is not timed.
pub async fn event_to_an_audience<P: Peer, E: Event>(times: u64) -> Sample {
    let mut sum = vec![0.0, 0.0];
    for _ in 0..times {
        let event = Arc::new(E::new());
        let (waiting, told) = (Countdown::new(AUDIENCE), Countdown::new(AUDIENCE));
        for _ in 0..AUDIENCE {
            let (event, waiting, told) =
                (Arc::clone(&event), Arc::clone(&waiting), Arc::clone(&told));
            P::spawn_detached(async move {
                waits(event.wait(), &waiting).await;
                told.tick();
            });
        }
        waiting.zero().await;
        let watch = Stopwatch::start();
        event.set();
        told.zero().await;
        let sample = watch.stop(AUDIENCE * times);
        sum.iter_mut()
            .zip(sample)
            .for_each(|(sum, part)| *sum += part);
    }
    sum
}

/// Awaits `future`, and ticks when it has been polled for the first time.
async fn waits<F: Future>(future: F, waiting: &Countdown) {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    waiting.tick();
    if first.is_pending() {
        future.await;
    }
}

/// Two tasks signal each other over two events; a round trip is one operation.
pub async fn event_round_trip<P: Peer, E: Event>(n: u64) {
    let events = Arc::new((E::new(), E::new()));
    let other = P::spawn({
        let events = Arc::clone(&events);
        async move {
            for _ in 0..n {
                events.0.signalled().await;
                events.1.signal();
            }
        }
    });
    for _ in 0..n {
        events.0.signal();
        events.1.signalled().await;
    }
    other.await;
}

/// Two tasks take turns over one condition; a turn of one of them is one operation.
pub async fn turns<P: Peer, T: Turns>(n: u64) {
    let turns = Arc::new(T::new());
    let other = P::spawn({
        let turns = Arc::clone(&turns);
        async move {
            for _ in 0..n.div_ceil(2) {
                turns.turn(true).await;
            }
        }
    });
    for _ in 0..n.div_ceil(2) {
        turns.turn(false).await;
    }
    other.await;
}
