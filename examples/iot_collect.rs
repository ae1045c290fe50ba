//! Run: `cargo run --release --example iot_collect`: prints what was measured by each of five sensors
//!
//! Each sensor is read by a loop of its own, which puts what it says into one bounded queue; where the
//! aggregator is slower, the sensors wait. A reading that takes too long is given up and counted.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use tenter::gather;
use tenter::sync::Queue;
use tenter::task::yield_now;
use tenter::time::timeout;

const SENSORS: u32 = 5;
const ROUNDS: u32 = 20;

/// The longest that a sensor may take to answer.
const LIMIT: Duration = Duration::from_millis(50);

/// What a sensor's task tells the aggregator.
enum Report {
    Measured { sensor: u32, degrees: f64 },
    Missed { sensor: u32 },
}

#[derive(Default)]
struct Summary {
    count: u32,
    missed: u32,
    sum: f64,
    highest: f64,
}

#[tenter::main]
async fn main() {
    // The bound is what keeps a fast sensor from filling the memory.
    let reports = Queue::bounded(4);
    // Everything in here runs in this task, and so it may borrow the queue.
    let sensors = async {
        gather((1..=SENSORS).map(|sensor| watch(sensor, &reports))).await;
        // What is in the queue is still handed out; after that the aggregator hears of the end.
        reports.shutdown();
    };
    let ((), summaries) = gather!(sensors, aggregate(&reports)).await;
    for (sensor, summary) in summaries {
        let mean = summary.sum / f64::from(summary.count);
        println!(
            "sensor {sensor}: {} readings, {mean:.2} degrees on average, {:.2} at most, {} missed",
            summary.count, summary.highest, summary.missed
        );
    }
}

/// Reads one sensor, round by round.
async fn watch(sensor: u32, reports: &Queue<Report>) {
    for round in 1..=ROUNDS {
        // A reading that is given up is dropped where it waits: nothing of it goes on.
        let report = match timeout(LIMIT, read(sensor, round)).await {
            Ok(degrees) => Report::Measured { sensor, degrees },
            Err(_elapsed) => Report::Missed { sensor },
        };
        // Waits while the queue is full. An error says that nobody collects any more.
        if reports.put(report).await.is_err() {
            return;
        }
    }
}

/// What the sensor says, if it says something: the third one is asleep now and then.
async fn read(sensor: u32, round: u32) -> f64 {
    if sensor == 3 && round % 10 == 0 {
        pending::<()>().await;
    }
    yield_now().await;
    20.0 + f64::from(sensor) + f64::from(round) / 10.0
}

async fn aggregate(reports: &Queue<Report>) -> BTreeMap<u32, Summary> {
    let mut summaries: BTreeMap<u32, Summary> = BTreeMap::new();
    while let Ok(report) = reports.get().await {
        match report {
            Report::Measured { sensor, degrees } => {
                let summary = summaries.entry(sensor).or_default();
                summary.count += 1;
                summary.sum += degrees;
                summary.highest = summary.highest.max(degrees);
            }
            Report::Missed { sensor } => summaries.entry(sensor).or_default().missed += 1,
        }
    }
    summaries
}
