//! Who sleeps and whom to wake (`runtime/src/scheduler/multi_thread/idle.rs`).
//!
//! [`Idle`] and the parker are the production source; around them is the smallest crew that follows the
//! order of `worker.rs` and `park.rs`: look, park, look again, sleep, get up. Its tasks are the hardest
//! there are: whoever takes one is stuck in it for good, so one that is left behind is left for ever, and
//! loom reports that the others sleep. The same with whole workers is in `multi_thread.rs`; with four of
//! them, and for liveness, in `docs/models/idle.pml`.
#![cfg(tenter_loom)]

use std::time::Duration;

use tenter::model::{Claim, Idle, Left, Nudge, SearchEnded, Sleep};
use tenter_loom_tests::check;
use tenter_sync::parker::Parker;
use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering, fence};
use tenter_sync::shim::{Arc, Condvar, Guess, Mutex, thread};

const PERIOD: Option<Duration> = Some(Duration::from_millis(1));

/// Workers without run queues: the tasks are a number.
struct Crew {
    idle: Idle,
    tasks: AtomicUsize,
    /// A task that only a guard takes: behind the poll that its worker is stuck in.
    hidden: Mutex<bool>,
    found: Condvar,
    parkers: Vec<Parker>,
}

impl Crew {
    /// All workers have a thread and are active.
    fn new(workers: usize) -> Self {
        let idle = Idle::new(workers, 0);
        while idle.claim() != Claim::Nobody {
            // That was a worker without a thread.
            let _ = idle.end_search();
        }
        Self {
            idle,
            tasks: AtomicUsize::new(0),
            hidden: Mutex::new(false),
            found: Condvar::new(),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
        }
    }

    fn push_from_outside(&self) {
        self.tasks.fetch_add(1, Ordering::Release);
        if !planted!("idle.no_fence_after_push") {
            fence(Ordering::SeqCst);
        }
        self.wake_one();
    }

    fn is_empty(&self) -> bool {
        self.tasks.load(Ordering::Relaxed) == 0
    }

    fn take(&self) -> bool {
        let mut tasks = self.tasks.guess();
        while tasks > 0 {
            let taken =
                self.tasks
                    .compare_exchange(tasks, tasks - 1, Ordering::Acquire, Ordering::Relaxed);
            match taken {
                Ok(_) => return true,
                Err(actual) => tasks = actual,
            }
        }
        false
    }

    fn wake_one(&self) {
        match self.idle.claim() {
            Claim::Nobody => {}
            Claim::Worker(claimed, guard) => {
                self.nudge(claimed);
                if let Some(guard) = guard {
                    self.nudge(guard);
                }
            }
        }
    }

    fn nudge(&self, nudge: Nudge) {
        let Nudge::Wake(worker) = nudge else {
            unreachable!("all have a thread");
        };
        let _ = self.parkers[worker].unpark();
    }

    /// The life of an active worker until it has a task.
    fn work(&self, me: usize, mut searching: bool) {
        loop {
            searching = searching || self.idle.begin_search();
            if searching && self.take() {
                self.end_search();
                return;
            }
            let sleep = self.idle.park(me, searching, false);
            let work = !planted!("idle.no_recheck") && self.is_unattended();
            if !work {
                self.sleep(me, sleep);
            }
            searching = self.get_up(me, work);
        }
    }

    fn end_search(&self) {
        if self.idle.end_search() == SearchEnded::Last && !self.is_empty() {
            self.wake_one();
        }
    }

    fn is_unattended(&self) -> bool {
        self.idle.searching() == 0 && !self.is_empty()
    }

    fn sleep(&self, me: usize, mut sleep: Sleep) {
        while sleep != Sleep::Claimed {
            let _ = self.parkers[me].park(None);
            sleep = self.idle.look(me);
        }
    }

    /// True: it is searching.
    fn get_up(&self, me: usize, active: bool) -> bool {
        match self.idle.leave(me, active) {
            Left::Claimed => return true,
            Left::Active(Some(nudge)) => self.nudge(nudge),
            Left::Active(None) => {}
        }
        false
    }

    /// A poll that ends when the task behind it has been taken. A period passes for `guard` meanwhile.
    fn be_stuck(&self, guard: usize) {
        *self.hidden.lock() = true;
        self.parkers[guard].futex().expire();
        let mut hidden = self.hidden.lock();
        while *hidden {
            self.found.wait(&mut hidden);
        }
    }

