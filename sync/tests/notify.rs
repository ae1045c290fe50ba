//! `Notify`: what is stored, who is told, and in which order.

mod support;

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::{Count, Hooks, Log, Tasks, hostile, poll, poll_with};
use tenter_sync::Notify;
use tenter_sync::current::{self, TaskSlot, WaitKind};

#[test]
fn at_most_one_notification_is_stored() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    assert!(notify.stats().is_stored);
    assert!(poll(pin!(notify.notified())).is_ready());
    assert!(poll(pin!(notify.notified())).is_pending());
}

#[test]
fn notifications_go_to_those_who_wait_in_order() {
    let notify = Notify::new();
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c"] {
        let (log, notify) = (log.clone(), &notify);
        tasks.spawn(async move {
            notify.notified().await;
            log.add(name);
        });
    }
    tasks.run();
    notify.notify_one();
    notify.notify_one();
    tasks.run();
    assert_eq!(log.take(), "a b");
    assert!(!notify.stats().is_stored);
    notify.notify_one();
    tasks.run();
    assert_eq!((log.take().as_str(), notify.stats().waiting_max), ("c", 3));
}

#[test]
fn notify_waiters_tells_those_who_are_there_and_nobody_later() {
    let notify = Notify::new();
    let (waker, count) = Count::new();
    let unpolled = notify.notified();
    let mut polled = pin!(notify.notified());
    assert!(poll_with(polled.as_mut(), &waker).is_pending());
    notify.notify_waiters();
    assert_eq!(count.get(), 1);
    assert!(poll(polled.as_mut()).is_ready());
    assert!(poll(polled).is_ready(), "it stays ready");
    assert!(poll(pin!(unpolled)).is_ready());
    assert!(poll(pin!(notify.notified())).is_pending());
    assert!(!notify.stats().is_stored);
}

#[test]
fn notify_waiters_takes_nothing_that_is_stored() {
    let notify = Notify::new();
    let told = notify.notified();
    notify.notify_one();
    notify.notify_waiters();
    assert!(poll(pin!(told)).is_ready());
    assert!(
        poll(pin!(notify.notified())).is_ready(),
        "the stored one is still there"
    );
}

/// tokio #5404: a `notify_one` while a large `notify_waiters` is under way is not spent on somebody
/// who has been told already.
#[test]
fn notify_one_in_the_middle_of_notify_waiters_reaches_the_new_ones() {
    use std::sync::{Arc, Mutex};
    use std::task::{Wake, Waker};

    static NOTIFY: Notify = Notify::new();
    type Late = Mutex<Option<std::pin::Pin<Box<tenter_sync::Notified<'static>>>>>;
    /// The first wake lets somebody new get in line and notifies one.
    #[derive(Default)]
    struct Meddler(Late);
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            let mut late = self.0.lock().unwrap();
            if late.is_none() {
                let future = late.insert(Box::pin(NOTIFY.notified()));
                assert!(poll(future.as_mut()).is_pending());
                drop(late); // it wakes the others, which come here
                NOTIFY.notify_one();
            }
        }
    }

    let meddler = Arc::new(Meddler::default());
    let waker = Waker::from(Arc::clone(&meddler));
    let mut old: Vec<_> = (0..100).map(|_| Box::pin(NOTIFY.notified())).collect();
    for future in &mut old {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    }
    NOTIFY.notify_waiters();
    assert!(
        old.iter_mut()
            .all(|future| poll(future.as_mut()).is_ready())
    );
    let late = meddler.0.lock().unwrap().take();
    assert!(
        poll(late.unwrap().as_mut()).is_ready(),
        "notified, though 99 were before it"
    );
    assert!(!NOTIFY.stats().is_stored && NOTIFY.stats().waiting == 0);
}

#[test]
fn an_enabled_future_has_its_place_in_line() {
    let notify = Notify::new();
    let mut enabled = pin!(notify.notified());
    assert!(!enabled.as_mut().enable());
    let mut later = pin!(notify.notified());
    assert!(poll(later.as_mut()).is_pending());
    notify.notify_one();
    assert!(enabled.as_mut().enable());
    assert!(poll(enabled).is_ready());
    assert!(poll(later).is_pending());
}

