//! The members of a combinator, woken by other threads, under every schedule.
#![cfg(tenter_loom)]

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use tenter::{as_completed, gather};
use tenter_loom_tests::{WakeCount, block_on, check, poll_once};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Live, Mutex, thread};

/// What a member waits for: so many conditions, each raised by a thread.
struct Condition {
    raised: Vec<AtomicUsize>,
    wakers: Mutex<Vec<Option<Waker>>>,
}

impl Condition {
    fn new(conditions: usize) -> Arc<Self> {
        Arc::new(Self {
            raised: (0..conditions).map(|_| AtomicUsize::new(0)).collect(),
            wakers: Mutex::new(vec![None; conditions]),
        })
    }

    /// Publishes with nothing but the wake, if the member waits.
    fn raise(&self, condition: usize) {
        self.raised[condition].store(1, Ordering::Relaxed);
        let waker = self.wakers.lock()[condition].take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_raised(&self) -> bool {
        self.raised
            .iter()
            .all(|raised| raised.load(Ordering::Relaxed) == 1)
    }

    /// Registers once for each condition, and then only looks.
    async fn wait(self: Arc<Self>) {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                self.wakers.lock().fill_with(|| Some(cx.waker().clone()));
            }
            if self.is_raised() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Each of these conditions is raised by a thread of its own, while this one gathers.
fn gathered(conditions: &[usize]) {
    let members: Vec<_> = conditions
        .iter()
        .map(|count| Condition::new(*count))
        .collect();
    let mut threads = Vec::new();
    for member in &members {
        for condition in 0..member.raised.len() {
            let member = Arc::clone(member);
            threads.push(thread::spawn(move || member.raise(condition)));
        }
    }
    let all = gather(members.iter().map(|member| Arc::clone(member).wait()));
    assert_eq!(block_on(all).len(), conditions.len());
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A wake that comes while the round ends wakes the task, or is seen by it.
#[test]
fn a_wake_at_the_end_of_a_round() {
    check("combine::a_wake_at_the_end_of_a_round", || gathered(&[1]));
}

/// Two members are woken at once: both are polled.
#[test]
fn two_members() {
    check("combine::two_members", || gathered(&[1, 1]));
}

/// One member is woken twice at once: the last poll sees both conditions.
#[test]
fn two_wakes_of_one_member() {
    check("combine::two_wakes_of_one_member", || gathered(&[2]));
}

/// A member is woken while the combinator is dropped: the waker is good until the end, and is freed.
#[test]
fn a_wake_after_the_end() {
    check("combine::a_wake_after_the_end", || {
        let condition = Condition::new(1);
        let live = Arc::new(Live::new());
        let (waker, _count) = WakeCount::waker();
        let mut all = Box::pin(gather([Arc::clone(&condition).wait()]));
        assert!(poll_once(all.as_mut(), &waker).is_pending());
        let other = thread::spawn({
            let live = Arc::clone(&live);
            move || {
                condition.raise(0);
                live.touch();
            }
        });
        drop(all);
        drop(waker);
        other.join().unwrap();
        live.touch();
    });
}

/// Outputs are taken one at a time, with wakes in between.
#[test]
fn one_output_after_the_other() {
    check("combine::one_output_after_the_other", || {
        let members = [Condition::new(1), Condition::new(1)];
        let threads = members
            .clone()
            .map(|member| thread::spawn(move || member.raise(0)));
        let mut outputs = as_completed(members.map(Condition::wait));
        let mut seen = 0;
        while let Some((index, ())) = block_on(pin!(outputs.next())) {
            seen += 1 + 10 * index;
        }
        assert_eq!(seen, 12);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
