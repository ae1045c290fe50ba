//! Run: `cargo run --release --example pipeline`: prints what came out at the end of three stages
//!
//! One task reads lines, four work on them, one collects. Between them are bounded queues, so the
//! slowest stage sets the pace and none runs ahead. Each stage ends when the one before it has.

use std::error::Error;
use std::fmt;

use tenter::sync::channel::{self, Receiver, Sender};
use tenter::task::yield_now;
use tenter::task_group;

/// Items that may wait between two stages.
const BETWEEN: usize = 8;
const WORKERS: usize = 4;
const LINES: u64 = 1_000;

/// What becomes of a line.
type Worked = Result<u64, String>;

/// A stage cannot go on, as the next one takes nothing any more.
#[derive(Debug)]
struct Stuck;

#[tenter::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (to_workers, lines) = channel::bounded(BETWEEN);
    let (to_end, worked) = channel::bounded(BETWEEN);

    // The stages are one group: if one fails, the others are cancelled, and the error tells why. After
    // it, all of them have ended.
    let (reader, workers, collector) = task_group(async move |group| {
        let reader = group.spawn(read(to_workers));
        // Every worker has its own ends of both queues; who is free takes the next line.
        let worker = |_| group.spawn(work(lines.clone(), to_end.clone()));
        let workers: Vec<_> = (0..WORKERS).map(worker).collect();
        let collector = group.spawn(collect(worked));
        // A queue ends when nobody can send into it any more. Ends that belong to nobody at work are
        // dropped here, with the closure; the collector would wait for them for ever.
        Ok::<_, Stuck>((reader, workers, collector))
    })
    .await?;

    println!("{} lines were read", reader.await?);
    let mut shares = 0;
    for worker in workers {
        shares += worker.await?;
    }
    println!("{shares} lines were worked on");
    println!("{}", collector.await?);
    Ok(())
}

/// The first stage: where the items come from.
async fn read(to: Sender<String>) -> Result<u64, Stuck> {
    for number in 1..=LINES {
        let line = match number % 250 {
            0 => "not a number".to_owned(),
            _ => number.to_string(),
        };
        // Waits while the queue is full: so a slow stage slows down the one before it. An error
        // says that nobody is left to take the line.
        to.send(line).await?;
    }
    // `to` is dropped here, and with it the queue comes to its end.
    Ok(LINES)
}

/// The second stage: what takes the time.
async fn work(from: Receiver<String>, to: Sender<Worked>) -> Result<u64, Stuck> {
    let mut count = 0;
    // Ends with an error when the queue is empty and nobody can send any more.
    while let Ok(line) = from.recv().await {
        yield_now().await;
        // What is wrong with an item travels on as a value; it is no reason to stop the others.
        let number: Result<u64, _> = line.parse();
        let worked = number
            .map(|number| number * number)
            .map_err(|error| format!("`{line}`: {error}"));
        to.send(worked).await?;
        count += 1;
    }
    Ok(count)
}

/// The third stage: what comes out.
async fn collect(from: Receiver<Worked>) -> Result<String, Stuck> {
    let (mut sum, mut wrong) = (0, Vec::new());
    while let Ok(worked) = from.recv().await {
        match worked {
            Ok(square) => sum += square,
            Err(reason) => wrong.push(reason),
        }
    }
    let first = wrong.first().map_or("nothing", String::as_str);
    let wrong = wrong.len();
    Ok(format!(
        "the sum is {sum}, and {wrong} lines were wrong: {first}"
    ))
}

impl<T> From<channel::SendError<T>> for Stuck {
    fn from(_: channel::SendError<T>) -> Self {
        Stuck
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the next stage has ended")
    }
}

impl Error for Stuck {}
