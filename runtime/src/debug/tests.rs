//! What is a slow poll, and who says so: no thread looks here but when it is told to, and time stands still but
//! when it is moved.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use tenter_timer::Clock;

use super::Watch;
use crate::debug::DebugOptions;
use crate::instrument::Instrument as _;
use crate::instrument::installed::event;
use crate::task::{TaskId, TaskRef};
use crate::{Builder, task};

const LIMIT: u64 = 100;

/// A watch of two workers, its clock, and what it has said: who, after how many milliseconds, whether it had ended.
struct Case {
    watch: Watch,
    clock: Clock,
    said: Arc<Mutex<Vec<(TaskId, u64, bool)>>>,
}

impl Case {
    fn new() -> Self {
        let (clock, said) = (Clock::virtual_from_zero(), Arc::new(Mutex::new(Vec::new())));
        let says = Arc::clone(&said);
        let options = DebugOptions::new()
            .slow_poll(Duration::from_millis(LIMIT))
            .on_slow_poll(move |slow| {
                let lasted = slow.lasted.as_millis() as u64;
                says.lock()
                    .unwrap()
                    .push((slow.task.id, lasted, slow.ended));
            });
        let watch = Watch::on_clock(options, 2, clock.clone());
        Self { watch, clock, said }
    }

    fn pass(&self, millis: u64) {
        let now = self.clock.now();
        self.clock.advance_to(now + Duration::from_millis(millis));
    }

    fn begin(&self, task: &TaskRef, worker: usize) {
        self.watch.before_task_step(&event(task, Some(worker)));
    }

    fn end(&self, task: &TaskRef, worker: usize) {
        self.watch.after_task_step(&event(task, Some(worker)));
    }

    /// What is said when every worker is looked at.
    fn look(&self) -> Vec<(TaskId, u64, bool)> {
        (0..2).for_each(|worker| self.watch.0.look(worker));
        self.take()
    }

    fn take(&self) -> Vec<(TaskId, u64, bool)> {
        core::mem::take(&mut *self.said.lock().unwrap())
    }
}

fn a_task() -> TaskRef {
    let runtime = Builder::current_thread().debug(None).build().unwrap();
    runtime.block_on(async { task::current().unwrap() })
}

#[test]
fn a_poll_is_slow_beyond_the_limit_and_said_once() {
    let (case, task) = (Case::new(), a_task());
    case.begin(&task, 0);
    case.pass(LIMIT);
    assert_eq!(case.look(), []);
    case.pass(1);
    assert_eq!(case.look(), [(task.id(), LIMIT + 1, false)]);
    case.pass(LIMIT);
    assert_eq!(case.look(), []);
    case.end(&task, 0);
    assert_eq!(case.take(), []);
    // The next poll is another one.
    case.begin(&task, 1);
    case.pass(LIMIT + 1);
    assert_eq!(case.look(), [(task.id(), LIMIT + 1, false)]);
}

#[test]
fn a_poll_that_nobody_saw_is_said_when_it_ends() {
    let (case, task) = (Case::new(), a_task());
    case.begin(&task, 0);
    case.pass(LIMIT);
    case.end(&task, 0);
    assert_eq!(case.take(), []);
    case.begin(&task, 0);
    case.pass(LIMIT + 7);
    case.end(&task, 0);
    assert_eq!(case.take(), [(task.id(), LIMIT + 7, true)]);
    case.pass(LIMIT + 7);
    assert_eq!(case.look(), [], "nobody is in a poll");
}

#[test]
fn many_short_polls_are_not_slow() {
    let (case, task) = (Case::new(), a_task());
    for _ in 0..5 {
        case.begin(&task, 0);
        case.pass(LIMIT - 1);
        assert_eq!(case.look(), []);
        case.end(&task, 0);
    }
    assert_eq!(case.take(), []);
}

#[test]
fn time_in_place_is_nobodys() {
    let (case, task) = (Case::new(), a_task());
    case.begin(&task, 0);
    case.pass(60);
    let in_place = case.watch.in_place(0);
    case.pass(10 * LIMIT);
    assert_eq!(case.look(), []);
    drop(in_place);
    case.pass(40);
    assert_eq!(case.look(), []);
    case.pass(1);
    assert_eq!(case.look(), [(task.id(), LIMIT + 1, false)]);
}

#[test]
fn a_poll_inside_another_one_is_not_the_outer_ones_time() {
    let (case, outer, inner) = (Case::new(), a_task(), a_task());
    case.begin(&outer, 0);
    case.pass(60);
    case.begin(&inner, 0);
    case.pass(LIMIT);
    let in_place = case.watch.in_place(0);
    case.pass(LIMIT);
    drop(in_place);
    case.pass(1);
    assert_eq!(case.look(), [(inner.id(), LIMIT + 1, false)]);
    case.end(&inner, 0);
    case.pass(40);
    assert_eq!(case.look(), []);
    case.end(&outer, 0);
    assert_eq!(case.take(), []);
}

#[test]
fn a_step_afar_keeps_nobody_waiting() {
    let (case, task) = (Case::new(), a_task());
    case.watch.before_task_step(&event(&task, None));
    case.pass(LIMIT + 1);
    assert_eq!(case.look(), []);
    case.watch.after_task_step(&event(&task, None));
    assert_eq!(case.take(), []);
}
