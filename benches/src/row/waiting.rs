//! Rows that sleep, wake from outside, and start up.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Figure, Rounds, Row, TIME, Unit};
use crate::machine;
use crate::measure::{Sample, Stopwatch, each, in_a_task};
use crate::peer::Peer;
use crate::statistics::quantile;
use crate::with_peer;

/// Median and tail of a delay, and the processor time it took.
const DELAY: &[Figure] = &[
    Figure {
        name: "p50",
        unit: Unit::Nanoseconds,
    },
    Figure {
        name: "p99",
        unit: Unit::Nanoseconds,
    },
    Figure {
        name: "cpu",
        unit: Unit::Nanoseconds,
    },
];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "sleep_1ms_lateness",
        question: "how late sleep(1 ms) ends on an idle runtime, 100 times",
        figures: DELAY,
        rounds: Rounds::Each,
        open: |peer| with_peer!(peer, P => Ok(Box::new(|| Ok(sleep_lateness::<P>())))),
    },
    Row {
        name: "remote_wake",
        question: "another thread completes a oneshot that block_on waits for, 200 times",
        figures: DELAY,
        rounds: Rounds::Each,
        open: |peer| with_peer!(peer, P => Ok(Box::new(|| Ok(remote_wake::<P>())))),
    },
    Row {
        name: "runtime_create_drop",
        question: "create a runtime, block_on(ready), drop it",
        figures: TIME,
        rounds: Rounds::Each,
        open: |peer| with_peer!(peer, P => Ok(Box::new(|| Ok(create_and_drop::<P>())))),
    },
];

fn summary(delays: &[f64], cpu: f64) -> Sample {
    vec![quantile(delays, 0.5), quantile(delays, 0.99), cpu]
}

fn sleep_lateness<P: Peer>() -> Sample {
    const TIMES: u64 = 100;
    const SLEEP: Duration = Duration::from_millis(1);
    in_a_task::<P, _>(async {
        P::sleep(SLEEP).await;
        let cpu = machine::process_cpu();
        let mut late = Vec::with_capacity(100);
        for _ in 0..TIMES {
            let start = Instant::now();
            P::sleep(SLEEP).await;
            // Early would be a bug, not a good figure: it shows as a negative one.
            late.push(start.elapsed().as_nanos() as f64 - SLEEP.as_nanos() as f64);
        }
        summary(&late, each(machine::process_cpu() - cpu, TIMES))
    })
}

/// The thread that wakes has a processor of its own, waits until the runtime sleeps, and then
/// stamps the time at which it sends.
fn remote_wake<P: Peer>() -> Sample {
    const TIMES: u64 = 200;
    const ASLEEP_BY_THEN: Duration = Duration::from_micros(200);
    let (senders, inbox) = mpsc::channel::<P::Sender>();
    let waker = thread::spawn(move || {
        machine::pin(machine::BESIDE);
        inbox
            .into_iter()
            .map(|sender| {
                thread::sleep(ASLEEP_BY_THEN);
                let sent = Instant::now();
                P::send(sender, 0);
                sent
            })
            .collect::<Vec<_>>()
    });
    let peer = P::new();
    let cpu = machine::process_cpu();
    let mut woken = Vec::with_capacity(200);
    for _ in 0..TIMES {
        let (sender, receiver) = P::oneshot();
        senders.send(sender).expect("the waking thread listens");
        peer.block_on(P::receive(receiver));
        woken.push(Instant::now());
    }
    drop(senders);
    let sent = waker.join().expect("the waking thread does not fail");
    let delays: Vec<f64> = woken
        .iter()
        .zip(&sent)
        .map(|(w, s)| w.saturating_duration_since(*s).as_nanos() as f64)
        .collect();
    summary(&delays, each(machine::process_cpu() - cpu, TIMES))
}

fn create_and_drop<P: Peer>() -> Sample {
    const TIMES: u64 = 500;
    P::new().block_on(async {});
    let watch = Stopwatch::start();
    for _ in 0..TIMES {
        P::new().block_on(async {});
    }
    watch.stop(TIMES)
}
