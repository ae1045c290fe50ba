//! What keeps whom waiting, and for how long.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// How often the tasks may wake each other before the timer counts as starved: seconds of work.
const ROUNDS_MAX: usize = 50_000;

/// Goal: an inbox that is filled again after every poll keeps no timer from firing.
/// Method: two tasks that are woken by another thread in turn, so that the queue never stays empty and
/// never fills a burst; a short sleep beside them, which is the subject.
#[test]
fn remote_wakes_without_end_keep_no_timer_waiting() {
    let wakers: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
    let rounds = Arc::new(AtomicUsize::new(0));
    let runtime = tenter::Runtime::new().expect("no setting is wrong");
    runtime.block_on(async {
        for me in 0..2 {
            let (wakers, rounds) = (Arc::clone(&wakers), Arc::clone(&rounds));
            drop(tenter::spawn(poll_fn(move |cx| {
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                assert!(round < ROUNDS_MAX, "the timer is starved");
                *wakers[me].lock() = Some(cx.waker().clone());
                let other = wakers[1 - me].lock().take();
                if let Some(other) = other {
                    let waking = thread::spawn(move || other.wake());
                    waking.join().expect("a wake does not panic");
                }
                Poll::<()>::Pending
            })));
        }
        tenter::time::sleep(Duration::from_millis(1)).await;
    });
    assert!(
        rounds.load(Ordering::Relaxed) < ROUNDS_MAX,
        "the timer is starved"
    );
}
