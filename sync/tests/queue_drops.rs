//! Futures of queues that are dropped or leaked at any moment, and wakers that misbehave.

mod support;

use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use support::{Count, Hooks, hostile, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{LifoQueue, PriorityQueue, Queue, ShutDown, TryGetError};

/// How far a future has come when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Unpolled,
    Waiting,
    /// Served, and not polled since.
    Served,
    /// Served, polled, and kept from returning by the budget.
    HeldBack,
    ShutDown,
}

const STAGES: [Stage; 5] = [
    Stage::Unpolled,
    Stage::Waiting,
    Stage::Served,
    Stage::HeldBack,
    Stage::ShutDown,
];

/// Brings a future to a stage and drops it.
fn drop_at<F: Future>(future: F, stage: Stage, serve: impl FnOnce(), shut: impl FnOnce()) {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut future = Box::pin(future);
    if stage != Stage::Unpolled {
        assert!(poll(future.as_mut()).is_pending());
    }
    match stage {
        Stage::Unpolled | Stage::Waiting => {}
        Stage::Served => serve(),
        Stage::HeldBack => {
            serve();
            current::with_task(&slot, 0, || assert!(poll(future.as_mut()).is_pending()));
        }
        Stage::ShutDown => shut(),
    }
}

macro_rules! for_each_queue {
    ($body:ident($($argument:expr),*)) => {
        $body!(Queue, Queue::bounded($($argument),*));
        $body!(LifoQueue, LifoQueue::bounded($($argument),*));
        $body!(PriorityQueue, PriorityQueue::bounded($($argument),*));
    };
}

#[test]
fn get_may_be_dropped_at_every_stage() {
    macro_rules! body {
        ($kind:ident, $queue:expr) => {
            for stage in STAGES {
                let queue = $queue;
                drop_at(
                    queue.get(),
                    stage,
                    || queue.try_put(1).unwrap(),
                    || queue.shutdown(),
                );
                let served = matches!(stage, Stage::Served | Stage::HeldBack);
                let stats = queue.stats();
                let counts = (stats.len, stats.unfinished, stats.getters);
                assert_eq!(counts, (served.into(), served.into(), 0), "{stage:?}");
                assert_eq!(queue.try_get().is_ok(), served, "{stage:?}");
            }
        };
    }
    for_each_queue!(body(2));
}

/// Goal: the getter behind the dropped one gets what that one was handed.
#[test]
fn get_job_stream_and_get_many_pass_on_what_they_were_handed() {
    macro_rules! body {
        ($kind:ident, $queue:expr) => {
            for stage in [Stage::Waiting, Stage::Served, Stage::HeldBack] {
                for which in 0..3 {
                    let queue = $queue;
                    let (waker, count) = Count::new();
                    let mut many = Vec::new();
                    let dropped: Pin<Box<dyn Future<Output = ()> + '_>> = match which {
                        0 => Box::pin(async {
                            let _ = queue.get().await;
                        }),
                        1 => Box::pin(async { drop(queue.next_job().await) }),
                        _ => Box::pin(async {
                            let _ = queue.get_many(&mut many, 5).await;
                        }),
                    };
                    let mut behind = Box::pin(queue.get());
                    drop_at(
                        dropped,
                        stage,
                        || {
                            assert!(poll_with(behind.as_mut(), &waker).is_pending());
                            queue.try_put(1).unwrap();
                            assert_eq!(count.get(), 0);
                        },
                        || {},
                    );
                    if stage == Stage::Waiting {
                        assert!(poll_with(behind.as_mut(), &waker).is_pending());
                        queue.try_put(1).unwrap();
                    }
                    assert_eq!(count.get(), 1, "{stage:?} {which}");
                    assert_eq!(poll(behind.as_mut()), Poll::Ready(Ok(1)));
                    drop(behind);
                    assert!(many.is_empty());
                    assert_eq!(queue.stats().unfinished, 1);
                }
            }
        };
    }
    for_each_queue!(body(2));
}

