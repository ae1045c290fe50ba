//! `watch`: what receivers see, who waits for whom, and who does not.

#[path = "models/watch.rs"]
mod body;
mod models;
mod support;

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Count, Tasks, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::watch::{RecvError, Sender, Values};
use tenter_sync::{shim, watch};

fn text_of(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => String::from(*panic.downcast::<&str>().expect("a text")),
    }
}

/// The words of the panic that `body` ends with.
fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    text_of(
        catch_unwind(AssertUnwindSafe(body))
            .err()
            .expect("it panics"),
    )
}

#[test]
fn a_receiver_sees_the_latest_value_only() {
    let (sender, mut receiver) = watch(0);
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(
        poll(pin!(receiver.changed())).is_pending(),
        "the first value has been seen"
    );
    for value in 1..=3 {
        sender.send(value).unwrap();
    }
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(
        (*receiver.borrow(), receiver.has_changed()),
        (3, Ok(true)),
        "not seen yet"
    );
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert!(poll(pin!(receiver.changed())).is_pending());
    sender.send(4).unwrap();
    assert!(receiver.borrow().has_changed());
    assert!(receiver.borrow_and_update().has_changed());
    assert!(!receiver.borrow_and_update().has_changed() && !sender.borrow().has_changed());
    assert_eq!(receiver.has_changed(), Ok(false));
}

#[test]
fn marks_make_a_value_seen_or_not() {
    let (sender, mut receiver) = watch(0);
    receiver.mark_changed();
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    sender.send(1).unwrap();
    receiver.mark_unchanged();
    assert!(poll(pin!(receiver.changed())).is_pending());
    drop(sender);
    assert_eq!(receiver.has_changed(), Err(RecvError));
    receiver.mark_changed();
    assert_eq!(
        receiver.has_changed(),
        Ok(true),
        "also when no sender is left"
    );
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Err(RecvError)));
}

#[test]
fn the_last_value_comes_before_the_end() {
    let (sender, mut receiver) = watch(0);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(other.sender_count(), 1);
    drop(other);
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert_eq!(*receiver.borrow(), 1);
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Err(RecvError)));
    assert_eq!(
        RecvError.to_string(),
        "watch channel without senders, and the last value has been seen"
    );
}

#[test]
fn clones_and_subscribers_know_what_they_have_seen() {
    let (sender, receiver) = watch(0);
    sender.send(1).unwrap();
    let clone = receiver.clone();
    let new = sender.subscribe();
    assert_eq!(
        (clone.has_changed(), new.has_changed()),
        (Ok(true), Ok(false))
    );
    assert_eq!(sender.receiver_count(), 3);
    assert!(clone.same_channel(&new) && sender.same_channel(&sender.clone()));
    assert!(!sender.same_channel(&Sender::default()));
}

#[test]
fn without_receivers_a_send_gives_the_value_back_and_a_replace_does_not_mind() {
    let (sender, receiver) = watch(String::from("a"));
    drop(receiver);
    assert!(sender.is_closed());
    let error = sender.send(String::from("b")).unwrap_err();
    assert_eq!(
        (error.0.as_str(), error.to_string().as_str()),
        ("b", "watch channel without receivers")
    );
    assert!(format!("{error:?}").contains("SendError"));
    assert_eq!(sender.send_replace(String::from("c")), "a");
    let receiver = sender.subscribe();
    assert_eq!(
        (receiver.borrow().as_str(), receiver.has_changed()),
        ("c", Ok(false))
    );
}

#[test]
fn a_change_in_place_tells_if_the_closure_says_so() {
    let (sender, mut receiver) = watch(vec![1]);
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(sender.send_if_modified(|list| {
        list.push(2);
        true
    }));
    sender.send_modify(|list| list.push(3));
    assert_eq!(*receiver.borrow_and_update(), [1, 2, 3]);
}

/// tokio's `Ref` stops senders, and on one thread for ever.
#[test]
fn a_ref_keeps_nobody_from_sending_and_stays_what_it_is() {
    let (sender, receiver) = watch(0);
    let refs: Vec<_> = (1..=5)
        .map(|value| {
            let held = receiver.borrow();
            sender.send(value).unwrap();
            held
        })
        .collect();
    assert_eq!(*receiver.borrow(), 5);
    assert!(refs.iter().enumerate().all(|(index, held)| **held == index));
    drop(refs);
    sender.send_modify(|value| *value += 1);
    assert_eq!(*receiver.borrow(), 6);
}

