//! Rows of timers: arming and cancelling, lateness, many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{DELAY, Figure, How, RUNTIMES, RUNTIMES_AND_GO, Rounds, Row, TIME, Unit, row};
use crate::machine;
use crate::measure::{Sample, Stopwatch, each, from_a_task, in_a_task};
use crate::operation::workers::{Hog, Hogs};
use crate::operation::{self, Countdown};
use crate::peer::Peer;
use crate::pinned::Pinned;
use crate::row::waiting::{lateness_of_sleeps, sleep_lateness, summary};

pub(in crate::row) const ROWS: &[Row] = &[
    row!(Child "mt_timeout",
        "a timeout around a future that yields once (the runtime's yield), one task",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(200_000), operation::timeouts::<P>)),
    row!(Child "mt_timeout_10k",
        "a timeout around a future that yields once, 10 000 tasks",
        TIME, RUNTIMES, P, size =>
            from_a_task::<P, _>(size.of(800_000), operation::timeouts_of_10k::<P>)),
    row!(Child "mt_sleep_lateness",
        "how late sleep(1 ms) ends on an idle runtime, 400 times",
        DELAY, RUNTIMES_AND_GO, P, size => sleep_lateness::<P>(size.of(400))),
    row!(Child "mt_hogs_sleep",
        "how late sleep(1 ms) ends beside 8 tasks that compute 100 µs and yield, 400 times",
        DELAY, RUNTIMES_AND_GO, P, size => sleep_beside_hogs::<P>(size.of(400))),
    row!(Child "mt_sleeps_100k",
        "100 000 tasks whose sleeps end spread over 200 ms; lateness, and processor time of each",
        DELAY, RUNTIMES, P, _size => sleeps::<P>(Duration::from_millis(200))),
    row!(Child "mt_timer_storm",
        "100 000 tasks whose sleeps end within one millisecond; lateness, and processor time of each",
        DELAY, RUNTIMES, P, _size => sleeps::<P>(Duration::from_millis(1))),
    row!(FreshChild "mt_live_sleeps_1m",
        "a million sleeps that are alive at once: to create and arm one, to drop one, its memory",
        &[
            Figure::nanoseconds("create"),
            Figure::nanoseconds("drop"),
            Figure::of("resident", Unit::Bytes),
            Figure::nanoseconds("cpu"),
        ],
        RUNTIMES, P, _size => live_sleeps::<P>()),
];

fn sleep_beside_hogs<P: Peer>(times: u64) -> Sample {
    in_a_task::<P, _>(async move {
        let hogs = Hogs::start::<P>(Hog::Computing(Duration::from_micros(100)), 8);
        lateness_of_sleeps::<P>(2).await;
        let cpu = machine::process_cpu();
        let late = lateness_of_sleeps::<P>(times).await;
        let cpu = machine::process_cpu() - cpu;
        hogs.end().await;
        summary(&late, cpu)
    })
}

/// Deadlines are dealt out in an order that is not theirs, and the first is far enough away that
/// every task has been polled by then.
fn sleeps<P: Peer>(over: Duration) -> Sample {
    const TASKS: u32 = 100_000;
    /// Has no factor in common with the number of tasks: it visits every deadline once.
    const STRIDE: u64 = 61_803;
    const LEAD: Duration = Duration::from_millis(200);
    in_a_task::<P, _>(async move {
        let done = Countdown::new(u64::from(TASKS));
        let late: Arc<[AtomicU64]> = (0..TASKS).map(|_| AtomicU64::new(0)).collect();
        let watch = Stopwatch::start();
        let first = Instant::now() + LEAD;
        for i in 0..TASKS {
            let (done, late) = (Arc::clone(&done), Arc::clone(&late));
            let place = (u64::from(i) * STRIDE % u64::from(TASKS)) as u32;
            let deadline = first + over * place / TASKS;
            P::spawn_detached(async move {
                P::sleep(deadline.saturating_duration_since(Instant::now())).await;
                let nanoseconds = deadline.elapsed().as_nanos() as u64;
                // ORDERING: published by the countdown.
                late[i as usize].store(nanoseconds, Ordering::Relaxed);
                done.tick();
            });
        }
        done.zero().await;
        let cpu = watch.cpu();
        // ORDERING: published by the countdown.
        let late = late.iter().map(|late| late.load(Ordering::Relaxed) as f64);
        summary(&late.collect::<Vec<_>>(), cpu)
    })
}

/// The sleeps lie in one block of memory, are polled once each and then dropped.
fn live_sleeps<P: Peer>() -> Sample {
    const SLEEPS: u64 = 1_000_000;
    in_a_task::<P, _>(async {
        let resident = || machine::resident_bytes().unwrap_or(0) as f64;
        // A first sleep makes whatever a runtime makes only once.
        P::sleep(Duration::from_millis(1)).await;
        let before = resident();
        let cpu = machine::process_cpu();
        let start = Instant::now();
        let far = |i| P::sleep(Duration::from_secs(3_600) + Duration::from_micros(7 * i));
        let mut sleeps = Pinned::new((0..SLEEPS).map(far));
        let ready = std::future::poll_fn(|cx| sleeps.poll_each(cx).into()).await;
        let created = start.elapsed();
        assert_eq!(ready, 0, "no sleep is over before its hour");
        let after = resident();
        let start = Instant::now();
        drop(sleeps);
        let dropped = start.elapsed();
        vec![
            each(created, SLEEPS),
            each(dropped, SLEEPS),
            (after - before) / SLEEPS as f64,
            each(machine::process_cpu() - cpu, SLEEPS),
        ]
    })
}