#[test]
fn put_may_be_dropped_at_every_stage() {
    macro_rules! body {
        ($kind:ident, $queue:expr) => {
            for stage in STAGES {
                let (queue, alive) = ($queue, Arc::new(()));
                queue.try_put(Arc::clone(&alive)).unwrap();
                drop_at(
                    queue.put(Arc::clone(&alive)),
                    stage,
                    || drop(queue.try_get()),
                    || queue.shutdown(),
                );
                // It was put for it, or has gone with it.
                let stats = queue.stats();
                assert_eq!((stats.len, stats.putters), (1, 0), "{stage:?}");
                assert_eq!(Arc::strong_count(&alive), 2, "{stage:?}");
                drop(queue);
                assert_eq!(Arc::strong_count(&alive), 1, "{stage:?}");
            }
        };
    }
    for_each_queue!(body(1));
}

#[test]
fn reserve_may_be_dropped_at_every_stage() {
    macro_rules! body {
        ($kind:ident, $queue:expr) => {
            for stage in STAGES {
                let queue = $queue;
                queue.try_put(1).unwrap();
                drop_at(
                    queue.reserve(),
                    stage,
                    || assert_eq!(queue.try_get(), Ok(1)),
                    || queue.shutdown(),
                );
                let stats = queue.stats();
                assert_eq!((stats.reserved, stats.putters), (0, 0), "{stage:?}");
                let served = matches!(stage, Stage::Served | Stage::HeldBack);
                assert_eq!(queue.try_put(2).is_ok(), served, "{stage:?}");
            }
        };
    }
    for_each_queue!(body(1));
}

#[test]
fn put_many_may_be_dropped_between_its_items() {
    let (queue, alive) = (Queue::bounded(2), Arc::new(()));
    {
        let items = (0..6).map(|_| Arc::clone(&alive));
        let mut put = pin!(queue.put_many(items));
        assert!(poll(put.as_mut()).is_pending());
        drop(queue.try_get());
        assert!(poll(put.as_mut()).is_pending());
    }
    assert_eq!((queue.len(), Arc::strong_count(&alive)), (2, 3));
    assert_eq!((queue.stats().putters, queue.stats().unfinished), (0, 3));
}

#[test]
fn join_may_be_dropped_at_every_stage() {
    for stage in STAGES {
        let queue = Queue::bounded(2);
        queue.try_put(1).unwrap();
        drop_at(
            queue.join(),
            stage,
            || queue.task_done().unwrap(),
            || queue.shutdown(),
        );
        assert_eq!(queue.stats().joiners, 0, "{stage:?}");
        let _ = queue.task_done();
        assert!(poll(pin!(queue.join())).is_ready());
    }
}

/// Goal: what is leaked while it waits breaks nothing for the others; what it was handed is lost with it.
#[test]
fn leaked_futures_and_slots_harm_nobody_else() {
    static QUEUE: Queue<u32> = Queue::bounded(2);
    let queue = &QUEUE;
    let mut get = Box::pin(queue.get());
    assert!(poll(get.as_mut()).is_pending());
    leak(get);
    queue.try_put(1).unwrap(); // handed to nobody who will ever look
    queue.try_put(2).unwrap();
    assert_eq!(queue.try_get(), Ok(2));
    leak(queue.try_reserve().unwrap());
    queue.try_put(3).unwrap();
    let mut put = Box::pin(queue.put(4));
    assert!(poll(put.as_mut()).is_pending());
    leak(put);
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(3), Ok(4)));
    assert_eq!(queue.stats().reserved, 1);
    let mut join = Box::pin(queue.join());
    assert!(poll(join.as_mut()).is_pending());
    leak(join);
    for _ in 0..4 {
        queue.task_done().unwrap();
    }
    assert!(poll(pin!(queue.join())).is_ready());
}

