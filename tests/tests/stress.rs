//! Threads against each other: wakes, cancellations, joins, spawns and the end of the runtime, in every
//! order that chance brings. The sanitizers watch these tests; the models in `loom-tests` prove the
//! protocols one by one.
//!
//! Every choice comes from a seed, which a failure prints; the schedule is the system's.
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tenter::sync::oneshot::{Receiver, Sender, oneshot};
use tenter::task::yield_now;
use tenter::{Builder, Canceller, JoinHandle, shield, spawn, spawn_local};
use tenter_tests::support::{
    Count, CountOnDrop, CountWakes, Meeting, Slot, both, build, every, foreign_block_on, poll_with,
    thread,
};

/// Runs a test on every flavour with each of so many seeds.
fn with_seeds(seeds: u64, test: fn(Builder, Random)) {
    every(move |builder| each_seed(seeds, &builder, test));
}

fn each_seed(seeds: u64, builder: &Builder, test: fn(Builder, Random)) {
    for seed in 1..=seeds {
        let shown = ShowSeed(seed);
        test(
            builder.clone(),
            Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        );
        drop(shown);
    }
}

struct ShowSeed(u64);

impl Drop for ShowSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

/// Marsaglia's xorshift: chance that can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn split(&mut self) -> Self {
        Self(self.0.wrapping_add(1 + self.below(1 << 30) as u64) | 1)
    }
}

/// Ready after so many wakes, each of which leaves a ticket; shows its waker to everybody.
struct Patient {
    tickets: Arc<AtomicUsize>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    needed: usize,
    output: Option<CountOnDrop>,
    _alive: CountOnDrop,
}

impl Future for Patient {
    type Output = CountOnDrop;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CountOnDrop> {
        let old = {
            let mut wakers = self.wakers.lock();
            core::mem::replace(&mut *wakers, vec![cx.waker().clone()])
        };
        drop(old);
        // After the waker is there: a ticket that is left later is followed by its wake.
        if self.tickets.load(Ordering::Acquire) >= self.needed {
            return Poll::Ready(self.output.take().expect("ready once"));
        }
        Poll::Pending
    }
}

/// A patient task as others see it.
#[derive(Clone)]
struct Seen {
    tickets: Arc<AtomicUsize>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    canceller: Canceller,
}

impl Seen {
    fn wake(&self) {
        self.tickets.fetch_add(1, Ordering::AcqRel);
        let waker = self.wakers.lock().first().cloned();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a test counts.
#[derive(Clone, Default)]
struct Census {
    futures: Count,
    outputs: Count,
    made: Count,
}

impl Census {
    fn patient(&self, needed: usize) -> (Patient, Arc<AtomicUsize>, Arc<Mutex<Vec<Waker>>>) {
        self.made.add();
        let (tickets, wakers) = (Arc::default(), Arc::default());
        let patient = Patient {
            tickets: Arc::clone(&tickets),
            wakers: Arc::clone(&wakers),
            needed,
            output: Some(self.outputs.on_drop()),
            _alive: self.futures.on_drop(),
        };
        (patient, tickets, wakers)
    }

    #[track_caller]
    fn assert_all_dropped(&self) {
        let counts = (self.futures.get(), self.outputs.get());
        assert_eq!(counts, (self.made.get(), self.made.get()));
    }
}

/// Goal: whatever order wakes, cancellations, joins and detachments come in, each task ends once, and
/// what it made is dropped once.
/// Method: three threads do things at random to the same tasks, while the fourth drives them.
#[test]
fn tasks_end_once_whatever_happens_to_them() {
    const TASKS: usize = 12;
    const THREADS: usize = 3;
    with_seeds(6, |builder, mut random| {
        let census = Census::default();
        let runtime = build(builder);
        let mut handles = Vec::new();
        let mut seen = Vec::new();
        for _ in 0..TASKS {
            let (patient, tickets, wakers) = census.patient(1 + random.below(4));
            let handle = runtime.spawn(patient);
            let canceller = handle.canceller();
            seen.push(Seen {
                tickets,
                wakers,
                canceller,
            });
            handles.push(Some(handle));
        }
        let handles = Arc::new(Mutex::new(handles));
        let meeting = Meeting::new(THREADS + 1);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (meeting, seen, handles) = (meeting.clone(), seen.clone(), handles.clone());
                let mut random = random.split();
                thread(move || {
                    meeting.meet();
                    for _ in 0..TASKS * 20 {
                        meddle(&mut random, &seen, &handles);
                    }
                })
            })
            .collect();
        meeting.meet();
        runtime.block_on(async {
            while seen.iter().any(|seen| !seen.canceller.is_finished()) {
                let one = random.below(TASKS);
                seen[one].wake();
                yield_now().await;
            }
        });
        threads.into_iter().for_each(|thread| thread.join());
        // A worker counts a task just after its joiner may know that it has ended.
        while runtime.metrics().alive_tasks > 0 {
            std::thread::yield_now();
        }
        drop((runtime, seen));
        handles.lock().clear();
        census.assert_all_dropped();
    });
}

