//! Functions that are called when a task has ended, and what else happens then.
//!
//! ```text
//!  on_done ──► list ──── the task ends ────► a task of their own calls them, in order
//!                └─ it had ended already ──► the same, now
//! ```
//!
//! The list is in the task's rarely used block. The callbacks run in the runtime that `on_done` was called in,
//! as a task that is spawned by whoever ends the task, or by `on_done` if it came later: never inside either.
//!
//! Invariants:
//! - K1: `calling` is set by one thread at a time, which then has the list worked off; whoever finds it set
//!   only adds to the list. So the order is that of registration, and each runs once.
//! - K2: no callback is called, made or dropped under the lock.
//!
//! # Nobody is forgotten
//!
//! `on_done` puts the callback on the list and then asks whether the task has ended, in a
//! read-modify-write of the task's word; the end of a task is one of the same word, after which the block is
//! looked for. Whichever comes second in the order of the word sees what the other has done.
//!
//! Tests: `tests/tests/callbacks.rs`; `loom-tests/tests/task.rs`.

use core::fmt;
use core::panic::Location;
use std::collections::VecDeque;
use std::sync::Arc;

use super::JoinHandle;
use super::alive::Alive;
use super::cell::Header;
use super::context::Context;
use super::error::UnobservedKind;
use super::id::TaskId;
use super::raw::guarded;
use super::task_ref::TaskRef;
use crate::handle::Handle;

/// Which callback: returned by [`JoinHandle::on_done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId {
    task: TaskId,
    number: u64,
}

/// What is called.
pub type Call = Box<dyn FnOnce(&TaskRef) + Send>;

/// Has the list of a task worked off, some time later.
pub type Start = Arc<dyn Fn(Calls) + Send + Sync>;

/// The duty to work off the list of a task that has ended (K1). Dropped undone, it drops the callbacks, and
/// not the free of the task, where nothing of the program may run.
pub struct Calls {
    task: TaskRef,
    done: bool,
}

struct Callback {
    number: u64,
    call: Call,
    start: Start,
}

/// The callbacks of a task that have not been called.
#[derive(Default)]
pub struct Callbacks {
    waiting: VecDeque<Callback>,
    registered: u64,
    /// K1.
    calling: bool,
}

impl Callbacks {
    /// Takes over the duty of having the list worked off, if nobody has it and there is something on it.
    fn begin(&mut self) -> Option<Start> {
        if self.calling {
            return None;
        }
        let start = Arc::clone(&self.waiting.front()?.start);
        self.calling = true;
        Some(start)
    }

    fn next(&mut self) -> Option<Callback> {
        let next = self.waiting.pop_front();
        self.calling = next.is_some();
        next
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("waiting", &self.waiting.len())
            .field("calling", &self.calling)
            .finish_non_exhaustive()
    }
}

/// Registers a callback, and has it called if the task has ended.
pub fn add(header: Alive<'_>, call: Call, start: Start) -> CallbackId {
    let mut callbacks = header.extras_or_insert().callbacks.lock();
    let number = callbacks.registered;
    callbacks.registered += 1;
    callbacks.waiting.push_back(Callback {
        number,
        call,
        start,
    });
    drop(callbacks);
    if header.state.has_ended() {
        begin(header);
    }
    CallbackId {
        task: TaskId(header.slot.id()),
        number,
    }
}

fn begin(header: Alive<'_>) {
    let Some(extras) = header.extras() else {
        return;
    };
    let start = extras.callbacks.lock().begin();
    if let Some(start) = start {
        start(Calls {
            task: TaskRef::new(header),
            done: false,
        });
    }
}

fn remove(header: &Header, id: CallbackId) -> bool {
    if id.task != TaskId(header.slot.id()) {
        return false;
    }
    let Some(extras) = header.extras() else {
        return false;
    };
    let mut callbacks = extras.callbacks.lock();
    let mut waiting = callbacks.waiting.iter();
    let index = waiting.position(|callback| callback.number == id.number);
    let removed = index.and_then(|index| callbacks.waiting.remove(index));
    drop(callbacks);
    removed.is_some()
}

impl Calls {
    /// Calls what is on the list, until nothing is.
    pub fn call(mut self) {
        while let Some(callback) = self.next() {
            self.guarded(|| (callback.call)(&self.task));
        }
    }

    fn next(&mut self) -> Option<Callback> {
        if self.done {
            return None;
        }
        let extras = self.task.header().header().extras();
        let next = extras.and_then(|extras| extras.callbacks.lock().next());
        // From here on it is somebody else's.
        self.done = next.is_none();
        next
    }

    fn guarded(&self, body: impl FnOnce()) {
        let task = self.task.header().pointer();
        guarded(task, UnobservedKind::Callback, body);
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        while let Some(callback) = self.next() {
            self.guarded(|| drop(callback));
        }
    }
}

/// A task that has a rarely used block has ended: lets go of the values of its context variables, and has its
/// callbacks called. The caller keeps the task alive.
#[cold]
pub fn after_end(header: Alive<'_>) {
    let Some(extras) = header.extras() else {
        return;
    };
    let values = extras.context.take();
    guarded(header.pointer(), UnobservedKind::ContextDrop, || {
        drop(values);
    });
    begin(header);
}

impl<T> JoinHandle<T> {
    /// Has a function called when the task has ended, however: once, not inside this call and not inside the
    /// task's last step, after those that were registered before, and with the context variables of the
    /// caller. It also is called if the task has ended already, and if the handle is dropped meanwhile. If the
    /// runtime ends before its turn has come, it is dropped uncalled.
    ///
    /// A panic in it goes to [`Builder::on_unobserved`](crate::Builder::on_unobserved).
    ///
    /// # Panics
    ///
    /// Outside a runtime: it is called in the one that this thread is in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::sync::oneshot;
    ///
    /// tenter::run(async {
    ///     let (tell, told) = oneshot();
    ///     let task = tenter::spawn(async {});
    ///     let id = task.id();
    ///     task.on_done(move |task| drop(tell.send(task.id())));
    ///     assert_eq!(told.await, Ok(id));
    /// });
    /// ```
    #[track_caller]
    #[doc(alias = "add_done_callback")]
    pub fn on_done(&self, callback: impl FnOnce(&TaskRef) + Send + 'static) -> CallbackId {
        let runtime = Handle::current_for("tenter::JoinHandle::on_done");
        let at = Location::caller();
        let context = Context::current();
        let call = Box::new(move |task: &TaskRef| context.run(|| callback(task)));
        let start = Arc::new(move |calls: Calls| {
            drop(runtime.spawn_with(async move { calls.call() }, None, at));
        });
        add(self.header(), call, start)
    }

    /// Takes a callback back. False: it was called, or is about to be, or is another task's.
    #[doc(alias = "remove_done_callback")]
    pub fn remove_callback(&self, id: CallbackId) -> bool {
        remove(&self.header(), id)
    }
}
