//! Bodies for `notify`.

use std::sync::Arc;

use tenter_sync::Notify;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;

use super::{block_on, poll_once};

/// One notification, one waiter, in either order; what was done before it is visible.
pub fn one_for_one() {
    let shared = Arc::new((Notify::new(), AtomicUsize::new(0)));
    let other = Arc::clone(&shared);
    let notifier = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        other.0.notify_one();
    });
    block_on(shared.0.notified());
    assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    notifier.join().unwrap();
    assert!(!shared.0.stats().is_stored);
}

/// A second notification that meets a stored one still brings what was done before it.
pub fn two_notifiers() {
    let notify = Arc::new(Notify::new());
    let work: Arc<[AtomicUsize; 2]> = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let notifiers = [0, 1].map(|index| {
        let (notify, work) = (Arc::clone(&notify), Arc::clone(&work));
        thread::spawn(move || {
            work[index].store(1, Ordering::Relaxed);
            notify.notify_one();
        })
    });
    while work.iter().any(|done| done.load(Ordering::Relaxed) == 0) {
        block_on(notify.notified());
    }
    for notifier in notifiers {
        notifier.join().unwrap();
    }
}

/// A waiter that is dropped as it is notified passes the notification on.
pub fn a_cancelled_waiter_passes_it_on() {
    let notify = Arc::new(Notify::new());
    let other = Arc::clone(&notify);
    let waiter = thread::spawn(move || block_on(other.notified()));
    let mut cancelled = Box::pin(notify.notified());
    if poll_once(cancelled.as_mut()).is_ready() {
        unreachable!("nobody has notified yet");
    }
    let other = Arc::clone(&notify);
    let notifier = thread::spawn(move || other.notify_one());
    drop(cancelled);
    waiter.join().unwrap();
    notifier.join().unwrap();
}

/// `notify_waiters` reaches a future that exists, whether it has been polled or not.
pub fn all_reaches_the_unpolled() {
    let notify = Arc::new(Notify::new());
    let waiting = notify.notified();
    let other = Arc::clone(&notify);
    let notifier = thread::spawn(move || other.notify_waiters());
    block_on(waiting);
    notifier.join().unwrap();
    let stats = notify.stats();
    assert!(!stats.is_stored && stats.waiting == 0);
}

/// `notify_waiters` and `notify_one` together, while the one who waits leaves: nothing is lost.
pub fn all_and_one() {
    let notify = Arc::new(Notify::new());
    let mut polled = Box::pin(notify.notified());
    assert!(poll_once(polled.as_mut()).is_pending());
    let other = Arc::clone(&notify);
    let all = thread::spawn(move || other.notify_waiters());
    let other = Arc::clone(&notify);
    let one = thread::spawn(move || other.notify_one());
    // The notification of `notify_one` is granted to the waiter, who passes it on, or stored.
    drop(polled);
    all.join().unwrap();
    one.join().unwrap();
    let stats = notify.stats();
    assert!(stats.is_stored && stats.waiting == 0);
}
