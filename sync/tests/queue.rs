//! `Queue`, `LifoQueue` and `PriorityQueue`: the semantic cases Q01 to Q22, the budget, and what stands in a
//! static. What is done at once is in `sync/tests/queue_many.rs`, slots are in `sync/tests/queue_slots.rs`.

mod support;

use std::num::NonZeroU64;
use std::pin::pin;
use std::task::Poll;

use support::{Count, Log, Tasks, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{
    LifoQueue, PriorityQueue, Queue, ShutDown, TooMany, TryGetError, TryPutError, TryReserveError,
};

#[test]
fn q01_full_and_empty_follow_the_items() {
    let queue = Queue::bounded(1);
    assert!(queue.is_empty() && !queue.is_full());
    queue.try_put(1).unwrap();
    assert!(!queue.is_empty() && queue.is_full());
    assert_eq!(queue.try_get(), Ok(1));
    assert!(queue.is_empty() && !queue.is_full());
    let endless = Queue::unbounded();
    for number in 0..1000 {
        endless.try_put(number).unwrap();
        assert!(!endless.is_full());
    }
    assert_eq!((endless.len(), endless.capacity()), (1000, None));
}

#[test]
fn q02_each_kind_has_its_order() {
    macro_rules! order {
        ($queue:expr) => {{
            let queue = $queue;
            for number in [1, 3, 2] {
                queue.try_put(number).unwrap();
            }
            [(); 3].map(|()| queue.try_get().unwrap())
        }};
    }
    assert_eq!(order!(Queue::bounded(3)), [1, 3, 2]);
    assert_eq!(order!(Queue::unbounded()), [1, 3, 2]);
    assert_eq!(order!(LifoQueue::bounded(3)), [2, 3, 1]);
    assert_eq!(order!(PriorityQueue::unbounded()), [1, 2, 3]);
}

#[test]
fn q03_the_third_put_waits_for_a_get() {
    let queue = Queue::bounded(2);
    let log = Log::default();
    let mut tasks = Tasks::new();
    tasks.spawn(async {
        for number in 0..3 {
            queue.put(number).await.unwrap();
            log.add(format!("put{number}"));
        }
    });
    tasks.run();
    assert_eq!(log.take(), "put0 put1");
    tasks.spawn(async { log.add(format!("got{}", queue.get().await.unwrap())) });
    tasks.run();
    assert_eq!(log.take(), "got0 put2");
    assert_eq!((queue.len(), queue.stats().peak), (2, 2));
}

#[test]
fn q04_a_waiting_get_returns_the_item_that_comes() {
    let queue = Queue::bounded(1);
    let (waker, count) = Count::new();
    let mut get = pin!(queue.get());
    assert!(poll_with(get.as_mut(), &waker).is_pending());
    queue.try_put(7).unwrap();
    assert_eq!(count.get(), 1);
    assert_eq!(
        queue.try_get(),
        Err(TryGetError::Empty),
        "it is handed over already"
    );
    assert_eq!(poll(get), Poll::Ready(Ok(7)));
}

#[test]
fn q05_trying_tells_why_not_and_gives_the_item_back() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    queue.try_put("a").unwrap();
    assert_eq!(queue.try_put("b"), Err(TryPutError::Full("b")));
    assert_eq!(queue.try_put("b").unwrap_err().into_inner(), "b");
}

#[test]
fn q06_an_item_goes_to_the_second_getter_if_the_first_was_cancelled() {
    let queue = Queue::bounded(4);
    let mut first = Box::pin(queue.get());
    let mut second = Box::pin(queue.get());
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    drop(first);
    queue.try_put(1).unwrap();
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(queue.stats().getters, 0);
}

/// Goal: an item that was handed to a getter which is dropped goes to the next one.
#[test]
fn q06_an_item_handed_to_a_cancelled_getter_passes_on() {
    let queue = Queue::bounded(4);
    let mut first = Box::pin(queue.get());
    let mut second = Box::pin(queue.get());
    let (waker, count) = Count::new();
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    queue.try_put(1).unwrap();
    assert_eq!(count.get(), 0);
    drop(first);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(queue.stats().unfinished, 1);
}

