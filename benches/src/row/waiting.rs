//! Rows that sleep, wake from outside, and start up.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{DELAY, How, Rounds, Row, TIME};
use crate::machine::{self, Seat};
use crate::measure::{Sample, Stopwatch, each, in_a_task, in_a_task_of};
use crate::peer::{Peer, PeerId};
use crate::statistics::quantile;
use crate::with_peer;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "sleep_1ms_lateness",
        question: "how late sleep(1 ms) ends on an idle runtime, 100 times",
        figures: DELAY,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(|peer| with_peer!(peer, P => Ok(Box::new(|| Ok(sleep_lateness::<P>(100)))))),
    },
    Row {
        name: "remote_wake",
        question: "another thread completes a oneshot that block_on waits for, 200 times",
        figures: DELAY,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(
            |peer| with_peer!(peer, P => Ok(Box::new(|| Ok(block_on_wake::<P>(Some(machine::BESIDE)))))),
        ),
    },
    Row {
        name: "runtime_create_drop",
        question: "create a runtime, block_on(ready), drop it",
        figures: TIME,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(
            |peer| with_peer!(peer, P => Ok(Box::new(|| Ok(create_and_drop::<P>(500))))),
        ),
    },
];

/// Median and tail of delays in nanoseconds, and the processor time of each.
pub(super) fn summary(delays: &[f64], cpu: Duration) -> Sample {
    let each = each(cpu, delays.len() as u64);
    vec![quantile(delays, 0.5), quantile(delays, 0.99), each]
}

pub(super) fn sleep_lateness<P: Peer>(times: u64) -> Sample {
    in_a_task::<P, _>(async move {
        lateness_of_sleeps::<P>(2).await;
        let cpu = machine::process_cpu();
        let late = lateness_of_sleeps::<P>(times).await;
        summary(&late, machine::process_cpu() - cpu)
    })
}

/// How late sleeps of a millisecond end, one after the other.
pub(super) async fn lateness_of_sleeps<P: Peer>(times: u64) -> Vec<f64> {
    const SLEEP: Duration = Duration::from_millis(1);
    let mut late = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        P::sleep(SLEEP).await;
        // Early would be a bug, not a good figure: it shows as a negative one.
        late.push(start.elapsed().as_nanos() as f64 - SLEEP.as_nanos() as f64);
    }
    late
}

/// How long it takes until the thread in `block_on` runs when another thread completes what it waits
/// for. The other sits where it is told to.
pub(super) fn block_on_wake<P: Peer>(seat: Option<Seat>) -> Sample {
    let peer = P::new();
    wakes::<P>(seat, |senders| {
        let wait = || {
            let (sender, receiver) = P::oneshot();
            senders.send(sender).expect("the waking thread listens");
            peer.block_on(P::receive(receiver));
            Instant::now()
        };
        (0..WAKES).map(|_| wait()).collect()
    })
}

/// The same for a task.
pub(super) fn task_wake<P: Peer>() -> Sample {
    let peer = P::new();
    wakes::<P>(None, |senders| {
        in_a_task_of(&peer, receive_all::<P>(senders))
    })
}

async fn receive_all<P: Peer>(senders: mpsc::Sender<P::Sender>) -> Vec<Instant> {
    let mut woken = Vec::with_capacity(WAKES);
    for _ in 0..WAKES {
        let (sender, receiver) = P::oneshot();
        senders.send(sender).expect("the waking thread listens");
        P::receive(receiver).await;
        woken.push(Instant::now());
    }
    woken
}

const WAKES: usize = 200;

/// The thread that wakes waits until the runtime sleeps, and then stamps the time at which it sends.
fn wakes<P: Peer>(
    seat: Option<Seat>,
    receive: impl FnOnce(mpsc::Sender<P::Sender>) -> Vec<Instant>,
) -> Sample {
    const ASLEEP_BY_THEN: Duration = Duration::from_micros(200);
    let (senders, inbox) = mpsc::channel::<P::Sender>();
    let waker = thread::spawn(move || {
        if let Some(seat) = seat {
            machine::pin(seat);
        }
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
    let cpu = machine::process_cpu();
    let woken = receive(senders);
    let sent = waker.join().expect("the waking thread does not fail");
    let delays: Vec<f64> = woken
        .iter()
        .zip(&sent)
        .map(|(w, s)| w.saturating_duration_since(*s).as_nanos() as f64)
        .collect();
    summary(&delays, machine::process_cpu() - cpu)
}

pub(super) fn create_and_drop<P: Peer>(times: u64) -> Sample {
    P::new().block_on(async {});
    let watch = Stopwatch::start();
    for _ in 0..times {
        P::new().block_on(async {});
    }
    watch.stop(times)
}
