//! The decisions, one after the other, without a thread.

use super::*;
use crate::task::cell::{Schedule, Shared};
use crate::task::memory::Source;
use crate::task::{JoinHandle, Unobserved, raw};

struct Nowhere;

impl Schedule for Nowhere {
    fn schedule(&self, task: Runnable) {
        unreachable!("nobody wakes these tasks: {task:?}");
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails here: {failure}");
    }
}

/// A pool, and the jobs that it has given out.
struct Driven {
    state: State,
    running: Vec<(usize, Runnable)>,
    handles: Vec<JoinHandle<()>>,
}

/// What a thread was told to do.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Run(Called),
    Sleep,
    Nap,
    Leave,
}

/// Whom a decision calls for.
#[derive(Debug, PartialEq, Eq)]
enum Called {
    Nobody,
    Sleeper,
    Start(usize),
    Exhausted,
}

fn called(help: &Help) -> Called {
    match help {
        Help::Nobody => Called::Nobody,
        Help::Wake(_) => Called::Sleeper,
        Help::Start(number) => Called::Start(*number),
        Help::Exhausted { .. } => Called::Exhausted,
    }
}

impl Driven {
    fn new(max: usize, eager: usize) -> Self {
        let limits = Limits {
            max,
            eager,
            spare: 2,
        };
        Self {
            state: State::new(limits),
            running: Vec::new(),
            handles: Vec::new(),
        }
    }

    fn submit(&mut self) -> Called {
        let place = core::panic::Location::caller();
        let (task, header) = raw::allocate(async {}, Nowhere, Shared, None, place, &Source::System);
        self.handles.push(JoinHandle::new(header));
        match self.state.submit(task) {
            Submitted::Queued(help) => called(&help),
            Submitted::Closed(_) => panic!("the pool is open"),
        }
    }

    fn told(&mut self, number: usize, next: Next) -> Told {
        let told = match next {
            Next::Run(task, help) => {
                self.running.push((number, task));
                Told::Run(called(&help))
            }
            Next::Sleep => Told::Sleep,
            Next::Nap => Told::Nap,
            Next::Leave => Told::Leave,
        };
        self.check();
        told
    }

    fn begin(&mut self, number: usize) -> Told {
        let next = self.state.seek(number);
        self.told(number, next)
    }

    fn finish(&mut self, number: usize) -> Told {
        let index = self.running.iter().position(|(runs, _)| *runs == number);
        let (_, task) = self.running.swap_remove(index.expect("it runs a job"));
        crate::blocking::job::run(task);
        self.begin(number)
    }

    fn woke(&mut self, number: usize, how: Unparked) -> Told {
        let next = self.state.woke(number, how);
        self.told(number, next)
    }

    /// P2, and P1 as far as it can be read off the state.
    fn check(&self) {
        let state = &self.state;
        let number_of = |doing| {
            state
                .seats
                .iter()
                .filter(|seat| seat.doing == doing)
                .count()
        };
        assert_eq!(state.coming, number_of(Doing::Coming));
        assert_eq!(state.busy, number_of(Doing::Busy));
        assert_eq!(state.waiting, number_of(Doing::Waiting));
        assert_eq!(state.leaving, number_of(Doing::Leaving));
        assert_eq!(state.idle.len(), number_of(Doing::Idle));
        assert_eq!(usize::from(state.scout.is_some()), number_of(Doing::Scout));
        assert_eq!(state.free.len(), number_of(Doing::Nothing));
        assert!(
            state.queue.is_empty()
                || state.coming > 0
                || state.scout.is_some()
                || state.busy >= state.limits.max
                || state.held_back_until.is_some()
                || state.threads() >= state.limits.max + state.waiting.min(state.limits.spare),
            "P1: {state:?}"
        );
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let jobs = self.state.close().jobs;
        let queued = core::iter::from_fn(|| jobs.pop());
        let running = self.running.drain(..).map(|(_, task)| task);
        for task in running.chain(queued) {
            crate::blocking::job::run(task);
        }
    }
}

#[test]
fn the_first_job_starts_a_thread_and_the_second_waits_for_it_to_come() {
    let mut pool = Driven::new(8, 2);
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.submit(), Called::Nobody);
    assert_eq!(pool.begin(0), Told::Run(Called::Start(1)));
    assert_eq!(pool.begin(1), Told::Run(Called::Nobody));
    assert_eq!(pool.finish(0), Told::Sleep);
    assert_eq!(pool.finish(1), Told::Sleep);
}