/// Does one thing at random to one task.
fn meddle(
    random: &mut Random,
    seen: &[Seen],
    handles: &Mutex<Vec<Option<JoinHandle<CountOnDrop>>>>,
) {
    let one = random.below(seen.len());
    match random.below(100) {
        0..50 => seen[one].wake(),
        50..54 => {
            seen[one].canceller.cancel_with("by chance");
        }
        54..75 => drop(seen[one].wakers.lock().first().cloned()),
        75..98 => {
            // Polls the handle with a waker of its own each time, and puts it back if it is pending.
            let handle = handles.lock()[one].take();
            if let Some(mut handle) = handle {
                let (waker, _) = CountWakes::waker();
                if poll_with(&waker, &mut handle).is_pending() {
                    handles.lock()[one] = Some(handle);
                }
            }
        }
        _ => {
            let detached = handles.lock()[one].take();
            drop(detached);
        }
    }
}

/// Goal: a join handle that is polled with ever new wakers while its task ends is woken or finds the
/// task ended, never neither.
#[test]
fn a_joiner_is_never_forgotten() {
    const TASKS: usize = 100;
    with_seeds(2, |builder, mut random| {
        let runtime = build(builder);
        let (queue, rounds) = (Slot::new(), random.below(3));
        let joiner = thread({
            let queue = queue.clone();
            move || {
                for number in 0..TASKS {
                    let mut task: JoinHandle<usize> = queue.take();
                    for _ in 0..rounds {
                        let (waker, _) = CountWakes::waker();
                        if let Poll::Ready(output) = poll_with(&waker, &mut task) {
                            assert_eq!(output.expect("no panic"), number);
                            task = tenter_task(number);
                        }
                    }
                    assert_eq!(foreign_block_on(task).expect("no panic"), number);
                }
            }
        });
        runtime.block_on(async {
            for number in 0..TASKS {
                let task = spawn(async move {
                    yield_now().await;
                    number
                });
                let canceller = task.canceller();
                queue.put(task);
                while !canceller.is_finished() {
                    yield_now().await;
                }
                while queue.is_full() {
                    yield_now().await;
                }
            }
        });
        joiner.join();
    });
}

/// A task that has ended with `number`.
fn tenter_task(number: usize) -> JoinHandle<usize> {
    tenter::run(async move {
        let task = spawn(async move { number });
        while !task.is_finished() {
            yield_now().await;
        }
        task
    })
}

/// Goal: a task that is spawned while the runtime ends runs or is cancelled; its handle is answered and
/// its future dropped once, either way.
#[test]
fn spawning_races_with_the_end() {
    const THREADS: usize = 2;
    with_seeds(25, |builder, mut random| {
        let runtime = build(builder);
        let (futures, made) = (Count::new(), Count::new());
        let meeting = Meeting::new(THREADS + 1);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (handle, meeting) = (runtime.handle().clone(), Arc::clone(&meeting));
                let (futures, made) = (futures.clone(), made.clone());
                thread(move || {
                    meeting.meet();
                    let task = |_| {
                        made.add();
                        let guard = futures.on_drop();
                        handle.spawn(async move {
                            let _guard = guard;
                            yield_now().await;
                        })
                    };
                    (0..100).map(task).collect::<Vec<_>>()
                })
            })
            .collect();
        meeting.meet();
        let polls = random.below(40);
        runtime.block_on(async {
            for _ in 0..polls {
                yield_now().await;
            }
        });
        drop(runtime);
        for handle in threads.into_iter().flat_map(|thread| thread.join()) {
            let ended = foreign_block_on(handle);
            assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
        }
        assert_eq!(futures.get(), made.get());
    });
}