#[test]
fn q07_waiting_putters_put_in_their_order() {
    let queue = Queue::bounded(1);
    let mut tasks = Tasks::new();
    for number in 0..3 {
        let queue = &queue;
        tasks.spawn(async move { queue.put(number).await.unwrap() });
    }
    tasks.run();
    assert_eq!((queue.len(), queue.stats().putters), (1, 2));
    assert_eq!([(); 3].map(|()| queue.try_get().unwrap()), [0, 1, 2]);
    tasks.run();
    assert!((0..3).all(|task| tasks.is_done(task)));
}

#[test]
fn q08_one_producer_and_one_consumer_both_finish() {
    let queue = Queue::bounded(1);
    let log = Log::default();
    let mut tasks = Tasks::new();
    tasks.spawn(async {
        for number in 0..5 {
            queue.put(number).await.unwrap();
        }
    });
    tasks.spawn(async {
        for _ in 0..5 {
            log.add(queue.get().await.unwrap().to_string());
        }
    });
    tasks.run();
    assert_eq!(log.take(), "0 1 2 3 4");
    assert!(tasks.is_done(0) && tasks.is_done(1));
}

#[test]
fn q09_nobody_is_left_in_line_after_a_cancel() {
    let queue = Queue::bounded(1);
    {
        let mut get = pin!(queue.get());
        assert!(poll(get.as_mut()).is_pending());
        assert_eq!(queue.stats().getters, 1);
    }
    assert_eq!(queue.stats().getters, 0);
    queue.try_put(1).unwrap();
    {
        let mut put = pin!(queue.put(2));
        let mut slot = pin!(queue.reserve());
        assert!(poll(put.as_mut()).is_pending() && poll(slot.as_mut()).is_pending());
        assert_eq!(queue.stats().putters, 2);
    }
    let stats = queue.stats();
    assert_eq!((stats.putters, stats.len, stats.putters_max), (0, 1, 2));
}