    /// A worker that sleeps, and guards if it is appointed, until it has found the hidden task.
    fn guard(&self, me: usize) {
        loop {
            let bounded = match self.idle.look(me) {
                Sleep::Claimed => panic!("only the other one is claimed"),
                Sleep::Bounded => true,
                Sleep::Unbounded => false,
            };
            let _ = self.parkers[me].park(if bounded { PERIOD } else { None });
            if bounded {
                if std::mem::take(&mut *self.hidden.lock()) {
                    self.found.notify_one();
                    return;
                }
                if !self.idle.is_any_active() {
                    self.idle.resign(me);
                }
            }
        }
    }
}

/// As many tasks as workers, pushed from outside while the workers look and go to sleep.
fn every_task_finds_a_worker(workers: usize, tasks: usize) {
    let crew = Arc::new(Crew::new(workers));
    let threads: Vec<_> = (0..workers)
        .map(|me| {
            let crew = Arc::clone(&crew);
            thread::spawn(move || crew.work(me, false))
        })
        .collect();
    for _ in 0..tasks {
        crew.push_from_outside();
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(crew.idle.searching(), 0, "D3");
    assert_eq!(crew.idle.claim(), Claim::Nobody, "D2: all are active");
}

/// Goal: no push is overlooked by the one worker, which is going to sleep.
#[test]
fn one_worker() {
    check("idle::one_worker", || every_task_finds_a_worker(1, 1));
}

/// Goal: two tasks that are pushed from outside get two workers, whoever of them looks, sleeps, or has
/// just found the other task, and is stuck in it from then on.
#[test]
fn two_workers() {
    check("idle::two_workers", || every_task_finds_a_worker(2, 2));
}

/// Goal: the same with three.
#[test]
fn three_workers() {
    check("idle::three_workers", || every_task_finds_a_worker(3, 3));
}

/// Goal: a worker whose time is up while it is claimed learns of it, and looks for the task.
#[test]
fn claim_vs_leave() {
    check("idle::claim_vs_leave", || {
        let crew = Arc::new(Crew::new(1));
        let _ = crew.idle.park(0, false, false);
        let worker = {
            let crew = Arc::clone(&crew);
            thread::spawn(move || {
                let searching = crew.get_up(0, false);
                crew.work(0, searching);
            })
        };
        crew.push_from_outside();
        worker.join().unwrap();
        assert_eq!(crew.idle.searching(), 0, "D3");
        assert_eq!(crew.idle.claim(), Claim::Nobody, "D2: all are active");
    });
}

/// Two sleepers, of which the first becomes the guard when the second one is stuck; or deadlock.
fn asleep_without_bound() -> Arc<Crew> {
    let crew = Arc::new(Crew::new(2));
    for worker in 0..2 {
        let _ = crew.idle.park(worker, false, false);
    }
    for worker in 0..2 {
        crew.idle.resign(worker);
        assert_eq!(crew.idle.look(worker), Sleep::Unbounded);
    }
    crew
}

fn guarded_by_the_first(crew: &Arc<Crew>) -> thread::JoinHandle<()> {
    let crew = Arc::clone(crew);
    thread::spawn(move || crew.guard(0))
}

/// Goal: a claim out of full idleness leaves a guard behind (D1).
#[test]
fn claim_appoints_a_guard() {
    check("idle::claim_appoints_a_guard", || {
        let crew = asleep_without_bound();
        let guard = guarded_by_the_first(&crew);
        let stuck = {
            let crew = Arc::clone(&crew);
            thread::spawn(move || {
                crew.sleep(1, Sleep::Unbounded);
                assert!(crew.get_up(1, false), "claimed");
                crew.work(1, true);
                crew.be_stuck(0);
            })
        };
        crew.push_from_outside();
        stuck.join().unwrap();
        guard.join().unwrap();
    });
}

/// Goal: so does a worker that gets up by itself (D1).
#[test]
fn who_gets_up_appoints_a_guard() {
    check("idle::who_gets_up_appoints_a_guard", || {
        let crew = asleep_without_bound();
        let guard = guarded_by_the_first(&crew);
        assert!(!crew.get_up(1, true), "not claimed");
        crew.be_stuck(0);
        guard.join().unwrap();
    });
}

/// Goal: a guard that gives up because nobody is active, while another worker is being claimed, stays
/// (D1).
#[test]
fn resign_vs_claim() {
    check("idle::resign_vs_claim", || {
        let crew = Arc::new(Crew::new(2));
        assert_eq!(crew.idle.park(0, false, false), Sleep::Bounded);
        assert_eq!(crew.idle.park(1, false, false), Sleep::Unbounded);
        crew.parkers[0].futex().expire();
        let guard = guarded_by_the_first(&crew);
        crew.push_from_outside();
        assert!(crew.get_up(1, false), "claimed");
        crew.work(1, true);
        crew.be_stuck(0);
        guard.join().unwrap();
    });
}
