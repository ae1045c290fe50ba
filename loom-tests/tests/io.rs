//! Models of the I/O driver: tasks that wait, sources that come and go, notifications and the end,
//! against the thread that turns the driver. A loom thread plays the kernel, through the script of
//! the poller's port. A descriptor is a number, and "data" is a count that the kernel publishes
//! with no ordering of its own: only the event makes it visible.
#![cfg(tenter_loom)]

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tenter_io::model::{Direction, Directions, Place, Registration, Tick, register};
use tenter_io::{Backend, Driver, Handle};
use tenter_loom_tests::{WakeCount, block_on, check};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{self, Condvar, Mutex, thread};

const FD: i32 = 3;
const OTHER_FD: i32 = 4;

/// A driver whose poller is open.
fn started(backend: Backend) -> Driver {
    let driver = Driver::with_backend(Waker::noop().clone(), backend);
    driver.handle().shared().start().expect("a script");
    driver
}

/// The kernel makes directions of a descriptor ready.
fn raise(handle: &Handle, fd: i32, directions: Directions) {
    let selector = handle.shared().selector().expect("a running driver");
    selector.raise(fd, directions);
}

/// Turns the driver until `count` events have been recorded.
fn turn_for(driver: &mut Driver, count: usize) {
    let mut seen = 0;
    while seen < count {
        seen += driver.turn(None).expect("a poller");
    }
}

/// What a socket's read does: takes one of the items that the kernel has published, or would block.
fn poll_take(
    source: &Registration,
    direction: Direction,
    place: Place<'_>,
    published: &AtomicUsize,
    taken: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    poll_item(source, direction, place, published, taken, cx).map_ok(|_tick| ())
}

/// The same, and which edge it followed.
fn poll_item(
    source: &Registration,
    direction: Direction,
    mut place: Place<'_>,
    published: &AtomicUsize,
    taken: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Tick>> {
    loop {
        let tick = match source.poll_ready(direction, place.again(), cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(tick)) => tick,
        };
        if published.load(Ordering::Relaxed) > taken {
            return Poll::Ready(Ok(tick));
        }
        let _ = source.clear(direction, tick);
    }
}

/// Takes `count` items, one after another.
fn take(source: &Registration, direction: Direction, published: &AtomicUsize, count: usize) {
    for taken in 0..count {
        let next = std::future::poll_fn(|cx| {
            poll_take(source, direction, Place::Poller, published, taken, cx)
        });
        block_on(next).expect("a running driver");
    }
}

/// tokio #6133: a clear that follows an older event takes the readiness of a newer one away.
#[test]
fn read_vs_event() {
    check("io::read_vs_event", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let source = register(&handle, FD, Directions::BOTH).expect("registered");
        let published = Arc::new(AtomicUsize::new(0));
        let kernel = {
            let (handle, published) = (handle.clone(), Arc::clone(&published));
            thread::spawn(move || {
                for item in 1..=2 {
                    published.store(item, Ordering::Relaxed);
                    raise(&handle, FD, Directions::READ);
                }
            })
        };
        let turner = thread::spawn(move || {
            turn_for(&mut driver, 2);
            driver
        });
        take(&source, Direction::Read, &published, 2);
        kernel.join().expect("the kernel");
        drop(turner.join().expect("the driver"));
    });
}

/// A read that fills less than its buffer is trusted only if nothing stood behind the data: here the end
/// shares an edge with the last data, and no other edge follows.
#[test]
fn short_read_vs_end() {
    check("io::short_read_vs_end", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let source = register(&handle, FD, Directions::BOTH).expect("registered");
        let published = Arc::new(AtomicUsize::new(0));
        let kernel = {
            let (handle, published) = (handle.clone(), Arc::clone(&published));
            thread::spawn(move || {
                published.store(1, Ordering::Relaxed);
                raise(&handle, FD, Directions::READ.with_only_data());
                published.store(3, Ordering::Relaxed); // data, and the end behind it
                raise(&handle, FD, Directions::READ);
            })
        };
        let turner = thread::spawn(move || {
            turn_for(&mut driver, 2);
            driver
        });
        for taken in 0..3 {
            let tick = std::future::poll_fn(|cx| {
                poll_item(
                    &source,
                    Direction::Read,
                    Place::Poller,
                    &published,
                    taken,
                    cx,
                )
            });
            let tick = block_on(tick).expect("a running driver");
            source.clear_short(tick);
        }
        kernel.join().expect("the kernel");
        drop(turner.join().expect("the driver"));
    });
}

