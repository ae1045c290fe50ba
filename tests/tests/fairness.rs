//! What keeps whom waiting, and for how long.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tenter::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tenter::net::{TcpListener, TcpStream};
use tenter::sync::Notify;
use tenter::task::yield_now;
use tenter::{Builder, Handle, JoinHandle, spawn};
use tenter_tests::support::{Count, GiveWaker, Log, Slot, build, ends};

/// How often the tasks may wake each other before the timer counts as starved: seconds of work.
const ROUNDS_MAX: usize = 50_000;

/// Goal: an inbox that is filled again after every poll keeps no timer from firing.
/// Method: two tasks that are woken by another thread in turn, so that the queue never stays empty and
/// never fills a burst; a short sleep beside them, which is the subject.
#[test]
fn remote_wakes_without_end_keep_no_timer_waiting() {
    let wakers: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
    let rounds = Arc::new(AtomicUsize::new(0));
    let runtime = tenter::Runtime::new().expect("no setting is wrong");
    runtime.block_on(async {
        for me in 0..2 {
            let (wakers, rounds) = (Arc::clone(&wakers), Arc::clone(&rounds));
            drop(tenter::spawn(poll_fn(move |cx| {
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                assert!(round < ROUNDS_MAX, "the timer is starved");
                *wakers[me].lock() = Some(cx.waker().clone());
                let other = wakers[1 - me].lock().take();
                if let Some(other) = other {
                    let waking = thread::spawn(move || other.wake());
                    waking.join().expect("a wake does not panic");
                }
                Poll::<()>::Pending
            })));
        }
        tenter::time::sleep(Duration::from_millis(1)).await;
    });
    assert!(
        rounds.load(Ordering::Relaxed) < ROUNDS_MAX,
        "the timer is starved"
    );
}

/// Hogs that are always ready: they yield, or wake each other in pairs, until they are stopped.
#[derive(Clone, Default)]
struct Hogs {
    stop: Arc<AtomicBool>,
    polls: Arc<AtomicUsize>,
}

impl Hogs {
    /// How many polls the hogs may have before what waits beside them counts as starved.
    const POLLS_MAX: usize = 3_000_000;

