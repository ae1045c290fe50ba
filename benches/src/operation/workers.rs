//! Operations that need workers: several threads run the tasks, so what was spawned first need not
//! run first, and other threads take part.

use std::future::{Future, pending};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::Countdown;
use crate::peer::{Peer, Workers};

/// Hops of a chain, and pairs that play at a time.
const THOUSAND: u64 = 1_000;
/// Tasks that one task spawns to be shared out.
const IMBALANCED: u64 = 20_000;

/// Keeps a processor busy for so long.
pub fn compute(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {}
}

/// Chains of a thousand tasks, each of which spawns the next.
pub async fn chained<P: Peer>(n: u64) {
    for start in (0..n).step_by(THOUSAND as usize) {
        let done = Countdown::new(1);
        hop::<P>(THOUSAND.min(n - start), Arc::clone(&done));
        done.zero().await;
    }
}

fn hop<P: Peer>(left: u64, done: Arc<Countdown>) {
    P::spawn_detached(async move {
        match left {
            0 | 1 => done.tick(),
            _ => hop::<P>(left - 1, done),
        }
    });
}

/// A thousand tasks at a time, each of which spawns another and talks to it over two channels for
/// one value.
pub async fn ping_pong_pairs<P: Peer>(n: u64) {
    for start in (0..n).step_by(THOUSAND as usize) {
        let pairs = THOUSAND.min(n - start);
        let done = Countdown::new(pairs);
        for _ in 0..pairs {
            let done = Arc::clone(&done);
            P::spawn_detached(async move {
                super::ping_pong::<P>(1).await;
                done.tick();
            });
        }
        done.zero().await;
    }
}

/// Tasks that compute for two microseconds, twenty thousand at a time, all spawned by one task.
pub async fn imbalance<P: Peer>(n: u64) {
    for start in (0..n).step_by(IMBALANCED as usize) {
        let tasks = IMBALANCED.min(n - start);
        let done = Countdown::new(tasks);
        for _ in 0..tasks {
            let done = Arc::clone(&done);
            P::spawn_detached(async move {
                compute(Duration::from_micros(2));
                done.tick();
            });
        }
        done.zero().await;
    }
}

/// Sums the leaves of a tree in which every task but a leaf has ten children; `size` leaves.
pub fn skynet<P: Peer>(first: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let part = size / 10;
        let mut sum = 0;
        if part == 1 {
            let leaf = |i| P::spawn(async move { first + i });
            let leaves: [_; 10] = std::array::from_fn(|i| leaf(i as u64));
            for leaf in leaves {
                sum += leaf.await;
            }
        } else {
            let child = |i| P::spawn(skynet::<P>(first + i * part, part));
            let children: [_; 10] = std::array::from_fn(|i| child(i as u64));
            for child in children {
                sum += child.await;
            }
        }
        sum
    })
}

/// A future of 16 bytes that is never ready, wakes nobody, and says once that it was polled.
#[derive(Debug)]
struct Parked(Arc<Countdown>, bool);

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if !self.1 {
            self.1 = true;
            self.0.tick();
        }
        Poll::Pending
    }
}

/// Spawns `n` tasks that keep 16 bytes and wait for ever, a thousand at a time so that the run queues
/// stay small, and returns when each has been polled.
pub async fn park<P: Peer>(n: u64) {
    for start in (0..n).step_by(THOUSAND as usize) {
        let tasks = THOUSAND.min(n - start);
        let polled = Countdown::new(tasks);
        for _ in 0..tasks {
            P::spawn_detached(Parked(Arc::clone(&polled), false));
        }
        polled.zero().await;
    }
}

/// One empty call after the other on the threads that may block.
pub async fn blocking_calls<P: Workers>(n: u64) {
    for _ in 0..n {
        P::spawn_blocking(|| ()).await;
    }
}

/// A thousand empty calls at a time.
pub async fn blocking_bursts<P: Workers>(n: u64) {
    let mut calls = Vec::with_capacity(THOUSAND as usize);
    for start in (0..n).step_by(THOUSAND as usize) {
        calls.extend((start..n.min(start + THOUSAND)).map(|_| P::spawn_blocking(|| ())));
        for call in calls.drain(..) {
            call.await;
        }
    }
}

/// Another thread wakes a parked task `n` times. It looks once in a millisecond whether the task
/// waits, so that it never waits itself, and the runtime has come to rest by then.
pub async fn wakes_from_a_thread<P: Peer>(n: u64) {
    const LOOK: Duration = Duration::from_millis(1);
    let waiting = Arc::new(Mutex::new(None));
    let waker = thread::spawn({
        let waiting = Arc::clone(&waiting);
        move || {
            for _ in 0..n {
                let sender = loop {
                    thread::sleep(LOOK);
                    let waiting = waiting.lock().expect("nobody panics under it").take();
                    if let Some(sender) = waiting {
                        break sender;
                    }
                };
                P::send(sender, 0);
            }
        }
    });
    for _ in 0..n {
        let (sender, receiver) = P::oneshot();
        *waiting.lock().expect("nobody panics under it") = Some(sender);
        P::receive(receiver).await;
    }
    waker.join().expect("the waking thread does not fail");
}

/// Ticks when it is dropped.
#[derive(Debug)]
struct Mourned(Arc<Countdown>);

impl Drop for Mourned {
    fn drop(&mut self) {
        self.0.tick();
    }
}

/// Tasks that wait for ever, to be cancelled.
#[derive(Debug)]
pub struct Doomed<T> {
    tasks: Vec<T>,
    dropped: Arc<Countdown>,
}