#[test]
fn a_value_goes_when_nobody_reads_it_any_more() {
    let (first, second) = (Arc::new(()), Arc::new(()));
    let (sender, receiver) = watch(Arc::clone(&first));
    let (one, other) = (receiver.borrow(), sender.borrow());
    sender.send(Arc::clone(&second)).unwrap();
    drop(one);
    assert_eq!(Arc::strong_count(&first), 2, "somebody reads it still");
    drop(other);
    assert_eq!(Arc::strong_count(&first), 1);
    sender.send(Arc::clone(&first)).unwrap();
    assert_eq!(Arc::strong_count(&second), 1, "at once, if nobody reads it");
    drop((sender, receiver));
    assert_eq!(Arc::strong_count(&first), 1);
}

/// A drop that comes back to the channel finds no lock held, whoever drops the value.
#[test]
fn the_drop_of_a_value_may_use_the_channel() {
    struct Nosy(Option<Sender<Nosy>>, Arc<Mutex<usize>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                assert!(sender.borrow().0.is_some() || sender.receiver_count() > 0);
                assert!(!format!("{sender:?}").contains("<locked>"));
                sender.subscribe().mark_changed();
            }
            *self.1.lock().unwrap() += 1;
        }
    }
    let drops = Arc::new(Mutex::new(0));
    let (sender, receiver) = watch(Nosy(None, Arc::clone(&drops)));
    for round in 0..2 {
        let nosy = Nosy(Some(sender.clone()), Arc::clone(&drops));
        sender.send(nosy).unwrap();
        let held = (round == 1).then(|| receiver.borrow());
        sender.send(Nosy(None, Arc::clone(&drops))).unwrap();
        drop(held);
    }
    drop((sender, receiver));
    assert_eq!(*drops.lock().unwrap(), 5);
}

/// What would wait for itself says so: tokio hangs.
#[test]
fn a_thread_that_would_wait_for_itself_panics() {
    let (sender, receiver) = watch(0);
    let held = receiver.borrow();
    let words = panic_of(|| sender.send_modify(|value| *value += 1));
    assert!(words.contains("holds a `Ref`"), "{words}");
    let words = panic_of(|| sender.send_replace(1));
    assert!(words.contains("drop the `Ref` first"), "{words}");
    drop(held);
    sender.send_modify(|_| {
        let words = panic_of(|| drop(receiver.borrow()));
        assert!(
            words.contains("inside the closure that changes it"),
            "{words}"
        );
        for words in [
            panic_of(|| sender.send(1)),
            panic_of(|| sender.send_modify(|_| ())),
        ] {
            assert!(
                words.contains("inside the closure that changes its value"),
                "{words}"
            );
        }
        assert_eq!(
            (sender.receiver_count(), receiver.has_changed()),
            (1, Ok(false))
        );
        assert!(format!("{sender:?}").contains("is_being_changed: true"));
    });
    assert_eq!(*sender.borrow(), 0);
    assert!(
        sender.send(2).is_ok() && *receiver.borrow() == 2,
        "it is whole"
    );
}

#[test]
fn a_change_that_panics_leaves_the_channel_whole_and_tells_nobody() {
    let (sender, mut receiver) = watch(1);
    let (waker, count) = Count::new();
    let mut changed = Box::pin(receiver.changed());
    assert!(poll_with(changed.as_mut(), &waker).is_pending());
    let words = panic_of(|| {
        sender.send_modify(|value| {
            *value = 2;
            panic!("half way");
        });
    });
    assert_eq!(
        (words.as_str(), count.get(), *sender.borrow()),
        ("half way", 0, 2)
    );
    sender.send_modify(|value| *value += 1);
    assert_eq!(
        (count.get(), poll(changed.as_mut())),
        (1, Poll::Ready(Ok(())))
    );
    drop(changed);
    assert_eq!(*receiver.borrow(), 3);
}

