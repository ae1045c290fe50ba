//! What holds a virtual clock back while blocking jobs are at work (`sync/src/brake.rs`).
//!
//! The run loop of these models is `Scheduler::idle_virtual` without grace: it looks, and sleeps, until the clock
//! may jump, and jumps once.
#![cfg(tenter_loom)]

use std::sync::Arc as StdArc;
use std::task::Wake;

use tenter_loom_tests::check;
use tenter_sync::brake::{Aside, AtWork, Brake, Sleeper};
use tenter_sync::parker::Parker;
use tenter_sync::shim::atomic::{AtomicBool, Ordering};
use tenter_sync::shim::{Arc, thread};

/// Where the run loop sleeps.
struct RunLoop(Parker);

impl Wake for RunLoop {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        let _ = self.0.unpark();
    }
}

/// A clock that jumps once.
struct World {
    brake: StdArc<Brake>,
    run_loop: StdArc<RunLoop>,
    jumped: AtomicBool,
}

impl World {
    fn new() -> Arc<Self> {
        let run_loop = StdArc::new(RunLoop(Parker::new()));
        Arc::new(Self {
            brake: Brake::new(StdArc::clone(&run_loop).into()),
            run_loop,
            jumped: AtomicBool::new(false),
        })
    }

    /// Starts a job, as the run loop does: with a hold.
    fn job(world: &Arc<Self>, body: impl FnOnce(&Self) + Send + 'static) -> Job {
        world.brake.hold();
        let world = Arc::clone(world);
        thread::spawn(move || {
            let _at_work = AtWork::begin(&world.brake);
            body(&world);
        })
    }

    /// Waits until the clock may jump, and lets it.
    fn run(&self, anything_left: impl Fn() -> bool) {
        while !self.brake.is_still(&anything_left) {
            if anything_left() {
                return;
            }
            let _ = self.run_loop.0.park(None);
        }
        // ORDERING: Relaxed. What goes with it is what the models look for.
        self.jumped.store(true, Ordering::Relaxed);
    }

    fn assert_no_jump(&self) {
        // ORDERING: Relaxed. As above.
        assert!(!self.jumped.load(Ordering::Relaxed), "jumped over a job");
    }
}

type Job = thread::JoinHandle<()>;

/// Something that a job waits for.
struct Signal {
    sleeper: Sleeper,
    told: AtomicBool,
}

impl Signal {
    fn new(world: &World) -> Arc<Self> {
        Arc::new(Self {
            sleeper: Sleeper::of(Some(StdArc::clone(&world.brake))),
            told: AtomicBool::new(false),
        })
    }

    fn tell(&self) {
        // ORDERING: Relaxed. The token publishes it.
        self.told.store(true, Ordering::Relaxed);
        self.sleeper.unpark();
    }

    fn wait(&self) {
        // ORDERING: Relaxed. As in `tell`.
        while !self.told.load(Ordering::Relaxed) {
            self.sleeper.park();
        }
    }
}

/// Goal: the clock does not jump over a job that the run loop wakes, and jumps when that has ended.
#[test]
fn woken_by_the_run_loop() {
    check("brake::woken_by_the_run_loop", || {
        let world = World::new();
        let signal = Signal::new(&world);
        let job = {
            let signal = Arc::clone(&signal);
            World::job(&world, move |world| {
                signal.wait();
                world.assert_no_jump();
            })
        };
        signal.tell();
        world.run(|| false);
        job.join().unwrap();
        assert!(world.brake.is_free());
    });
}

/// Goal: nor over one that another job wakes, nor over that one, whoever of them ends first.
#[test]
fn woken_by_another_job() {
    check("brake::woken_by_another_job", || {
        let world = World::new();
        let signal = Signal::new(&world);
        let woken = {
            let signal = Arc::clone(&signal);
            World::job(&world, move |world| {
                signal.wait();
                world.assert_no_jump();
            })
        };
        let wakes = World::job(&world, move |world| {
            signal.tell();
            world.assert_no_jump();
        });
        world.run(|| false);
        woken.join().unwrap();
        wakes.join().unwrap();
        assert!(world.brake.is_free());
    });
}

/// Goal: a job that is woken twice holds the clock once, and lets it go.
#[test]
fn woken_twice() {
    check("brake::woken_twice", || {
        let world = World::new();
        let signal = Signal::new(&world);
        let woken = {
            let signal = Arc::clone(&signal);
            World::job(&world, move |world| {
                signal.wait();
                world.assert_no_jump();
            })
        };
        let wakes = {
            let signal = Arc::clone(&signal);
            World::job(&world, move |_| signal.tell())
        };
        signal.tell();
        world.run(|| false);
        woken.join().unwrap();
        wakes.join().unwrap();
        assert!(world.brake.is_free());
    });
}

/// Goal: the clock goes on when the last job waits, and that job goes on when the clock has.
#[test]
fn a_job_that_waits_for_the_clock() {
    check("brake::a_job_that_waits_for_the_clock", || {
        let world = World::new();
        let due = Signal::new(&world);
        let job = {
            let due = Arc::clone(&due);
            World::job(&world, move |world| {
                due.wait();
                // ORDERING: Relaxed. The token brings it.
                assert!(world.jumped.load(Ordering::Relaxed));
            })
        };
        world.run(|| false);
        due.tell();
        job.join().unwrap();
        assert!(world.brake.is_free());
    });
}

/// Goal: what a job leaves to the run loop is seen before the clock jumps.
#[test]
fn what_a_job_left() {
    check("brake::what_a_job_left", || {
        let world = World::new();
        let left = Arc::new(AtomicBool::new(false));
        let job = {
            let left = Arc::clone(&left);
            // ORDERING: Relaxed. The release of the hold publishes it.
            World::job(&world, move |_| left.store(true, Ordering::Relaxed))
        };
        // ORDERING: Relaxed. The count brings it.
        world.run(|| left.load(Ordering::Relaxed));
        world.assert_no_jump();
        job.join().unwrap();
    });
}

/// Goal: a job that runs the loop of its own clock is no job meanwhile, and one again afterwards.
#[test]
fn a_job_that_is_the_run_loop() {
    check("brake::a_job_that_is_the_run_loop", || {
        let world = World::new();
        let signal = Signal::new(&world);
        let other = {
            let signal = Arc::clone(&signal);
            World::job(&world, move |world| {
                signal.wait();
                world.assert_no_jump();
            })
        };
        let driver = World::job(&world, move |world| {
            let aside = Aside::begin(&world.brake);
            signal.tell();
            world.run(|| false);
            drop(aside);
            assert!(!world.brake.is_free());
        });
        other.join().unwrap();
        driver.join().unwrap();
        assert!(world.brake.is_free());
    });
}
