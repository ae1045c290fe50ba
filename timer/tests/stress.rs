//! Threads that arm, reset, poll and drop timers against two drivers that fire them: what the
//! models show for one timer, at full speed for many.

mod common;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use common::{Count, poll_with};
use tenter_timer::{Clock, Sleep, Timers, now, sleep};

const OWNERS: u64 = 3;
const ROUNDS: usize = 60_000;
const SLEEPS: usize = 50;

/// xorshift64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn duration(&mut self) -> Duration {
        let shift = self.below(30);
        Duration::from_nanos(self.below(1 << 30) >> shift)
    }
}

/// Goal: no timer is lost, fires early, or is touched after its owner freed it (under a sanitizer).
#[test]
fn many_owners_and_two_drivers() {
    let timers = Timers::new(Clock::virtual_from_zero(), Waker::noop().clone());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let drivers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| drive(&timers, &done)))
            .collect();
        let owners: Vec<_> = (1..=OWNERS)
            .map(|seed| {
                let timers = timers.clone();
                scope.spawn(move || own(&timers, &mut Numbers(seed * 0x9E37_79B9)))
            })
            .collect();
        for owner in owners {
            owner.join().expect("every sleep ended, none early");
        }
        done.store(true, Ordering::SeqCst);
        for driver in drivers {
            driver.join().expect("a driver");
        }
    });
    assert_eq!(timers.armed(), 0);
}

/// Lets time pass, now to the next deadline, now a little beyond it.
fn drive(timers: &Timers, done: &AtomicBool) {
    let mut numbers = Numbers(7);
    while !done.load(Ordering::SeqCst) {
        if let Some(deadline) = timers.begin_park() {
            let clock = timers.clock();
            clock.advance_to(deadline + Duration::from_nanos(numbers.below(1_000)));
            timers.end_park();
            timers.fire_due(clock.now());
        } else {
            thread::yield_now();
        }
    }
}

fn own(timers: &Timers, numbers: &mut Numbers) {
    let _guard = timers.enter();
    let (waker, woken) = Count::waker();
    let mut sleeps: Vec<Pin<Box<Sleep>>> = Vec::new();
    for _ in 0..ROUNDS {
        if sleeps.len() < SLEEPS {
            sleeps.push(Box::pin(sleep(numbers.duration())));
        }
        let chosen = numbers.below(sleeps.len() as u64) as usize;
        match numbers.below(8) {
            0 => drop(sleeps.swap_remove(chosen)),
            1 => {
                let deadline = now() + numbers.duration();
                sleeps[chosen].as_mut().reset(deadline);
            }
            _ => {
                if poll_with(sleeps[chosen].as_mut(), &waker).is_ready() {
                    assert!(now() >= sleeps[chosen].deadline(), "early");
                    drop(sleeps.swap_remove(chosen));
                }
            }
        }
    }
    // Every one that is left ends, and says so.
    for mut sleep in sleeps {
        while poll_with(sleep.as_mut(), &waker).is_pending() {
            thread::yield_now();
        }
        assert!(now() >= sleep.deadline(), "early");
    }
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&woken), 1, "no waker is left");
}