#[test]
fn wait_for_looks_at_the_value_that_is_there_first() {
    let (sender, mut receiver) = watch(5);
    match poll(pin!(receiver.wait_for(|value| *value == 5))) {
        Poll::Ready(Ok(value)) => assert_eq!((*value, value.has_changed()), (5, false)),
        other => panic!("{other:?}"),
    }
    let looks = std::cell::Cell::new(0);
    let (waker, count) = Count::new();
    let mut waiting = Box::pin(receiver.wait_for(|value| {
        looks.set(looks.get() + 1);
        *value > 7
    }));
    for _ in 0..3 {
        assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    }
    assert_eq!(looks.get(), 1, "each value once");
    for value in [6, 7] {
        sender.send(value).unwrap();
    }
    assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    sender.send(8).unwrap();
    assert_eq!(count.get(), 2);
    assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Ok(value)) if *value == 8));
    drop(waiting);
    assert_eq!((looks.get(), receiver.has_changed()), (3, Ok(false)));
    drop(sender);
    assert!(matches!(
        poll(pin!(receiver.wait_for(|value| *value > 8))),
        Poll::Ready(Err(RecvError))
    ));
    assert!(matches!(
        poll(pin!(receiver.wait_for(|value| *value == 8))),
        Poll::Ready(Ok(_))
    ));
}

