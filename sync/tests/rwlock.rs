//! `RwLock`: the semantic cases L01 to L14 for both kinds, who goes in with whom, drops in every state,
//! hostile wakers, one task with two futures, and an oracle.

mod support;

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use support::{Count, Hooks, Log, Tasks, hostile, leak, poll, poll_with, yield_now};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError,
};

/// A poll by a task of its own: nobody else has this waker, now or later.
fn poll_alone<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    let (waker, count) = Count::new();
    leak(count);
    poll_with(future, &waker)
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}

fn assert_free<T: ?Sized>(lock: &RwLock<T>) {
    let stats = lock.stats();
    assert_eq!(
        (stats.readers, stats.is_write_locked, stats.waiting),
        (0, false, 0)
    );
    assert!(!lock.is_locked());
}

fn slot(id: u64) -> TaskSlot {
    TaskSlot::new(NonZeroU64::new(id).unwrap())
}

#[test]
fn l01_one_release_lets_one_writer_in_and_a_late_one_goes_last() {
    let lock = RwLock::new(());
    let log = Log::default();
    let held = lock.try_write().unwrap();
    let mut tasks = Tasks::new();
    let writer = |name: &'static str| {
        let (log, lock) = (log.clone(), &lock);
        async move {
            let _guard = lock.write().await;
            log.add(name);
            yield_now().await;
        }
    };
    tasks.spawn(writer("a"));
    tasks.spawn(writer("b"));
    tasks.run();
    assert_eq!(log.take(), "");
    drop(held);
    tasks.spawn(writer("late"));
    tasks.tick();
    assert_eq!(log.take(), "a");
    tasks.run();
    assert_eq!(log.take(), "b late");
    assert_free(&lock);
}

#[test]
fn l02_a_cancelled_waiter_leaves_the_line_empty() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    for _ in 0..2 {
        let mut writer = Box::pin(lock.write());
        let mut reader = Box::pin(lock.read());
        assert!(poll_alone(writer.as_mut()).is_pending());
        assert!(poll_alone(reader.as_mut()).is_pending());
        assert_eq!(lock.stats().waiting, 2);
        drop((writer, reader));
        assert_eq!(lock.stats().waiting, 0);
    }
    drop(held);
    assert_free(&lock);
    assert_eq!(lock.stats().waiting_max, 2);
}

#[test]
fn l06_a_release_without_waiters_leaves_it_free() {
    let lock = RwLock::new(());
    drop(lock.try_write().unwrap());
    drop(lock.try_read().unwrap());
    assert_free(&lock);
}

#[test]
fn l07_a_panic_inside_puts_the_lock_back_and_poisons_nothing() {
    let lock = RwLock::new(1);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.try_write().unwrap();
        *guard = 2;
        panic!("inside");
    }));
    assert!(outcome.is_err());
    assert_eq!(*lock.try_read().unwrap(), 2);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockWriteGuard::map(lock.try_write().unwrap(), |_| -> &mut i32 {
            panic!("map")
        }));
    }));
    assert!(outcome.is_err());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockReadGuard::map(lock.try_read().unwrap(), |_| -> &i32 {
            panic!("map")
        }));
    }));
    assert!(outcome.is_err());
    assert_free(&lock);
}

#[test]
fn l09_a_called_waiter_that_is_cancelled_loses_nothing() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut called = Box::pin(lock.write());
    assert!(poll_alone(called.as_mut()).is_pending());
    drop(held);
    drop(called);
    assert_free(&lock);
    assert!(lock.try_write().is_ok());
}

#[test]
fn l10_writers_that_loop_repeat_their_order() {
    let lock = RwLock::new(());
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c"] {
        let (log, lock) = (log.clone(), &lock);
        tasks.spawn(async move {
            for _ in 0..5 {
                let guard = lock.write().await;
                log.add(name);
                yield_now().await;
                drop(guard);
            }
        });
    }
    tasks.run();
    assert_eq!(log.take(), ["a b c"; 5].join(" "));
}

