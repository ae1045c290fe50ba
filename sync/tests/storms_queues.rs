//! Cancel storms of queues and channels: nothing is lost, nothing is there twice, and the work is linear.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::storm::{Boxed, Storm, WAITERS};
use tenter_sync::channel::{self, Receiver, Sender};
use tenter_sync::{LifoQueue, PriorityQueue, Queue};

macro_rules! for_each_queue {
    ($body:ident) => {
        $body!(Queue, 0);
        $body!(LifoQueue, 10);
        $body!(PriorityQueue, 20);
    };
}

/// Each item that is put is got by one who goes on, or is still there in its order.
#[test]
fn getters() {
    macro_rules! body {
        ($kind:ident, $seed:expr) => {
            for queue in [$kind::bounded(WAITERS), $kind::unbounded()] {
                let got = AtomicUsize::new(0);
                let mut storm = Storm::new(11 + $seed, |_| {
                    Box::pin(async {
                        got.fetch_add(queue.get().await.unwrap(), Ordering::Relaxed);
                    })
                });
                let mut put = 0;
                let done = storm.rage(3, || {
                    put += 1;
                    queue.try_put(put).unwrap();
                });
                storm.assert_linear(1);
                drop(storm);
                let stats = queue.stats();
                assert_eq!((stats.getters, stats.len), (0, put - done));
                assert_eq!(stats.getters_max, WAITERS);
                let rest: Vec<usize> = std::iter::from_fn(|| queue.try_get().ok()).collect();
                let sum = got.into_inner() + rest.iter().sum::<usize>();
                assert!(
                    done > 0 && sum == put * (put + 1) / 2,
                    "{sum} of {put} items"
                );
                let is_turned = stringify!($kind) == "LifoQueue";
                assert!(rest.is_sorted_by(|one, next| (one < next) != is_turned));
            }
        };
    }
    for_each_queue!(body);
}

/// Each item that a putter had is in the queue, or was got, or has gone with its putter.
#[test]
fn putters() {
    macro_rules! body {
        ($kind:ident, $seed:expr) => {
            let queue = $kind::bounded(64);
            let alive = Arc::new(());
            for number in WAITERS..WAITERS + 64 {
                queue.try_put((number, Arc::clone(&alive))).unwrap();
            }
            let mut storm = Storm::new(12 + $seed, |number| match number % 16 {
                0 => Box::pin(async {
                    drop(queue.reserve().await.unwrap());
                }) as Boxed<'_>,
                1..=8 => {
                    let put = queue.put((number, Arc::clone(&alive)));
                    Box::pin(async { put.await.unwrap() })
                }
                _ => {
                    let put = queue.put_many([(number, Arc::clone(&alive))]);
                    Box::pin(async { put.await.unwrap() })
                }
            });
            let mut got = Vec::new();
            storm.rage(2, || got.extend(queue.try_get()));
            storm.assert_linear(1);
            drop(storm);
            let stats = queue.stats();
            assert_eq!((stats.putters, stats.reserved), (0, 0));
            assert_eq!(stats.putters_max, WAITERS);
            assert!(got.len() > 1_000, "{} were got", got.len());
            assert_eq!(Arc::strong_count(&alive), 1 + got.len() + queue.len());
            let mut numbers: Vec<_> = got.iter().map(|(number, _)| *number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), got.len(), "each once");
            assert_eq!(stats.unfinished, got.len() + queue.len());
        };
    }
    for_each_queue!(body);
}

/// The count touches zero once on the way; who is left then goes.
#[test]
fn joiners() {
    let queue = Queue::unbounded();
    let items = WAITERS / 8;
    (0..items).for_each(|item| queue.try_put(item).unwrap());
    let mut storm = Storm::new(13, |_| Box::pin(queue.join()));
    let done = storm.rage(4, || {
        if queue.try_get().is_ok() {
            queue.task_done().unwrap();
        }
    });
    storm.assert_linear(1);
    assert!(done > 0 && done <= WAITERS / 2, "{done} were there");
    let stats = queue.stats();
    assert_eq!((stats.joiners, stats.unfinished), (0, 0));
}

/// A shutdown in the middle tells all who are left, once.
#[test]
fn getters_and_putters_of_a_queue_that_is_shut() {
    let (empty, full) = (Queue::<usize>::bounded(1), Queue::bounded(1));
    full.try_put(0).unwrap();
    let mut storm = Storm::new(14, |number| {
        if number % 2 == 0 {
            Box::pin(async { assert!(empty.get().await.is_err()) }) as Boxed<'_>
        } else {
            Box::pin(async { assert_eq!(full.put(1).await.unwrap_err().0, 1) })
        }
    });
    let mut grants = 0;
    let done = storm.rage(WAITERS / 4, || {
        if grants == 1 {
            empty.shutdown();
            assert_eq!(full.shutdown_now(), [0]);
        }
        grants += 1;
    });
    storm.assert_linear(1);
    assert_eq!(
        done,
        WAITERS / 4,
        "a third of those who were left was polled"
    );
    assert_eq!((empty.stats().getters, full.stats().putters), (0, 0));
}