#[test]
fn q13_a_cancelled_putter_leaves_its_place_to_the_next() {
    let queue = Queue::bounded(1);
    queue.try_put("a").unwrap();
    let mut cancelled = Box::pin(queue.put("X"));
    let mut next = Box::pin(queue.put("b"));
    assert!(poll(cancelled.as_mut()).is_pending() && poll(next.as_mut()).is_pending());
    drop(cancelled);
    assert_eq!(queue.try_get(), Ok("a"));
    assert_eq!(poll(next.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok("b"));
}

#[test]
fn q14_draining_without_waiting_lets_all_putters_in() {
    let queue = Queue::bounded(2);
    let mut tasks = Tasks::new();
    for number in 0..4 {
        let queue = &queue;
        tasks.spawn(async move { queue.put(number).await.unwrap() });
    }
    tasks.run();
    for _ in 0..queue.len() {
        queue.try_get().unwrap();
    }
    tasks.run();
    assert!((0..4).all(|task| tasks.is_done(task)));
    assert_eq!(queue.len(), 2);
}

#[test]
fn q17_a_getter_that_waits_ends_with_the_shutdown_of_an_empty_queue() {
    let queue = Queue::<u8>::bounded(1);
    let (waker, count) = Count::new();
    let mut get = pin!(queue.get());
    assert!(poll_with(get.as_mut(), &waker).is_pending());
    queue.shutdown();
    queue.shutdown();
    assert_eq!(count.get(), 1);
    assert_eq!(poll(get), Poll::Ready(Err(ShutDown(()))));
    assert_eq!(poll(pin!(queue.get())), Poll::Ready(Err(ShutDown(()))));
    assert_eq!(poll(pin!(queue.put(1))), Poll::Ready(Err(ShutDown(1))));
    assert_eq!(queue.try_put(1), Err(TryPutError::ShutDown(1)));
    assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
    assert_eq!(queue.try_reserve().err(), Some(TryReserveError::ShutDown));
    assert!(poll(pin!(queue.next_job())).ready_and(|job| job.is_none()));
    assert!(poll(pin!(queue.join())).is_ready());
    assert!(queue.is_shut_down());
}

trait ReadyAnd<T> {
    fn ready_and(self, test: impl FnOnce(T) -> bool) -> bool;
}

impl<T> ReadyAnd<T> for Poll<T> {
    fn ready_and(self, test: impl FnOnce(T) -> bool) -> bool {
        match self {
            Poll::Ready(value) => test(value),
            Poll::Pending => false,
        }
    }
}

#[test]
fn q18_a_shutdown_gives_the_waiting_put_its_item_back_and_lets_getters_drain() {
    let queue = Queue::bounded(1);
    queue.try_put("in").unwrap();
    let mut put = pin!(queue.put("out"));
    let mut join = pin!(queue.join());
    assert!(poll(put.as_mut()).is_pending() && poll(join.as_mut()).is_pending());
    queue.shutdown();
    assert_eq!(poll(put), Poll::Ready(Err(ShutDown("out"))));
    assert_eq!(poll(pin!(queue.get())), Poll::Ready(Ok("in")));
    assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
    assert!(poll(join.as_mut()).is_pending());
    assert_eq!(queue.task_done(), Ok(()));
    assert!(poll(join).is_ready());
    assert_eq!(queue.task_done(), Err(TooMany));
}

#[test]
fn q19_shutting_down_at_once_takes_the_items_and_lets_the_joiner_go() {
    let queue = Queue::bounded(3);
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    let mut join = pin!(queue.join());
    assert!(poll(join.as_mut()).is_pending());
    assert_eq!(queue.shutdown_now(), [1, 2]);
    assert!(queue.is_empty());
    assert!(poll(join).is_ready());
    assert_eq!(queue.task_done(), Err(TooMany));
    assert_eq!(queue.shutdown_now(), [0; 0]);
}

#[test]
fn q19_items_that_were_taken_out_before_still_count() {
    let queue = Queue::unbounded();
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert_eq!(queue.try_get(), Ok(1));
    let mut join = pin!(queue.join());
    assert!(poll(join.as_mut()).is_pending());
    queue.shutdown();
    assert_eq!(queue.shutdown_now(), [2]);
    assert!(poll(join.as_mut()).is_pending());
    queue.task_done().unwrap();
    assert!(poll(join).is_ready());
}

#[test]
fn what_was_handed_to_a_getter_survives_a_shutdown() {
    let queue = Queue::bounded(1);
    let mut kept = Box::pin(queue.get());
    let mut dropped = Box::pin(queue.get());
    assert!(poll(kept.as_mut()).is_pending() && poll(dropped.as_mut()).is_pending());
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert_eq!(queue.shutdown_now(), [0; 0]);
    assert_eq!(poll(kept.as_mut()), Poll::Ready(Ok(1)));
    drop(dropped);
    assert_eq!((queue.len(), queue.stats().unfinished), (1, 2));
    assert_eq!(queue.try_get(), Ok(2), "left behind, and still there");
    assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
}

/// Goal: what getters leave behind stands where it stood, whoever leaves first.
#[test]
fn items_left_behind_come_first_and_in_their_order() {
    for flip in [false, true] {
        let queue = Queue::bounded(4);
        let mut getters = [(); 3].map(|()| Box::pin(queue.get()));
        for getter in &mut getters {
            assert!(poll(getter.as_mut()).is_pending());
        }
        for number in 0..6 {
            queue.try_put(number).unwrap();
        }
        let [first, second, third] = getters;
        if flip {
            drop(third);
            drop(first);
        } else {
            drop(first);
            drop(third);
        }
        assert_eq!(queue.len(), 5);
        assert_eq!(queue.try_put(9), Err(TryPutError::Full(9)));
        let left = [(); 5].map(|()| queue.try_get().unwrap());
        assert_eq!(left, [0, 2, 3, 4, 5]);
        drop(second);
        assert_eq!(queue.try_get(), Ok(1));
    }
}

#[test]
fn a_lifo_item_left_behind_goes_under_the_later_ones() {
    let queue = LifoQueue::unbounded();
    let mut get = Box::pin(queue.get());
    assert!(poll(get.as_mut()).is_pending());
    queue.try_put("old").unwrap();
    queue.try_put("new").unwrap();
    drop(get);
    assert_eq!((queue.try_get(), queue.try_get()), (Ok("new"), Ok("old")));
}

/// Goal: a task that never has to wait lets others run; what it holds meanwhile stays in order.
#[test]
fn the_budget_ends_a_poll_and_loses_nothing() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let queue = Queue::bounded(8);
    let (waker, count) = Count::new();
    current::with_task(&slot, 2, || {
        for number in 0..2 {
            assert!(poll(pin!(queue.put(number))).is_ready());
        }
        let mut put = pin!(queue.put(2));
        assert!(poll_with(put.as_mut(), &waker).is_pending());
        assert_eq!(count.get(), 1);
        current::without_budget(|| assert!(poll(put).is_ready()));
    });
    assert_eq!(queue.len(), 3);
    let mut first = Box::pin(queue.get());
    let mut second = Box::pin(queue.get());
    current::with_task(&slot, 0, || {
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
    });
    assert_eq!(queue.len(), 1, "both are secured");
    drop(second);
    drop(first);
    assert_eq!([(); 3].map(|()| queue.try_get().unwrap()), [0, 1, 2]);
}