#[test]
fn l11_writers_exclude_everybody_and_readers_only_writers() {
    let lock = RwLock::new(0);
    let (inside, most) = (Cell::new(0), Cell::new(0));
    let mut tasks = Tasks::new();
    for number in 0..6 {
        let (lock, inside, most) = (&lock, &inside, &most);
        tasks.spawn(async move {
            for _ in 0..10 {
                if number < 2 {
                    let mut guard = lock.write().await;
                    assert_eq!(inside.replace(-1), 0);
                    yield_now().await;
                    *guard += 1;
                    assert_eq!(inside.replace(0), -1);
                } else {
                    let _guard = lock.read().await;
                    assert!(inside.get() >= 0);
                    inside.set(inside.get() + 1);
                    most.set(most.get().max(inside.get()));
                    yield_now().await;
                    inside.set(inside.get() - 1);
                }
            }
        });
    }
    tasks.run();
    assert_eq!((*lock.try_read().unwrap(), most.get()), (20, 4));
    drop(tasks);
    assert_free(&lock);
}

#[test]
fn l13_a_lock_whose_next_owner_has_been_called_is_not_to_be_had() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut called = Box::pin(lock.write());
    let mut late = Box::pin(lock.read());
    assert!(poll_alone(called.as_mut()).is_pending());
    drop(held);
    assert_eq!(lock.try_write().err(), Some(TryLockError));
    assert_eq!(lock.try_read().err(), Some(TryLockError));
    assert!(poll_alone(late.as_mut()).is_pending());
    drop(ready(poll_alone(called.as_mut())));
    drop(ready(poll_alone(late.as_mut())));
    assert_free(&lock);
}

#[test]
fn l14_a_static_lock_works_in_two_runs() {
    static LOCK: RwLock<u32> = RwLock::new(0).named("counter");
    for _ in 0..2 {
        let mut tasks = Tasks::new();
        for _ in 0..3 {
            tasks.spawn(async {
                let mut guard = LOCK.write().await;
                yield_now().await;
                *guard += 1;
            });
        }
        tasks.run();
    }
    assert_eq!(*LOCK.try_read().unwrap(), 6);
    assert_eq!(LOCK.stats().name.as_deref(), Some("counter"));
}

#[test]
fn a_waiting_writer_stops_later_readers_and_those_behind_it_go_in_together() {
    let lock = RwLock::new(());
    let first = lock.try_read().unwrap();
    let second = lock.try_read().unwrap();
    let (waker, woken) = Count::new();
    let mut writer = Box::pin(lock.write());
    assert!(poll_with(writer.as_mut(), &waker).is_pending());
    let counts: Vec<_> = (0..40).map(|_| Count::new()).collect();
    let mut readers: Vec<_> = counts
        .iter()
        .map(|(waker, _)| {
            let mut reader = Box::pin(lock.read());
            assert!(poll_with(reader.as_mut(), waker).is_pending());
            reader
        })
        .collect();
    let mut last = Box::pin(lock.write());
    assert!(poll_alone(last.as_mut()).is_pending());
    let mut late = Box::pin(lock.read());
    assert!(poll_alone(late.as_mut()).is_pending());
    drop(first);
    assert_eq!(woken.get(), 0);
    drop(second);
    assert_eq!(woken.get(), 1);
    let guard = ready(poll_with(writer.as_mut(), &waker));
    assert!(counts.iter().all(|(_, count)| count.get() == 0));
    drop(guard);
    assert!(counts.iter().all(|(_, count)| count.get() == 1));
    let guards: Vec<_> = readers
        .iter_mut()
        .map(|reader| ready(poll_alone(reader.as_mut())))
        .collect();
    assert_eq!(lock.readers(), 40);
    assert!(poll_alone(last.as_mut()).is_pending() && poll_alone(late.as_mut()).is_pending());
    drop(guards);
    drop(ready(poll_alone(last.as_mut())));
    drop(ready(poll_alone(late.as_mut())));
    assert_free(&lock);
}

#[test]
fn a_reader_joins_the_readers_that_are_called_if_nobody_waits_behind_them() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut called = Box::pin(lock.read());
    assert!(poll_alone(called.as_mut()).is_pending());
    drop(held);
    let joined = ready(poll_alone(pin!(lock.read())));
    let guard = ready(poll_alone(called.as_mut()));
    assert_eq!(lock.readers(), 2);
    drop((joined, guard));
    assert_free(&lock);
}