    fn poll(&self) -> bool {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        if polls >= Self::POLLS_MAX {
            self.stop.store(true, Ordering::Relaxed);
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    /// Whether the hogs had to be stopped because of what they did to others.
    fn starved_others(&self) -> bool {
        self.polls() >= Self::POLLS_MAX
    }

    /// A task that yields.
    fn yields(&self) -> JoinHandle<()> {
        let hogs = self.clone();
        spawn(async move {
            while hogs.poll() {
                yield_now().await;
            }
        })
    }

    /// Two tasks that wake each other, each as the last thing in its poll.
    fn pair(&self) -> [JoinHandle<()>; 2] {
        let wakers: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
        [0, 1].map(|me| {
            let (hogs, wakers) = (self.clone(), Arc::clone(&wakers));
            spawn(poll_fn(move |cx| {
                let goes_on = hogs.poll();
                *wakers[me].lock() = Some(cx.waker().clone());
                let other = wakers[1 - me].lock().take();
                if let Some(other) = other {
                    other.wake();
                }
                if goes_on {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            }))
        })
    }

    /// Runs `hogs` and `subject` on so many workers, and stops the hogs when the subject has ended.
    fn beside<F>(
        workers: usize,
        hogs: impl FnOnce(&Hogs) -> Vec<JoinHandle<()>> + Send + 'static,
        subject: impl FnOnce(Hogs) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        ends("hogs", move || {
            let all = Self::default();
            let runtime = build(Builder::multi_thread().workers(workers));
            runtime.block_on(async {
                let main = spawn(async move {
                    let running = hogs(&all);
                    subject(all.clone()).await;
                    let starved = all.starved_others();
                    all.stop.store(true, Ordering::Relaxed);
                    for hog in running {
                        hog.cancel_and_wait().await.ok();
                    }
                    assert!(!starved, "starved by {} polls of hogs", all.polls());
                });
                main.await.expect("it is not starved");
            });
        });
    }
}

/// Goal: two tasks that wake each other through the LIFO slot keep no third one waiting: the slot goes
/// first at most three times in a row.
/// Method: on one worker; at most one of the two is in the deque before the third.
#[test]
fn the_lifo_slot_goes_first_three_times_at_most() {
    ends("one worker", || {
        let runtime = build(Builder::multi_thread().workers(1));
        let worst = runtime.block_on(async {
            let worst = spawn(async {
                let hogs = Hogs::default();
                let _pair = hogs.pair();
                let mut worst = 0;
                for _ in 0..200 {
                    let (hogs, before) = (hogs.clone(), hogs.polls());
                    // The pair is in the slot and in the deque; this goes behind.
                    let third = spawn(async move { hogs.polls() - before });
                    worst = worst.max(third.await.expect("no panic"));
                }
                hogs.stop.store(true, Ordering::Relaxed);
                worst
            });
            worst.await.expect("no panic")
        });
        assert!(worst <= 3 + 1 + 3, "it waited for {worst} polls");
        assert!(worst > 0, "the two do wake each other");
    });
}

/// What a busy worker must look after: each kind of thing that may become ready.
async fn all_kinds(turns: usize) {
    let handle = Handle::current();
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let echo = spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client has come");
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(&byte).await.expect("the client reads");
        }
    });
    let mut client = TcpStream::connect(address).await.expect("it listens");
    for turn in 0..turns {
        tenter::time::sleep(Duration::from_micros(50)).await;
        yield_now().await;
        spawn(yield_now()).await.expect("no panic");
        let byte = [turn as u8];
        client.write_all(&byte).await.expect("the task reads");
        let mut back = [0];
        client.read_exact(&mut back).await.expect("it writes");
        assert_eq!(back, byte);
        let (give, value) = tenter::sync::oneshot();
        let handle = handle.clone();
        let foreign = thread::spawn(move || {
            drop(handle.spawn(async move { give.send(turn).expect("somebody waits") }));
        });
        assert_eq!(value.await, Ok(turn));
        foreign.join().expect("no panic");
    }
    drop(client);
    echo.await.expect("no panic");
}

/// Goal: tasks that yield without end keep nothing waiting: no timer, no socket, no other thread.
#[test]
fn hogs_that_yield_starve_nothing() {
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| (0..5).map(|_| hogs.yields()).collect();
        Hogs::beside(workers, hogs, |_| all_kinds(20));
    }
}

/// Goal: the same of pairs that wake each other.
#[test]
fn pairs_that_wake_each_other_starve_nothing() {
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| (0..2).flat_map(|_| hogs.pair()).collect();
        Hogs::beside(workers, hogs, |_| all_kinds(20));
    }
}

/// Goal: the same of more such pairs than fit into a deque: what comes from elsewhere, and what yields,
/// waits behind the deque and must get past it.
#[test]
fn pairs_that_fill_the_deque_starve_nothing() {
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| (0..200).flat_map(|_| hogs.pair()).collect();
        Hogs::beside(workers, hogs, |_| all_kinds(20));
    }
}

/// Goal: hogs whose every poll takes longer than a worker goes without a look at the clock.
#[test]
fn slow_hogs_starve_nothing() {
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| {
            let slow = |_| {
                let hogs = hogs.clone();
                spawn(async move {
                    while hogs.poll() {
                        let start = std::time::Instant::now();
                        while start.elapsed() < Duration::from_micros(150) {
                            std::hint::spin_loop();
                        }
                        yield_now().await;
                    }
                })
            };
            (0..3).map(slow).collect()
        };
        Hogs::beside(workers, hogs, |_| all_kinds(10));
    }
}

