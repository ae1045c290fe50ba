//! `Event`, `Notify` and `Condition`.

use std::sync::atomic::{AtomicUsize, Ordering};

use tenter_sync::{Condition, Event, Lock, Notify};

use crate::support::drops::{Boxed, Scenario, then, touch};

fn event() -> Scenario<Event> {
    Scenario::new("Event::wait", Event::new, |event| then(event.wait(), drop))
        .other(|event| then(event.wait(), drop))
        .other(|event| then(event.wait(), drop))
        .event(Event::set)
        .followed_by(Event::clear)
        .reenter(|event| {
            touch(event.wait());
            assert!(!format!("{event:?} {:?}", event.stats()).is_empty());
        })
        .finish(Event::set)
        .whole(|event, _| assert_eq!(event.stats().waiting, 0))
}

#[test]
fn event_wait() {
    event().run();
}

#[test]
fn event_wait_with_a_waker_that_sets_and_clears_it() {
    event()
        .reenter(|event| {
            event.clear();
            touch(event.wait());
            event.set();
        })
        .run();
}

/// Notifications, and who took them.
struct Bell {
    notify: Notify,
    taken: AtomicUsize,
}

impl Bell {
    fn new() -> Self {
        Self {
            notify: Notify::new(),
            taken: AtomicUsize::new(0),
        }
    }

    fn wait(&self) -> Boxed<'_> {
        then(self.notify.notified(), |()| {
            self.taken.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn stored_or_taken(&self) -> usize {
        usize::from(self.notify.stats().is_stored) + self.taken.load(Ordering::Relaxed)
    }
}

fn bell() -> Scenario<Bell> {
    Scenario::new("Notify::notified", Bell::new, Bell::wait)
        .reenter(|bell| {
            // One that was enabled and goes passes on what it took.
            touch(async {
                let mut notified = std::pin::pin!(bell.notify.notified());
                notified.as_mut().enable();
                std::future::pending::<()>().await;
            });
            assert!(!format!("{:?} {:?}", bell.notify, bell.notify.stats()).is_empty());
        })
        .finish(|bell| bell.notify.notify_waiters())
        .whole(|bell, _| assert_eq!(bell.notify.stats().waiting, 0))
}

#[test]
fn notify_one() {
    bell()
        .other(Bell::wait)
        .event(|bell| bell.notify.notify_one())
        .settled(|bell, _| assert_eq!(bell.stored_or_taken(), 1, "one in all"))
        .run();
}

#[test]
fn notify_one_twice() {
    bell()
        .other(Bell::wait)
        .other(Bell::wait)
        .event(|bell| bell.notify.notify_one())
        .followed_by(|bell| bell.notify.notify_one())
        .settled(|bell, _| {
            // At most one is stored, so two that nobody waits for may become one.
            assert!((1..=2).contains(&bell.stored_or_taken()));
            let stats = bell.notify.stats();
            assert!(
                stats.waiting == 0 || !stats.is_stored,
                "nobody waits beside it"
            );
        })
        .run();
}

#[test]
fn notify_waiters() {
    bell()
        .other(Bell::wait)
        .event(|bell| bell.notify.notify_waiters())
        .event(|bell| bell.notify.notify_one())
        .settled(|bell, _| assert!(bell.stored_or_taken() >= 1))
        .run();
}

/// Places that are filled under a lock and emptied by those who wait.
#[derive(Debug, Default)]
struct Places {
    full: usize,
    taken: usize,
}

impl Places {
    fn take(&mut self) {
        self.full -= 1;
        self.taken += 1;
    }
}

struct Board {
    lock: Lock<Places>,
    condition: Condition,
}

impl Board {
    fn new() -> Self {
        Self {
            lock: Lock::new(Places::default()),
            condition: Condition::new(),
        }
    }

    /// Takes one, by a loop around `wait`.
    fn take(&self) -> Boxed<'_> {
        Box::pin(async {
            let mut places = self.lock.lock().await;
            while places.full == 0 {
                places = self.condition.wait(places).await;
            }
            places.take();
            // Whoever was told meanwhile and finds nothing has to be told again.
            if places.full > 0 {
                self.condition.notify(&places, 1);
            }
        })
    }

    /// Takes one, by `wait_for`.
    fn take_with_look(&self) -> Boxed<'_> {
        Box::pin(async {
            let places = self.lock.lock().await;
            let look = |places: &mut Places| (places.full > 0).then(|| places.take());
            let (places, ()) = self.condition.wait_for(places, look).await;
            if places.full > 0 {
                self.condition.notify(&places, 1);
            }
        })
    }