#[test]
fn a_writer_that_leaves_lets_the_readers_behind_it_in() {
    for called in [false, true] {
        let lock = RwLock::new(());
        let held = lock.try_read().unwrap();
        let mut writer = Box::pin(lock.write());
        assert!(poll_alone(writer.as_mut()).is_pending());
        let (waker, woken) = Count::new();
        let mut readers = [Box::pin(lock.read()), Box::pin(lock.read())];
        for reader in &mut readers {
            assert!(poll_with(reader.as_mut(), &waker).is_pending());
        }
        let held = if called {
            drop(held);
            None
        } else {
            Some(held)
        };
        assert_eq!(woken.get(), 0);
        drop(writer);
        assert_eq!(woken.get(), 2, "called {called}");
        for mut reader in readers {
            drop(ready(poll_alone(reader.as_mut())));
        }
        drop(held);
        assert_free(&lock);
    }
}

#[test]
fn a_downgrade_keeps_writers_out_and_lets_the_next_readers_in() {
    let lock = RwLock::new(1);
    let mut guard = lock.try_write().unwrap();
    *guard = 2;
    let (mut reader, mut writer, mut late) = (
        Box::pin(lock.read()),
        Box::pin(lock.write()),
        Box::pin(lock.read()),
    );
    assert!(poll_alone(reader.as_mut()).is_pending());
    assert!(poll_alone(writer.as_mut()).is_pending());
    assert!(poll_alone(late.as_mut()).is_pending());
    let guard = RwLockWriteGuard::downgrade(guard);
    assert!(!lock.is_write_locked());
    let beside = ready(poll_alone(reader.as_mut()));
    assert_eq!((*guard, *beside, lock.readers()), (2, 2, 2));
    assert!(poll_alone(writer.as_mut()).is_pending());
    assert!(poll_alone(late.as_mut()).is_pending());
    drop((guard, beside));
    drop(ready(poll_alone(writer.as_mut())));
    drop(ready(poll_alone(late.as_mut())));

    let owned = Arc::new(RwLock::new(2));
    let guard = Arc::clone(&owned).try_write_owned().unwrap();
    let guard = OwnedRwLockWriteGuard::downgrade(guard);
    assert_eq!((*guard, *owned.try_read().unwrap()), (2, 2));
    drop(guard);
    assert_free(&owned);
}

#[test]
fn guards_open_parts_and_owned_ones_keep_the_lock_alive() {
    let lock = Arc::new(RwLock::new((1, String::from("one"))));
    {
        let part = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.1);
        let mut smaller = tenter_sync::RwLockMappedWriteGuard::map(part, |text| text.as_mut_str());
        smaller.make_ascii_uppercase();
        assert_eq!(format!("{smaller} {smaller:?}"), "ONE \"ONE\"");
    }
    assert_eq!(
        *RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.0),
        1
    );
    let mut part = OwnedRwLockWriteGuard::map(
        ready(poll_alone(pin!(Arc::clone(&lock).write_owned()))),
        |pair| &mut pair.0,
    );
    *part = 7;
    drop(part);
    let part = OwnedRwLockReadGuard::map(
        ready(poll_alone(pin!(Arc::clone(&lock).read_owned()))),
        |pair| &pair.0,
    );
    let weak = Arc::downgrade(&lock);
    drop(lock);
    assert_eq!(*part, 7);
    assert!(weak.upgrade().is_some());
    drop(part);
    assert!(weak.upgrade().is_none());
}

#[test]
fn unsized_data_and_the_ways_past_the_lock() {
    let mut lock: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
    lock.try_write().unwrap()[0] = 9;
    lock.get_mut()[1] = 8;
    assert_eq!(&*lock.try_read().unwrap(), &[9, 8, 3]);
    assert_eq!(RwLock::from(5).into_inner(), 5);
    assert_eq!(*RwLock::<u8>::default().try_read().unwrap(), 0);
}