#[test]
fn a_predicate_that_panics_leaves_the_channel_whole() {
    let (sender, mut receiver) = watch(0);
    let words = panic_of(|| drop(poll(pin!(receiver.wait_for(|_| panic!("no idea"))))));
    assert_eq!(words, "no idea");
    sender.send_modify(|value| *value += 1); // no `Ref` is left
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn closed_waits_for_the_last_receiver_and_remembers_it() {
    let (sender, receiver) = watch(0);
    let (waker, count) = Count::new();
    let mut closed: Vec<_> = (0..40).map(|_| Box::pin(sender.closed())).collect();
    for future in &mut closed {
        assert!(poll(future.as_mut()).is_pending());
        assert!(
            poll_with(future.as_mut(), &waker).is_pending(),
            "another waker"
        );
    }
    drop(closed.pop());
    let clone = receiver.clone();
    drop(receiver);
    assert_eq!(count.get(), 0);
    drop(clone);
    assert_eq!(count.get(), 39, "in both batches");
    let receiver = sender.subscribe();
    assert!(
        closed
            .iter_mut()
            .all(|future| poll(future.as_mut()).is_ready())
    );
    assert!(poll(pin!(sender.closed())).is_pending());
    drop(receiver);
    let mut late = Box::pin(sender.closed());
    assert!(poll(late.as_mut()).is_ready() && poll(late.as_mut()).is_ready());
}

fn next<T: Clone>(values: &mut Values<T>) -> Poll<Option<T>> {
    Pin::new(values).poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_stream_returns_what_has_not_been_seen_until_the_end() {
    let (sender, mut receiver) = watch(0);
    receiver.mark_changed();
    let mut values = receiver.into_stream();
    assert_eq!(next(&mut values), Poll::Ready(Some(0)));
    assert_eq!(next(&mut values), Poll::Pending);
    for value in [1, 2] {
        sender.send(value).unwrap();
    }
    let mut moved = Box::new(values);
    assert_eq!(next(&mut moved), Poll::Ready(Some(2)));
    assert_eq!(next(&mut moved), Poll::Pending);
    assert_eq!(sender.stats().waiting, 1);
    let (receiver, sender_again) = (moved.into_inner(), sender.clone());
    assert_eq!(
        (sender.stats().waiting, receiver.has_changed()),
        (0, Ok(false))
    );
    sender.send(3).unwrap();
    let mut values = receiver.into_stream();
    drop((sender, sender_again));
    assert_eq!(next(&mut values), Poll::Ready(Some(3)));
    assert_eq!(next(&mut values), Poll::Ready(None));
    assert_eq!(next(&mut values), Poll::Ready(None));
}

/// Dropped at every poll and in every state, a wait takes nothing with it.
#[test]
fn a_dropped_wait_leaves_the_value_unseen_and_the_others_waiting() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for polls in 0..3 {
        for (sends, held_back) in [(false, false), (true, false), (true, true)] {
            let (sender, mut receiver) = watch(0);
            let mut behind = receiver.clone();
            let (waker, count) = Count::new();
            let mut dropped = Box::pin(receiver.changed());
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut waits = Box::pin(behind.changed());
            assert!(poll_with(waits.as_mut(), &waker).is_pending());
            if sends {
                sender.send(1).unwrap();
            }
            if held_back {
                current::with_task(&slot, 0, || assert!(poll(dropped.as_mut()).is_pending()));
            }
            drop(dropped);
            assert_eq!(receiver.has_changed(), Ok(sends), "{polls} polls");
            sender.send(2).unwrap();
            assert_eq!((count.get(), sender.stats().waiting), (1, 0));
            assert_eq!(poll(waits.as_mut()), Poll::Ready(Ok(())));
        }
    }
}

#[test]
fn a_spent_budget_postpones_and_loses_nothing() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (sender, mut receiver) = watch(0);
    sender.send(1).unwrap();
    let (waker, count) = Count::new();
    let mut changed = Box::pin(receiver.changed());
    current::with_task(&slot, 0, || {
        assert!(poll_with(changed.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 1, "it comes back");
    assert_eq!(poll(changed.as_mut()), Poll::Ready(Ok(())));
    drop(changed);
    current::with_task(&slot, 1, || {
        assert!(poll(pin!(receiver.changed())).is_pending());
    });
    assert_eq!(slot.waiting_on().map(|on| on.kind), Some(WaitKind::Watch));
    let mut waits = Box::pin(receiver.wait_for(|value| *value == 1));
    current::with_task(&slot, 0, || {
        assert!(poll_with(waits.as_mut(), &waker).is_pending());
    });
    assert!(matches!(poll(waits.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn leaked_waits_and_refs_are_sound() {
    let (sender, receiver) = watch(String::from("first"));
    for polled in [false, true] {
        let own = Box::leak(Box::new(receiver.clone()));
        let mut leaked = Box::pin(own.changed());
        assert!(!polled || poll(leaked.as_mut()).is_pending());
        leak(leaked);
    }
    std::mem::forget(receiver.borrow());
    for value in ["second", "third"] {
        sender.send(value.into()).unwrap();
    }
    sender.send_modify(|value| value.push('!'));
    assert_eq!(*receiver.borrow(), "third!");
}

#[test]
fn two_tasks_pass_values_to_and_fro() {
    let ((there, mut at_b), (back, mut at_a)) = (watch(0), watch(0));
    let mut tasks = Tasks::new();
    let a = tasks.spawn(async move {
        for turn in 1..=100 {
            there.send(turn).unwrap();
            at_a.changed().await.unwrap();
            assert_eq!(*at_a.borrow_and_update(), turn);
        }
    });
    let b = tasks.spawn(async move {
        while at_b.changed().await.is_ok() {
            let turn = *at_b.borrow_and_update();
            let _ = back.send(turn);
        }
    });
    tasks.run();
    assert!(tasks.is_done(a) && tasks.is_done(b));
}

#[test]
fn debug_shows_the_name_and_the_state() {
    let (sender, receiver) = watch(0);
    let sender = sender.named("level");
    for text in [format!("{sender:?}"), format!("{receiver:?}")] {
        assert!(
            text.contains("\"level\"") && text.contains("receivers: 1"),
            "{text}"
        );
    }
    assert_eq!(sender.stats().name.as_deref(), Some("level"));
    let sender = sender.named_dyn(format!("level {}", 2));
    assert_eq!(sender.stats().name.as_deref(), Some("level 2"));
    assert_eq!(
        format!("{:?} {}", receiver.borrow(), receiver.borrow()),
        "0 0"
    );
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::a_value_and_the_end);
    shim::explore(body::the_last_sender_leaves);
    shim::explore(body::replaced_while_read);
    shim::explore(body::a_change_waits_for_readers);
    shim::explore(body::a_change_goes_on_when_its_value_is_replaced);
    shim::explore(body::who_reads_is_let_in_again);
    shim::explore(body::one_leaves_and_one_goes_on);
    shim::explore(body::the_last_receiver_leaves);
    shim::explore(body::another_waker);
    shim::explore(body::two_changes);
}
