//! Queues: many items at once, many who wait, and streams.

mod support;

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Log, Tasks, poll, yield_now};
use tenter_sync::{LifoQueue, PriorityQueue, Queue, ShutDown};

#[test]
fn get_many_takes_what_is_there() {
    let queue = Queue::bounded(8);
    let mut items = vec![100];
    assert_eq!(
        poll(pin!(queue.get_many(&mut items, 0))),
        Poll::Ready(Ok(0))
    );
    for number in 0..5 {
        queue.try_put(number).unwrap();
    }
    assert_eq!(
        poll(pin!(queue.get_many(&mut items, 3))),
        Poll::Ready(Ok(3))
    );
    assert_eq!(
        poll(pin!(queue.get_many(&mut items, 9))),
        Poll::Ready(Ok(2))
    );
    assert_eq!(items, [100, 0, 1, 2, 3, 4]);
    {
        let mut waiting = pin!(queue.get_many(&mut items, 2));
        assert!(poll(waiting.as_mut()).is_pending());
        for number in 5..8 {
            queue.try_put(number).unwrap();
        }
        assert_eq!(poll(waiting), Poll::Ready(Ok(2)));
    }
    assert_eq!(items, [100, 0, 1, 2, 3, 4, 5, 6]);
    queue.shutdown();
    assert_eq!(
        poll(pin!(queue.get_many(&mut items, 9))),
        Poll::Ready(Ok(1))
    );
    let ended = poll(pin!(queue.get_many(&mut items, 9)));
    assert_eq!(ended, Poll::Ready(Err(ShutDown(()))));
}

#[test]
fn get_many_lets_waiting_putters_in() {
    let queue = LifoQueue::bounded(2);
    let mut tasks = Tasks::new();
    for number in 0..5 {
        let queue = &queue;
        tasks.spawn(async move { queue.put(number).await.unwrap() });
    }
    tasks.run();
    let mut items = Vec::new();
    for _ in 0..5 {
        let _ = poll(pin!(queue.get_many(&mut items, 2)));
    }
    tasks.run();
    items.sort();
    assert_eq!(items, [0, 1, 2, 3, 4]);
    assert!((0..5).all(|task| tasks.is_done(task)));
}

#[test]
fn put_many_waits_as_often_as_it_takes() {
    let queue = Queue::bounded(2);
    let mut put = pin!(queue.put_many(0..7));
    assert!(poll(put.as_mut()).is_pending());
    let mut items = Vec::new();
    for _ in 0..4 {
        items.extend(queue.try_get());
        items.extend(queue.try_get());
        let _ = poll(put.as_mut()).map(|end| end.unwrap());
        if items.len() >= 5 {
            break;
        }
    }
    while let Ok(item) = queue.try_get() {
        items.push(item);
    }
    assert_eq!(items, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(queue.stats().unfinished, 7);
    assert_eq!(poll(pin!(queue.put_many(0..0))), Poll::Ready(Ok(())));
}

#[test]
fn put_many_gives_back_what_was_not_put() {
    let queue = Queue::bounded(2);
    let mut put = pin!(queue.put_many(0..5));
    assert!(poll(put.as_mut()).is_pending());
    queue.shutdown();
    assert_eq!(poll(put), Poll::Ready(Err(ShutDown(vec![2, 3, 4]))));
    assert_eq!(queue.shutdown_now(), [0, 1]);
    let late = poll(pin!(queue.put_many([8, 9])));
    assert_eq!(late, Poll::Ready(Err(ShutDown(vec![8, 9]))));
}

#[test]
fn put_many_serves_the_getters_that_wait() {
    let queue = PriorityQueue::bounded(1);
    let mut getters = [(); 3].map(|()| Box::pin(queue.get()));
    for getter in &mut getters {
        assert!(poll(getter.as_mut()).is_pending());
    }
    let mut put = pin!(queue.put_many([5, 4, 3, 2]));
    while poll(put.as_mut()).is_pending() {}
    let got = getters.map(|mut getter| poll(getter.as_mut()));
    assert_eq!(got, [5, 4, 3].map(|number| Poll::Ready(Ok(number))));
    assert_eq!(queue.try_get(), Ok(2));
}

#[test]
fn a_stream_ends_with_the_queue_and_may_be_moved() {
    fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Poll<Option<T>> {
        Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
    }
    let queue = Queue::bounded(4);
    let mut stream = queue.stream();
    queue.try_put(1).unwrap();
    assert_eq!(next(&mut stream), Poll::Ready(Some(1)));
    assert!(next(&mut stream).is_pending());
    let mut moved = stream;
    queue.try_put(2).unwrap();
    queue.try_put(3).unwrap();
    assert_eq!(next(&mut moved), Poll::Ready(Some(2)));
    assert_eq!(next(&mut moved), Poll::Ready(Some(3)));
    assert!(next(&mut moved).is_pending());
    queue.try_put(4).unwrap();
    drop(moved);
    assert_eq!(queue.try_get(), Ok(4), "the stream left it behind");
    let mut stream = queue.stream();
    assert!(next(&mut stream).is_pending());
    queue.shutdown();
    assert_eq!(next(&mut stream), Poll::Ready(None));
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn more_getters_than_a_batch_are_all_told() {
    let queue = Queue::bounded(1);
    let mut tasks = Tasks::new();
    let log = Log::default();
    for _ in 0..100 {
        let (queue, log) = (&queue, log.clone());
        tasks.spawn(async move {
            match queue.get().await {
                Ok(number) => log.add(format!("{number}")),
                Err(ShutDown(())) => log.add("end"),
            }
            yield_now().await;
        });
    }
    tasks.run();
    let mut put = pin!(queue.put_many(0..40));
    while poll(put.as_mut()).is_pending() {}
    queue.shutdown();
    tasks.run();
    let text = log.take();
    assert_eq!(text.matches("end").count(), 60);
    assert!(
        text.starts_with("0 1 2 3") && text.contains(" 39 end"),
        "{text}"
    );
}
