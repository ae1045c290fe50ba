//! Blocking jobs and the virtual clock: it stands still for those that run, and for nobody else.
//!
//! The grace that a virtual clock gives to what it does not see is an hour of real time here, so that a test in
//! which it is waited for hangs.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tenter::sync::{Queue, oneshot};
use tenter::time::{Instant, now, sleep, sleep_until, timeout};
use tenter::{Builder, Handle, from_thread, spawn, spawn_blocking};
use tenter_tests::support::{GiveWaker, Slot, both, build, foreign_block_on};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn patient(builder: Builder) -> Builder {
    tenter::__private::with_grace(builder.virtual_clock(), HOUR)
}

/// How a job waits for `hour` to be over, and says when.
type Wait = fn(Hour) -> Instant;

/// What tells a job that an hour is over.
struct Hour {
    oneshot: oneshot::Receiver<()>,
    queue: Arc<Queue<()>>,
}

impl Hour {
    /// A task sleeps, and then tells.
    fn begin() -> Self {
        let (sender, oneshot) = oneshot();
        let queue = Arc::new(Queue::bounded(1));
        let filled = Arc::clone(&queue);
        drop(spawn(async move {
            sleep(HOUR).await;
            sender.send(()).expect("the job keeps it");
            filled.try_put(()).expect("there is room");
        }));
        Self { oneshot, queue }
    }
}

const WAITS: [(&str, Wait); 7] = [
    ("a sleep of its own", |_| {
        Handle::current().block_on(sleep(HOUR));
        now()
    }),
    ("a task of its own", |_| {
        from_thread::run(async { sleep(HOUR).await }).expect("in a job");
        now()
    }),
    ("a task", |hour| {
        let told = Handle::current().block_on(hour.oneshot);
        told.expect("it is sent");
        now()
    }),
    ("a task, nested", |hour| {
        let told = tenter::block_on_nested(hour.oneshot).expect("not in a task");
        told.expect("it is sent");
        now()
    }),
    ("a oneshot", |hour| {
        hour.oneshot.blocking_recv().expect("it is sent");
        now()
    }),
    ("a queue", |hour| {
        hour.queue.blocking_get().expect("it is open");
        now()
    }),
    ("another job", |hour| {
        let other = spawn_blocking(|| hour.oneshot.blocking_recv().expect("it is sent"));
        Handle::current().block_on(other).expect("no panic");
        now()
    }),
];

/// Goal: a job that begins to wait lets the clock go on at once, however it waits.
/// Method: it begins when the run loop has nothing to do any more but to wait for it.
#[test]
fn k03_the_clock_goes_on_when_the_last_job_waits() {
    for (name, wait) in WAITS {
        both(move |builder| {
            let parks = Slot::new();
            let hook = parks.clone();
            let runtime = build(patient(builder).on_thread_park(move || hook.put(())));
            runtime.block_on(async move {
                let began = now();
                let hour = Hour::begin();
                let job = spawn_blocking(move || {
                    parks.take();
                    wait(hour)
                });
                let ended = job.await.expect("no panic");
                assert_eq!(ended - began, HOUR, "{name}");
            });
        });
    }
}

/// Goal: the same for a job that waits in the `block_on` of the runtime, beside the thread that drives.
#[test]
fn k03_the_clock_goes_on_when_a_job_waits_to_drive() {
    both(|builder| {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = Arc::new(build(patient(builder).on_thread_park(move || hook.put(()))));
        let inner = Arc::clone(&runtime);
        runtime.block_on(async move {
            let began = now();
            let job = spawn_blocking(move || {
                parks.take();
                inner.block_on(async { sleep(HOUR).await });
            });
            job.await.expect("no panic");
            assert_eq!(now() - began, HOUR);
        });
    });
}

/// Goal: a job that drives the runtime itself does not wait for itself.
#[test]
fn k03_a_job_that_drives_is_no_job_to_the_clock() {
    both(|builder| {
        let runtime = Arc::new(build(patient(builder)));
        let inner = Arc::clone(&runtime);
        let job = runtime.handle().spawn_blocking(move || {
            let took = inner.block_on(async {
                let began = now();
                sleep(HOUR).await;
                now() - began
            });
            drop(inner);
            took
        });
        let took = foreign_block_on(job).expect("no panic");
        assert_eq!(took, HOUR);
        // The job has let the clock go for good.
        runtime.block_on(async { sleep(HOUR).await });
    });
}

