//! The deterministic flavour: its clock, the order of what happens, and what it says when nothing can.
//!
//! Every test of a deadlock waits one real second, in which another thread might come to the rescue.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant as RealInstant};

use tenter::io::AsyncWriteExt;
use tenter::sync::{Notify, Semaphore, oneshot};
use tenter::task::{self, yield_now};
use tenter::time::{Instant, MissedTick, advance, interval, now, sleep, sleep_until, timeout};
use tenter::{Builder, JoinHandle, Runtime, spawn};
use tenter_tests::support::{
    Count, GiveWaker, Log, OnDrop, Slot, assert_says, build, ends, panic_of, thread,
};

const SECOND: Duration = Duration::from_secs(1);

fn deterministic() -> Runtime {
    build(Builder::deterministic(7))
}

/// Runs a test on the deterministic flavour, and on `current_thread` with a virtual clock.
fn on_virtual_clocks(test: impl Fn(Builder) + Send + Sync + 'static) {
    let test = Arc::new(test);
    for builder in [
        Builder::deterministic(7),
        Builder::current_thread().virtual_clock(),
    ] {
        let test = Arc::clone(&test);
        ends("virtual clock", move || test(builder));
    }
}

/// Goal: waiting costs no real time, and exactly the virtual time that was asked for.
/// Method: sleeps of 0, 10, …, 90 seconds, then of three hundred years.
#[test]
fn the_clock_jumps_exactly() {
    on_virtual_clocks(|builder| {
        let began = RealInstant::now();
        build(builder).block_on(async {
            let start = now();
            for tens in 0..10 {
                sleep(10 * tens * SECOND).await;
            }
            assert_eq!(now() - start, 450 * SECOND);
            let centuries = Duration::from_secs(300 * 365 * 24 * 3_600);
            sleep(centuries).await;
            sleep(Duration::from_nanos(1)).await;
            assert_eq!(
                now() - start,
                450 * SECOND + centuries + Duration::from_nanos(1)
            );
        });
        assert!(
            began.elapsed() < 10 * SECOND,
            "it took {:?}",
            began.elapsed()
        );
    });
}

/// Goal: the clock stands still while a task is ready.
#[test]
fn the_clock_stands_still_while_tasks_are_ready() {
    on_virtual_clocks(|builder| {
        build(builder).block_on(async {
            let start = now();
            let timer = spawn(async {
                sleep(Duration::from_nanos(1)).await;
                now()
            });
            for _ in 0..1_000 {
                yield_now().await;
            }
            assert_eq!(now(), start);
            assert!(!timer.is_finished());
            let fired = timer.await.expect("no panic");
            assert_eq!(fired - start, Duration::from_nanos(1));
        });
    });
}

