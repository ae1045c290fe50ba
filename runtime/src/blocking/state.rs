//! Who sleeps, who runs, who watches: every decision of the pool, made under its lock.
//!
//! ```text
//!               woken, or started
//!   (nothing) ───────────────────► Coming ──► takes a job ──► Busy ◄──► Waiting (in a block_on)
//!       ▲                           │  ▲                        │
//!       │                  the queue│  │called         no job   │
//!       │                   is long ▼  │                        ▼
//!       │                          Scout ──────────────────────► Idle ──► Coming
//!       └──────────────────────── Leaving ◄── keep-alive over ───┘
//! ```
//!
//! # Growth
//!
//! One thread at a time is on its way ([`Coming`](Doing::Coming)); when it takes a job and more are
//! queued, the next is woken, or else started. Beyond the eager threads, a thread that finds a long queue
//! does not take from it: it naps as the *scout*, and afterwards compares how much was taken with how
//! much is left. While that is quick the scout naps again, so a burst of small jobs stays with few
//! threads. Else it takes a job, and the next thread comes to watch. If nothing at all was taken during a
//! nap, every thread is held up: the threads that follow take without a nap for as long as hardly anybody
//! else does, one start after the other. So growth never depends on a job that ends, and no timer runs while
//! nothing is queued.
//!
//! Invariants:
//! - P1: while a job is queued, (i) a thread is Coming, or (ii) a Scout naps, or (iii) `max` jobs are
//!   Busy, each of which looks at the queue when it ends or waits, or (iv) as many threads exist as may,
//!   or (v) the system has just refused one while others are Busy.
//! - P2: a thread is in one place at a time, and the counts are the numbers of threads in each place.
//!   Whoever wakes a sleeper moves it to Coming first, under the lock: so no sleeper is counted on twice,
//!   and one whose time runs out sees that it was called.
//! - P3: a closed pool has no queued job, and queues none.
//! - P4: a thread counts until it is about to leave; until it is gone it is waited for.
//!
//! P1 is kept by [`look`](State::look), which follows every event that could break it.
//!
//! Rejected: one thread per job as long as the limit allows. A burst of 1 000 jobs started 512 threads.
//! Rejected: a time stamp per job, to know its age exactly. It costs more than the queue does, and the
//! age of a job says less than whether the queue moves.
//!
//! Tests: `state/tests.rs`; `loom-tests/tests/blocking.rs`.

use core::time::Duration;
use std::sync::Arc as StdArc;

use tenter_sync::parker::{Parker, Unparked};
use tenter_sync::planted;
use tenter_sync::shim::size;
use tenter_timer::{Clock, Instant};

use super::decision::{Closed, Help, Next, Refused, Submitted};
use super::report::{Metrics, RunningJob, StuckJob, thread_name};
use crate::scheduler::run_queue::RunQueue;
use crate::task::Runnable;

/// How long the scout naps. In a model the nap is over at once.
pub const NAP: Duration = Duration::from_micros(size(200, 0) as u64);
/// A queue shorter than this is taken from at once: there is no burst to sit out.
const LONG: usize = size(5, 1);
/// A queue that lasts for more naps than this, at the rate of the last one, is slow.
const NAPS_MAX: u64 = 4;
/// While all are held up, threads follow each other as long as no more than this part of the queue moves
/// between one and the next.
const STANDSTILL: u64 = 8;
/// How long no thread is started after the system refused one while others run jobs.
const HOLD_BACK: Duration = Duration::from_millis(10);

/// How many threads there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Busy ones.
    pub max: usize,
    /// Those that take from a long queue at once.
    pub eager: usize,
    /// Those beyond `max`, while as many jobs wait.
    pub spare: usize,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// The number is free.
    Nothing,
    /// On its way to look for a job: started, or called from its sleep.
    Coming,
    /// Naps beside a long queue.
    Scout,
    /// Sleeps until it is called or its time is over.
    Idle,
    /// Runs a job.
    Busy,
    /// Runs a job that waits in a `block_on`.
    Waiting,
    /// Takes no more jobs.
    Leaving,
}

/// A thread, by its number.
#[derive(Debug)]
struct Seat {
    doing: Doing,
    parker: StdArc<Parker>,
    job: Option<RunningJob>,
}