/// Which threads may have what, where the compiler would not object to less.
#[test]
fn auto_traits_end_where_they_have_to() {
    struct Asks<T: ?Sized>(std::marker::PhantomData<T>);
    trait No {
        const SEND: bool = false;
        const SYNC: bool = false;
    }
    impl<T: ?Sized> No for T {}
    impl<T: ?Sized + Send> Asks<T> {
        const SEND: bool = true;
    }
    impl<T: ?Sized + Sync> Asks<T> {
        const SYNC: bool = true;
    }
    type Unshared = Cell<u8>;
    assert!(!Asks::<RwLock<Unshared>>::SYNC);
    assert!(!Asks::<RwLock<Rc<u8>>>::SEND);
    assert!(!Asks::<RwLockReadGuard<'static, Unshared>>::SEND);
    assert!(!Asks::<RwLockWriteGuard<'static, Unshared>>::SEND);
    assert!(!Asks::<RwLockWriteGuard<'static, Unshared>>::SYNC);
    // async-lock #50: the last owner may drop the data on another thread.
    type Kept = std::sync::MutexGuard<'static, u8>; // Sync, and not Send
    assert!(!Asks::<OwnedRwLockReadGuard<Kept, u8>>::SEND);
    assert!(Asks::<OwnedRwLockReadGuard<u8>>::SEND && Asks::<RwLock<u8>>::SYNC);
}

/// Goal: whatever a dropped waiter was, those behind it get what it would have got.
/// Method: drop a waiter after each number of polls, before and after its call, with the call
/// unpolled and with it held back by the budget; for each kind in front and behind.
#[test]
fn a_waiter_may_be_dropped_at_every_poll() {
    type Boxed = Pin<Box<dyn Future<Output = ()>>>;
    let lock = Arc::new(RwLock::new(()));
    let kinds: [fn(&Arc<RwLock<()>>) -> Boxed; 4] = [
        |lock| {
            let lock = Arc::clone(lock);
            Box::pin(async move { drop(lock.read().await) })
        },
        |lock| {
            let lock = Arc::clone(lock);
            Box::pin(async move { drop(lock.write().await) })
        },
        |lock| {
            let future = Arc::clone(lock).read_owned();
            Box::pin(async move { drop(future.await) })
        },
        |lock| {
            let future = Arc::clone(lock).write_owned();
            Box::pin(async move { drop(future.await) })
        },
    ];
    let task = slot(1);
    for case in 0..kinds.len() * kinds.len() * 3 * 3 {
        let (front, back) = (kinds[case % 4], kinds[case / 4 % 4]);
        let (polls, when) = (case / 16 % 3, case / 48);
        let held = lock.try_write().unwrap();
        let (waker, count) = Count::new();
        let mut dropped = front(&lock);
        for _ in 0..polls {
            assert!(poll_alone(dropped.as_mut()).is_pending());
        }
        let mut behind = back(&lock);
        assert!(poll_with(behind.as_mut(), &waker).is_pending());
        let mut held = Some(held);
        if when > 0 {
            held = None;
        }
        if when == 2 && polls > 0 {
            current::with_task(&task, 0, || {
                assert!(poll_alone(dropped.as_mut()).is_pending());
            });
        }
        drop(dropped);
        drop(held);
        assert_eq!(count.get(), 1, "case {case}");
        assert!(poll(behind.as_mut()).is_ready());
        assert_free(&lock);
    }
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_spent_budget_keeps_the_place_and_not_the_lock() {
    let lock = RwLock::new(());
    let task = slot(1);
    let (waker, count) = Count::new();
    let mut future = Box::pin(lock.write());
    current::with_task(&task, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 1, "it comes back by itself");
    assert!(lock.try_read().is_err(), "the place is kept");
    current::with_task(&task, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 2);
    drop(ready(poll_with(future.as_mut(), &waker)));
    let mut dropped = Box::pin(lock.read());
    current::with_task(&task, 0, || assert!(poll(dropped.as_mut()).is_pending()));
    drop(dropped);
    assert_free(&lock);
}

/// Goal: a task that polls only one of two futures for one lock goes on.
/// Method: both kinds in both places, under a tenter task with other wakers and with one waker
/// elsewhere; polls follow wakes, and the first future is never polled again.
#[test]
fn futurelock_a_task_that_polls_only_one_of_its_two_futures_goes_on() {
    for case in 0..16 {
        let (first_writes, second_writes) = (case & 1 == 1, case & 2 == 2);
        let (tenter, held_by_reader) = (case & 4 == 4, case & 8 == 8);
        if held_by_reader && !first_writes {
            continue; // the first would not wait
        }
        let lock = RwLock::new(());
        let task = slot(1);
        let run = |poll: &mut dyn FnMut()| {
            if tenter {
                current::with_task(&task, 128, poll);
            } else {
                poll();
            }
        };
        let held = if held_by_reader {
            (lock.try_read().ok(), None)
        } else {
            (None, lock.try_write().ok())
        };
        let future = |writes: bool| -> Pin<Box<dyn Future<Output = ()> + '_>> {
            let lock = &lock;
            if writes {
                Box::pin(async move { drop(lock.write().await) })
            } else {
                Box::pin(async move { drop(lock.read().await) })
            }
        };
        let ((one, _), (another, woken)) = (Count::new(), Count::new());
        let one = if tenter { &one } else { &another };
        let (mut first, mut second) = (future(first_writes), future(second_writes));
        run(&mut || assert!(poll_with(first.as_mut(), one).is_pending()));
        run(&mut || assert!(poll_with(second.as_mut(), &another).is_pending()));
        let mut stranger = Box::pin(lock.write());
        assert!(poll_alone(stranger.as_mut()).is_pending());
        drop(held);
        let mut done = false;
        let mut polls = 0;
        while !done && polls < woken.get() {
            polls += 1;
            run(&mut || done = poll_with(second.as_mut(), &another).is_ready());
        }
        assert!(done, "case {case:04b}: {polls} polls");
        // The first one is whole: it has its turn, or lines up again.
        let mut finished = [false, false];
        for _ in 0..2 {
            run(&mut || finished[0] = finished[0] || poll_with(first.as_mut(), one).is_ready());
            finished[1] = finished[1] || poll_alone(stranger.as_mut()).is_ready();
        }
        assert_eq!(finished, [true, true], "case {case:04b}");
        drop((first, second, stranger));
        assert_free(&lock);
    }
}

/// Goal: two loops in one task take turns: neither overtakes the other while both are polled.
#[test]
fn two_loops_in_one_task_alternate() {
    let lock = RwLock::new(());
    let log = Log::default();
    let task = slot(1);
    let user = |name: &'static str| {
        let (log, lock) = (log.clone(), &lock);
        async move {
            for _ in 0..4 {
                let guard = lock.write().await;
                log.add(name);
                yield_now().await;
                drop(guard);
            }
        }
    };
    let (mut one, mut another) = (Box::pin(user("a")), Box::pin(user("b")));
    let (waker, count) = Count::new();
    let (mut polled, mut done) = (0, [false, false]);
    while done != [true, true] && polled <= count.get() {
        polled += 1;
        current::with_task(&task, 128, || {
            done[0] = done[0] || poll_with(one.as_mut(), &waker).is_ready();
            done[1] = done[1] || poll_with(another.as_mut(), &waker).is_ready();
        });
    }
    assert_eq!(log.take(), ["a b"; 4].join(" "));
    assert_free(&lock);
}

/// A waker that panics, or comes back to the lock, at each of its occasions.
#[test]
fn hostile_wakers_leave_the_lock_whole() {
    for occasion in 0..3 {
        for comes_back in [false, true] {
            let lock = Arc::new(RwLock::new(()));
            let other = Arc::downgrade(&lock);
            let armed = Mutex::new(true);
            let hook = Box::new(move || {
                if !std::mem::replace(&mut *armed.lock().unwrap(), false) {
                    return;
                }
                if !comes_back {
                    panic!("hostile waker");
                }
                let lock = other.upgrade().unwrap();
                drop(lock.try_read());
                let mut future = Box::pin(lock.write());
                drop(poll(future.as_mut()));
                assert!(!format!("{lock:?}").contains("waiting: <locked>"));
            });
            let mut hooks = Hooks::default();
            match occasion {
                0 => hooks.on_clone = Some(hook),
                1 => hooks.on_wake = Some(hook),
                _ => hooks.on_drop = Some(hook),
            }
            let bad = hostile(&Arc::new(hooks));
            let survive = |step: &mut dyn FnMut()| {
                let _ = catch_unwind(AssertUnwindSafe(step));
            };
            let mut held = lock.try_write().ok();
            let mut first = Some(Box::pin(lock.read()));
            survive(&mut || drop(poll_with(first.as_mut().unwrap().as_mut(), &bad)));
            let wakers: Vec<_> = (0..40).map(|_| Count::new()).collect();
            let mut others: Vec<_> = wakers
                .iter()
                .map(|(waker, _)| {
                    let mut other = Box::pin(lock.read());
                    assert!(poll_with(other.as_mut(), waker).is_pending());
                    other
                })
                .collect();
            survive(&mut || drop(held.take()));
            let missed = wakers.iter().filter(|(_, count)| count.get() == 0).count();
            assert_eq!(missed, 0, "{occasion} {comes_back}");
            survive(&mut || drop(first.take()));
            for other in &mut others {
                drop(ready(poll(other.as_mut())));
            }
            drop(others);
            let mut bad = Some(bad);
            survive(&mut || drop(bad.take()));
            assert_free(&lock);
        }
    }
}

#[test]
fn a_wake_may_drop_the_last_reference() {
    let lock = Arc::new(RwLock::new(Arc::new(())));
    let value = Arc::clone(&*lock.try_read().unwrap());
    let held = Arc::clone(&lock).try_write_owned().unwrap();
    let place = Arc::new(Mutex::new(None));
    let owned = Arc::clone(&place);
    let mut hooks = Hooks::default();
    hooks.on_wake = Some(Box::new(move || drop(owned.lock().unwrap().take())));
    let waker = hostile(&Arc::new(hooks));
    let mut future = Box::pin(lock.read_owned());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    *place.lock().unwrap() = Some(future);
    drop(held); // calls the reader, whose wake drops it and with it all but this guard's reference
    assert!(place.lock().unwrap().is_none());
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn leaked_guards_and_waiters_are_sound() {
    let lock = RwLock::new(());
    leak(lock.try_read().unwrap());
    let mut leaked = Box::pin(lock.write());
    assert!(poll_alone(leaked.as_mut()).is_pending());
    leak(leaked);
    let moved = Box::new(lock);
    assert_eq!((moved.readers(), moved.stats().waiting), (1, 1));
    let mut behind = Box::pin(moved.read());
    assert!(poll_alone(behind.as_mut()).is_pending());
    drop(behind);
    assert!(moved.try_read().is_err());
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let mut waiter = pin!(lock.read());
    assert!(poll_with(waiter.as_mut(), &old).is_pending());
    assert!(poll_with(waiter.as_mut(), &new).is_pending());
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    drop(held);
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
}

#[test]
fn a_waiting_task_says_what_it_waits_for() {
    let lock = RwLock::new(());
    let held = lock.try_read().unwrap();
    let task = slot(1);
    let mut future = pin!(lock.write());
    current::with_task(&task, 1, || assert!(poll(future.as_mut()).is_pending()));
    let note = task.waiting_on().unwrap();
    assert_eq!(note.kind, WaitKind::RwLock);
    drop(held);
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_a_finished_future_panics() {
    let lock = RwLock::new(());
    let mut future = pin!(lock.read());
    let _guard = ready(poll(future.as_mut()));
    let _ = poll(future);
}

#[test]
fn threads_wait_in_the_same_line() {
    let lock = Arc::new(RwLock::new(0));
    let held = lock.try_write().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let lock = Arc::clone(&lock);
            std::thread::spawn(move || match number % 2 {
                0 => *lock.blocking_write() += 1,
                _ => drop(lock.blocking_read()),
            })
        })
        .collect();
    while lock.stats().waiting < 4 {
        std::thread::yield_now();
    }
    drop(held);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.blocking_read(), 2);
    assert_free(&lock);
}

#[test]
#[should_panic(expected = "a blocking call inside task 1 would stop every task")]
fn a_blocking_call_inside_a_task_is_refused() {
    let lock = RwLock::new(());
    current::with_task(&slot(1), 1, || drop(lock.blocking_read()));
}

#[test]
fn debug_shows_the_data_if_it_can_and_never_blocks() {
    let lock = RwLock::new(5).named("db");
    let text = format!("{lock:?}");
    assert!(text.contains("\"db\"") && text.contains("data: 5"), "{text}");
    let _held = lock.try_write().unwrap();
    assert!(format!("{lock:?}").contains("<locked>"));
    let named = RwLock::new(()).named_dyn(format!("shard {}", 7));
    assert_eq!(named.stats().name.as_deref(), Some("shard 7"));
}

/// Goal: any sequence of calls, drops and polls does what a queue and two counters would do.
/// Method: 400 random sequences, compared with that model after every step.
#[test]
fn any_sequence_agrees_with_a_queue_and_two_counters() {
    for seed in 1..=400 {
        Trial::new(seed).run();
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Wish {
    number: usize,
    writes: bool,
}

/// The model: who has been called and has not come, and who waits behind.
struct Trial {
    random: u64,
    readers: usize,
    writer: bool,
    called: Vec<Wish>,
    line: VecDeque<Wish>,
}

enum Held<'a> {
    Read(#[allow(dead_code, reason = "held")] RwLockReadGuard<'a, u32>),
    Write(RwLockWriteGuard<'a, u32>),
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Held<'a>> + 'a>>;

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            readers: 0,
            writer: false,
            called: Vec::new(),
            line: VecDeque::new(),
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// Calls from the front: a writer when nobody is left, readers as long as no writer is.
    fn call(&mut self) {
        while let Some(&wish) = self.line.front() {
            let ready = if wish.writes {
                self.readers == 0 && !self.writer && self.called.is_empty()
            } else {
                !self.writer && self.called.iter().all(|called| !called.writes)
            };
            if !ready {
                break;
            }
            self.line.pop_front();
            self.called.push(wish);
        }
    }

    /// Lets a called one in; false if it has not been called.
    fn come(&mut self, number: usize) -> bool {
        let Some(index) = self.called.iter().position(|wish| wish.number == number) else {
            return false;
        };
        if self.called.swap_remove(index).writes {
            self.writer = true;
        } else {
            self.readers += 1;
        }
        true
    }

    fn put(&mut self, held: Held<'_>) {
        match &held {
            Held::Read(_) => self.readers -= 1,
            Held::Write(_) => self.writer = false,
        }
        drop(held);
        self.call();
    }

    fn run(mut self) {
        let lock = RwLock::new(0);
        let mut futures: Vec<Option<Waiting<'_>>> = Vec::new();
        let mut guards: Vec<Held<'_>> = Vec::new();
        for _ in 0..80 {
            match self.pick(7) {
                0 | 1 => {
                    let (number, writes) = (futures.len(), self.pick(3) == 0);
                    let lock = &lock;
                    let mut future: Waiting<'_> = if writes {
                        Box::pin(async move { Held::Write(lock.write().await) })
                    } else {
                        Box::pin(async move { Held::Read(lock.read().await) })
                    };
                    self.line.push_back(Wish { number, writes });
                    self.call();
                    let polled = poll_alone(future.as_mut());
                    assert_eq!(polled.is_ready(), self.come(number));
                    match polled {
                        Poll::Ready(held) => {
                            guards.push(held);
                            futures.push(None);
                        }
                        Poll::Pending => futures.push(Some(future)),
                    }
                }
                2 | 3 if !guards.is_empty() => {
                    let index = self.pick(guards.len());
                    let held = guards.swap_remove(index);
                    self.put(held);
                }
                4 if !futures.is_empty() => {
                    let number = self.pick(futures.len());
                    if futures[number].take().is_some() {
                        self.called.retain(|wish| wish.number != number);
                        self.line.retain(|wish| wish.number != number);
                        self.call();
                    }
                }
                5 => {
                    if let Some(index) = guards.iter().position(|it| matches!(it, Held::Write(_))) {
                        let Held::Write(mut guard) = guards.swap_remove(index) else {
                            unreachable!()
                        };
                        *guard += 1;
                        guards.push(Held::Read(RwLockWriteGuard::downgrade(guard)));
                        (self.writer, self.readers) = (false, 1);
                        self.call();
                    }
                }
                _ if !futures.is_empty() => {
                    let number = self.pick(futures.len());
                    if let Some(future) = &mut futures[number] {
                        let polled = poll_alone(future.as_mut());
                        assert_eq!(polled.is_ready(), self.come(number));
                        if let Poll::Ready(held) = polled {
                            guards.push(held);
                            futures[number] = None;
                        }
                    }
                }
                _ => {}
            }
            let stats = lock.stats();
            assert_eq!(
                (stats.readers, stats.is_write_locked, stats.waiting),
                (self.readers, self.writer, self.called.len() + self.line.len())
            );
            let free = self.readers == 0 && !self.writer && stats.waiting == 0;
            assert_eq!(lock.is_locked(), !free);
        }
        drop((futures, guards));
        assert_free(&lock);
    }
}

#[test]
fn the_wakers_of_a_thread_are_dropped_with_its_wait() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (waker, count) = Count::new();
    let mut future = Box::pin(lock.read());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    drop(future);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    drop(held);
    assert!(poll_with(pin!(lock.read()), Waker::noop()).is_ready());
}
