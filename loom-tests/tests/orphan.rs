//! Children that nobody waits for any more (`runtime/src/process/orphan.rs`): dropped, woken by the
//! driver and by the bell, left by a driver that ends, and swept. The system's part is played by the
//! script in `runtime/src/process/watch_script.rs`, which allows a child to be reaped once.
#![cfg(tenter_loom)]

use std::sync::Arc;
use std::task::Waker;

use tenter::model::{LeftChild, ScriptedChild, Watch, adopt, leave, sweep};
use tenter::process::OnDrop;
use tenter_io::{Driver, Handle};
use tenter_loom_tests::check;
use tenter_sync::shim::thread;
use tenter_timer::{Clock, Instant, Timers};

const FD: i32 = 3;
const OTHER_FD: i32 = 4;

/// The grace is over.
const LATER: Instant = Instant::from_nanos(1 << 60);

fn driver() -> Driver {
    let driver = Driver::new(Waker::noop().clone());
    driver.handle().shared().start().expect("a script");
    driver
}

fn child(handle: &Handle) -> (Watch, Arc<ScriptedChild>) {
    let child = ScriptedChild::new(FD);
    let watch = Watch::scripted(handle, Arc::clone(&child)).expect("a running driver");
    (watch, child)
}

/// Turns the driver until it ends.
fn turner(mut driver: Driver) -> thread::JoinHandle<()> {
    thread::spawn(move || while driver.turn(None).is_ok() {})
}

/// Goal: a child that ends while its handle is dropped is reaped, by the one who drops it or by the
/// thread of the driver, and once.
#[test]
fn end_vs_adopt() {
    check("orphan::end_vs_adopt", || {
        let driver = driver();
        let handle = driver.handle().clone();
        let (watch, child) = child(&handle);
        let turner = turner(driver);
        let kernel = {
            let (handle, child) = (handle.clone(), Arc::clone(&child));
            thread::spawn(move || child.end(&handle))
        };
        adopt(watch, OnDrop::detach());
        child.wait_reaped();
        kernel.join().unwrap();
        handle.shutdown();
        turner.join().unwrap();
    });
}

/// Goal: a bell that rings during a turn is heard: the child, which ends in no other way, is killed, and
/// reaped then.
#[test]
fn bell_vs_event() {
    check("orphan::bell_vs_event", || {
        let driver = driver();
        let handle = driver.handle().clone();
        let timers = Timers::new(Clock::virtual_from_zero(), Waker::noop().clone());
        let (watch, child) = child(&handle);
        let inside = timers.enter();
        adopt(watch, OnDrop::terminate());
        drop(inside);
        let turner = turner(driver);
        let clock = {
            let timers = timers.clone();
            thread::spawn(move || assert_eq!(timers.fire_due(LATER), 1))
        };
        // An event that means nothing makes the driver's thread take a turn.
        child.wake(&handle);
        child.wait_killed();
        child.end(&handle);
        child.wait_reaped();
        clock.join().unwrap();
        handle.shutdown();
        turner.join().unwrap();
        assert_eq!(timers.armed(), 0);
    });
}

/// Goal: a child whose driver ends is killed if it was to be, and reaped or on the list, never both; what
/// is on the list is reaped by the next sweep after its end.
#[test]
fn driver_ends_vs_adopt() {
    check("orphan::driver_ends_vs_adopt", || {
        let driver = driver();
        let handle = driver.handle().clone();
        let (watch, child) = child(&handle);
        let ends = {
            let handle = handle.clone();
            thread::spawn(move || handle.shutdown())
        };
        let kernel = {
            let (handle, child) = (handle.clone(), Arc::clone(&child));
            thread::spawn(move || {
                child.wait_killed();
                child.end(&handle);
            })
        };
        adopt(watch, OnDrop::kill());
        ends.join().unwrap();
        kernel.join().unwrap();
        sweep();
        assert!(child.is_reaped());
        drop(driver);
    });
}

/// Goal: a child that ends while its driver ends is reaped by the driver's last event, by the turn that
/// the end of the driver brings about, or from the list.
#[test]
fn driver_ends_vs_end() {
    check("orphan::driver_ends_vs_end", || {
        let driver = driver();
        let handle = driver.handle().clone();
        let (watch, child) = child(&handle);
        adopt(watch, OnDrop::detach());
        let turner = turner(driver);
        let kernel = {
            let (handle, child) = (handle.clone(), Arc::clone(&child));
            thread::spawn(move || child.end(&handle))
        };
        handle.shutdown();
        kernel.join().unwrap();
        turner.join().unwrap();
        sweep();
        assert!(child.is_reaped());
    });
}

/// Goal: of a child that is left while others sweep, and of one that is there already, each is reaped once
/// it has ended, by one of them.
#[test]
fn sweep_vs_leave() {
    check("orphan::sweep_vs_leave", || {
        let handle = driver().handle().clone();
        let (early, late) = (ScriptedChild::new(FD), ScriptedChild::new(OTHER_FD));
        leave(LeftChild::Script(Arc::clone(&early)));
        let other = thread::spawn(sweep);
        let kernel = {
            let (handle, early) = (handle.clone(), Arc::clone(&early));
            thread::spawn(move || early.end(&handle))
        };
        leave(LeftChild::Script(Arc::clone(&late)));
        other.join().unwrap();
        kernel.join().unwrap();
        late.end(&handle);
        sweep();
        assert!(early.is_reaped() && late.is_reaped());
    });
}