#[test]
fn a_queue_drops_what_is_in_it() {
    macro_rules! body {
        ($kind:ident, $queue:expr) => {
            let (queue, alive) = ($queue, Arc::new(()));
            for _ in 0..3 {
                queue.try_put(Arc::clone(&alive)).unwrap();
            }
            let mut get = Box::pin(queue.get());
            let slot = TaskSlot::new(NonZeroU64::MIN);
            current::with_task(&slot, 0, || assert!(poll(get.as_mut()).is_pending()));
            drop(get); // left behind
            assert_eq!((queue.len(), Arc::strong_count(&alive)), (3, 4));
            drop(queue);
            assert_eq!(Arc::strong_count(&alive), 1);
        };
    }
    for_each_queue!(body(4));
}

/// Items that are dropped come back to the queue: it is free then.
#[test]
fn a_drop_of_an_item_may_use_the_queue() {
    struct Looks(Arc<Queue<Looks>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = (self.0.stats(), self.0.try_get().is_ok());
        }
    }
    let queue = Arc::new(Queue::bounded(2));
    let item = || Looks(Arc::clone(&queue));
    for _ in 0..2 {
        queue.try_put(item()).ok().unwrap();
    }
    {
        let mut put = pin!(queue.put(item()));
        let mut many = pin!(queue.put_many([item(), item()]));
        assert!(poll(put.as_mut()).is_pending() && poll(many.as_mut()).is_pending());
    }
    for _ in 0..2 {
        let _ = queue.try_put(item());
    }
    drop(queue.shutdown_now());
    assert_eq!(Arc::strong_count(&queue), 1);
}

#[derive(Clone, Copy, Debug)]
enum Occasion {
    Clone,
    Wake,
    Drop,
}

const OCCASIONS: [Occasion; 3] = [Occasion::Clone, Occasion::Wake, Occasion::Drop];

fn hooks(occasion: Occasion, hook: impl Fn() + Send + Sync + 'static) -> Arc<Hooks> {
    let (mut hooks, hook) = (Hooks::default(), Box::new(hook));
    match occasion {
        Occasion::Clone => hooks.on_clone = Some(hook),
        Occasion::Wake => hooks.on_wake = Some(hook),
        Occasion::Drop => hooks.on_drop = Some(hook),
    }
    Arc::new(hooks)
}

/// Goal: no waker is called, cloned or dropped under the lock.
#[test]
fn a_waker_may_use_the_queue_that_wakes_it() {
    for occasion in OCCASIONS {
        let queue = Arc::new(Queue::bounded(1));
        let other = Arc::clone(&queue);
        let waker = hostile(&hooks(occasion, move || {
            let _ = (other.try_get(), other.try_put(9), other.stats());
            let _ = poll(pin!(other.get()));
            let _ = poll(pin!(other.put(8)));
            let _ = other.task_done();
        }));
        let mut get = Box::pin(queue.get());
        let mut join = Box::pin(queue.join());
        let mut put = Box::pin(queue.put(1));
        let mut reserve = Box::pin(queue.reserve());
        for _ in 0..3 {
            let _ = poll_with(get.as_mut(), &waker).map(|_| get.set(queue.get()));
            let _ = poll(get.as_mut()).map(|_| get.set(queue.get()));
            let _ = poll_with(put.as_mut(), &waker).map(|_| put.set(queue.put(1)));
            let _ = poll_with(reserve.as_mut(), &waker).map(|_| reserve.set(queue.reserve()));
            let _ = poll_with(join.as_mut(), &waker).map(|()| join.set(queue.join()));
            let _ = (queue.try_put(2), queue.try_get(), queue.task_done());
        }
        drop((get, put, reserve, join, waker));
        queue.shutdown();
        let _ = queue.shutdown_now();
        let stats = queue.stats();
        let waits = (stats.getters, stats.putters, stats.joiners, stats.reserved);
        assert_eq!(waits, (0, 0, 0, 0), "{occasion:?}");
    }
}