/// Each value that is sent is received by one who goes on, or is still there in its order.
#[test]
fn receivers() {
    for (sender, receiver) in [channel::bounded(WAITERS), channel::unbounded()] {
        let got = AtomicUsize::new(0);
        let mut storm = Storm::new(21, |number| {
            let (receiver, got) = (receiver.clone(), &got);
            Box::pin(async move {
                let value = if number % 3 == 0 {
                    let mut values = Vec::new();
                    assert_eq!(receiver.recv_many(&mut values, 1).await, Ok(1));
                    values[0]
                } else {
                    receiver.recv().await.unwrap()
                };
                got.fetch_add(value, Ordering::Relaxed);
            })
        });
        let mut sent = 0;
        let done = storm.rage(3, || {
            sent += 1;
            sender.try_send(sent).unwrap();
        });
        storm.assert_linear(1);
        drop(storm);
        let stats = receiver.stats();
        assert_eq!((stats.receiving, stats.len), (0, sent - done));
        assert_eq!((stats.receiving_max, stats.receivers), (WAITERS, 1));
        drop(sender);
        let rest: Vec<usize> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        let sum = got.into_inner() + rest.iter().sum::<usize>();
        assert!(done > 0 && sum == sent * (sent + 1) / 2, "{sum} of {sent}");
        assert!(rest.is_sorted());
    }
}

/// What a sender had was sent, or has gone with its sender; some have a clone of their own.
#[test]
fn senders() {
    let (sender, receiver) = channel::bounded(64);
    let alive = Arc::new(());
    for number in WAITERS..WAITERS + 64 {
        sender.try_send((number, Arc::clone(&alive))).unwrap();
    }
    let mut storm = Storm::new(22, |number| {
        let value = (number, Arc::clone(&alive));
        match number % 16 {
            0 => {
                let place = sender.reserve();
                Box::pin(async {
                    drop(value);
                    drop(place.await.unwrap());
                }) as Boxed<'_>
            }
            1..=8 => {
                let sender = sender.clone();
                Box::pin(async move { sender.send(value).await.unwrap() })
            }
            _ => {
                let sending = sender.send_many([value]);
                Box::pin(async { sending.await.unwrap() })
            }
        }
    });
    let mut got = Vec::new();
    storm.rage(2, || got.extend(receiver.try_recv()));
    storm.assert_linear(1);
    drop(storm);
    let stats = sender.stats();
    assert_eq!((stats.sending, stats.reserved, stats.senders), (0, 0, 1));
    assert_eq!(stats.sending_max, WAITERS);
    assert!(got.len() > 1_000, "{} were received", got.len());
    assert_eq!(Arc::strong_count(&alive), 1 + got.len() + receiver.len());
    got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
    let mut numbers: Vec<_> = got.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), got.len(), "each once");
    drop(got);
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// Storms of both sides of a channel without room, one after the other.
#[test]
fn rendezvous() {
    let (sender, receiver) = channel::rendezvous();
    let got = AtomicUsize::new(0);
    let mut storm = Storm::new(23, |_| {
        Box::pin(async {
            got.fetch_add(receiver.recv().await.unwrap(), Ordering::Relaxed);
        })
    });
    let mut sent = 0;
    let done = storm.rage(3, || {
        if sender.try_send(sent + 1).is_ok() {
            sent += 1;
        }
    });
    storm.assert_linear(1);
    drop(storm);
    // What was handed over and left comes first, though there is no room for it.
    let rest: Vec<usize> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
    let sum = got.into_inner() + rest.iter().sum::<usize>();
    assert_eq!(sum, sent * (sent + 1) / 2);
    assert!(done > 0 && done + rest.len() == sent && rest.is_sorted());

    let alive = Arc::new(());
    let mut storm = Storm::new(24, |_| {
        let sending = sender.send(usize::from(Arc::strong_count(&alive) == 0));
        let alive = Arc::clone(&alive);
        Box::pin(async move {
            sending.await.unwrap();
            drop(alive);
        })
    });
    let mut got = 0;
    let done = storm.rage(2, || got += usize::from(receiver.try_recv().is_ok()));
    storm.assert_linear(1);
    drop(storm);
    // Whoever was woken and not polled any more has sent its value all the same.
    assert!(
        done > 0 && done <= got && got <= WAITERS / 2,
        "{done} of {got}"
    );
    let stats = receiver.stats();
    assert_eq!((stats.sending, stats.receiving, stats.len), (0, 0, 0));
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// The end in the middle of it: whoever is left is told once, and senders have their values back.
#[test]
fn the_other_side_goes() {
    type Both = (Sender<usize>, Receiver<usize>);
    for build in [
        || channel::bounded::<usize>(1),
        || channel::rendezvous::<usize>(),
    ] {
        let (empty, full): (Both, Both) = (build(), build());
        let room = full.0.try_send(0).is_ok();
        let mut storm = Storm::new(25, |number| {
            if number % 2 == 0 {
                let receiver = empty.1.clone();
                Box::pin(async move { assert!(receiver.recv().await.is_err()) }) as Boxed<'_>
            } else {
                let sender = full.0.clone();
                Box::pin(async move { assert_eq!(sender.send(1).await.unwrap_err().0, 1) })
            }
        });
        let (mut last, mut grants) = (Some((empty.0, full.1)), 0);
        let done = storm.rage(WAITERS / 4, || {
            if grants == 1 {
                drop(last.take());
            }
            grants += 1;
        });
        storm.assert_linear(1);
        assert_eq!(done, WAITERS / 4, "a third of those who were left");
        drop(storm);
        let (stats, full) = (empty.1.stats(), full.0.stats());
        assert_eq!((stats.receiving, stats.receivers, full.sending), (0, 1, 0));
        assert_eq!((full.senders, full.len), (1, 0), "{room}");
    }
}

/// Many wait for the end; most of them leave before it.
#[test]
fn those_who_wait_for_the_end() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let mut receiver = Some(receiver);
    let mut storm = Storm::new(26, |_| Box::pin(sender.closed()));
    let mut grants = 0;
    let done = storm.rage(WAITERS / 4, || {
        if grants == 3 {
            drop(receiver.take());
        }
        grants += 1;
    });
    storm.assert_linear(1);
    assert!(done > 0 && sender.is_closed());
}
