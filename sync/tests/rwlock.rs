//! `RwLock`: the semantic cases L01 to L14 for both kinds, who goes in with whom, guards, threads.

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use support::{Count, Log, Tasks, poll, poll_alone, poll_with, ready, slot, yield_now};
use tenter_sync::current::{self, WaitKind};
use tenter_sync::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError,
};

fn assert_free<T: ?Sized>(lock: &RwLock<T>) {
    let stats = lock.stats();
    assert_eq!(
        (stats.readers, stats.is_write_locked, stats.waiting),
        (0, false, 0)
    );
    assert!(!lock.is_locked());
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
        drop(RwLockWriteGuard::map(
            lock.try_write().unwrap(),
            |_| -> &mut i32 { panic!("map") },
        ));
    }));
    assert!(outcome.is_err());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockReadGuard::map(
            lock.try_read().unwrap(),
            |_| -> &i32 { panic!("map") },
        ));
    }));
    assert!(outcome.is_err());
    assert_free(&lock);
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
    const { assert!(!Asks::<RwLock<Unshared>>::SYNC) };
    const { assert!(!Asks::<RwLock<Rc<u8>>>::SEND) };
    const { assert!(!Asks::<RwLockReadGuard<'static, Unshared>>::SEND) };
    const { assert!(!Asks::<RwLockWriteGuard<'static, Unshared>>::SEND) };
    const { assert!(!Asks::<RwLockWriteGuard<'static, Unshared>>::SYNC) };
    // async-lock #50: the last owner may drop the data on another thread.
    type Kept = std::sync::MutexGuard<'static, u8>; // Sync, and not Send
    const { assert!(!Asks::<OwnedRwLockReadGuard<Kept, u8>>::SEND) };
    const { assert!(Asks::<OwnedRwLockReadGuard<u8>>::SEND && Asks::<RwLock<u8>>::SYNC) };
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
    assert!(
        text.contains("\"db\"") && text.contains("data: 5"),
        "{text}"
    );
    let _held = lock.try_write().unwrap();
    assert!(format!("{lock:?}").contains("<locked>"));
    let named = RwLock::new(()).named_dyn(format!("shard {}", 7));
    assert_eq!(named.stats().name.as_deref(), Some("shard 7"));
}
