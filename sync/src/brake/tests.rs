//! The steps of the drawing, one after the other, without a second thread.

use super::*;
use crate::shim::diagnostic::AtomicUsize as Count;

#[derive(Default)]
struct Wakes(Count);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Rig {
    brake: Arc<Brake>,
    wakes: Arc<Wakes>,
}

impl Rig {
    /// With this many holds.
    fn new(holds: usize) -> Self {
        let wakes = Arc::new(Wakes::default());
        let brake = Brake::new(Waker::from(Arc::clone(&wakes)));
        (0..holds).for_each(|_| brake.hold());
        Self { brake, wakes }
    }

    /// Holds, and wakes of the run loop so far.
    fn state(&self) -> (usize, usize) {
        let holds = self.brake.holds.load(Ordering::Relaxed);
        (holds, self.wakes.0.load(Ordering::Relaxed))
    }

    fn sleeper(&self) -> Sleeper {
        Sleeper::of(Some(Arc::clone(&self.brake)))
    }
}

/// Goal: each step of the drawing counts as it says, and the run loop is woken for the last hold only.
#[test]
fn every_step_counts() {
    type Step = fn(&Rig, &Sleeper);
    let steps: [(&str, Step, usize, (usize, usize)); 7] = [
        ("handed in", |rig, _| rig.brake.hold(), 0, (1, 0)),
        ("the last ends", |rig, _| rig.brake.release(), 1, (0, 1)),
        ("another ends", |rig, _| rig.brake.release(), 2, (1, 0)),
        (
            "parks, with a token",
            |_, sleeper| {
                let _ = sleeper.parker.unpark();
                sleeper.park();
            },
            1,
            (1, 0),
        ),
        (
            "parks, and is woken before it sleeps",
            |rig, sleeper| {
                assert!(sleeper.parker.prepare_park());
                sleeper.unpark();
                assert_eq!(rig.state(), (2, 0), "one too many, not one too few");
                rig.brake.release();
            },
            1,
            (1, 0),
        ),
        (
            "waits, and is woken twice",
            |rig, sleeper| {
                assert!(sleeper.parker.prepare_park());
                rig.brake.release();
                assert_eq!(rig.state(), (0, 1));
                sleeper.unpark();
                assert_eq!(rig.state(), (1, 1));
                sleeper.unpark();
            },
            1,
            (1, 1),
        ),
        ("is woken late", |_, sleeper| sleeper.unpark(), 0, (0, 1)),
    ];
    for (name, step, holds, after) in steps {
        let rig = Rig::new(holds);
        step(&rig, &rig.sleeper());
        assert_eq!(rig.state(), after, "{name}");
    }
}

#[test]
fn a_thread_holds_while_it_is_at_work_and_is_not_the_run_loop() {
    let (rig, other) = (Rig::new(1), Rig::new(0));
    assert!(!is_held());
    let at_work = AtWork::begin(&rig.brake);
    assert!(is_held());
    let aside = Aside::begin(&other.brake);
    assert!(is_held(), "it runs the loop of another clock");
    drop(aside);
    let aside = Aside::begin(&rig.brake);
    assert_eq!((is_held(), rig.state()), (false, (0, 1)));
    assert!(Sleeper::here().brake.is_none());
    drop(aside);
    assert_eq!((is_held(), rig.state()), (true, (1, 1)));
    drop(at_work);
    assert_eq!((is_held(), rig.state()), (false, (0, 2)));
    assert_eq!(other.state(), (0, 0));
}

#[test]
fn still_is_when_nobody_holds_and_nothing_is_left() {
    for (holds, left, still) in [
        (0, false, true),
        (0, true, false),
        (1, false, false),
        (1, true, false),
    ] {
        assert_eq!(Rig::new(holds).brake.is_still(|| left), still);
    }
}
