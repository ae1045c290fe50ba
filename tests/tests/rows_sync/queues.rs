//! Queues: A40 to A44.

use std::pin::pin;
use std::time::Duration;

use tenter::spawn;
use tenter::sync::{
    LifoQueue, PriorityQueue, Queue, ShutDown, TooMany, TryGetError, TryPutError, TryReserveError,
};
use tenter::time::timeout;
use tenter_tests::support::Log;

use super::{is_ready_at_once, settle};

/// Goal: first in, first out, for items and for those who wait; what somebody was promised nobody else
/// takes; a cancelled wait loses and doubles nothing; where nothing is to be waited for nobody yields.
#[tenter::test]
async fn a40_a_queue_is_first_in_first_out_and_loses_nothing() {
    static QUEUE: Queue<u32> = Queue::bounded(2).named("orders");
    assert_eq!(
        (QUEUE.capacity(), QUEUE.len(), QUEUE.is_empty()),
        (Some(2), 0, true)
    );
    assert!(is_ready_at_once(pin!(QUEUE.put(1))) && is_ready_at_once(pin!(QUEUE.put(2))));
    assert!(QUEUE.is_full());
    assert_eq!(
        QUEUE.try_put(3),
        Err(TryPutError::Full(3)),
        "the item comes back"
    );

    let putters = [3, 4, 5].map(|number| spawn(QUEUE.put(number)));
    settle().await;
    assert_eq!((QUEUE.len(), QUEUE.stats().putters), (2, 3));
    let [third, fourth, fifth] = putters;
    fourth
        .cancel_and_wait()
        .await
        .expect_err("it waited; nothing was put");
    assert_eq!(
        QUEUE.try_get(),
        Ok(1),
        "the one that has waited longest puts now"
    );
    assert_eq!(
        QUEUE.try_put(9),
        Err(TryPutError::Full(9)),
        "the room is not given twice"
    );
    third.await.unwrap().unwrap();
    assert_eq!([QUEUE.get().await, QUEUE.get().await], [Ok(2), Ok(3)]);
    assert!(
        is_ready_at_once(pin!(QUEUE.get())),
        "an item is there: nothing to wait for"
    );
    fifth.await.unwrap().unwrap();
    assert_eq!(
        QUEUE.try_get(),
        Err(TryGetError::Empty),
        "5 was taken, 4 never came"
    );

    let first = spawn(QUEUE.get());
    let second = spawn(QUEUE.get());
    settle().await;
    QUEUE.try_put(6).unwrap();
    assert_eq!(
        QUEUE.try_get(),
        Err(TryGetError::Empty),
        "6 is the first getter's already"
    );
    assert_eq!(first.await.unwrap(), Ok(6));
    assert!(
        timeout(Duration::from_secs(1), QUEUE.get()).await.is_err(),
        "there is no limit in it"
    );
    let mut unpolled = Box::pin(QUEUE.get());
    second.cancel_and_wait().await.expect_err("it waited");
    assert!(!is_ready_at_once(unpolled.as_mut()));
    QUEUE.try_put(7).unwrap();
    QUEUE.try_put(8).unwrap();
    drop(unpolled); // it had been given 7, which goes back to where it stood
    assert_eq!([QUEUE.try_get(), QUEUE.try_get()], [Ok(7), Ok(8)]);
    assert_eq!(QUEUE.stats().getters, 0, "nobody is left in line");

    let endless = Queue::unbounded();
    assert!((0..1_000).all(|number| endless.try_put(number).is_ok()) && !endless.is_full());
}

/// Goal: the newest item first; those who wait are served in the order of their coming all the same.
#[tenter::test]
async fn a41_a_stack_gives_the_newest_item_first() {
    static STACK: LifoQueue<u32> = LifoQueue::bounded(3);
    for number in [1, 3, 2] {
        STACK.put(number).await.unwrap();
    }
    let putter = spawn(STACK.put(4));
    settle().await;
    assert!(!putter.is_finished() && STACK.is_full());
    assert_eq!(STACK.get().await, Ok(2));
    putter.await.unwrap().unwrap();
    assert_eq!(STACK.get().await, Ok(4), "it came last");
    assert_eq!([STACK.try_get(), STACK.try_get()], [Ok(3), Ok(1)]);

    let getters = [(); 2].map(|()| spawn(STACK.get()));
    settle().await;
    STACK.try_put(5).unwrap();
    STACK.try_put(6).unwrap();
    let [first, second] = getters;
    assert_eq!(
        [first.await.unwrap(), second.await.unwrap()],
        [Ok(5), Ok(6)]
    );
}

