//! Workers whose threads the system refuses.
//!
//! The limit is one of the process, so each test runs in a process of its own. Threads of blocking jobs:
//! `blocking`.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter::task::yield_now;
use tenter::{Builder, spawn};
use tenter_tests::support::{Meeting, Slot, alone, build, ends};

fn workers(count: usize) -> Builder {
    Builder::multi_thread().workers(count)
}

/// So large that the limit below has room for none.
const STACK: usize = 512 << 20;

/// Lets the system refuse threads with stacks of [`STACK`] from now on, or no more.
fn refuse_threads(refused: bool) {
    limit_threads(refused.then_some(0));
}

/// Lets the system refuse threads with such stacks after so many more.
fn limit_threads(more: Option<u64>) {
    let mut limit = getrlimit(Resource::As);
    limit.current = more.map(|more| {
        let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kilobytes = size.and_then(|size| size.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes
            .and_then(|size| size.parse().ok())
            .expect("a number");
        (kilobytes << 10) + more * STACK as u64 + (STACK as u64 / 2)
    });
    let Rlimit { current, maximum } = limit;
    setrlimit(Resource::As, Rlimit { current, maximum })
        .expect("it may be lowered, and raised again");
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("this is Linux")
        .count()
}

/// tokio #2309, #4398: the refused thread is an error, not a panic, and leaves nothing behind.
#[test]
fn tokio_2309_a_refused_first_worker_is_an_error() {
    if !alone("tokio_2309_a_refused_first_worker_is_an_error") {
        return;
    }
    let before = threads();
    refuse_threads(true);
    let refused = workers(2).thread_stack_size(STACK).build();
    assert!(refused.is_err_and(|error| error.kind() != ErrorKind::InvalidInput));
    assert_eq!(threads(), before);
    refuse_threads(false);
    let runtime = build(workers(2).thread_stack_size(STACK));
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).ok(), Some(7));
}

/// Goal: a worker whose thread is refused is done without, and started when the system has room again.
/// Method: the second of two; afterwards tasks that yield are seen on two threads.
#[test]
fn a_worker_that_cannot_be_started_is_done_without() {
    if !alone("a_worker_that_cannot_be_started_is_done_without") {
        return;
    }
    let runtime = build(workers(2).thread_stack_size(STACK));
    refuse_threads(true);
    let before = threads();
    let places = Arc::new(Mutex::new(HashSet::new()));
    let work = || {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let places = Arc::clone(&places);
                runtime.spawn(async move {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    places.lock().insert(thread::current().id());
                    spawn(async { 1 }).await.expect("no panic")
                })
            })
            .collect();
        let sum = runtime.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("no panic");
            }
            sum
        });
        assert_eq!(sum, 100);
    };
    work();
    assert_eq!((threads(), places.lock().len()), (before, 1));
    refuse_threads(false);
    let start = Instant::now();
    while places.lock().len() < 2 {
        work();
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it is not tried again"
        );
    }
}

/// Goal: of two workers that are started at the same time one is refused; the numbers of the others stay
/// right, so that the end waits for each thread once.
/// Method: the system has room for one more stack, and two threads spawn at the same moment.
#[test]
fn one_of_two_workers_that_start_at_once_is_refused() {
    if !alone("one_of_two_workers_that_start_at_once_is_refused") {
        return;
    }
    for _ in 0..100 {
        ends("refused", || {
            let runtime = build(workers(4).thread_stack_size(STACK));
            let (both, all) = (Meeting::new(2), Meeting::new(2));
            let occupied = Slot::new();
            let (release, occupies) = (Slot::<()>::new(), occupied.clone());
            let held = release.clone();
            let stuck = runtime.spawn(async move {
                occupies.put(());
                held.take();
            });
            occupied.take();
            limit_threads(Some(1));
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, both) = (runtime.handle().clone(), Arc::clone(&both));
                    thread::spawn(move || {
                        both.meet();
                        (0..20)
                            .map(|_| handle.spawn(yield_now()))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            let tasks: Vec<_> = threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("no panic"))
                .collect();
            refuse_threads(false);
            release.put(());
            runtime.block_on(async {
                stuck.await.expect("no panic");
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
            // With every thread that can be had now.
            let meet = || {
                let all = Arc::clone(&all);
                runtime.spawn(async move { all.meet() })
            };
            let meetings = [meet(), meet()];
            runtime.block_on(async {
                for meeting in meetings {
                    meeting.await.expect("no panic");
                }
            });
            assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
        });
    }
}

/// Goal: the worker that is needed because the only other one is stuck is refused; what waits goes on
/// when the stuck poll ends.
#[test]
fn a_refused_worker_strands_nothing_for_good() {
    if !alone("a_refused_worker_strands_nothing_for_good") {
        return;
    }
    let runtime = build(workers(2).thread_stack_size(STACK));
    refuse_threads(true);
    let (blocked, release) = (Slot::new(), Slot::<()>::new());
    let stuck = runtime.spawn({
        let (blocked, release) = (blocked.clone(), release.clone());
        async move {
            blocked.put(());
            release.take();
            1
        }
    });
    blocked.take();
    let waits = runtime.spawn(async { 2 });
    release.put(());
    assert_eq!(runtime.block_on(waits).ok(), Some(2));
    assert_eq!(runtime.block_on(stuck).ok(), Some(1));
}