/// Goal: a job that a task wakes goes on before the clock does.
#[test]
fn k03_the_clock_does_not_jump_over_a_job_that_a_task_woke() {
    both(|builder| {
        build(patient(builder)).block_on(async {
            for _ in 0..50 {
                let (sender, receiver) = oneshot();
                let job = spawn_blocking(move || {
                    Handle::current().block_on(receiver).expect("it is sent");
                    now()
                });
                // It waits when this is over.
                sleep(SECOND).await;
                let woken = now();
                sender.send(()).expect("the job keeps it");
                sleep(HOUR).await;
                assert_eq!(job.await.expect("no panic"), woken);
            }
        });
    });
}

/// Goal: the same for a job that a timer wakes, beside timers that are due a nanosecond later.
#[test]
fn k03_the_clock_does_not_jump_over_a_job_that_a_timer_woke() {
    both(|builder| {
        build(patient(builder)).block_on(async {
            let began = now();
            let job = spawn_blocking(move || {
                for second in 1..=50 {
                    let due = began + second * SECOND;
                    Handle::current().block_on(sleep_until(due));
                    assert_eq!(now(), due);
                }
            });
            for second in 1..=50 {
                sleep_until(began + second * SECOND + Duration::from_nanos(1)).await;
            }
            job.await.expect("it was not jumped over");
        });
    });
}

/// Goal: the same for a job that another one wakes, which then waits itself.
#[test]
fn k03_the_clock_does_not_jump_over_a_job_that_another_woke() {
    both(|builder| {
        build(patient(builder)).block_on(async {
            let began = now();
            let queue = Arc::new(Queue::bounded(1));
            let taker = spawn_blocking({
                let queue = Arc::clone(&queue);
                move || {
                    while let Ok(due) = queue.blocking_get() {
                        assert_eq!(now(), due);
                    }
                }
            });
            let putter = spawn_blocking(move || {
                for second in 1..=50 {
                    let due = began + second * SECOND;
                    Handle::current().block_on(sleep_until(due));
                    queue.blocking_put(due).expect("it is open");
                }
                queue.shutdown();
            });
            sleep(HOUR).await;
            putter.await.expect("no panic");
            taker.await.expect("it was not jumped over");
        });
    });
}

/// Goal: the same for a job that is woken at the last moment.
/// Method: the run loop itself wakes it, when it has found nothing to do.
#[test]
fn k03_the_clock_does_not_jump_over_a_job_that_was_woken_at_the_last_moment() {
    both(|builder| {
        let waker = Slot::new();
        let hook = waker.clone();
        let wake = move || {
            if hook.is_full() {
                Waker::wake(hook.take());
            }
        };
        build(patient(builder).on_thread_park(wake)).block_on(async move {
            let began = now();
            let job = spawn_blocking(move || {
                Handle::current().block_on(GiveWaker::new(waker));
                now()
            });
            sleep(HOUR).await;
            assert_eq!(job.await.expect("no panic"), began);
        });
    });
}

/// Goal: what a job leaves when it ends comes before the clock does.
#[test]
fn k03_the_clock_does_not_jump_over_what_a_job_left() {
    both(|builder| {
        build(patient(builder)).block_on(async {
            for _ in 0..1_000 {
                let began = now();
                let job = timeout(HOUR, spawn_blocking(|| ())).await;
                job.expect("it ends at once").expect("no panic");
                assert_eq!(now(), began);
            }
        });
    });
}

/// Goal: a job that never runs lets the clock go.
#[test]
fn k03_a_job_that_never_runs_lets_the_clock_go() {
    both(|builder| {
        build(patient(builder).max_blocking_threads(1)).block_on(async {
            let began = now();
            let (release, first) = oneshot::<()>();
            let busy = spawn_blocking(move || first.blocking_recv());
            let queued = spawn_blocking(|| panic!("it was cancelled"));
            queued.cancel();
            let ended = spawn(sleep(HOUR));
            release.send(()).expect("the job keeps it");
            busy.await.expect("no panic").expect("it is sent");
            assert!(queued.await.is_err_and(|error| error.is_cancelled()));
            ended.await.expect("no panic");
            assert_eq!(now() - began, HOUR);
        });
    });
}
