//! Run: `cargo run --release --example pipeline`: prints what came out at the end of three stages
//!
//! One task reads lines, four work on them, one collects. Between them are bounded queues, so the
//! slowest stage sets the pace and none runs ahead. Each stage ends when the one before it has.

use tenter::sync::channel::{self, Receiver, Sender};
use tenter::task::yield_now;

/// Items that may wait between two stages.
const BETWEEN: usize = 8;
const WORKERS: usize = 4;
const LINES: u64 = 1_000;

/// What becomes of a line.
type Worked = Result<u64, String>;

#[tenter::main]
async fn main() -> Result<(), tenter::JoinError> {
    let (to_workers, lines) = channel::bounded(BETWEEN);
    let (to_end, worked) = channel::bounded(BETWEEN);

    let reader = tenter::spawn(read(to_workers));
    // Every worker has its own ends of both queues; who is free takes the next line.
    let worker = |_| tenter::spawn(work(lines.clone(), to_end.clone()));
    let workers: Vec<_> = (0..WORKERS).map(worker).collect();
    let collector = tenter::spawn(collect(worked));
    // A queue ends when nobody can send into it any more. These ends belong to nobody at work: with
    // one of them left here, the collector would wait for ever.
    drop((lines, to_end));

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
async fn read(to: Sender<String>) -> u64 {
    for number in 1..=LINES {
        let line = match number % 250 {
            0 => "not a number".to_owned(),
            _ => number.to_string(),
        };
        // Waits while the queue is full: so a slow stage slows down the one before it. An error
        // says that nobody is left to take the line.
        if to.send(line).await.is_err() {
            return number - 1;
        }
    }
    // `to` is dropped here, and with it the queue comes to its end.
    LINES
}

/// The second stage: what takes the time.
async fn work(from: Receiver<String>, to: Sender<Worked>) -> u64 {
    let mut count = 0;
    // Ends with an error when the queue is empty and nobody can send any more.
    while let Ok(line) = from.recv().await {
        yield_now().await;
        // What is wrong with an item travels on as a value; it is no reason to stop the others.
        let number: Result<u64, _> = line.parse();
        let worked = number
            .map(|number| number * number)
            .map_err(|error| format!("`{line}`: {error}"));
        count += 1;
        if to.send(worked).await.is_err() {
            break;
        }
    }
    count
}

/// The third stage: what comes out.
async fn collect(from: Receiver<Worked>) -> String {
    let (mut sum, mut wrong) = (0, Vec::new());
    while let Ok(worked) = from.recv().await {
        match worked {
            Ok(square) => sum += square,
            Err(reason) => wrong.push(reason),
        }
    }
    let first = wrong.first().map_or("nothing", String::as_str);
    format!(
        "the sum is {sum}, and {} lines were wrong: {first}",
        wrong.len()
    )
}