/// Goal: a waker that panics loses nothing, and keeps nobody from being woken.
#[test]
fn a_waker_that_panics_loses_nothing() {
    let panicking = |hooks: &Arc<Hooks>| hostile(hooks);
    let bomb = || hooks(Occasion::Wake, || panic!("hostile wake"));
    // A put that wakes a getter.
    let queue = Queue::bounded(1);
    let bad = bomb();
    let mut get = Box::pin(queue.get());
    assert!(poll_with(get.as_mut(), &panicking(&bad)).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_put(1))).is_err());
    assert_eq!(bad.wakes.load(Ordering::Relaxed), 1);
    assert_eq!(poll(get.as_mut()), Poll::Ready(Ok(1)));
    // A `try_get` that wakes a putter: the item it had in hand is home again.
    queue.try_put(2).unwrap();
    let mut put = Box::pin(queue.put(3));
    assert!(poll_with(put.as_mut(), &panicking(&bomb())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_get())).is_err());
    assert_eq!(poll(put.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(
        queue.len(),
        2,
        "one more than there is room for, as it came back"
    );
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(2), Ok(3)));
    // A `get`, the same.
    queue.try_put(4).unwrap();
    let mut put = Box::pin(queue.put(5));
    assert!(poll_with(put.as_mut(), &panicking(&bomb())).is_pending());
    let mut get = Box::pin(queue.get());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(get.as_mut()))).is_err());
    assert_eq!(poll(get.as_mut()), Poll::Ready(Ok(4)));
    assert_eq!(queue.try_get(), Ok(5));
    // A shutdown that wakes two.
    let (waker, count) = Count::new();
    let mut getters = [Box::pin(queue.get()), Box::pin(queue.get())];
    assert!(poll_with(getters[0].as_mut(), &panicking(&bomb())).is_pending());
    assert!(poll_with(getters[1].as_mut(), &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.shutdown())).is_err());
    assert_eq!(count.get(), 1);
    for getter in &mut getters {
        assert_eq!(poll(getter.as_mut()), Poll::Ready(Err(ShutDown(()))));
    }
    // A cancelled getter that passes its item on to one whose waker panics.
    let queue = Queue::bounded(1);
    let mut first = Box::pin(queue.get());
    let mut second = Box::pin(queue.get());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &panicking(&bomb())).is_pending());
    queue.try_put(6).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(first))).is_err());
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(6)));
    assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    // A `task_done` that wakes a joiner.
    let mut join = Box::pin(queue.join());
    assert!(poll_with(join.as_mut(), &panicking(&bomb())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.task_done())).is_err());
    assert!(poll(join.as_mut()).is_ready());
    // A `try_reserve` cannot wake; a slot that is dropped can.
    let slot = queue.try_reserve().unwrap();
    let mut put = Box::pin(queue.put(7));
    assert!(poll_with(put.as_mut(), &panicking(&bomb())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(slot))).is_err());
    assert_eq!(poll(put.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.stats().reserved, 0);
}

/// A wake that drops the last other reference to the queue, and the getter that it wakes.
#[test]
fn a_wake_may_drop_the_getter_that_it_wakes() {
    type Waiting = Pin<Box<dyn Future<Output = Result<u32, ShutDown>> + Send>>;
    let queue = Arc::new(Queue::bounded(1));
    let place: Arc<Mutex<Option<Waiting>>> = Arc::default();
    let owned = Arc::clone(&place);
    let hooks = hooks(Occasion::Wake, move || drop(owned.lock().unwrap().take()));
    let waker = hostile(&hooks);
    let other = Arc::clone(&queue);
    let mut get: Waiting = Box::pin(async move { other.get().await });
    assert!(poll_with(get.as_mut(), &waker).is_pending());
    *place.lock().unwrap() = Some(get);
    queue.try_put(1).unwrap();
    assert_eq!(queue.try_get(), Ok(1), "the getter left it behind");
    assert_eq!(Arc::strong_count(&queue), 1);
}