    /// Fills this many, and tells as many.
    fn fill(
        &self,
        count: usize,
        tell: fn(&Self, &tenter_sync::LockGuard<'_, Places>),
    ) -> Boxed<'_> {
        then(self.lock.lock(), move |mut places| {
            places.full += count;
            tell(self, &places);
        })
    }

    fn touch(&self) {
        drop(self.lock.try_lock());
        touch(self.lock.lock());
        touch(async {
            if let Ok(guard) = self.lock.try_lock() {
                drop(self.condition.wait(guard).await);
            }
        });
        let stats = (self.lock.stats(), self.condition.stats());
        assert!(!format!("{self:?} {stats:?}").is_empty());
    }

    /// Fills until all have got one.
    fn fill_up(&self) {
        if let Ok(mut places) = self.lock.try_lock() {
            places.full += 10;
            self.condition.notify_all(&places);
        }
    }

    fn assert_whole(&self) {
        assert_eq!(self.condition.stats().waiting, 0);
        let stats = self.lock.stats();
        assert!(!stats.is_locked && stats.waiting == 0, "{stats:?}");
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.lock, self.condition)
    }
}

type Subject = fn(&Board) -> Boxed<'_>;

const TAKES: [(&str, Subject); 2] = [
    ("Condition::wait", Board::take),
    ("Condition::wait_for", Board::take_with_look),
];

#[test]
fn condition_notify() {
    for (name, subject) in TAKES {
        Scenario::new(name, Board::new, subject)
            .other(Board::take)
            .other(|board| board.fill(1, |board, guard| board.condition.notify(guard, 1)))
            .polled_again()
            .reenter(Board::touch)
            .settled(|board, seen| {
                // One was told, or the one that it passed it on to.
                let places = board.lock.try_lock().expect("all who had it let it go");
                assert_eq!((places.full, places.taken), (0, 1), "{seen:?}");
            })
            .finish(Board::fill_up)
            .whole(|board, _| board.assert_whole())
            .run();
    }
}

#[test]
fn condition_notify_all() {
    for (name, subject) in TAKES {
        Scenario::new(name, Board::new, subject)
            .other(Board::take_with_look)
            .other(|board| board.fill(3, |board, guard| board.condition.notify_all(guard)))
            .polled_again()
            .reenter(Board::touch)
            .settled(|board, seen| {
                assert_eq!(seen.others + seen.broken, 2, "there is enough for all");
                let places = board.lock.try_lock().expect("all who had it let it go");
                assert!(
                    places.full + places.taken == 3 && places.taken >= 1,
                    "{places:?}"
                );
            })
            .whole(|board, _| board.assert_whole())
            .run();
    }
}

/// The very future of `wait`, which holds the guard until its first poll.
#[test]
fn condition_wait_itself() {
    let subjects: [(_, Subject); 2] = [
        ("Condition::wait, itself", |board| {
            let guard = board.lock.try_lock().unwrap();
            then(board.condition.wait(guard), drop)
        }),
        ("Condition::wait_for, itself", |board| {
            let guard = board.lock.try_lock().unwrap();
            let look = |places: &mut Places| (places.full > 0).then_some(());
            then(board.condition.wait_for(guard, look), drop)
        }),
    ];
    for (name, subject) in subjects {
        Scenario::new(name, Board::new, subject)
            .made_first()
            .other(Board::take)
            .other(|board| board.fill(2, |board, guard| board.condition.notify(guard, 1)))
            .polled_again()
            .reenter(Board::touch)
            .finish(Board::fill_up)
            .whole(|board, _| board.assert_whole())
            .run();
    }
}
