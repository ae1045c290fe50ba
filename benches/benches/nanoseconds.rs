//! The nanosecond rows under criterion, for work on one of them; `side-by-side` is what judges.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use tenter_benches::measure::in_a_task;
use tenter_benches::peer::{Peer, PeerId};
use tenter_benches::{operation, with_peer};

/// Times `n` operations from a task of a fresh runtime.
fn time<P, F>(n: u64, operation: fn(u64) -> F) -> Duration
where
    P: Peer,
    F: Future<Output = ()> + Send + 'static,
{
    in_a_task::<P, _>(async move {
        let start = Instant::now();
        operation(black_box(n)).await;
        start.elapsed()
    })
}

macro_rules! group {
    ($criterion:expr, $($operation:ident),+) => {
        $({
            let mut group = $criterion.benchmark_group(stringify!($operation));
            for &peer in PeerId::ON_ONE_THREAD {
                group.bench_function(BenchmarkId::from_parameter(peer), |bencher| {
                    bencher.iter_custom(|n| {
                        with_peer!(peer, P => time::<P, _>(n, operation::$operation::<P>))
                    });
                });
            }
            group.finish();
        })+
    };
}

fn nanoseconds(criterion: &mut Criterion) {
    group!(
        criterion,
        spawn_detached,
        spawn_and_join,
        ping_pong_long,
        yields,
        yields_of_200,
        timeouts,
        semaphore,
        oneshot_in_task
    );
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    nanoseconds(&mut criterion);
    criterion.final_summary();
}
