//! The rows about primitives under criterion, on tenter with two workers, for work on one of them;
//! `side-by-side` is what judges, and asks each at home.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use tenter_benches::measure::in_a_task;
use tenter_benches::operation::{channels, sync};
use tenter_benches::peer::{Host, Tenter, WORKERS};
use tenter_benches::primitive::{
    BOUNDED, BROADCASTS, EVENTS, LOCKS, MANY, ONESHOTS, READ_LOCKS, SEMAPHORES, TURNS, UNBOUNDED,
    UNFAIR_LOCKS, WATCHES,
};
use tenter_benches::{
    with_bounded, with_broadcast, with_event, with_lock, with_many, with_oneshot, with_read_lock,
    with_semaphore, with_turns, with_unbounded, with_unfair_lock, with_watch,
};

type Runtime = Tenter<WORKERS>;

/// Times `n` operations from a task of a fresh runtime.
fn time<F>(n: u64, operation: fn(u64) -> F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    in_a_task::<Runtime, _>(async move {
        let start = Instant::now();
        operation(black_box(n)).await;
        start.elapsed()
    })
}

/// One group: an operation on the primitive of each maker.
macro_rules! group {
    ($criterion:expr, $name:literal, $with:ident $peers:ident, $T:ident => $operation:expr) => {
        let mut group = $criterion.benchmark_group($name);
        for peer in $peers.iter().filter(|peer| peer.host() == Some(Host::Tenter)) {
            group.bench_function(BenchmarkId::from_parameter(peer), |bencher| {
                bencher.iter_custom(|n| $with!(peer, $T => time(n, $operation)));
            });
        }
        group.finish();
    };
}

fn locks(c: &mut Criterion) {
    group!(c, "lock", with_lock LOCKS, L => sync::lock::<L>);
    group!(c, "read", with_read_lock READ_LOCKS, L => sync::read::<L>);
    group!(c, "permit", with_semaphore SEMAPHORES, S => sync::permit::<S>);
    group!(c, "lock_crowd", with_lock LOCKS, L => sync::lock_of_a_crowd::<Runtime, L>);
    group!(c, "unfair_crowd", with_unfair_lock UNFAIR_LOCKS, L =>
        sync::lock_of_a_crowd::<Runtime, L>);
    group!(c, "lock_yield", with_lock LOCKS, L => sync::lock_across_a_yield::<Runtime, L>);
    group!(c, "permit_throng", with_semaphore SEMAPHORES, S =>
        sync::permits_of_a_throng::<Runtime, S>);
    group!(c, "event_round_trip", with_event EVENTS, E => sync::event_round_trip::<Runtime, E>);
    group!(c, "turns", with_turns TURNS, T => sync::turns::<Runtime, T>);
}

fn queues(c: &mut Criterion) {
    group!(c, "queue_1_1", with_bounded BOUNDED, C => channels::one_to_one::<Runtime, C>);
    group!(c, "queue_4_1", with_bounded BOUNDED, C => channels::four_to_one::<Runtime, C>);
    group!(c, "queue_4_4", with_many MANY, C => channels::four_to_four::<Runtime, C>);
    group!(c, "queue_of_one", with_bounded BOUNDED, C =>
        channels::one_to_one_of_one::<Runtime, C>);
    group!(c, "queue_round_trip", with_bounded BOUNDED, C =>
        channels::queue_round_trip::<Runtime, C>);
    group!(c, "unbounded_1_1", with_unbounded UNBOUNDED, C =>
        channels::one_to_one_unbounded::<Runtime, C>);
    group!(c, "unbounded_4_1", with_unbounded UNBOUNDED, C =>
        channels::four_to_one_unbounded::<Runtime, C>);
}

fn others(c: &mut Criterion) {
    group!(c, "oneshot", with_oneshot ONESHOTS, O => channels::oneshot_in_task::<O>);
    group!(c, "oneshot_across", with_oneshot ONESHOTS, O =>
        channels::oneshot_across_tasks::<Runtime, O>);
    group!(c, "broadcast", with_broadcast BROADCASTS, B => channels::broadcast::<Runtime, B>);
    group!(c, "watch", with_watch WATCHES, W => channels::watch_round_trip::<Runtime, W>);
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    locks(&mut criterion);
    queues(&mut criterion);
    others(&mut criterion);
    criterion.final_summary();
}
