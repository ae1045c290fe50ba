//! Rows that wake from outside, start up, block, and look at a worker that is stuck.

use std::thread;
use std::time::{Duration, Instant};

use super::{DELAY, Figure, How, RUNTIMES, Rounds, Row, TIME, row};
use crate::machine;
use crate::measure::{Sample, each, from_a_task, in_a_task};
use crate::operation::workers;
use crate::peer::Peer;
use crate::row::waiting::{block_on_wake, create_and_drop, task_wake};
use crate::statistics::{quantile, spread};

pub(in crate::row) const ROWS: &[Row] = &[
    row!(Child "mt_remote_wake",
        "another thread completes a oneshot that a task waits for on an idle runtime, 200 times",
        DELAY, RUNTIMES, P, _size => task_wake::<P>()),
    row!(Child "mt_block_on_wake",
        "another thread completes a oneshot that block_on waits for, 200 times",
        DELAY, RUNTIMES, P, _size => block_on_wake::<P>(None)),
    row!(Child "mt_runtime_create_drop",
        "create a runtime, block_on(ready), drop it",
        TIME, RUNTIMES, P, size => create_and_drop::<P>(size.of(400))),
    row!(Child "mt_blocking_round_trip",
        "a task awaits an empty call on a thread that may block, one at a time",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(8_000), workers::blocking_calls::<P>)),
    row!(Child "mt_blocking_burst",
        "a task starts 1 000 such calls and awaits them; each",
        TIME, RUNTIMES, P, size => from_a_task::<P, _>(size.of(40_000), workers::blocking_bursts::<P>)),
    row!(Child "mt_stuck_worker",
        "a task spawns another and blocks its worker for 200 ms; until the other runs, 3 times",
        &[
            Figure::nanoseconds("p50"),
            Figure::nanoseconds("worst"),
            Figure::nanoseconds("cpu"),
        ],
        RUNTIMES, P, _size => stuck_worker::<P>()),
];

fn stuck_worker<P: Peer>() -> Sample {
    const TIMES: u64 = 3;
    const BLOCKED: Duration = Duration::from_millis(200);
    in_a_task::<P, _>(async {
        let cpu = machine::process_cpu();
        let mut delays = Vec::new();
        for _ in 0..TIMES {
            let blocker = P::spawn(async {
                let start = Instant::now();
                let stranded = P::spawn(async move { start.elapsed() });
                thread::sleep(BLOCKED);
                stranded.await
            });
            delays.push(blocker.await.as_nanos() as f64);
        }
        let cpu = each(machine::process_cpu() - cpu, TIMES);
        vec![quantile(&delays, 0.5), spread(&delays).1, cpu]
    })
}
