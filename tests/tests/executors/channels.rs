//! Programs over channels: producers and consumers, and how the one side learns that the other has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smol::stream::StreamExt;
use tenter_sync::channel::{self, Receiver, RecvError, Sender, TryRecvError};

use crate::support::{Executor, give_up_after, yield_now};

const VALUES: usize = 1_000;

type Ends = (Sender<usize>, Receiver<usize>);

fn all_kinds() -> [Ends; 4] {
    [
        channel::unbounded(),
        channel::bounded(16),
        channel::bounded(1),
        channel::rendezvous(),
    ]
}

/// The sum of what four producers send, numbered through.
const SUM: usize = 4 * VALUES * (4 * VALUES - 1) / 2;

/// Four produce and four consume, each with clones of its own; waits are dropped on the way. The consumers
/// go on until the channel ends, and every value comes out once.
pub fn clones(executor: &impl Executor) {
    for (sender, receiver) in all_kinds() {
        let watcher = receiver.clone();
        let producers: Vec<_> = (0..4)
            .map(|number| {
                let sender = sender.clone();
                executor.spawn(async move {
                    for round in 0..VALUES {
                        // A clone for some of the values, which goes at once.
                        let sent = match round % 50 {
                            0 => sender.clone().send(number * VALUES + round).await,
                            _ => sender.send(number * VALUES + round).await,
                        };
                        sent.unwrap();
                        if round % 7 == 0 {
                            yield_now().await;
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let outcome = executor.run_all(4, |_| {
            let receiver = receiver.clone();
            async move {
                let (mut sum, mut count) = (0, 0);
                loop {
                    let polls = Some(count % 3).filter(|_| count % 5 == 0);
                    let received = match give_up_after(polls, receiver.recv()).await {
                        Some(received) => received,
                        None => receiver.recv().await,
                    };
                    match received {
                        Ok(value) => sum += value,
                        Err(RecvError) => return (sum, count),
                    }
                    count += 1;
                }
            }
        });
        executor.block_on(async {
            for producer in producers {
                producer.await;
            }
        });
        let (sums, counts): (Vec<_>, Vec<_>) = outcome.into_iter().unzip();
        assert_eq!(sums.iter().sum::<usize>(), SUM);
        assert_eq!(counts.iter().sum::<usize>(), 4 * VALUES);
        let stats = watcher.stats();
        assert_eq!((stats.sending, stats.receiving, stats.len), (0, 0, 0));
        assert_eq!((stats.senders, stats.receivers), (0, 2));
        assert!(watcher.is_closed());
    }
}

/// When the last sender goes, those who wait are told; what was sent before is received first.
pub fn ends(executor: &impl Executor) {
    for (sender, receiver) in all_kinds() {
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let receiver = receiver.clone();
                executor.spawn(async move { receiver.recv().await })
            })
            .collect();
        let senders: Vec<_> = (0..8).map(|_| sender.clone()).collect();
        drop(sender);
        executor.block_on(async {
            for (number, sender) in senders.into_iter().enumerate() {
                if number < 3 {
                    sender.send(1).await.unwrap();
                }
                yield_now().await;
                drop(sender);
            }
            let mut received = 0;
            for task in waiting {
                received += task.await.unwrap_or(0);
            }
            assert_eq!(received, 3);
            assert_eq!(receiver.recv().await, Err(RecvError));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
        });
    }
}

/// When the last receiver goes, senders have back what was not sent, and what was is dropped: of all values
/// none is left, and each came back or went in.
pub fn values_come_back(executor: &impl Executor) {
    for kind in 0..3 {
        let alive = Arc::new(());
        let (sender, receiver) = match kind {
            0 => channel::bounded::<(usize, Arc<()>)>(4),
            1 => channel::bounded(1),
            _ => channel::rendezvous(),
        };
        let taken = Arc::new(AtomicUsize::new(0));
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let (receiver, taken) = (receiver.clone(), Arc::clone(&taken));
                executor.spawn(async move {
                    for _ in 0..100 {
                        drop(receiver.recv().await.unwrap());
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        drop(receiver);
        let sent = executor.run_all(8, |number| {
            let (sender, alive) = (sender.clone(), Arc::clone(&alive));
            async move {
                let mut sent = 0;
                loop {
                    let value = (number, Arc::clone(&alive));
                    let refused = match number % 3 {
                        0 => sender.send(value).await.err().map(|refused| refused.0),
                        1 => {
                            let refused = sender.send_many([value]).await.err();
                            refused.and_then(|mut refused| refused.0.pop())
                        }
                        _ => match sender.reserve().await {
                            Ok(slot) => slot.send(value).err().map(|refused| refused.0),
                            Err(_) => Some(value),
                        },
                    };
                    if let Some((whose, _)) = refused {
                        assert_eq!(whose, number);
                        sender.closed().await;
                        return sent;
                    }
                    sent += 1;
                }
            }
        });
        executor.block_on(async {
            for consumer in consumers {
                consumer.await;
            }
        });
        let sent = sent.iter().sum::<usize>();
        assert_eq!(taken.load(Ordering::Relaxed), 200);
        let room = sender.capacity().unwrap_or(0);
        assert!((200..=200 + room + 2).contains(&sent), "{sent} were sent");
        assert!(sender.is_empty() && sender.is_closed());
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

/// Two who hand a number to and fro, without room for it anywhere.
pub fn ping_pong(executor: &impl Executor) {
    let (ping, pinged) = channel::rendezvous();
    let (pong, ponged) = channel::rendezvous();
    let other = executor.spawn(async move {
        let mut rounds = 0;
        while let Ok(number) = pinged.recv().await {
            assert!(pinged.is_empty());
            pong.send(number + 1).await.unwrap();
            rounds += 1;
        }
        rounds
    });
    executor.block_on(async {
        let mut number = 0;
        for round in 0..VALUES {
            ping.send(number).await.unwrap();
            let polls = Some(round % 3).filter(|_| round % 4 == 0);
            let back = match give_up_after(polls, ponged.recv()).await {
                Some(back) => back,
                None => ponged.recv().await,
            };
            number = back.unwrap();
        }
        assert_eq!(number, VALUES);
        drop(ping);
        assert_eq!(other.await, VALUES);
        assert_eq!(ponged.recv().await, Err(RecvError));
    });
}

/// Batches on both sides, and slots that are given back.
pub fn many_at_once(executor: &impl Executor) {
    for (sender, receiver) in all_kinds() {
        let sums = executor.run_all(8, |number| {
            // Only the receivers have their end, only the senders theirs: so there is an end.
            let sender = (number < 4).then(|| sender.clone());
            let receiver = (number >= 4).then(|| receiver.clone());
            async move {
                let (mut sum, mut values) = (0, Vec::new());
                if let Some(sender) = sender {
                    for batch in 0..VALUES / 20 {
                        let first = number * VALUES + batch * 20;
                        sender.send_many(first..first + 20).await.unwrap();
                        drop(give_up_after(Some(batch % 4), sender.reserve()).await);
                    }
                }
                if let Some(receiver) = receiver {
                    // Between them they receive 4000 values.
                    while sum_of(&mut sum, &mut values) < VALUES {
                        let left = VALUES - values.len();
                        let max = (1 + values.len() % 30).min(left);
                        receiver.recv_many(&mut values, max).await.unwrap();
                    }
                }
                sum
            }
        });
        assert_eq!(sums.iter().sum::<usize>(), SUM);
        assert!(sender.is_empty() && sender.stats().reserved == 0);
    }
}

/// Keeps the sum of the values up to date, and tells how many there are.
fn sum_of(sum: &mut usize, values: &mut [usize]) -> usize {
    *sum = values.iter().sum();
    values.len()
}

/// Whoever has only a weak sender does not keep the channel open, and sends while somebody else does.
pub fn weak_senders(executor: &impl Executor) {
    for (sender, receiver) in all_kinds() {
        let sent = Arc::new(AtomicUsize::new(0));
        let occasional: Vec<_> = (0..4)
            .map(|_| {
                let (weak, sent) = (sender.downgrade(), Arc::clone(&sent));
                executor.spawn(async move {
                    for _ in 0..VALUES {
                        let Some(sender) = weak.upgrade() else {
                            assert_eq!(weak.sender_count(), 0, "0 stays 0");
                            break;
                        };
                        sender.send(1).await.unwrap();
                        sent.fetch_add(1, Ordering::Relaxed);
                        drop(sender);
                        yield_now().await;
                    }
                })
            })
            .collect();
        let received = executor.block_on(async {
            let mut received = 0;
            while received < VALUES {
                received += receiver.recv().await.unwrap();
            }
            drop(sender);
            while let Ok(value) = receiver.recv().await {
                received += value;
            }
            for task in occasional {
                task.await;
            }
            received
        });
        assert_eq!(received, sent.load(Ordering::Relaxed));
        assert!(receiver.is_closed() && received >= VALUES);
    }
}

/// Receivers as streams: each value comes out of one of them, and all of them end.
pub fn streams(executor: &impl Executor) {
    for (sender, receiver) in all_kinds() {
        let producer = executor.spawn(async move {
            for value in 0..4 * VALUES {
                sender.send(value).await.unwrap();
            }
        });
        let all = executor.run_all(4, |number| {
            let mut receiver = receiver.clone();
            async move {
                let mut got = Vec::new();
                while let Some(value) = receiver.next().await {
                    got.push(value);
                    if got.len() % (number + 2) == 0 {
                        yield_now().await;
                    }
                }
                got
            }
        });
        executor.block_on(producer);
        assert!(all.iter().all(|got| got.is_sorted()));
        let mut all = all.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..4 * VALUES));
    }
}