#[test]
fn an_enabled_future_that_took_the_stored_one_passes_it_on_when_dropped() {
    let notify = Notify::new();
    notify.notify_one();
    let mut enabled = Box::pin(notify.notified());
    assert!(enabled.as_mut().enable());
    assert!(!notify.stats().is_stored);
    drop(enabled);
    assert!(notify.stats().is_stored);
}

#[test]
fn a_future_enabled_without_a_waker_gets_one_at_its_first_poll() {
    let notify = Notify::new();
    let (waker, count) = Count::new();
    let mut future = pin!(notify.notified());
    assert!(!future.as_mut().enable());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    notify.notify_one();
    assert_eq!(count.get(), 1);
}

/// tokio #4618, #3652: a notified future that is dropped hands its notification on; one that was
/// told by `notify_waiters` has nothing to hand on.
#[test]
fn only_a_notification_of_notify_one_is_passed_on() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    let mut second = pin!(notify.notified());
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    notify.notify_one();
    drop(first);
    assert!(poll(second).is_ready());

    let mut told = Box::pin(notify.notified());
    assert!(poll(told.as_mut()).is_pending());
    notify.notify_waiters();
    drop(told);
    assert!(!notify.stats().is_stored);
}

/// tokio #7996: one that was notified and then also told still passes the notification on.
#[test]
fn notified_and_then_told_still_passes_on() {
    let notify = Notify::new();
    let mut future = Box::pin(notify.notified());
    assert!(poll(future.as_mut()).is_pending());
    notify.notify_one();
    notify.notify_waiters();
    drop(future);
    assert!(notify.stats().is_stored);
}

#[test]
fn a_spent_budget_keeps_the_notification() {
    let notify = Notify::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    notify.notify_one();
    let mut future = Box::pin(notify.notified());
    current::with_task(&slot, 0, || assert!(poll(future.as_mut()).is_pending()));
    assert!(!notify.stats().is_stored);
    drop(future);
    assert!(notify.stats().is_stored);

    let mut waiting = pin!(Notify::notified(&notify));
    assert!(poll(waiting.as_mut()).is_ready());
    let mut waiting = pin!(notify.notified());
    current::with_task(&slot, 1, || assert!(poll(waiting.as_mut()).is_pending()));
    assert_eq!(slot.waiting_on().unwrap().kind, WaitKind::Notify);
}

#[test]
fn debug_shows_the_name() {
    static NAMED: Notify = Notify::new().named("changed");
    let text = format!("{NAMED:?}");
    assert!(
        text.contains("\"changed\"") && text.contains("waiting: 0"),
        "{text}"
    );
}

#[test]
fn an_owned_future_keeps_it_alive_and_passes_on_what_it_was_given() {
    let notify = Arc::new(Notify::new());
    let mut first = Box::pin(Arc::clone(&notify).notified_owned());
    let mut told = Box::pin(Arc::clone(&notify).notified_owned());
    assert!(!first.as_mut().enable() && poll(first.as_mut()).is_pending());
    let (waker, count) = Count::new();
    let mut second = pin!(notify.notified());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    notify.notify_one();
    assert!(format!("{first:?}").contains("Granted"));
    drop(first);
    assert_eq!(count.get(), 1);
    assert!(poll(second).is_ready());
    notify.notify_waiters();
    assert!(told.as_mut().enable() && poll(told.as_mut()).is_ready());
    drop(told);
    assert_eq!(Arc::strong_count(&notify), 1);
}

/// The notification comes between the first look and the lock, and the waker that is not needed any
/// more panics as it is dropped.
#[test]
fn a_waker_whose_drop_panics_does_not_lose_the_notification() {
    let notify = Arc::new(Notify::new());
    let (other, armed) = (Arc::clone(&notify), Arc::new(AtomicBool::new(false)));
    let bomb = Arc::clone(&armed);
    let waker = hostile(&Arc::new(Hooks {
        on_clone: Some(Box::new(move || other.notify_one())),
        on_drop: Some(Box::new(move || {
            assert!(!bomb.swap(false, Ordering::Relaxed), "hostile waker");
        })),
        ..Hooks::default()
    }));
    let mut future = Box::pin(notify.notified());
    armed.store(true, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(|| poll_with(future.as_mut(), &waker)));
    assert!(outcome.is_err());
    assert!(!notify.stats().is_stored, "the future has it");
    drop(future);
    assert!(notify.stats().is_stored, "and passes it on");
}
