//! Threads that are not the runtime's spawn tasks: while it is idle, and while it is busy.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::{Figure, How, Rounds, Row, SPAWN, Size, row};
use crate::measure::{Sample, Stopwatch};
use crate::operation::Countdown;
use crate::operation::workers::{Hog, Hogs};
use crate::peer::{WORKERS, Workers};

/// How many threads spawn.
const THREADS: [u64; 4] = [1, 2, 4, 8];

/// The time of one task with so many threads, and the processor time of one over all of them.
const REMOTE: &[Figure] = &[
    Figure::nanoseconds("1 thread"),
    Figure::nanoseconds("2 threads"),
    Figure::nanoseconds("4 threads"),
    Figure::nanoseconds("8 threads"),
    Figure::nanoseconds("cpu"),
];

const HOG: Duration = Duration::from_micros(10);

pub(in crate::row) const ROWS: &[Row] = &[
    row!(Child "mt_remote_spawn_idle",
        "1 to 8 threads spawn 12 800 tasks together on an idle runtime; each",
        REMOTE, SPAWN, P, size => remote::<P>(tasks(size, 12_800), None)),
    row!(Child "mt_remote_spawn_yielding",
        "1 to 8 threads spawn 12 800 tasks together beside four tasks that yield; each",
        REMOTE, SPAWN, P, size => remote::<P>(tasks(size, 12_800), Some(Hog::Yielding))),
    row!(Child "mt_remote_spawn_respawning",
        "1 to 8 threads spawn 1 600 tasks together beside four that compute 10 µs and respawn; each",
        REMOTE, SPAWN, P, size => remote::<P>(tasks(size, 1_600), Some(Hog::Respawning(HOG)))),
];

/// A number that every number of threads divides.
fn tasks(size: Size, full: u64) -> u64 {
    size.of(full).next_multiple_of(8)
}

fn remote<P: Workers>(tasks: u64, hog: Option<Hog>) -> Sample {
    let peer = P::new();
    // Every worker has started and every queue has grown.
    spawn_from_threads(&peer, 2, 1_600);
    let hogs = hog.map(|hog| peer.block_on(async { Hogs::start::<P>(hog, 2 * WORKERS as u64) }));
    let samples = THREADS.map(|threads| spawn_from_threads(&peer, threads, tasks));
    if let Some(hogs) = hogs {
        peer.block_on(hogs.end());
    }
    let cpu = samples.iter().map(|sample| sample[1]).sum::<f64>() / THREADS.len() as f64;
    let mut figures: Sample = samples.iter().map(|sample| sample[0]).collect();
    figures.push(cpu);
    figures
}

/// From the start of all threads, which are there already, until the last task has run.
fn spawn_from_threads<P: Workers>(peer: &P, threads: u64, tasks: u64) -> Sample {
    let done = Countdown::new(tasks);
    let start = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (remote, done, start) = (peer.remote(), &done, &start);
            scope.spawn(move || {
                start.wait();
                for _ in 0..tasks / threads {
                    let done = Arc::clone(done);
                    P::spawn_from(&remote, async move { done.tick() });
                }
            });
        }
        let watch = Stopwatch::start();
        start.wait();
        peer.block_on(done.zero());
        watch.stop(tasks)
    })
}
