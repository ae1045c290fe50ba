//! Blocking jobs with a limiter of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenter::sync::CapacityLimiter;
use tenter::task::Builder as Task;
use tenter::{JoinHandle, Runtime};
use tenter_tests::support::{Count, Slot, build, every, settle};

/// Spawns a job that counts how many of its kind run, above the most that ever did.
fn job(limiter: &Arc<CapacityLimiter>, running: &Arc<[AtomicUsize; 2]>) -> JoinHandle<()> {
    let running = Arc::clone(running);
    Task::new().limiter(limiter).spawn_blocking(move || {
        let now = running[0].fetch_add(1, Ordering::SeqCst) + 1;
        running[1].fetch_max(now, Ordering::SeqCst);
        for _ in 0..10 {
            std::thread::yield_now();
        }
        running[0].fetch_sub(1, Ordering::SeqCst);
    })
}

/// Goal: no more run at a time than the limiter lets, all of them do, and the tokens are back afterwards.
#[test]
fn a30_a_limiter_bounds_how_many_run() {
    every(|builder| {
        build(builder).block_on(async {
            let limiter = Arc::new(CapacityLimiter::new(2));
            let running = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
            let jobs: Vec<_> = (0..50).map(|_| job(&limiter, &running)).collect();
            for job in jobs {
                job.await.unwrap();
            }
            assert!((1..=2).contains(&running[1].load(Ordering::SeqCst)));
            settle().await;
            assert_eq!((limiter.borrowed(), limiter.available()), (0, 2));
        });
    });
}

/// Goal: the token is back after a panic, after the job was cancelled in line, and after it was cancelled
/// while it ran: then not before it has ended.
#[test]
fn a30_the_token_comes_back_whatever_becomes_of_the_job() {
    every(|builder| {
        build(builder).block_on(async {
            let limiter = Arc::new(CapacityLimiter::new(1));
            let limited = || Task::new().limiter(&limiter);
            let broken = limited().spawn_blocking(|| panic!("no"));
            assert!(broken.await.map(|(): ()| ()).unwrap_err().is_panic());

            let (begun, go_on) = (Slot::new(), Slot::new());
            let first = limited().spawn_blocking({
                let (begun, go_on) = (begun.clone(), go_on.clone());
                move || {
                    begun.put(());
                    go_on.take()
                }
            });
            begun.take();
            let (ran, dropped) = (Count::new(), Count::new());
            let second = limited().name("second").spawn_blocking({
                let (ran, guard) = (ran.clone(), dropped.on_drop());
                move || {
                    let _guard = guard;
                    ran.add();
                }
            });
            assert_eq!(second.name().as_deref(), Some("second"));
            settle().await;
            assert!(second.cancel() && first.cancel());
            assert_eq!(limiter.borrowed(), 1, "it runs");
            go_on.put(7);
            assert_eq!(first.await.unwrap(), 7);
            assert!(second.await.unwrap_err().is_cancelled());
            assert_eq!((ran.get(), dropped.get()), (0, 1));
            limited().spawn_blocking(|| ()).await.unwrap();
            settle().await;
            assert_eq!(limiter.borrowed(), 0);
        });
    });
}

/// Goal: jobs that wait for a token when the runtime ends are ended unrun, and the limiter is as before.
#[test]
fn a31_jobs_in_line_for_a_token_end_with_the_runtime() {
    static ONE: CapacityLimiter = CapacityLimiter::new(3);
    every(|builder| {
        let runtime: Runtime = build(builder);
        let (begun, go_on) = (Slot::new(), Slot::new());
        let dropped = Count::new();
        let jobs = runtime.block_on(async {
            let tokens: Vec<_> = (0..3)
                .map(|number| {
                    let (begun, go_on) = (begun.clone(), go_on.clone());
                    Task::new().limiter(&ONE).spawn_blocking(move || {
                        if number == 0 {
                            begun.put(());
                            go_on.take();
                        }
                    })
                })
                .collect();
            begun.take();
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let guard = dropped.on_drop();
                    Task::new()
                        .limiter(&ONE)
                        .spawn_blocking(move || drop(guard))
                })
                .collect();
            go_on.put(());
            (tokens, waiting)
        });
        drop(runtime);
        assert_eq!(dropped.get(), 10);
        for job in jobs.0.into_iter().chain(jobs.1) {
            if let Err(error) = tenter_tests::support::foreign_block_on(job) {
                assert!(error.is_cancelled());
            }
        }
        assert_eq!(ONE.borrowed(), 0);
    });
}
