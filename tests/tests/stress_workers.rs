//! Many workers against each other: a mix of everything that a task can do, chosen by chance, and accounts
//! that must balance. The sanitizers watch these tests.
//!
//! Every choice comes from a seed, which a failure prints; the schedule is the system's.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tenter::sync::{Notify, Semaphore, oneshot};
use tenter::task::{self, yield_now};
use tenter::{Builder, Canceller, Handle, JoinHandle, Runtime, shield, spawn};
use tenter_tests::support::{Count, Meeting, build, ends, foreign_block_on};

/// Larger where the profile is that of `cargo xtask stress`.
const SCALE: usize = if cfg!(debug_assertions) { 1 } else { 10 };

/// Marsaglia's xorshift: chance that can be repeated.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn split(&mut self) -> Self {
        Self::new(self.below(1 << 40) as u64)
    }
}

/// What is made and what is dropped.
#[derive(Clone, Default)]
struct Accounts {
    tasks: Count,
    futures: Count,
    outputs_made: Count,
    outputs: Count,
}

impl Accounts {
    #[track_caller]
    fn balance(&self) {
        assert_eq!(self.futures.get(), self.tasks.get(), "futures");
        assert_eq!(self.outputs.get(), self.outputs_made.get(), "outputs");
    }
}

/// What the tasks of a mix share.
#[derive(Clone)]
struct Mix {
    accounts: Accounts,
    permits: Arc<Semaphore>,
    bell: Arc<Notify>,
    /// Tasks that anybody may cancel.
    victims: Arc<Mutex<Vec<Canceller>>>,
}

type Output = tenter_tests::support::CountOnDrop;

impl Mix {
    fn new() -> Self {
        Self {
            accounts: Accounts::default(),
            permits: Arc::new(Semaphore::new(3)),
            bell: Arc::default(),
            victims: Arc::default(),
        }
    }

    /// Spawns a task that does things by chance, and its children's children.
    fn spawn(&self, on: &Handle, mut random: Random, depth: usize) -> JoinHandle<Output> {
        self.accounts.tasks.add();
        let (mix, guard) = (self.clone(), self.accounts.futures.on_drop());
        let future = async move {
            let _guard = guard;
            mix.live(&mut random, depth).await;
            mix.accounts.outputs_made.add();
            mix.accounts.outputs.on_drop()
        };
        let name = self.accounts.tasks.get() % 7 == 0;
        let task = if name {
            let _in = on.enter();
            task::Builder::new().name("by chance").spawn(future)
        } else {
            on.spawn(future)
        };
        let mut victims = self.victims.lock();
        victims.push(task.canceller());
        if victims.len() > 100 {
            drop(victims.swap_remove(0));
        }
        task
    }

    fn live<'a>(
        &'a self,
        random: &'a mut Random,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            for _ in 0..random.below(6) {
                self.act(random, depth).await;
            }
        })
    }

    async fn act(&self, random: &mut Random, depth: usize) {
        match random.below(if depth == 0 { 8 } else { 14 }) {
            0 | 1 => yield_now().await,
            2 => tenter::time::sleep(Duration::from_micros(random.below(300) as u64)).await,
            3 => {
                let permit = self.permits.acquire().await.expect("it is open");
                yield_now().await;
                drop(permit);
            }
            4 => self.bell.notify_waiters(),
            5 => {
                let limit = Duration::from_micros(random.below(200) as u64);
                let _elapsed = tenter::time::timeout(limit, self.bell.notified()).await;
            }
            6 => {
                let victims = self.victims.lock();
                let victim = victims.get(random.below(100)).cloned();
                drop(victims);
                if let Some(victim) = victim.filter(|_| random.below(4) == 0) {
                    victim.cancel();
                }
            }
            7 => shield(yield_now()).await,
            8 => drop(self.child(random, depth)),
            9 => drop(self.child(random, depth).cancel_on_drop()),
            10 => drop(self.child(random, depth).cancel_and_wait().await),
            11 => {
                let (give, value) = oneshot();
                let child = self.child(random, depth);
                let giver = spawn(async move { give.send(1).is_ok() });
                let _cancelled = (value.await, giver.await, child.await);
            }
            _ => {
                let children: Vec<_> = (0..3).map(|_| self.child(random, depth)).collect();
                for child in children {
                    let _cancelled = child.await;
                }
            }
        }
    }

    fn child(&self, random: &mut Random, depth: usize) -> JoinHandle<Output> {
        self.spawn(&Handle::current(), random.split(), depth - 1)
    }
}

fn seeded(name: &'static str, rounds: usize, test: impl Fn(Random, usize) + Send + Sync + 'static) {
    let test = Arc::new(test);
    for workers in [2, 4] {
        for seed in 1..=rounds as u64 {
            let test = Arc::clone(&test);
            ends(name, move || {
                struct Show(u64, usize);
                impl Drop for Show {
                    fn drop(&mut self) {
                        if thread::panicking() {
                            eprintln!("failed with seed {} on {} workers", self.0, self.1);
                        }
                    }
                }
                let _show = Show(seed, workers);
                test(Random::new(seed), workers);
            });
        }
    }
}

fn runtime(workers: usize) -> Runtime {
    build(Builder::multi_thread().workers(workers))
}