#[test]
fn the_thread_that_fell_asleep_last_is_called_first() {
    let mut pool = Driven::new(8, 2);
    for number in 0..3 {
        assert_eq!(pool.submit(), Called::Start(number));
        assert_eq!(pool.begin(number), Told::Run(Called::Nobody));
    }
    for number in [1, 0, 2] {
        assert_eq!(pool.finish(number), Told::Sleep);
    }
    assert_eq!(pool.submit(), Called::Sleeper);
    assert_eq!(pool.woke(2, Unparked::Notified), Told::Run(Called::Nobody));
    assert_eq!(pool.woke(1, Unparked::TimedOut), Told::Leave);
}

#[test]
fn a_call_beats_the_end_of_the_keep_alive() {
    let mut pool = Driven::new(1, 1);
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.begin(0), Told::Run(Called::Nobody));
    assert_eq!(pool.finish(0), Told::Sleep);
    assert_eq!(pool.submit(), Called::Sleeper);
    assert_eq!(pool.woke(0, Unparked::TimedOut), Told::Run(Called::Nobody));
    assert_eq!(pool.finish(0), Told::Sleep);
    // The token of the call is still there.
    assert_eq!(pool.woke(0, Unparked::Notified), Told::Sleep);
}

#[test]
fn a_long_queue_that_moves_is_watched_by_one_thread() {
    let mut pool = Driven::new(100, 2);
    for _ in 0..50 {
        let _ = pool.submit();
    }
    assert_eq!(pool.begin(0), Told::Run(Called::Start(1)));
    assert_eq!(pool.begin(1), Told::Run(Called::Start(2)));
    assert_eq!(pool.begin(2), Told::Nap);
    for _ in 0..16 {
        assert_eq!(pool.finish(0), Told::Run(Called::Nobody));
    }
    assert_eq!(
        pool.woke(2, Unparked::TimedOut),
        Told::Nap,
        "16 of 48 in a nap is quick"
    );
    assert_eq!(pool.finish(1), Told::Run(Called::Nobody));
    assert_eq!(
        pool.woke(2, Unparked::TimedOut),
        Told::Run(Called::Start(3)),
        "1 of 31 in a nap is slow"
    );
    assert_eq!(pool.begin(3), Told::Nap);
}

#[test]
fn a_queue_that_stands_still_gets_one_thread_after_the_other() {
    let mut pool = Driven::new(100, 2);
    for _ in 0..50 {
        let _ = pool.submit();
    }
    assert_eq!(pool.begin(0), Told::Run(Called::Start(1)));
    assert_eq!(pool.begin(1), Told::Run(Called::Start(2)));
    assert_eq!(pool.begin(2), Told::Nap);
    assert_eq!(
        pool.woke(2, Unparked::TimedOut),
        Told::Run(Called::Start(3))
    );
    for number in 3..20 {
        assert_eq!(pool.begin(number), Told::Run(Called::Start(number + 1)));
    }
    // One job ends, which is next to nothing.
    assert_eq!(pool.finish(0), Told::Run(Called::Nobody));
    assert_eq!(pool.begin(20), Told::Run(Called::Start(21)));
    // Something moves after all: the next one watches.
    for number in 0..4 {
        assert_eq!(pool.finish(number), Told::Run(Called::Nobody));
    }
    assert_eq!(pool.begin(21), Told::Nap);
}

#[test]
fn all_jobs_run_though_none_ends() {
    let mut pool = Driven::new(512, 2);
    for _ in 0..512 {
        let _ = pool.submit();
    }
    let mut number = 0;
    while pool.running.len() < 512 {
        if pool.begin(number) == Told::Nap {
            let _ = pool.woke(number, Unparked::TimedOut);
        }
        number += 1;
    }
    assert_eq!(number, 512);
    assert_eq!(pool.submit(), Called::Nobody, "the limit is reached");
    assert_eq!(pool.finish(7), Told::Run(Called::Nobody));
}

#[test]
fn a_waiting_job_is_stood_in_for_and_the_limit_holds_afterwards() {
    let mut pool = Driven::new(1, 1);
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.begin(0), Told::Run(Called::Nobody));
    assert_eq!(pool.submit(), Called::Nobody);
    assert_eq!(called(&pool.state.begin_wait(0)), Called::Start(1));
    assert_eq!(pool.begin(1), Told::Run(Called::Nobody));
    assert_eq!(pool.submit(), Called::Nobody);
    pool.state.end_wait(0);
    pool.check();
    assert_eq!(pool.finish(1), Told::Sleep, "one may run, and one does");
    assert_eq!(pool.finish(0), Told::Run(Called::Nobody));
}