/// A read that fills less than its buffer is trusted before the first event as well: what was there when the
/// descriptor was registered, here data and the end behind it, is reported once more.
#[test]
fn short_read_before_any_event() {
    check("io::short_read_before_any_event", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let published = Arc::new(AtomicUsize::new(2));
        raise(&handle, FD, Directions::READ);
        let source = register(&handle, FD, Directions::BOTH).expect("registered");
        let turner = thread::spawn(move || {
            turn_for(&mut driver, 1);
            driver
        });
        for taken in 0..2 {
            let tick = std::future::poll_fn(|cx| {
                poll_item(
                    &source,
                    Direction::Read,
                    Place::Poller,
                    &published,
                    taken,
                    cx,
                )
            });
            let tick = block_on(tick).expect("a running driver");
            source.clear_short(tick);
        }
        drop(turner.join().expect("the driver"));
    });
}

/// A bell that a thread parks on when there is no poller.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// loom reports the leak of this reference count, and so the leak of a waker.
    _leak: shim::Arc<()>,
}

impl Bell {
    fn new() -> Arc<Bell> {
        Arc::new(Bell {
            rung: Mutex::new(false),
            changed: Condvar::new(),
            _leak: shim::Arc::new(()),
        })
    }

    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            self.changed.wait(&mut rung);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}

/// A thread that is parked because there is no poller comes to wait in it when two others register
/// the first sources at once.
#[test]
fn register_vs_wait() {
    check("io::register_vs_wait", || {
        let bell = Bell::new();
        let mut driver = Driver::new(Waker::from(Arc::clone(&bell)));
        let handle = driver.handle().clone();
        let turner = thread::spawn(move || {
            let mut seen = 0;
            while seen < 2 {
                if driver.handle().is_started() {
                    seen += driver.turn(None).expect("a poller");
                } else {
                    bell.wait();
                }
            }
            driver
        });
        let client = |handle: Handle, fd: i32| {
            let published = AtomicUsize::new(0);
            let source = register(&handle, fd, Directions::NONE).expect("registered");
            published.store(1, Ordering::Relaxed);
            raise(&handle, fd, Directions::READ);
            take(&source, Direction::Read, &published, 1);
            source
        };
        let other = {
            let handle = handle.clone();
            thread::spawn(move || client(handle, OTHER_FD))
        };
        let source = client(handle.clone(), FD);
        let other = other.join().expect("the other client");
        drop(turner.join().expect("the driver"));
        drop((source, other));
        assert_eq!(handle.sources(), 0);
    });
}

/// mio RUSTSEC-2024-0019: an event that was queued for a source that has been dropped since reaches
/// neither that source nor the next one in its slot.
#[test]
fn deregister_vs_deliver() {
    check("io::deregister_vs_deliver", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let first = register(&handle, FD, Directions::NONE).expect("registered");
        let (waker, _count) = WakeCount::waker();
        let mut cx = Context::from_waker(&waker);
        assert!(
            first
                .poll_ready(Direction::Read, Place::Poller, &mut cx)
                .is_pending()
        );
        let turner = thread::spawn(move || {
            // The kick ends it when the event came too late to be reported.
            driver.turn(None).expect("a poller");
            driver
        });
        let kernel = {
            let handle = handle.clone();
            thread::spawn(move || {
                raise(&handle, FD, Directions::BOTH);
                handle.notify();
            })
        };
        drop(first);
        let second = register(&handle, OTHER_FD, Directions::NONE).expect("registered");
        kernel.join().expect("the kernel");
        let driver = turner.join().expect("the driver");
        for direction in [Direction::Read, Direction::Write] {
            let ready = second.look(direction).expect("a running driver");
            assert!(
                ready.is_none(),
                "an event of the first source made the second one ready"
            );
        }
        drop((second, driver));
        assert_eq!(handle.sources(), 0);
    });
}

/// A reader and a writer of one source do not take each other's events.
#[test]
fn two_directions() {
    two_directions_on("io::two_directions", Backend::Best);
}

/// The same where the poller reports each wait once: what was not reported is armed again.
#[test]
fn two_directions_oneshot() {
    two_directions_on("io::two_directions_oneshot", Backend::PollingOneshot);
}