/// Goal: whatever tasks do to each other, each ends once, and everything that was made is dropped once;
/// the runtime's own accounts say the same.
#[test]
fn a_mix_of_everything_balances() {
    seeded("mix", 10 * SCALE, |mut random, workers| {
        let runtime = runtime(workers);
        let mix = Mix::new();
        let roots: Vec<_> = (0..100)
            .map(|_| mix.spawn(runtime.handle(), random.split(), 3))
            .collect();
        runtime.block_on(async {
            for root in roots {
                drop(root.await);
            }
            // Those that nobody waits for.
            let start = tenter::time::now();
            while runtime.metrics().alive_tasks > 0 {
                tenter::time::sleep(Duration::from_millis(1)).await;
                assert!(tenter::time::now() - start < Duration::from_secs(60));
            }
        });
        let metrics = runtime.metrics();
        assert_eq!(metrics.spawned_tasks, metrics.completed_tasks);
        assert!(metrics.spawned_tasks >= mix.accounts.tasks.get() as u64);
        assert_eq!((metrics.armed_timers, metrics.unobserved_failures), (0, 0));
        assert_eq!(mix.permits.available(), 3);
        assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
        // The last output of a task that nobody waits for is dropped after the task was counted.
        mix.accounts.balance();
    });
}

/// Goal: the same when the runtime ends in the middle of it, while other threads spawn, cancel and join.
#[test]
fn a_mix_that_is_ended_in_the_middle_balances() {
    const THREADS: usize = 3;
    seeded("ended mix", 30 * SCALE, |mut random, workers| {
        let runtime = runtime(workers);
        let mix = Mix::new();
        let begun = Meeting::new(THREADS + 1);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (mix, handle) = (mix.clone(), runtime.handle().clone());
                let (begun, mut random) = (Arc::clone(&begun), random.split());
                thread::spawn(move || {
                    begun.meet();
                    for _ in 0..60 {
                        let task = mix.spawn(&handle, random.split(), 2);
                        match random.below(4) {
                            0 => drop(task),
                            1 => drop(foreign_block_on(task)),
                            2 => drop(task.cancel()),
                            _ => drop(task.cancel_on_drop()),
                        }
                    }
                })
            })
            .collect();
        begun.meet();
        for _ in 0..random.below(30) {
            thread::yield_now();
        }
        runtime.shutdown_timeout(Duration::MAX);
        for thread in threads {
            thread.join().expect("no panic");
        }
        mix.accounts.balance();
    });
}

/// Goal: runtimes that come and go, each ended with work of every kind in progress, leave no thread behind
/// and lose no task.
#[test]
fn starting_and_stopping_loses_nothing() {
    seeded("start and stop", 20 * SCALE, |mut random, workers| {
        for _ in 0..5 {
            let runtime = runtime(workers);
            let dropped = Count::new();
            let tasks = random.below(40);
            for number in 0..tasks {
                let guard = dropped.on_drop();
                drop(runtime.spawn(async move {
                    let _guard = guard;
                    match number % 4 {
                        0 => pending().await,
                        1 => tenter::time::sleep(Duration::from_secs(3_600)).await,
                        2 => yield_now().await,
                        _ => drop(tenter::spawn_blocking(yield_now).await),
                    }
                }));
            }
            match random.below(3) {
                0 => runtime.shutdown_background(),
                _ => drop(runtime.shutdown_timeout(Duration::MAX)),
            }
            // In the background it may still be on its way.
            while dropped.get() < tasks {
                thread::yield_now();
            }
        }
    });
}

/// Goal: wakes from threads, from other workers and from timers, all of the same tasks, lose none: each
/// task counts a token for every wake that it was promised.
#[test]
fn every_token_is_counted() {
    const TASKS: usize = 8;
    const TOKENS: usize = 300;
    seeded("tokens", 4 * SCALE, |_, workers| {
        let runtime = runtime(workers);
        let bells: Vec<_> = (0..TASKS).map(|_| Arc::new(Semaphore::new(0))).collect();
        let tasks: Vec<_> = bells
            .iter()
            .map(|bell| {
                let bell = Arc::clone(bell);
                runtime.spawn(async move {
                    for _ in 0..2 * TOKENS {
                        bell.acquire().await.expect("it is open").forget();
                    }
                })
            })
            .collect();
        let ringing: Vec<_> = bells.clone();
        let inside = runtime.spawn(async move {
            for token in 0..TOKENS {
                for bell in &ringing {
                    bell.add_permits(1).expect("few");
                }
                if token % 16 == 0 {
                    yield_now().await;
                }
            }
        });
        let outside = thread::spawn(move || {
            for _ in 0..TOKENS {
                for bell in &bells {
                    bell.add_permits(1).expect("few");
                }
            }
        });
        outside.join().expect("no panic");
        runtime.block_on(async {
            inside.await.expect("no panic");
            for task in tasks {
                task.await.expect("no panic");
            }
        });
    });
}

/// Goal: a cancellation that meets a wake, a poll and a steal ends the task once, and its handle is
/// answered.
#[test]
fn cancellations_race_with_wakes_and_steals() {
    const TASKS: usize = 200;
    seeded("cancel", 8 * SCALE, |mut random, workers| {
        let runtime = runtime(workers);
        let (bell, dropped) = (Arc::new(Notify::new()), Count::new());
        let stop = Arc::new(AtomicBool::new(false));
        let ringing = thread::spawn({
            let (bell, stop) = (Arc::clone(&bell), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Acquire) {
                    bell.notify_waiters();
                    thread::yield_now();
                }
            }
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (bell, guard) = (Arc::clone(&bell), dropped.on_drop());
                runtime.spawn(async move {
                    let _guard = guard;
                    loop {
                        bell.notified().await;
                    }
                })
            })
            .collect::<Vec<JoinHandle<std::convert::Infallible>>>();
        for _ in 0..random.below(30) {
            thread::yield_now();
        }
        for task in &tasks {
            assert!(task.cancel());
        }
        for task in tasks {
            assert!(
                foreign_block_on(task)
                    .expect_err("never ready")
                    .is_cancelled()
            );
        }
        assert_eq!(dropped.get(), TASKS);
        stop.store(true, Ordering::Release);
        ringing.join().expect("no panic");
    });
}
