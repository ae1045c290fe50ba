//! Programs that tell one another: events, notifications, conditions, barriers, oneshots.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenter_sync::{Barrier, Condition, Event, Lock, Notify, Semaphore, oneshot};

use crate::support::{Executor, give_up_after, yield_now};

const TASKS: usize = 6;
const ROUNDS: usize = 200;

/// Task 0 sets event after event; each is seen by all before the next one is set.
pub fn events(executor: &impl Executor) {
    let shared: Arc<[_]> = (0..ROUNDS)
        .map(|_| (Event::new(), Event::new(), AtomicUsize::new(0)))
        .collect();
    executor.run_all(TASKS, |number| {
        let rounds = Arc::clone(&shared);
        async move {
            for (start, all_there, came) in rounds.iter() {
                if number == 0 {
                    start.set();
                } else {
                    start.wait().await;
                    let _ = give_up_after(Some(1), all_there.wait()).await;
                }
                if came.fetch_add(1, Ordering::AcqRel) + 1 == TASKS {
                    all_there.set();
                }
                all_there.wait().await;
                assert_eq!(came.load(Ordering::Acquire), TASKS);
            }
        }
    });
}

/// Two who hand a ball to and fro: a notification is never lost, nor stored twice.
pub fn notifications(executor: &impl Executor) {
    let shared = Arc::new(([Notify::new(), Notify::new()], AtomicUsize::new(0)));
    executor.run_all(2, |me| {
        let shared = Arc::clone(&shared);
        async move {
            let (bells, ball) = &*shared;
            for round in 0..ROUNDS {
                if me == 0 {
                    ball.fetch_add(1, Ordering::Relaxed);
                    bells[1].notify_one();
                    bells[0].notified().await;
                    assert_eq!(ball.load(Ordering::Relaxed), 2 * round + 2);
                } else {
                    // A wait that is dropped may have been told, and passes it on.
                    let told = give_up_after(Some(round % 3), bells[1].notified()).await;
                    if told.is_none() {
                        bells[1].notified().await;
                    }
                    assert_eq!(ball.fetch_add(1, Ordering::Relaxed), 2 * round + 1);
                    bells[0].notify_one();
                }
            }
        }
    });
    for bell in &shared.0 {
        let stats = bell.stats();
        assert!(stats.waiting == 0 && !stats.is_stored);
    }
}

/// A bounded queue made of a lock and two conditions: what goes in comes out, once each.
pub fn queue_of_a_condition(executor: &impl Executor) {
    const BOUND: usize = 3;
    #[derive(Default)]
    struct Queue {
        items: Lock<VecDeque<usize>>,
        is_filled: Condition,
        is_emptied: Condition,
    }
    let queue = Arc::new(Queue::default());
    let sums = executor.run_all(2 * TASKS, |number| {
        let queue = Arc::clone(&queue);
        async move {
            let mut sum = 0;
            for round in 0..ROUNDS {
                let items = queue.items.lock().await;
                if number < TASKS {
                    let room = |items: &mut VecDeque<_>| (items.len() < BOUND).then_some(());
                    let (mut items, ()) = queue.is_emptied.wait_for(items, room).await;
                    items.push_back(number * ROUNDS + round);
                    queue.is_filled.notify(&items, 1);
                } else {
                    let (items, item) = queue.is_filled.wait_for(items, VecDeque::pop_front).await;
                    queue.is_emptied.notify(&items, 1);
                    sum += item;
                }
                if round % 7 == 0 {
                    yield_now().await;
                }
            }
            sum
        }
    });
    let items = TASKS * ROUNDS;
    assert_eq!(sums.iter().sum::<usize>(), items * (items - 1) / 2);
    assert!(queue.items.try_lock().unwrap().is_empty());
}

/// Each task waits for its turn, and gives the turn to the next.
pub fn turns(executor: &impl Executor) {
    let shared = Arc::new((Lock::new(0), Condition::new()));
    executor.run_all(TASKS, |number| {
        let shared = Arc::clone(&shared);
        async move {
            let (turn, changed) = &*shared;
            for round in 0..ROUNDS {
                let mine = round * TASKS + number;
                let guard = turn.lock().await;
                let look = |turn: &mut usize| (*turn == mine).then_some(());
                let (mut guard, ()) = changed.wait_for(guard, look).await;
                *guard += 1;
                changed.notify_all(&guard);
            }
        }
    });
    assert_eq!(*shared.0.try_lock().unwrap(), TASKS * ROUNDS);
    assert_eq!(shared.1.stats().waiting, 0);
}

/// In each round each index is handed out once, and nobody is a round ahead.
pub fn barrier(executor: &impl Executor) {
    let shared = Arc::new((
        Barrier::new(TASKS),
        (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>(),
    ));
    executor.run_all(TASKS, |number| {
        let shared = Arc::clone(&shared);
        async move {
            let (barrier, came) = &*shared;
            for (round, count) in came.iter().enumerate() {
                if (number + round) % 3 == 0 {
                    // One that comes and leaves does not count, unless the round began with it.
                    if let Some(turn) = give_up_after(Some(0), barrier.wait()).await {
                        panic!("nobody polled it, and it has {turn:?}");
                    }
                    yield_now().await;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let turn = barrier.wait().await.unwrap();
                assert_eq!(count.load(Ordering::Relaxed) & 0xff, TASKS);
                count.fetch_add(1 << (8 + turn.index), Ordering::Relaxed);
            }
        }
    });
    for count in &shared.1 {
        let indices = count.load(Ordering::Relaxed) >> 8;
        assert_eq!(indices, (1 << TASKS) - 1, "each index once");
    }
    assert_eq!((shared.0.waiting(), shared.0.stats().going), (0, 0));
}

/// Questions with a way for the answer, a few at a time.
pub fn oneshots(executor: &impl Executor) {
    let window = Arc::new(Semaphore::new(4));
    let sums = executor.run_all(TASKS, |number| {
        let window = Arc::clone(&window);
        async move {
            let mut sum = 0;
            for round in 0..ROUNDS {
                let permit = Arc::clone(&window).acquire_owned().await.unwrap();
                let (answer, wait) = oneshot();
                let (mut heard, gone) = oneshot::<()>();
                let question = number * ROUNDS + round;
                let asks = async {
                    yield_now().await;
                    drop(gone);
                    wait.await.unwrap()
                };
                let answers = async {
                    heard.closed().await;
                    answer.send(question + 1).unwrap();
                };
                sum += both(asks, answers).await;
                drop(permit);
            }
            sum
        }
    });
    let questions = TASKS * ROUNDS;
    assert_eq!(sums.iter().sum::<usize>(), questions * (questions + 1) / 2);
    assert_eq!(window.available(), 4);
}

/// Two futures in one task, with its one waker.
async fn both<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let (mut output, mut is_over) = (None, false);
    std::future::poll_fn(move |cx| {
        if output.is_none() {
            if let std::task::Poll::Ready(value) = first.as_mut().poll(cx) {
                output = Some(value);
            }
        }
        is_over = is_over || second.as_mut().poll(cx).is_ready();
        if output.is_some() && is_over {
            return std::task::Poll::Ready(output.take().expect("looked just now"));
        }
        std::task::Poll::Pending
    })
    .await
}