/// Goal: a task that yields gets its turn beside a chain of tasks of which each spawns the next.
#[test]
fn a_task_that_yields_is_not_starved_by_spawns() {
    fn chain(hogs: Hogs) {
        drop(spawn(async move {
            if hogs.poll() {
                chain(hogs);
            }
        }));
    }
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| {
            (0..3).for_each(|_| chain(hogs.clone()));
            Vec::new()
        };
        Hogs::beside(workers, hogs, |_| async {
            for _ in 0..1_000 {
                yield_now().await;
            }
        });
    }
}

/// Goal: more tasks than fit into a deque, woken at once, all run, once, while everything else goes on.
#[test]
fn ten_thousand_tasks_woken_at_once_all_run() {
    const TASKS: usize = 10_000;
    for workers in [1, 2] {
        Hogs::beside(
            workers,
            |hogs| vec![hogs.yields()],
            |_| async {
                let ran = Count::new();
                let gate = Arc::new(Notify::new());
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let (gate, ran) = (Arc::clone(&gate), ran.clone());
                        spawn(async move {
                            let woken = gate.notified();
                            ran.add();
                            woken.await;
                            ran.add();
                        })
                    })
                    .collect();
                while ran.get() < TASKS {
                    yield_now().await;
                }
                let goes_on = spawn(all_kinds(3));
                gate.notify_waiters();
                for task in tasks {
                    task.await.expect("no panic");
                }
                assert_eq!(ran.get(), 2 * TASKS);
                goes_on.await.expect("no panic");
            },
        );
    }
}

/// tokio moved the older half of a full queue out of it, behind all that came later.
///
/// Method: a thousand tasks are woken in a row on one worker. None runs much before or after its turn, but
/// the last, which is in the LIFO slot.
#[test]
fn tokio_8029_an_overflow_sends_the_oldest_to_the_end() {
    const TASKS: usize = 1_000;
    ends("one worker", || {
        let log = Log::new();
        let runtime = build(Builder::multi_thread().workers(1));
        let order = log.clone();
        runtime.block_on(async move {
            let waking = spawn(async move {
                let wakers: Vec<Slot<Waker>> = (0..TASKS).map(|_| Slot::new()).collect();
                let tasks: Vec<_> = wakers
                    .iter()
                    .enumerate()
                    .map(|(number, given)| {
                        let (given, order) = (given.clone(), order.clone());
                        spawn(async move {
                            GiveWaker::new(given).await;
                            order.add(number);
                        })
                    })
                    .collect();
                while !wakers.iter().all(Slot::is_full) {
                    yield_now().await;
                }
                wakers.iter().for_each(|given| given.take().wake());
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
            waking.await.expect("no panic");
        });
        let order = log.take();
        assert_eq!(order.len(), TASKS);
        let moved = |(place, number): (usize, &usize)| place.abs_diff(*number);
        let others = order.iter().filter(|number| **number != TASKS - 1);
        let worst = others.enumerate().map(moved).max();
        // The deque and what waits behind it have their turns; how many, the speed of the machine decides.
        assert!(worst <= Some(TASKS / 2), "{worst:?} places");
    });
}

/// Goal: a storm of tasks from other threads is taken in while the workers are busy, and starves nobody.
#[test]
fn a_storm_from_other_threads_starves_nobody() {
    const THREADS: usize = 2;
    const TASKS: usize = 20_000;
    for workers in [1, 2] {
        let hogs = |hogs: &Hogs| (0..3).map(|_| hogs.yields()).collect();
        Hogs::beside(workers, hogs, |_| async {
            let ran = Count::new();
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (handle, ran) = (Handle::current(), ran.clone());
                    thread::spawn(move || {
                        for _ in 0..TASKS {
                            let ran = ran.clone();
                            drop(handle.spawn(async move {
                                ran.add();
                            }));
                        }
                    })
                })
                .collect();
            spawn(all_kinds(5)).await.expect("no panic");
            while ran.get() < THREADS * TASKS {
                yield_now().await;
            }
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
    }
}