impl<T> Doomed<T> {
    /// Spawns `n` of them, and returns when each has been polled.
    pub async fn spawn<P: Workers<Task = T>>(n: u64) -> Self {
        let (polled, dropped) = (Countdown::new(n), Countdown::new(n));
        let task = |_| {
            let (polled, mourned) = (Arc::clone(&polled), Mourned(Arc::clone(&dropped)));
            P::spawn_kept(async move {
                let _mourned = mourned;
                polled.tick();
                pending::<()>().await;
            })
        };
        let tasks = (0..n).map(task).collect();
        polled.zero().await;
        Self { tasks, dropped }
    }

    /// Cancels all, and returns when the future of each is gone.
    pub async fn cancel<P: Workers<Task = T>>(self) {
        for task in self.tasks {
            P::cancel(task);
        }
        self.dropped.zero().await;
    }
}

/// What keeps the workers busy.
#[derive(Clone, Copy, Debug)]
pub enum Hog {
    /// Tasks that yield and do nothing else.
    Yielding,
    /// Tasks that compute for so long and yield.
    Computing(Duration),
    /// Tasks that compute for so long and spawn their successor.
    Respawning(Duration),
}

/// Tasks that keep the workers busy until they are told to stop.
#[derive(Debug)]
pub struct Hogs {
    stop: Arc<AtomicBool>,
    ended: Arc<Countdown>,
}

impl Hogs {
    /// Starts so many, from a task or from the future in `block_on`.
    pub fn start<P: Peer>(hog: Hog, tasks: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Countdown::new(tasks);
        for _ in 0..tasks {
            let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
            match hog {
                Hog::Yielding => yield_on::<P>(Duration::ZERO, stop, ended),
                Hog::Computing(duration) => yield_on::<P>(duration, stop, ended),
                Hog::Respawning(duration) => respawn::<P>(duration, stop, ended),
            }
        }
        Self { stop, ended }
    }

    /// Ends them, and returns when all have.
    pub async fn end(self) {
        // ORDERING: a flag that publishes nothing.
        self.stop.store(true, Ordering::Relaxed);
        self.ended.zero().await;
    }
}

fn is_set(stop: &AtomicBool) -> bool {
    // ORDERING: a flag that publishes nothing.
    stop.load(Ordering::Relaxed)
}

fn yield_on<P: Peer>(duration: Duration, stop: Arc<AtomicBool>, ended: Arc<Countdown>) {
    P::spawn_detached(async move {
        while !is_set(&stop) {
            if !duration.is_zero() {
                compute(duration);
            }
            P::yield_now().await;
        }
        ended.tick();
    });
}

fn respawn<P: Peer>(duration: Duration, stop: Arc<AtomicBool>, ended: Arc<Countdown>) {
    P::spawn_detached(async move {
        if is_set(&stop) {
            return ended.tick();
        }
        compute(duration);
        respawn::<P>(duration, stop, ended);
    });
}

/// The sum of a tree, so that nobody can leave it out.
pub async fn skynet_of_a_million<P: Peer>() {
    const LEAVES: u64 = 1_000_000;
    let sum = P::spawn(skynet::<P>(0, LEAVES)).await;
    assert_eq!(black_box(sum), LEAVES * (LEAVES - 1) / 2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::in_a_task;
    use crate::peer::PeerId;
    use crate::with_workers;

    /// Every peer that is no program of its own.
    fn peers() -> impl Iterator<Item = PeerId> {
        PeerId::WITH_TASKS
            .iter()
            .copied()
            .filter(|&peer| peer != PeerId::Go)
    }

    #[test]
    fn every_peer_ends_every_operation() {
        async fn all<P: Workers>() {
            chained::<P>(1_500).await;
            ping_pong_pairs::<P>(1_500).await;
            imbalance::<P>(10).await;
            park::<P>(1_500).await;
            blocking_calls::<P>(10).await;
            blocking_bursts::<P>(1_500).await;
            wakes_from_a_thread::<P>(3).await;
            Doomed::spawn::<P>(100).await.cancel::<P>().await;
        }
        for peer in peers() {
            with_workers!(peer, P => in_a_task::<P, _>(all::<P>()));
        }
    }

    #[test]
    fn a_tree_sums_up_its_leaves() {
        for peer in peers() {
            let sum = with_workers!(peer, P => in_a_task::<P, _>(skynet::<P>(5, 1_000)));
            assert_eq!(sum, (5..1_005).sum(), "{peer}");
        }
    }

    #[test]
    fn blocking_work_is_done_before_it_is_over() {
        async fn work<P: Workers>() -> usize {
            let done = Arc::new(());
            let works: Vec<_> = (0..50).map(|_| Arc::clone(&done)).collect();
            for work in works {
                P::spawn_blocking(move || drop(work)).await;
            }
            Arc::strong_count(&done)
        }
        for peer in peers() {
            let left = with_workers!(peer, P => in_a_task::<P, _>(work::<P>()));
            assert_eq!(left, 1, "{peer}");
        }
    }

    #[test]
    fn hogs_let_others_run_and_end() {
        async fn beside<P: Peer>(hog: Hog) {
            let hogs = Hogs::start::<P>(hog, 4);
            P::spawn(async {}).await;
            hogs.end().await;
        }
        let short = Duration::from_micros(1);
        for peer in peers() {
            for hog in [Hog::Yielding, Hog::Computing(short), Hog::Respawning(short)] {
                with_workers!(peer, P => in_a_task::<P, _>(beside::<P>(hog)));
            }
        }
    }

    #[test]
    fn another_thread_can_spawn() {
        for peer in peers() {
            with_workers!(peer, P => {
                let peer = P::new();
                let (remote, done) = (peer.remote(), Countdown::new(1));
                let ticks = Arc::clone(&done);
                let spawner = thread::spawn(move || P::spawn_from(&remote, async move { ticks.tick() }));
                peer.block_on(done.zero());
                spawner.join().expect("it spawns");
            });
        }
    }
}
