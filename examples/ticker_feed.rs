//! Run: `cargo run --release --example ticker_feed`: prints what two readers of one feed have seen
//!
//! A feed of prices keeps the last four. A reader that keeps up sees every price; one that was busy
//! is told how many it has missed, and goes on with what is kept. The feed waits for neither.

use tenter::gather;
use tenter::sync::broadcast::{Receiver, RecvError};
use tenter::sync::{Event, Semaphore, broadcast};

/// A price, and when it was paid.
type Tick = (u32, f64);

/// Ticks that are kept for readers that are slow.
const KEPT: usize = 4;

#[tenter::main]
async fn main() {
    let (feed, first) = broadcast::<Tick>(KEPT);
    // A reader gets what is sent after it has subscribed, so this one subscribes before it is busy.
    let second = feed.subscribe();
    let shown = Semaphore::new(0);
    let market_closed = Event::new();

    let market = async {
        for second in 1..=10 {
            let price = 100.0 + f64::from(second) / 4.0;
            // Sending never waits, whatever the readers do. It fails only if there is none left.
            if feed.send((second, price)).is_err() {
                break;
            }
            // A real feed would wait for the market here; this one waits until the tick was read, so
            // that its output is always the same.
            if let Ok(permit) = shown.acquire().await {
                permit.forget();
            }
        }
        market_closed.set();
        // Without a sender the readers come to an end, after what is kept.
        drop(feed);
    };
    let busy = async {
        market_closed.wait().await;
        follow(second, None).await
    };
    let ((), fast, busy) = gather!(market, follow(first, Some(&shown)), busy).await;
    println!("the fast reader:\n{fast}");
    println!("the busy reader:\n{busy}");
}

/// Reads to the end.
async fn follow(mut feed: Receiver<Tick>, shown: Option<&Semaphore>) -> String {
    let mut lines = Vec::new();
    loop {
        match feed.recv().await {
            Ok((second, price)) => {
                lines.push(format!("  second {second}: {price:.2}"));
                if let Some(shown) = shown {
                    let _ = shown.add_permits(1);
                }
            }
            // Not the end: the next call returns the oldest tick that is kept.
            Err(RecvError::Lagged(count)) => lines.push(format!("  missed {count} ticks")),
            Err(RecvError::Closed) => return lines.join("\n"),
        }
    }
}
