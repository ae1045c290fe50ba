//! What the places of the scheduler call when something happens: out of line, and only with instruments.
//!
//! The caller keeps the task alive for the call, by its place in a queue or by RUNNING; what the instruments
//! see of it is a counted reference.

use core::cell::Cell;

use super::TaskEnd;
use super::installed::{Instruments, event};
use crate::context::{self, Place};
use crate::scheduler::shared::Scheduler;
use crate::task::alive::Alive;
use crate::task::raw::{Ending, Ran};
use crate::task::{Runnable, TaskRef};

/// A step: the task, if it was told to have begun, and its end has not been.
#[must_use]
#[derive(Default)]
pub struct Step(Cell<Option<TaskRef>>);

impl Scheduler {
    /// Those of this runtime.
    #[inline]
    pub fn instruments(&self) -> Option<&Instruments> {
        self.config().instruments.as_deref()
    }

    /// The number of the worker whose thread this is; 0 if it drives the one thread.
    fn worker_here(&self) -> Option<usize> {
        context::with_driving(|driving| {
            let driving = driving?;
            if !core::ptr::eq(driving.scheduler.address(), self) {
                return None;
            }
            Some(match driving.place {
                Place::Thread(_) => 0,
                Place::Worker(worker) => worker.index,
            })
        })
    }

    /// A task was made, and is about to be queued; or, if not `queued`, to be run at once.
    #[inline]
    pub fn tell_spawned(&self, task: &Runnable, queued: bool) {
        if let Some(instruments) = self.instruments() {
            self.spawned(instruments, task.header(), queued);
        }
    }

    #[cold]
    fn spawned(&self, instruments: &Instruments, task: Alive<'_>, queued: bool) {
        let task = TaskRef::new(task);
        let event = event(&task, self.worker_here());
        instruments.task_spawned(&event);
        if queued {
            instruments.task_scheduled(&event);
        }
    }

    /// A task is about to be queued.
    #[cold]
    pub fn tell_scheduled(&self, task: &Runnable) {
        if let Some(instruments) = self.instruments() {
            let task = TaskRef::new(task.header());
            instruments.task_scheduled(&event(&task, self.worker_here()));
        }
    }

    /// A task is about to be run.
    #[inline]
    pub fn tell_step(&self, task: &Runnable) -> Step {
        match self.instruments() {
            Some(instruments) => self.step(instruments, task),
            None => Step::default(),
        }
    }

    #[cold]
    fn step(&self, instruments: &Instruments, task: &Runnable) -> Step {
        let task = TaskRef::new(task.header());
        instruments.before_task_step(&event(&task, self.worker_here()));
        Step(Cell::new(Some(task)))
    }

    /// It was run, and goes on some time: told before anybody else can run it (I3).
    #[inline]
    pub fn tell_pending(&self, step: &Step) {
        if let (Some(instruments), Some(task)) = (self.instruments(), step.0.take()) {
            self.stepped(instruments, &task);
        }
    }

    #[cold]
    fn stepped(&self, instruments: &Instruments, task: &TaskRef) {
        instruments.after_task_step(&event(task, self.worker_here()));
    }

    /// What became of it. If it is ready again, it is about to be queued.
    #[inline]
    pub fn tell_stepped(&self, step: &Step, ran: &Ran) {
        self.tell_pending(step);
        if let (Some(_), Ran::Requeue(task)) = (self.instruments(), ran) {
            self.tell_scheduled(task);
        }
    }

    /// A task has ended, and nobody knows of it yet.
    #[inline]
    pub fn tell_exited(&self, task: &Ending) {
        if let Some(instruments) = self.instruments() {
            self.exited(instruments, task.alive(), task.end());
        }
    }

    /// A task is about to be leaked: nothing more happens to it, and who joins it learns that it was cancelled.
    pub fn tell_leaked(&self, task: Alive<'_>) {
        if let Some(instruments) = self.instruments() {
            self.exited(instruments, task, TaskEnd::Cancelled);
        }
    }

    #[cold]
    fn exited(&self, instruments: &Instruments, task: Alive<'_>, end: TaskEnd) {
        let task = TaskRef::new(task);
        instruments.task_exited(&event(&task, self.worker_here()), end);
    }
}