#[test]
fn a_task_that_waits_says_for_what() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let queue = Queue::<u8>::bounded(1);
    current::with_task(&slot, 9, || assert!(poll(pin!(queue.get())).is_pending()));
    let waits = slot.waiting_on().expect("it waits");
    assert_eq!(waits.kind, WaitKind::Queue);
}

/// The documented limit: an item handed to a future that its task does not poll stays there until the
/// future is dropped.
#[test]
fn a_getter_that_is_not_polled_keeps_its_item_until_it_is_dropped() {
    let queue = Queue::bounded(4);
    let mut idle = Box::pin(queue.get());
    let mut busy = Box::pin(queue.get());
    assert!(poll(idle.as_mut()).is_pending() && poll(busy.as_mut()).is_pending());
    queue.try_put(1).unwrap();
    assert!(
        poll(busy.as_mut()).is_pending(),
        "the item is the idle one's"
    );
    drop(idle);
    assert_eq!(poll(busy.as_mut()), Poll::Ready(Ok(1)));
}

#[test]
fn queues_stand_in_statics() {
    static QUEUE: Queue<String> = Queue::bounded(2).named("static");
    static STACK: LifoQueue<String> = LifoQueue::unbounded().named("stack");
    static HEAP: PriorityQueue<String> = PriorityQueue::bounded(2);
    QUEUE.try_put("q".into()).unwrap();
    STACK.try_put("s".into()).unwrap();
    HEAP.try_put("h".into()).unwrap();
    let text = format!("{QUEUE:?} {STACK:?} {HEAP:?}");
    assert!(
        text.contains("name: \"static\"") && text.contains("len: 1"),
        "{text}"
    );
    assert_eq!(QUEUE.stats().name.as_deref(), Some("static"));
    assert_eq!(QUEUE.shutdown_now().len(), 1);
    assert_eq!(STACK.shutdown_now().len() + HEAP.shutdown_now().len(), 2);
}

#[test]
fn room_for_nothing_is_refused_with_advice() {
    let refused = std::panic::catch_unwind(|| Queue::<u8>::bounded(0)).unwrap_err();
    let text = refused.downcast_ref::<String>().map_or_else(
        || refused.downcast_ref::<&str>().copied().unwrap_or_default(),
        String::as_str,
    );
    assert!(text.contains("channel::rendezvous"), "{text}");
}

#[test]
fn threads_may_block_in_the_same_line() {
    let queue = Queue::bounded(1);
    std::thread::scope(|scope| {
        let sum = scope.spawn(|| {
            let mut sum = 0;
            while let Ok(number) = queue.blocking_get() {
                sum += number;
            }
            sum
        });
        for number in 1..=1000 {
            queue.blocking_put(number).unwrap();
        }
        queue.shutdown();
        assert_eq!(queue.blocking_put(0), Err(ShutDown(0)));
        assert_eq!(sum.join().unwrap(), 500_500);
    });
}
