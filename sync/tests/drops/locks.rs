//! `Lock` and `RwLock`.

use std::sync::Arc;

use tenter_sync::{Lock, OwnedLockGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::support::drops::{Boxed, Pocket, Scenario, then, touch};

/// A lock that is held.
struct Held {
    lock: Arc<Lock<()>>,
    guard: Pocket<OwnedLockGuard<()>>,
}

impl Held {
    fn new(lock: Lock<()>) -> Self {
        let lock = Arc::new(lock);
        let guard = Arc::clone(&lock).try_lock_owned().unwrap();
        Self {
            lock,
            guard: Pocket::new([guard]),
        }
    }

    fn release(&self) {
        self.guard.clear();
    }

    fn borrowed(&self) -> Boxed<'_> {
        then(self.lock.lock(), drop)
    }

    fn owned(&self) -> Boxed<'_> {
        then(Arc::clone(&self.lock).lock_owned(), drop)
    }

    fn assert_free(&self) {
        let stats = self.lock.stats();
        assert!(
            !stats.is_locked && stats.waiting == 0 && Arc::strong_count(&self.lock) == 1,
            "{stats:?}"
        );
        assert!(self.lock.try_lock().is_ok());
    }
}

fn lock(name: &str, make: fn(()) -> Lock<()>, subject: fn(&Held) -> Boxed<'_>) -> Scenario<Held> {
    Scenario::new(name, move || Held::new(make(())), subject)
        .other(Held::borrowed)
        .event(Held::release)
        .reenter(|held| {
            drop(held.lock.try_lock());
            touch(held.lock.lock());
            assert!(!format!("{:?} {:?}", held.lock, held.lock.stats()).is_empty());
        })
        .whole(|held, _| held.assert_free())
}

#[test]
fn lock_fair() {
    lock("Lock::lock", Lock::new, Held::borrowed)
        .other(Held::owned)
        .run();
}

#[test]
fn lock_unfair() {
    lock("Lock::lock, unfair", Lock::unfair, Held::borrowed)
        .other(Held::owned)
        .run();
}

#[test]
fn lock_owned() {
    for make in [Lock::new, Lock::unfair] {
        lock("Lock::lock_owned", make, Held::owned)
            .other(Held::owned)
            .run();
    }
}

/// Somebody comes by and takes it, if it is to be had.
#[test]
fn lock_among_passers_by() {
    for make in [Lock::new, Lock::unfair] {
        lock("Lock::lock, passers-by", make, Held::borrowed)
            .event(|held| held.guard.put(Arc::clone(&held.lock).try_lock_owned()))
            .followed_by(Held::release)
            .finish(Held::release)
            .run();
    }
}

/// A read-write lock that is held by a writer or by two readers.
struct Shelf {
    lock: Arc<RwLock<()>>,
    writer: Pocket<OwnedRwLockWriteGuard<()>>,
    readers: Pocket<OwnedRwLockReadGuard<()>>,
}

impl Shelf {
    fn written() -> Self {
        let lock = Arc::new(RwLock::new(()));
        let writer = Arc::clone(&lock).try_write_owned().unwrap();
        Self {
            lock,
            writer: Pocket::new([writer]),
            readers: Pocket::new([]),
        }
    }

    fn read() -> Self {
        let lock = Arc::new(RwLock::new(()));
        let readers = (0..2).map(|_| Arc::clone(&lock).try_read_owned().unwrap());
        Self {
            readers: Pocket::new(readers),
            writer: Pocket::new([]),
            lock,
        }
    }

    /// Gives up one share.
    fn release(&self) {
        self.writer.clear();
        drop(self.readers.take());
    }

    fn downgrade(&self) {
        if let Some(writer) = self.writer.take() {
            self.readers.put([OwnedRwLockWriteGuard::downgrade(writer)]);
        }
    }

    fn reader(&self) -> Boxed<'_> {
        then(self.lock.read(), drop)
    }

    fn writer(&self) -> Boxed<'_> {
        then(self.lock.write(), drop)
    }

    fn reader_owned(&self) -> Boxed<'_> {
        then(Arc::clone(&self.lock).read_owned(), drop)
    }

    fn writer_owned(&self) -> Boxed<'_> {
        then(Arc::clone(&self.lock).write_owned(), drop)
    }

    fn assert_free(&self) {
        let stats = self.lock.stats();
        let shares = (stats.readers, stats.is_write_locked, stats.waiting);
        assert_eq!(shares, (0, false, 0));
        assert!(!self.lock.is_locked() && Arc::strong_count(&self.lock) == 1);
        assert!(self.lock.try_write().is_ok());
    }
}

type Subject = fn(&Shelf) -> Boxed<'_>;

fn rwlock(name: &str, build: fn() -> Shelf, subject: Subject) -> Scenario<Shelf> {
    Scenario::new(name, build, subject)
        .reenter(|shelf| {
            drop(shelf.lock.try_read());
            drop(shelf.lock.try_write());
            touch(shelf.lock.read());
            touch(shelf.lock.write());
            assert!(!format!("{:?} {:?}", shelf.lock, shelf.lock.stats()).is_empty());
        })
        .whole(|shelf, _| shelf.assert_free())
}

#[test]
fn rwlock_behind_a_writer() {
    let subjects: [(_, Subject); 4] = [
        ("RwLock::read", Shelf::reader),
        ("RwLock::write", Shelf::writer),
        ("RwLock::read_owned", Shelf::reader_owned),
        ("RwLock::write_owned", Shelf::writer_owned),
    ];
    for (name, subject) in subjects {
        rwlock(name, Shelf::written, subject)
            .other(Shelf::reader)
            .other(Shelf::writer)
            .event(Shelf::release)
            .run();
    }
}

#[test]
fn rwlock_behind_readers() {
    for (name, subject) in [
        ("RwLock::read behind readers", Shelf::reader as Subject),
        ("RwLock::write behind readers", Shelf::writer),
    ] {
        rwlock(name, Shelf::read, subject)
            .other(Shelf::writer)
            .event(Shelf::release)
            .followed_by(Shelf::release)
            .run();
    }
}

#[test]
fn rwlock_at_a_downgrade() {
    for (name, subject) in [
        ("RwLock::read at a downgrade", Shelf::reader as Subject),
        ("RwLock::write at a downgrade", Shelf::writer),
    ] {
        rwlock(name, Shelf::written, subject)
            .other(Shelf::reader)
            .event(Shelf::downgrade)
            .followed_by(Shelf::release)
            .run();
    }
}