/// Goal: timers fire in the order of their deadlines, equal ones in the order in which they were armed,
/// and what a timer wakes runs before the clock moves on.
#[test]
fn timers_fire_in_order() {
    on_virtual_clocks(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            let start = now();
            let tasks: Vec<_> = [5, 3, 9, 3, 5, 1, 3]
                .into_iter()
                .enumerate()
                .map(|(number, seconds)| {
                    let log = log.clone();
                    spawn(async move {
                        sleep(seconds * SECOND).await;
                        log.add((number, (now() - start).as_secs()));
                        yield_now().await;
                        log.add((number, (now() - start).as_secs()));
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        let order = [(5, 1), (1, 3), (3, 3), (6, 3), (0, 5), (4, 5), (2, 9)];
        let mut expected = Vec::new();
        for group in order.chunk_by(|a, b| a.1 == b.1) {
            expected.extend_from_slice(group);
            expected.extend_from_slice(group);
        }
        assert_eq!(log.take(), expected);
    });
}

/// Goal: timeouts, intervals and jumps are on the same clock, to the nanosecond.
#[test]
fn everything_is_on_the_virtual_clock() {
    on_virtual_clocks(|builder| {
        build(builder).block_on(async {
            let start = now();
            let late = timeout(3 * SECOND, sleep(5 * SECOND)).await;
            assert_says(&late.expect_err("3 is before 5").to_string(), &["3s"]);
            assert_eq!(now() - start, 3 * SECOND);
            timeout(3 * SECOND, sleep(3 * SECOND))
                .await
                .expect("ready beats late");

            let mut ticks = interval(10 * SECOND);
            ticks.set_missed_tick_behavior(MissedTick::Burst);
            for tick in 0..4 {
                assert_eq!(ticks.tick().await - start, 6 * SECOND + tick * 10 * SECOND);
            }
            advance(90 * SECOND).await;
            assert_eq!(now() - start, (36 + 90) * SECOND);
            sleep_until(start + 200 * SECOND).await;
            assert_eq!(now() - start, 200 * SECOND);
        });
    });
}

/// Goal: two runtimes have two clocks.
#[test]
fn every_runtime_has_its_own_clock() {
    let (a, b) = (deterministic(), deterministic());
    let elapsed = |runtime: &Runtime, seconds: u32| {
        runtime.block_on(async move {
            let start = now();
            sleep(seconds * SECOND).await;
            (start, now())
        })
    };
    let first = elapsed(&a, 5);
    let second = elapsed(&b, 7);
    let third = elapsed(&a, 1);
    assert_eq!(first.0, second.0);
    assert_eq!(third.0, first.1, "a clock goes on in the next block_on");
    assert_eq!(second.1 - second.0, 7 * SECOND);
}

/// A program with a little of everything. Returns what happened, and when.
fn program(builder: Builder) -> Vec<(String, Duration)> {
    let log = Log::new();
    let runtime = build(builder);
    runtime.block_on(async {
        let start = now();
        let say = {
            let log = log.clone();
            move |text: String| log.add((text, now() - start))
        };
        let permits = Arc::new(Semaphore::new(2));
        let rings = Arc::new(Notify::new());
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        for number in 0..10_u64 {
            let (say, permits, rings) = (say.clone(), Arc::clone(&permits), Arc::clone(&rings));
            tasks.push(spawn(async move {
                sleep(Duration::from_millis(number * 7 % 5)).await;
                let permit = permits.acquire().await.expect("it is open");
                say(format!("{number} works"));
                sleep(Duration::from_millis(number * 3 % 7)).await;
                drop(permit);
                if number % 3 == 0 {
                    rings.notify_one();
                } else {
                    let rang = timeout(Duration::from_millis(4), rings.notified()).await;
                    say(format!("{number} rang: {}", rang.is_ok()));
                }
                yield_now().await;
                say(format!("{number} ends"));
            }));
        }
        let cancelled = tasks.pop().expect("there are ten");
        sleep(Duration::from_millis(3)).await;
        say(format!("cancelled: {}", cancelled.cancel()));
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    let metrics = runtime.metrics();
    let mut happened = log.take();
    happened.push((format!("{} polls", metrics.polls), Duration::ZERO));
    happened
}

/// Goal: two runs of one program are the same, event by event, instant by instant, poll by poll.
/// First in, first out makes no use of the seed.
#[test]
fn two_runs_are_the_same() {
    let first = program(Builder::deterministic(1));
    assert!(first.len() > 25, "{first:?}");
    for seed in [1, 2] {
        assert_eq!(program(Builder::deterministic(seed)), first);
    }
}

/// Goal: while another thread may still wake a task, nothing is called a deadlock.
/// Method: the other thread wakes when the runtime is about to sleep.
#[test]
fn a_wake_from_another_thread_is_waited_for() {
    ends("deterministic", || {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(Builder::deterministic(7).on_thread_park(move || hook.put(())));
        let given = Slot::new();
        let other = thread({
            let given: Slot<std::task::Waker> = given.clone();
            move || {
                let waker = given.take();
                parks.take();
                waker.wake();
            }
        });
        runtime.block_on(async {
            let start = now();
            GiveWaker::new(given).await;
            assert_eq!(now(), start);
        });
        other.join();
    });
}

/// Goal: a timer that another thread arms while all is blocked is no deadlock either.
#[test]
fn a_timer_from_another_thread_is_waited_for() {
    ends("deterministic", || {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(Builder::deterministic(7).on_thread_park(move || hook.put(())));
        let handle = runtime.handle().clone();
        let (give, value) = oneshot();
        let other = thread(move || {
            parks.take();
            let begun = handle.block_on(async {
                sleep(3_600 * SECOND).await;
                now()
            });
            give.send(begun).expect("main waits");
        });
        let fired = runtime.block_on(async { value.await.map(|at| (at, now())) });
        let (there, here): (Instant, Instant) = fired.expect("it is sent");
        assert_eq!(there, here);
        other.join();
    });
}

/// Goal: a socket has all of its 10 ms, also if something happens meanwhile that wakes nobody.
/// Method: a second socket has data that nobody waits for; the jump over the silence of the first takes real
/// time.
#[test]
fn an_event_that_wakes_nobody_does_not_hurry_the_clock() {
    on_virtual_clocks(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let (silent, _peer) = tenter::net::UnixStream::pair().expect("two sockets");
            let (busy, mut writer) = tenter::net::UnixStream::pair().expect("two sockets");
            let real = RealInstant::now();
            writer.write_all(b"nobody reads this").await.expect("room");
            let read = timeout(20 * SECOND, silent.readable()).await;
            assert!(read.is_ok(), "a fresh socket may be tried");
            assert!(silent.try_read(&mut [0]).is_err(), "and has nothing");
            let read = timeout(20 * SECOND, silent.readable()).await;
            assert!(read.is_err());
            assert!(real.elapsed() >= Duration::from_millis(10));
            drop(busy);
        });
    });
}

/// Goal: a blocking job is the outside world: the clock does not run away while it is at work.
/// Method: jobs that go on until the runtime has nothing else to do, alone and under a timeout of a virtual
/// minute; then one that waits for an hour of the runtime's own, which the clock has to grant.
#[test]
fn a_blocking_job_is_waited_for() {
    on_virtual_clocks(|builder| {
        let (parks, parked) = std::sync::mpsc::channel();
        // The test may be over before the last one.
        let runtime = build(builder.on_thread_park(move || {
            let _ = parks.send(());
        }));
        let parked = Arc::new(std::sync::Mutex::new(parked));
        runtime.block_on(async move {
            let work = || {
                let parked = Arc::clone(&parked);
                while parked.lock().expect("no panic").try_recv().is_ok() {}
                move || parked.lock().expect("no panic").recv().expect("it parks")
            };
            let began = now();
            let done = timeout(60 * SECOND, tenter::spawn_blocking(work())).await;
            assert!(matches!(done, Ok(Ok(()))), "{done:?}");
            tenter::spawn_blocking(work()).await.expect("no panic");
            assert_eq!(now(), began);
            let handle = tenter::Handle::current();
            let waits = tenter::spawn_blocking(move || handle.block_on(sleep(3_600 * SECOND)));
            waits.await.expect("no panic");
            assert_eq!(now() - began, 3_600 * SECOND);
        });
    });
}

/// What the deadlock of `main` says.
fn deadlock<F: Future>(runtime: &Runtime, main: F) -> String {
    panic_of(|| runtime.block_on(main))
}

/// Goal: when nothing can ever run again, every task is named, with its place and what it waits for.
#[test]
fn a_deadlock_names_every_task() {
    ends("deterministic", || {
        let runtime = build(Builder::deterministic(99));
        let (_keep, never) = oneshot::<()>();
        let permits = Arc::new(Semaphore::new(0));
        let rings = Arc::new(Notify::new());
        let began = line!();
        let report = deadlock(&runtime, async {
            let named = |name: &str| task::Builder::new().name(name.to_owned());
            drop(named("takes").spawn(async move { permits.acquire().await.is_ok() }));
            drop(named("listens").spawn(async move { rings.notified().await }));
            drop(named("foreign").spawn(pending::<()>()));
            let holder = named("holder").spawn(async move { never.await.is_ok() });
            let joiner = named("joiner").spawn(async move { holder.await.is_ok() });
            drop(spawn_local_joiner());
            joiner.await.is_ok()
        });
        assert_says(
            &report,
            &[
                "deadlock",
                "8 tasks have not ended",
                "seed 99",
                "real clock",
            ],
        );
        let line = |who: &str| {
            let found = report
                .lines()
                .find(|line| line.contains(&format!("{who} spawned at ")));
            found
                .unwrap_or_else(|| panic!("no {who} in: {report}"))
                .to_owned()
        };
        let waits = |who: &str, what: &str, offset: u32| {
            let line = line(who);
            let place = format!("deterministic.rs:{}:", began + offset);
            assert_says(&line, &[&place, &format!("waits for {what}")]);
        };
        waits("\"takes\"", "a permit of a Semaphore at 0x", 3);
        waits("\"listens\"", "a Notify at 0x", 4);
        waits("\"foreign\"", "something that tenter does not know", 5);
        waits("\"holder\"", "the value of a oneshot at 0x", 6);
        // A joiner waits for a task, which is named.
        let holder = line("\"holder\"");
        let holder = holder
            .trim_start()
            .split(" spawned")
            .next()
            .expect("a line has a task");
        waits("\"joiner\"", holder, 7);
        let joiner = line("\"joiner\"");
        let joiner = joiner
            .trim_start()
            .split(" spawned")
            .next()
            .expect("a line has a task");
        assert_says(&line("\"main\""), &[&format!("waits for {joiner}")]);
    });
}

/// Two local tasks, one of which waits for the other.
fn spawn_local_joiner() -> JoinHandle<bool> {
    let inner = tenter::spawn_local(pending::<()>());
    tenter::spawn_local(async move { inner.await.is_ok() })
}

/// Goal: a runtime that has reported a deadlock goes on, and ends, like any other; the destructors of
/// its main future may spawn.
#[test]
fn a_runtime_survives_its_deadlock() {
    on_virtual_clocks(|builder| {
        let runtime = build(builder);
        let (dropped, spawned) = (Count::new(), Slot::new());
        let guard = dropped.on_drop();
        let stuck = runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let report = deadlock(&runtime, async {
            let _spawns = OnDrop(|| spawned.put(spawn(async { 5 })));
            pending::<()>().await;
        });
        assert_says(&report, &["2 tasks have not ended", "\"main\""]);
        let five = runtime.block_on(async {
            sleep(SECOND).await;
            spawned.take().await
        });
        assert_eq!(five.expect("no panic"), 5);
        assert_eq!(runtime.metrics().alive_tasks, 1);
        assert!(!stuck.is_finished());
        assert_eq!(runtime.shutdown_timeout(SECOND).cancelled, 1);
        assert_eq!(dropped.get(), 1);
    });
}

/// Goal: a task that waits for itself is a deadlock that shows at a glance.
#[test]
fn a_task_that_waits_for_itself_is_named_twice() {
    ends("deterministic", || {
        let report = deadlock(&deterministic(), async {
            let (give, handle) = oneshot::<JoinHandle<()>>();
            let task = task::Builder::new().name("ouroboros").spawn(async move {
                let me = handle.await.expect("it is sent");
                let _never = me.await;
            });
            assert!(give.send(task).is_ok());
            pending::<()>().await;
        });
        let line = report
            .lines()
            .find(|line| line.contains("\"ouroboros\" spawned"));
        let line = line.expect("it is reported");
        assert_eq!(line.matches("\"ouroboros\"").count(), 2, "{line}");
    });
}

/// Goal: on a real clock a program that waits for nothing is no deadlock: anybody may come.
/// Method: wakes that lead nowhere, then the one that ends it.
#[test]
fn a_real_clock_knows_no_deadlock() {
    ends("current_thread", || {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(Builder::current_thread().on_thread_park(move || hook.put(())));
        let handle = runtime.handle().clone();
        let (give, value) = oneshot();
        let other = thread(move || {
            for _ in 0..3 {
                parks.take();
                drop(handle.spawn(async {}));
            }
            give.send(1).expect("main waits");
        });
        assert_eq!(runtime.block_on(value), Ok(1));
        other.join();
    });
}

/// Goal: on a virtual clock, a timer that another thread arms while the driver waits for a socket, with no
/// limit, fires.
/// Method: the other thread comes when the grace that sockets get is over; too early it finds the easier
/// case, and passes too.
#[test]
fn a_timer_from_another_thread_ends_the_wait_for_a_socket() {
    ends("deterministic", || {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(Builder::deterministic(0).on_thread_park(move || hook.put(())));
        let handle = runtime.handle().clone();
        let (give, value) = oneshot();
        let other = thread(move || {
            parks.take();
            let parked = std::time::Instant::now();
            while parked.elapsed() < Duration::from_millis(30) {
                std::thread::yield_now();
            }
            handle.block_on(async { tenter::time::sleep(Duration::from_secs(3_600)).await });
            give.send(1).expect("main waits");
        });
        let value = runtime.block_on(async {
            let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a free port");
            let accepting = tenter::spawn(async move { listener.accept().await.map(|_| ()) });
            let value = value.await;
            accepting.cancel();
            value
        });
        assert_eq!(value, Ok(1));
        other.join();
    });
}
