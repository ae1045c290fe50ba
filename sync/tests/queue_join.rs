//! `join`, `task_done` and jobs: the cases Q15, Q16 and Q22, and what a zero is.

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use support::{Count, Log, Tasks, leak, poll, poll_with, yield_now};
use tenter_sync::{PriorityQueue, Queue, TooMany};

#[test]
fn q15_too_many_done_is_an_error_and_counts_nothing() {
    let queue = Queue::unbounded();
    assert_eq!(queue.task_done(), Err(TooMany));
    queue.try_put(1).unwrap();
    assert_eq!(queue.stats().unfinished, 1);
    assert_eq!(queue.task_done(), Ok(()));
    assert_eq!(queue.task_done(), Err(TooMany));
    assert_eq!(queue.stats().unfinished, 0);
}

#[test]
fn q16_join_returns_when_all_items_are_done_with() {
    let queue = Queue::unbounded();
    assert!(poll(pin!(queue.join())).is_ready());
    assert!(poll(pin!(queue.join())).is_ready());
    for number in 0..100 {
        queue.try_put(number).unwrap();
    }
    let (sum, log) = (Cell::new(0), Log::default());
    let mut tasks = Tasks::new();
    tasks.spawn(async {
        queue.join().await;
        log.add(sum.get().to_string());
    });
    for _ in 0..2 {
        let (queue, sum) = (&queue, &sum);
        tasks.spawn(async move {
            while let Some(job) = queue.next_job().await {
                yield_now().await;
                sum.set(sum.get() + *job);
            }
        });
    }
    tasks.run();
    assert_eq!(log.take(), "4950");
    queue.shutdown();
    tasks.run();
    assert!((0..3).all(|task| tasks.is_done(task)));
}

#[test]
fn q22_a_worker_that_puts_before_it_is_done_keeps_the_joiner_waiting() {
    let queue = PriorityQueue::unbounded();
    let log = Log::default();
    queue.try_put(5).unwrap();
    let mut tasks = Tasks::new();
    tasks.spawn(async {
        queue.join().await;
        log.add("joined");
    });
    tasks.spawn(async {
        while let Some(job) = queue.next_job().await {
            log.add(job.to_string());
            if *job > 0 {
                queue.put(*job - 1).await.unwrap();
            }
        }
    });
    tasks.run();
    assert_eq!(log.take(), "5 4 3 2 1 0 joined");
}

#[test]
fn who_waits_when_the_count_touches_zero_is_let_go_though_an_item_comes() {
    let queue = Queue::bounded(4);
    let (waker, count) = Count::new();
    queue.try_put(1).unwrap();
    queue.try_get().unwrap();
    let mut join = Box::pin(queue.join());
    let mut cancelled = Box::pin(queue.join());
    assert!(poll_with(join.as_mut(), &waker).is_pending());
    assert!(poll(cancelled.as_mut()).is_pending());
    drop(cancelled);
    queue.task_done().unwrap();
    queue.try_put(2).unwrap();
    assert_eq!((count.get(), queue.stats().joiners), (1, 0));
    assert!(poll(join.as_mut()).is_ready());
    assert!(poll(pin!(queue.join())).is_pending());
}

#[test]
fn hundred_joiners_are_let_go_at_once() {
    let queue = Queue::unbounded();
    queue.try_put(()).unwrap();
    let mut tasks = Tasks::new();
    for _ in 0..100 {
        tasks.spawn(queue.join());
    }
    tasks.run();
    assert_eq!(queue.stats().joiners, 100);
    queue.task_done().unwrap();
    tasks.run();
    assert!((0..100).all(|task| tasks.is_done(task)));
}

#[test]
fn a_job_is_done_by_drop_by_panic_and_by_taking_the_item_out() {
    struct Loud(Rc<Cell<usize>>, bool);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "a drop that panics");
        }
    }
    let (queue, dropped) = (Queue::unbounded(), Rc::new(Cell::new(0)));
    for hostile in [false, false, false, true] {
        queue.try_put(Loud(Rc::clone(&dropped), hostile)).unwrap();
    }
    let job = || match poll(pin!(queue.next_job())) {
        Poll::Ready(Some(job)) => job,
        _ => panic!("there is one"),
    };
    drop(job());
    assert_eq!(queue.stats().unfinished, 3);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _job = job();
        std::panic::panic_any("worker");
    }));
    assert!(panicked.is_err());
    assert_eq!(queue.stats().unfinished, 2);
    let item = job().into_inner();
    assert_eq!((queue.stats().unfinished, dropped.get()), (1, 2));
    drop(item);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(job()))).is_err());
    assert_eq!((queue.stats().unfinished, dropped.get()), (0, 4));
}

#[test]
fn a_job_that_is_leaked_is_never_done() {
    let queue = Queue::unbounded();
    queue.try_put(1).unwrap();
    let Poll::Ready(Some(mut job)) = poll(pin!(queue.next_job())) else {
        panic!("there is one");
    };
    *job += 1;
    assert_eq!((*job, format!("{job:?}").as_str()), (2, "Job(2)"));
    leak(job);
    assert!(poll(pin!(queue.join())).is_pending());
}