/// An order that looks at the number alone.
#[derive(Debug, Clone, Copy)]
struct Ranked(u32, &'static str);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Ranked {}

/// Goal: the smallest first, and equals in the order in which they were put, which asyncio's heap does not
/// promise. What cannot be compared cannot be put: it does not compile, so no count goes wrong by it.
#[tenter::test]
async fn a42_the_smallest_comes_first_and_equals_in_their_order() {
    static QUEUE: PriorityQueue<Ranked> = PriorityQueue::bounded(4);
    for item in [
        Ranked(2, "a"),
        Ranked(1, "b"),
        Ranked(2, "c"),
        Ranked(1, "d"),
    ] {
        QUEUE.put(item).await.unwrap();
    }
    let putter = spawn(QUEUE.put(Ranked(0, "late")));
    settle().await;
    assert_eq!(
        QUEUE.try_get().unwrap().1,
        "b",
        "who waits for room is not compared yet"
    );
    putter.await.unwrap().unwrap();
    let mut names = Vec::new();
    while let Ok(item) = QUEUE.try_get() {
        names.push(item.1);
    }
    assert_eq!(names, ["late", "d", "a", "c"]);

    let mut left_behind = Box::pin(QUEUE.get());
    assert!(!is_ready_at_once(left_behind.as_mut()));
    QUEUE.try_put(Ranked(5, "first of its rank")).unwrap();
    QUEUE.try_put(Ranked(5, "second")).unwrap();
    drop(left_behind);
    assert_eq!(
        QUEUE.try_get().unwrap().1,
        "first of its rank",
        "it stands where it stood"
    );
    assert_eq!(
        QUEUE.stats().unfinished,
        7,
        "every put that was let in counts, and no other"
    );
}

/// Goal: `join` waits until every item that was put is done, also those that workers put themselves;
/// a count that has touched zero releases those who wait, although more is put before they run.
#[tenter::test]
async fn a43_join_waits_until_all_is_done() {
    static QUEUE: Queue<u32> = Queue::unbounded();
    QUEUE.join().await; // nothing was put
    assert_eq!(QUEUE.task_done(), Err(TooMany));

    let log = Log::new();
    let worker = spawn({
        let log = log.clone();
        async move {
            while let Some(job) = QUEUE.next_job().await {
                log.add(*job);
                if *job > 0 {
                    QUEUE.put(*job - 1).await.expect("it is open"); // before this job is done
                }
            }
        }
    });
    QUEUE.put(3).await.unwrap();
    QUEUE.join().await;
    assert_eq!(
        (log.take(), QUEUE.stats().unfinished),
        (vec![3, 2, 1, 0], 0)
    );
    worker
        .cancel_and_wait()
        .await
        .expect_err("it waited for more");

    QUEUE.put(7).await.unwrap();
    let joiner = spawn(QUEUE.join());
    settle().await;
    assert_eq!(QUEUE.get().await, Ok(7));
    settle().await;
    assert!(
        !joiner.is_finished(),
        "to take it is not to be done with it"
    );
    QUEUE.task_done().unwrap();
    QUEUE.put(8).await.unwrap(); // the joiner has not run yet
    joiner.await.unwrap();
    assert_eq!(QUEUE.task_done(), Ok(()));
    assert_eq!(QUEUE.task_done(), Err(TooMany), "8 was done already");

    QUEUE.put(9).await.unwrap();
    let failing = spawn(async {
        assert_eq!(QUEUE.next_job().await.as_deref(), Some(&8));
        let _job = QUEUE.next_job().await;
        panic!("the worker fails");
    });
    assert!(failing.await.expect_err("it panics").is_panic());
    assert_eq!(
        QUEUE.task_done(),
        Err(TooMany),
        "a job counts as done by a panic too"
    );
    QUEUE.join().await;
}

/// Goal: after a shutdown nothing goes in, what is there still comes out, and both sides' waits end; at
/// once, what is there is taken out and counts as done, but what a worker has still needs `task_done`.
#[tenter::test]
async fn a44_a_shutdown_lets_items_out_and_none_in() {
    static QUEUE: Queue<&str> = Queue::bounded(1);
    QUEUE.put("in").await.unwrap();
    let putter = spawn(QUEUE.put("late"));
    let joiner = spawn(QUEUE.join());
    settle().await;
    QUEUE.shutdown();
    QUEUE.shutdown(); // twice is no error
    assert_eq!(
        putter.await.unwrap(),
        Err(ShutDown("late")),
        "it was not put, and comes back"
    );
    assert_eq!(QUEUE.try_put("later"), Err(TryPutError::ShutDown("later")));
    assert_eq!(QUEUE.try_reserve().err(), Some(TryReserveError::ShutDown));
    assert_eq!(QUEUE.get().await, Ok("in"));
    assert_eq!(QUEUE.get().await, Err(ShutDown(())));
    assert_eq!(QUEUE.try_get(), Err(TryGetError::ShutDown));
    settle().await;
    assert!(!joiner.is_finished(), "what was taken is not done yet");
    QUEUE.task_done().unwrap();
    joiner.await.unwrap();

    static IDLE: Queue<u32> = Queue::unbounded();
    let getter = spawn(IDLE.get());
    settle().await;
    IDLE.shutdown();
    assert_eq!(getter.await.unwrap(), Err(ShutDown(())));

    static BUSY: Queue<u32> = Queue::unbounded();
    for number in [1, 2, 3] {
        BUSY.put(number).await.unwrap();
    }
    assert_eq!(BUSY.get().await, Ok(1));
    let joiner = spawn(BUSY.join());
    settle().await;
    BUSY.shutdown();
    assert_eq!(BUSY.shutdown_now(), [2, 3], "at once, after all");
    settle().await;
    assert!(BUSY.is_empty() && BUSY.is_shut_down() && !joiner.is_finished());
    BUSY.task_done().unwrap();
    joiner.await.unwrap();
    assert_eq!(BUSY.task_done(), Err(TooMany));
}