/// Everything that the lock guards.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    queue: RunQueue,
    closed: bool,
    seats: Vec<Seat>,
    free: Vec<usize>,
    /// The thread that fell asleep last is called first: it is the warmest, and the others expire.
    idle: Vec<usize>,
    scout: Option<usize>,
    coming: usize,
    busy: usize,
    waiting: usize,
    leaving: usize,
    /// How many jobs were ever taken.
    taken: u64,
    /// `taken` when the scout fell asleep.
    taken_at_nap: u64,
    /// `taken` after the last job that was taken because nothing moved.
    taken_at_stall: Option<u64>,
    held_back_until: Option<Instant>,
    /// Threads of the pool that wait for its end, and so do not end before it.
    waiting_for_end: usize,
    waiters: Vec<StdArc<Parker>>,
    peak: usize,
    started: u64,
    refused: u64,
    ended_unrun: u64,
    /// Whether it was said that the system refuses threads.
    refusal_told: bool,
    /// Whether it was said that the waiting jobs have used up the spare threads.
    exhaustion_told: bool,
}

impl State {
    /// A pool without threads.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            queue: RunQueue::default(),
            closed: false,
            seats: Vec::new(),
            free: Vec::new(),
            idle: Vec::new(),
            scout: None,
            coming: 0,
            busy: 0,
            waiting: 0,
            leaving: 0,
            taken: 0,
            taken_at_nap: 0,
            taken_at_stall: None,
            held_back_until: None,
            waiting_for_end: 0,
            waiters: Vec::new(),
            peak: 0,
            started: 0,
            refused: 0,
            ended_unrun: 0,
            refusal_told: false,
            exhaustion_told: false,
        }
    }

    /// Threads that may still take jobs.
    fn threads(&self) -> usize {
        self.seats.len() - self.free.len() - self.leaving
    }

    /// A job is handed in.
    #[inline]
    pub fn submit(&mut self, task: Runnable) -> Submitted {
        if self.closed && !planted!("blocking.submit_ignores_close") {
            self.ended_unrun += 1;
            return Submitted::Closed(task);
        }
        self.queue.push(task);
        Submitted::Queued(self.look())
    }

    /// Keeps P1.
    #[inline]
    fn look(&mut self) -> Help {
        if self.queue.is_empty() || self.coming > 0 || self.busy >= self.limits.max {
            return Help::Nobody;
        }
        self.call()
    }

    /// There is a job that a thread may take, and none is on its way.
    fn call(&mut self) -> Help {
        let at_once = self.queue.len() < LONG || self.busy < self.limits.eager;
        let caller = match self.scout {
            // A scout is as good as awake beside a long queue.
            Some(_) if !at_once => return Help::Nobody,
            scout => self.idle.pop().or(scout),
        };
        if let Some(number) = caller {
            if self.scout == Some(number) {
                self.scout = None;
            }
            self.set(number, Doing::Coming);
            return Help::Wake(StdArc::clone(&self.seats[number].parker));
        }
        let threads = self.threads();
        if threads >= self.limits.max + self.waiting.min(self.limits.spare) {
            return self.exhausted();
        }
        // Where all others wait, possibly for this very job, there is nobody to hold back for.
        if self.busy > 0 && self.is_held_back() {
            return Help::Nobody;
        }
        self.started += 1;
        let number = self.take_seat();
        self.peak = self.peak.max(threads + 1);
        Help::Start(number)
    }

    fn exhausted(&mut self) -> Help {
        if self.busy > 0 || self.exhaustion_told {
            return Help::Nobody;
        }
        self.exhaustion_told = true;
        Help::Exhausted {
            waiting: self.waiting,
            queued: self.queue.len(),
        }
    }

    fn is_held_back(&mut self) -> bool {
        match self.held_back_until {
            Some(until) if Clock::real().now() < until => true,
            _ => {
                self.held_back_until = None;
                false
            }
        }
    }

    /// A number for a thread that is about to be started.
    fn take_seat(&mut self) -> usize {
        self.coming += 1;
        if let Some(number) = self.free.pop() {
            self.seats[number].doing = Doing::Coming;
            return number;
        }
        self.seats.push(Seat {
            doing: Doing::Coming,
            parker: StdArc::new(Parker::new()),
            job: None,
        });
        self.seats.len() - 1
    }

    /// Moves a thread to another place, and the counts with it (P2).
    fn set(&mut self, number: usize, doing: Doing) {
        let before = core::mem::replace(&mut self.seats[number].doing, doing);
        if let Some(count) = self.count(before) {
            *count -= 1;
        }
        if let Some(count) = self.count(doing) {
            *count += 1;
        }
    }

    fn count(&mut self, doing: Doing) -> Option<&mut usize> {
        match doing {
            Doing::Coming => Some(&mut self.coming),
            Doing::Busy => Some(&mut self.busy),
            Doing::Waiting => Some(&mut self.waiting),
            Doing::Leaving => Some(&mut self.leaving),
            Doing::Nothing | Doing::Scout | Doing::Idle => None,
        }
    }

    /// Where a thread sleeps.
    pub fn parker(&self, number: usize) -> StdArc<Parker> {
        StdArc::clone(&self.seats[number].parker)
    }

    /// A thread has started, or returns from a job.
    #[inline]
    pub fn seek(&mut self, number: usize) -> Next {
        let seat = &mut self.seats[number];
        seat.job = None;
        if seat.doing == Doing::Busy {
            self.busy -= 1;
            // It is on its way again.
            seat.doing = Doing::Coming;
            self.coming += 1;
            return self.choose(number, true);
        }
        self.choose(number, false)
    }

    /// A sleep of a thread has ended.
    pub fn woke(&mut self, number: usize, how: Unparked) -> Next {
        match self.seats[number].doing {
            Doing::Scout => self.end_nap(number),
            // A token that was left by an earlier call; or the time is over, and nobody called.
            Doing::Idle if how == Unparked::Notified => Next::Sleep,
            Doing::Idle => {
                let index = self.idle.iter().position(|idle| *idle == number);
                self.idle
                    .remove(index.expect("P2: an Idle thread is on the stack"));
                self.leave(number)
            }
            Doing::Coming
                if how == Unparked::TimedOut && planted!("blocking.expires_though_called") =>
            {
                self.leave(number)
            }
            // Called, perhaps at the moment when the time was over: the call counts.
            _ => self.choose(number, false),
        }
    }

    /// A Coming thread takes a job, watches, sleeps or leaves. `warm`: it has just run one.
    fn choose(&mut self, number: usize, warm: bool) -> Next {
        if self.queue.is_empty() || self.busy >= self.limits.max {
            return self.rest(number);
        }
        let at_once = warm
            || self.queue.len() < LONG
            || self.busy < self.limits.eager
            || self.scout.is_some();
        if at_once {
            return self.take(number, false);
        }
        if self.is_held_up() {
            return self.take(number, true);
        }
        self.nap(number)
    }

    /// Whether next to nothing moved since a thread took a job because nothing moved.
    fn is_held_up(&self) -> bool {
        self.taken_at_stall
            .is_some_and(|taken| (self.taken - taken) * STANDSTILL <= self.queue.len() as u64)
    }

    fn rest(&mut self, number: usize) -> Next {
        self.taken_at_stall = None;
        if self.closed {
            return self.leave(number);
        }
        self.set(number, Doing::Idle);
        self.idle.push(number);
        Next::Sleep
    }

    /// Part of a planted bug: whether nothing is queued, as seen before the lock is taken again.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty() && !self.closed
    }

    /// Part of a planted bug: falls asleep on that word.
    pub fn rest_blindly(&mut self, number: usize) -> Next {
        self.seats[number].job = None;
        self.set(number, Doing::Coming);
        self.rest(number)
    }

    fn nap(&mut self, number: usize) -> Next {
        self.set(number, Doing::Scout);
        self.scout = Some(number);
        self.taken_at_nap = self.taken;
        Next::Nap
    }

    /// The scout looks at how the queue has moved.
    fn end_nap(&mut self, number: usize) -> Next {
        self.scout = None;
        self.set(number, Doing::Coming);
        let moved = self.taken - self.taken_at_nap;
        let left = self.queue.len();
        if left >= LONG && left as u64 <= moved * NAPS_MAX {
            return self.nap(number);
        }
        let gives_up = planted!("blocking.scout_gives_up");
        if left == 0 || self.busy >= self.limits.max || gives_up {
            return self.rest(number);
        }
        self.take(number, moved == 0)
    }

    /// Takes the oldest job. `stalled`: because nothing else moves.
    fn take(&mut self, number: usize, stalled: bool) -> Next {
        let task = self.queue.pop().expect("the caller has seen a job");
        self.set(number, Doing::Busy);
        self.seats[number].job = Some(RunningJob::of(&task));
        self.taken += 1;
        self.exhaustion_told = false;
        if stalled {
            self.taken_at_stall = Some(self.taken);
        }
        let help = if planted!("blocking.take_without_look") {
            Help::Nobody
        } else {
            self.look()
        };
        Next::Run(task, help)
    }

    fn leave(&mut self, number: usize) -> Next {
        self.set(number, Doing::Leaving);
        Next::Leave
    }

    /// A thread is gone but for its return. Unpark these.
    pub fn gone(&mut self, number: usize) -> Vec<StdArc<Parker>> {
        self.set(number, Doing::Nothing);
        self.free.push(number);
        self.if_ended()
    }

    /// The system refused the thread of this number, which was Coming.
    pub fn start_refused(&mut self, number: usize) -> Refused {
        if !planted!("blocking.refused_thread_still_comes") {
            self.set(number, Doing::Nothing);
            self.free.push(number);
        }
        self.started -= 1;
        self.refused += 1;
        let mut refused = Refused {
            jobs: RunQueue::default(),
            help: Help::Nobody,
            tell: false,
            waiters: if planted!("blocking.refusal_wakes_nobody") {
                Vec::new()
            } else {
                self.if_ended()
            },
        };
        // Nobody but jobs that wait, perhaps for these.
        if self.threads() == self.waiting && !planted!("blocking.refusal_orphans") {
            self.ended_unrun += self.queue.len() as u64;
            refused.jobs = core::mem::take(&mut self.queue);
        } else {
            self.held_back_until = Some(Clock::real().now() + HOLD_BACK);
            refused.help = self.look();
            refused.tell = !core::mem::replace(&mut self.refusal_told, true);
        }
        refused
    }

    /// The job of this thread begins to wait in a `block_on`.
    pub fn begin_wait(&mut self, number: usize) -> Help {
        self.set(number, Doing::Waiting);
        if planted!("blocking.wait_without_look") {
            return Help::Nobody;
        }
        self.look()
    }

    /// The job of this thread goes on.
    pub fn end_wait(&mut self, number: usize) {
        self.set(number, Doing::Busy);
        self.exhaustion_told = false;
    }

    /// No more jobs.
    pub fn close(&mut self) -> Closed {
        self.closed = true;
        let mut sleepers = Vec::new();
        if !planted!("blocking.close_forgets_sleepers") {
            let asleep = core::mem::take(&mut self.idle);
            for number in asleep.into_iter().chain(self.scout.take()) {
                self.set(number, Doing::Coming);
                sleepers.push(self.parker(number));
            }
        }
        let jobs = core::mem::take(&mut self.queue);
        self.ended_unrun += jobs.len() as u64;
        Closed { sleepers, jobs }
    }

    /// Somebody waits for the end, perhaps on a thread of the pool. Unpark these.
    pub fn begin_wait_for_end(
        &mut self,
        own: Option<usize>,
        parker: &StdArc<Parker>,
    ) -> Vec<StdArc<Parker>> {
        self.waiting_for_end += usize::from(own.is_some());
        self.waiters.push(StdArc::clone(parker));
        self.if_ended()
    }

    /// Whether every thread is gone; for one that waits on thread `own`, all but those that wait too.
    pub fn has_ended(&self, own: Option<usize>) -> bool {
        let not_waited_for = own.map_or(0, |_| self.waiting_for_end);
        self.closed && self.seats.len() - self.free.len() <= not_waited_for
    }

    /// Whom to unpark, after fewer threads are left or more of them wait for the end.
    fn if_ended(&self) -> Vec<StdArc<Parker>> {
        let few = self.seats.len() - self.free.len() <= self.waiting_for_end;
        if self.closed && few {
            self.waiters.clone()
        } else {
            Vec::new()
        }
    }

    /// Somebody waits no longer.
    pub fn end_wait_for_end(&mut self, own: Option<usize>, parker: &StdArc<Parker>) {
        self.waiting_for_end -= usize::from(own.is_some());
        self.waiters
            .retain(|waiter| !StdArc::ptr_eq(waiter, parker));
    }

    /// The jobs that run, but for that of thread `own`.
    pub fn running_jobs(&self, own: Option<usize>, base: &str) -> Vec<StuckJob> {
        let seats = self.seats.iter().enumerate();
        let others = seats.filter(|(number, _)| Some(*number) != own);
        others
            .filter_map(|(number, seat)| {
                let job = seat.job.as_ref()?;
                Some(job.stuck_on(thread_name(base, number)))
            })
            .collect()
    }

    /// What the pool does, and did.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            threads: self.threads(),
            peak_threads: self.peak,
            idle_threads: self.idle.len(),
            running: self.busy,
            waiting: self.waiting,
            queued: self.queue.len(),
            completed: self.taken - (self.busy + self.waiting) as u64,
            ended_unrun: self.ended_unrun,
            started_threads: self.started,
            refused_threads: self.refused,
        }
    }

    /// Where the idle threads sleep.
    pub fn sleepers(&self) -> Vec<StdArc<Parker>> {
        self.idle
            .iter()
            .map(|number| self.parker(*number))
            .collect()
    }
}

#[cfg(test)]
mod tests;