/// Goal: wakes and cancellations that race with the end of the runtime touch nothing that is gone.
#[test]
fn waking_races_with_the_end() {
    const TASKS: usize = 20;
    with_seeds(25, |builder, mut random| {
        let census = Census::default();
        let runtime = build(builder);
        let mut handles = Vec::new();
        let mut seen = Vec::new();
        for _ in 0..TASKS {
            let (patient, tickets, wakers) = census.patient(random.below(6));
            let handle = runtime.spawn(patient);
            let canceller = handle.canceller();
            seen.push(Seen {
                tickets,
                wakers,
                canceller,
            });
            if random.below(2) == 0 {
                handles.push(handle);
            }
        }
        runtime.block_on(yield_now());
        let meeting = Meeting::new(2);
        let other = thread({
            let (meeting, mut random) = (Arc::clone(&meeting), random.split());
            move || {
                meeting.meet();
                for _ in 0..TASKS * 5 {
                    let one = random.below(TASKS);
                    match random.below(8) {
                        0 => drop(seen[one].canceller.cancel()),
                        _ => seen[one].wake(),
                    }
                }
            }
        });
        meeting.meet();
        for _ in 0..random.below(3) {
            runtime.block_on(yield_now());
        }
        drop(runtime);
        for handle in handles {
            drop(foreign_block_on(handle));
        }
        other.join();
        census.assert_all_dropped();
    });
}

/// Goal: a shield that is dropped on another thread, at any moment of a cancellation, never leaves the
/// task behind.
#[test]
fn dropping_a_shield_races_with_the_cancellation() {
    with_seeds(100, |builder, _| {
        type Half = Pin<Box<dyn Future<Output = ()> + Send>>;
        let halves: Slot<Half> = Slot::new();
        let meeting = Meeting::new(2);
        let other = thread({
            let (halves, meeting) = (halves.clone(), Arc::clone(&meeting));
            move || {
                let half = halves.take();
                meeting.meet();
                drop(half);
            }
        });
        build(builder).block_on(async {
            let task = spawn({
                let mut half: Option<Half> = Some(Box::pin(shield(std::future::pending())));
                poll_fn(move |cx| {
                    if let Some(mut half) = half.take() {
                        assert!(half.as_mut().poll(cx).is_pending());
                        halves.put(half);
                    }
                    Poll::<()>::Pending
                })
            });
            yield_now().await;
            meeting.meet();
            assert!(task.cancel());
            assert!(task.await.expect_err("it is never ready").is_cancelled());
        });
        other.join();
    });
}

/// Goal: threads that share one runtime, each with a local task that another one waits for, all get to
/// the end: the core goes to whoever has a local task that is ready.
/// Method: a ring; each thread wakes the local task of the next one, and waits for its answer.
#[test]
fn local_tasks_of_several_threads_wait_for_each_other() {
    both(|builder| each_seed(15, &builder, ring_of_local_tasks));
}

fn ring_of_local_tasks(builder: Builder, _: Random) {
    const THREADS: usize = 3;
    let runtime = Arc::new(build(builder));
    let (mut ask, mut asked): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| oneshot()).unzip();
    let (mut answer, mut answered): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| oneshot()).unzip();
    ask.rotate_left(1);
    answered.rotate_left(1);
    let meeting = Meeting::new(THREADS);
    let threads: Vec<_> = (0..THREADS)
        .map(|me| {
            let (runtime, meeting) = (Arc::clone(&runtime), Arc::clone(&meeting));
            let (ask, answered) = (ask.remove(0), answered.remove(0));
            let (asked, answer) = (asked.remove(0), answer.remove(0));
            thread(move || {
                let (mut link, mut own) = (Some((asked, answer)), None);
                for turn in 0..THREADS {
                    meeting.meet();
                    if let Some((asked, answer)) = link.take_if(|_| turn == me) {
                        let task = runtime.block_on(async { local_link(me, asked, answer) });
                        own = Some(task);
                    }
                }
                meeting.meet();
                runtime.block_on(async {
                    ask.send(me).expect("the next local task waits");
                    let expected = (me + (me + 1) % THREADS) * 10;
                    assert_eq!(answered.await, Ok(expected));
                    own.expect("it had its turn").await.expect("no panic");
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join());
    let metrics = runtime.metrics();
    assert_eq!((metrics.alive_tasks, metrics.leaked_tasks), (0, 0));
}

/// A local task of this thread: answers the question of another one.
fn local_link(me: usize, asked: Receiver<usize>, answer: Sender<usize>) -> JoinHandle<()> {
    let (not_send, home) = (Rc::new(me), std::thread::current().id());
    spawn_local(async move {
        let from = asked.await.expect("it is sent");
        yield_now().await;
        assert_eq!(std::thread::current().id(), home);
        answer
            .send((*not_send + from) * 10)
            .expect("somebody waits");
    })
}