#[test]
fn spare_threads_are_used_up_once_and_aloud() {
    let mut pool = Driven::new(1, 1);
    assert_eq!(pool.submit(), Called::Start(0));
    for number in 0..3 {
        assert_eq!(pool.begin(number), Told::Run(Called::Nobody));
        assert_eq!(pool.submit(), Called::Nobody);
        let expected = if number < 2 {
            Called::Start(number + 1)
        } else {
            Called::Exhausted
        };
        assert_eq!(called(&pool.state.begin_wait(number)), expected);
        pool.check();
    }
    assert_eq!(pool.submit(), Called::Nobody);
}

#[test]
fn a_refusal_beside_a_running_job_leaves_the_queue_and_is_retried_later() {
    let mut pool = Driven::new(8, 2);
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.begin(0), Told::Run(Called::Nobody));
    assert_eq!(pool.submit(), Called::Start(1));
    let refused = pool.state.start_refused(1);
    assert!(refused.jobs.is_empty() && refused.tell);
    assert_eq!(called(&refused.help), Called::Nobody);
    pool.check();
    assert_eq!(pool.submit(), Called::Nobody, "held back");
    pool.state.held_back_until = Some(Clock::real().now());
    assert_eq!(pool.submit(), Called::Start(1));
    assert!(!pool.state.start_refused(1).tell, "once is enough");
    assert_eq!(pool.finish(0), Told::Run(Called::Nobody));
}

#[test]
fn a_refusal_where_nobody_is_left_to_run_them_ends_the_jobs() {
    let mut pool = Driven::new(1, 1);
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.submit(), Called::Nobody);
    assert_eq!(end_jobs(pool.state.start_refused(0)), 2);
    pool.check();
    // A thread that only waits, perhaps for the job, will not run it either.
    assert_eq!(pool.submit(), Called::Start(0));
    assert_eq!(pool.begin(0), Told::Run(Called::Nobody));
    assert_eq!(pool.submit(), Called::Nobody);
    assert_eq!(called(&pool.state.begin_wait(0)), Called::Start(1));
    assert_eq!(end_jobs(pool.state.start_refused(1)), 1);
    pool.state.end_wait(0);
    pool.check();
}

fn end_jobs(refused: Refused) -> usize {
    let mut ended = 0;
    while let Some(task) = refused.jobs.pop() {
        crate::blocking::job::end(task);
        ended += 1;
    }
    ended
}

#[test]
fn a_refusal_after_the_close_wakes_who_waits_for_the_end() {
    let mut pool = Driven::new(1, 1);
    assert_eq!(pool.submit(), Called::Start(0));
    let jobs = pool.state.close().jobs;
    crate::blocking::job::end(jobs.pop().expect("one was queued"));
    let parker = StdArc::new(Parker::new());
    assert!(pool.state.begin_wait_for_end(None, &parker).is_empty());
    assert_eq!(pool.state.start_refused(0).waiters.len(), 1);
    assert!(pool.state.has_ended(None));
}

#[test]
fn jobs_that_wait_for_the_end_are_not_waited_for_by_each_other() {
    let mut pool = Driven::new(2, 2);
    for number in 0..2 {
        assert_eq!(pool.submit(), Called::Start(number));
        assert_eq!(pool.begin(number), Told::Run(Called::Nobody));
    }
    let _ = pool.state.close();
    let parker = StdArc::new(Parker::new());
    assert!(pool.state.begin_wait_for_end(Some(0), &parker).is_empty());
    assert!(!pool.state.has_ended(Some(0)));
    assert_eq!(pool.state.begin_wait_for_end(Some(1), &parker).len(), 2);
    assert!(pool.state.has_ended(Some(0)) && pool.state.has_ended(Some(1)));
    assert!(!pool.state.has_ended(None), "others wait for both");
}

#[test]
fn closing_calls_every_sleeper_and_the_last_to_go_wakes_who_waits() {
    let mut pool = Driven::new(8, 2);
    for number in 0..2 {
        assert_eq!(pool.submit(), Called::Start(number));
        assert_eq!(pool.begin(number), Told::Run(Called::Nobody));
    }
    assert_eq!(pool.finish(0), Told::Sleep);
    assert_eq!(pool.state.close().sleepers.len(), 1);
    assert_eq!(pool.state.close().sleepers.len(), 0);
    let parker = StdArc::new(Parker::new());
    assert!(pool.state.begin_wait_for_end(None, &parker).is_empty());
    assert_eq!(pool.woke(0, Unparked::Notified), Told::Leave);
    assert!(pool.state.gone(0).is_empty());
    assert!(!pool.state.has_ended(None));
    assert_eq!(pool.finish(1), Told::Leave);
    assert_eq!(pool.state.gone(1).len(), 1);
    assert!(pool.state.has_ended(None));
}