fn two_directions_on(name: &str, backend: Backend) {
    check(name, move || {
        let mut driver = started(backend);
        let handle = driver.handle().clone();
        let source = register(&handle, FD, Directions::NONE).expect("registered");
        let source = Arc::new(source);
        let published = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let mine = Arc::clone(&published);
        let written = Arc::new(AtomicUsize::new(0));
        let writer = {
            let (source, published) = (Arc::clone(&source), Arc::clone(&published));
            let (handle, written) = (handle.clone(), Arc::clone(&written));
            thread::spawn(move || {
                take(&source, Direction::Write, &published.1, 1);
                written.store(1, Ordering::Relaxed);
                handle.notify();
            })
        };
        let kernel = thread::spawn(move || {
            published.0.store(1, Ordering::Relaxed);
            raise(&handle, FD, Directions::READ);
            published.1.store(1, Ordering::Relaxed);
            raise(&handle, FD, Directions::BOTH);
        });
        // The reader is polled by the thread that turns, as in a runtime of one thread.
        let (waker, _count) = WakeCount::waker();
        let mut cx = Context::from_waker(&waker);
        let mut taken = false;
        loop {
            let place = Place::Poller;
            taken =
                taken || poll_take(&source, Direction::Read, place, &mine.0, 0, &mut cx).is_ready();
            if taken && written.load(Ordering::Relaxed) == 1 {
                break;
            }
            driver.turn(None).expect("a poller");
        }
        writer.join().expect("the writer");
        kernel.join().expect("the kernel");
    });
}

/// Whoever publishes work and then notifies is heard: by the wait that goes on, or by the next one.
#[test]
fn notify_vs_wait() {
    check("io::notify_vs_wait", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let work = Arc::new(AtomicUsize::new(0));
        let notifier = {
            let work = Arc::clone(&work);
            thread::spawn(move || {
                for item in 1..=2 {
                    work.store(item, Ordering::Relaxed);
                    handle.notify();
                }
            })
        };
        while work.load(Ordering::Relaxed) < 2 {
            driver.turn(None).expect("a poller");
        }
        notifier.join().expect("the notifier");
    });
}

/// Shutting down ends the turn and every wait, also one that begins meanwhile.
#[test]
fn shutdown_vs_wait() {
    check("io::shutdown_vs_wait", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let turner = thread::spawn(move || while driver.turn(None).is_ok() {});
        let client = {
            let handle = handle.clone();
            thread::spawn(move || {
                let Ok(source) = register(&handle, FD, Directions::NONE) else {
                    return;
                };
                let wait = std::future::poll_fn(|cx| {
                    source.poll_ready(Direction::Read, Place::Poller, cx)
                });
                let error = block_on(wait).expect_err("nothing ever becomes ready");
                assert!(error.to_string().contains("has shut down"), "{error}");
            })
        };
        handle.shutdown();
        client.join().expect("the client");
        turner.join().expect("the driver");
        assert_eq!(handle.sources(), 0);
    });
}

/// A future that is dropped after its waker was taken by an event does not take away the waker that
/// stands in its place by then.
#[test]
fn cancel_vs_event() {
    check("io::cancel_vs_event", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        let source = register(&handle, FD, Directions::NONE).expect("registered");
        let source = Arc::new(source);
        let published = Arc::new(AtomicUsize::new(0));
        let (waker, _count) = WakeCount::waker();
        let mut dropped = None;
        let mut cx = Context::from_waker(&waker);
        let first = source.poll_ready(Direction::Read, Place::Ticket(&mut dropped), &mut cx);
        assert!(first.is_pending());
        let turner = thread::spawn(move || {
            turn_for(&mut driver, 2);
            driver
        });
        let stays = {
            let (source, published) = (Arc::clone(&source), Arc::clone(&published));
            thread::spawn(move || {
                let mut ticket = None;
                let next = std::future::poll_fn(|cx| {
                    let place = Place::Ticket(&mut ticket);
                    poll_take(&source, Direction::Read, place, &published, 0, cx)
                });
                block_on(next).expect("a running driver");
                source.give_up(&mut ticket);
            })
        };
        raise(&handle, FD, Directions::READ);
        source.give_up(&mut dropped);
        published.store(1, Ordering::Relaxed);
        raise(&handle, FD, Directions::READ);
        stays.join().expect("the one that stays");
        drop(turner.join().expect("the driver"));
    });
}

/// A registration that the poller refuses leaves nothing behind, whatever goes on meanwhile.
#[test]
fn refused_registration_vs_wait() {
    check("io::refused_registration_vs_wait", || {
        let mut driver = started(Backend::Best);
        let handle = driver.handle().clone();
        handle
            .shared()
            .selector()
            .expect("a running driver")
            .refuse_next(28);
        let turner = thread::spawn(move || {
            turn_for(&mut driver, 1);
            driver
        });
        let refused = register(&handle, FD, Directions::BOTH);
        assert!(refused.is_err(), "no space");
        let published = AtomicUsize::new(1);
        let source = register(&handle, FD, Directions::NONE).expect("registered");
        raise(&handle, FD, Directions::READ);
        take(&source, Direction::Read, &published, 1);
        drop(turner.join().expect("the driver"));
        drop(source);
        assert_eq!(handle.sources(), 0);
    });
}
