//! Plain functions for a runtime to call: soon, in order; or later.
//!
//! ```text
//!  post ──► line ──► the pump, a task: takes what is in line, at most a batch, calls it, yields, again
//!             │                        nothing in line: ends, and the next post starts another one
//!             └──── the runtime ends: what is in line is dropped, and further ones are refused
//! ```
//!
//! There is one pump at a time, so functions are called one after the other, in the order in which they
//! were posted, whoever posted them. What they post has its turn after a yield, so that a function which
//! posts itself keeps nobody from theirs.
//!
//! A function that panics ends the pump, whose failure is reported as that of a task nobody joins; the
//! rest of its batch goes back to the head of the line, and another pump goes on.
//!
//! Tests: `tests/tests/post.rs`.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc as StdArc;

use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicU32, Ordering};
use tenter_timer::{Instant, sleep_until};

use crate::handle::Handle;
use crate::task::cell::Extras;
use crate::task::yield_now::yield_now;
use crate::task::{Canceller, TaskId};

/// How many functions are called between two yields.
const BATCH: usize = 64;

type Function = Box<dyn FnOnce() + Send>;

/// The line of a runtime.
#[derive(Default)]
pub struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Function>,
    pumping: bool,
    closed: bool,
}

impl Line {
    /// Takes no more functions, and drops those in line.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let rest = core::mem::take(&mut state.waiting);
        drop(state);
        // Code of the program.
        drop(rest);
    }

    fn next_batch(&self) -> VecDeque<Function> {
        let mut state = self.0.lock();
        let count = state.waiting.len().min(BATCH);
        let batch = state.waiting.drain(..count).collect::<VecDeque<_>>();
        state.pumping = !batch.is_empty();
        batch
    }

    /// The pump ends before it has called what is in `rest`. True: another one is needed.
    fn give_back(&self, rest: VecDeque<Function>) -> bool {
        let mut state = self.0.lock();
        if state.closed {
            state.pumping = false;
            drop(state);
            drop(rest);
            return false;
        }
        for function in rest.into_iter().rev() {
            state.waiting.push_front(function);
        }
        state.pumping = !state.waiting.is_empty();
        state.pumping
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

/// A pump. However it ends, what it has not called is in line again, or dropped with the runtime.
struct Pump {
    handle: Handle,
    batch: VecDeque<Function>,
    /// Nothing is in line.
    done: bool,
}

impl Pump {
    fn start(handle: &Handle) {
        let pump = Self {
            handle: handle.clone(),
            batch: VecDeque::new(),
            done: false,
        };
        let extras = Extras {
            name: Some("post".into()),
            ..Extras::default()
        };
        let extras = Some(Box::new(extras));
        drop(handle.spawn_with(pump.run(), extras, Location::caller()));
    }

    async fn run(mut self) {
        loop {
            self.batch = self.handle.scheduler().posted.next_batch();
            if self.batch.is_empty() {
                self.done = true;
                return;
            }
            while let Some(function) = self.batch.pop_front() {
                function();
            }
            yield_now().await;
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let rest = core::mem::take(&mut self.batch);
        if !self.done && self.handle.scheduler().posted.give_back(rest) {
            Self::start(&self.handle);
        }
    }
}

impl Handle {
    /// Has the runtime call a function soon, on a thread that runs its tasks. From any thread, also from a
    /// destructor or from another runtime.
    ///
    /// Posted functions are called once each, one after the other, in the order in which they were posted.
    /// Between batches of them all other tasks have their turn. They must not block. In a single-threaded
    /// runtime they are called while some thread is in `block_on`.
    ///
    /// A panic is reported as that of a task that nobody joins ([`Builder::on_unobserved`]); the next
    /// functions are called all the same. Functions that are in line when the runtime ends are dropped
    /// uncalled.
    ///
    /// # Errors
    ///
    /// [`Finished`] once the runtime ends. The function is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # tenter::run(async {
    /// let handle = tenter::Handle::current();
    /// let (sender, receiver) = tenter::sync::oneshot();
    /// std::thread::spawn(move || handle.post(|| drop(sender.send(42))));
    /// assert_eq!(receiver.await.expect("it is called"), 42);
    /// # });
    /// ```
    ///
    /// [`Builder::on_unobserved`]: crate::Builder::on_unobserved
    #[doc(alias = "call_soon_threadsafe")]
    #[doc(alias = "call_soon")]
    pub fn post(&self, function: impl FnOnce() + Send + 'static) -> Result<(), Finished> {
        let function: Function = Box::new(function);
        let mut state = self.scheduler().posted.0.lock();
        if state.closed {
            drop(state);
            drop(function);
            return Err(Finished(()));
        }
        state.waiting.push_back(function);
        let is_pumping = core::mem::replace(&mut state.pumping, true);
        drop(state);
        if !is_pumping {
            Pump::start(self);
        }
        Ok(())
    }

    /// Has the runtime call a function after so much time on its clock.
    ///
    /// The function is called on a thread that runs tasks, and must not block. Dropping the handle leaves
    /// it to be called. A panic is reported as that of a task that nobody joins. When the runtime ends
    /// before, or has ended, it is dropped uncalled.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::time::{Duration, sleep};
    ///
    /// # tenter::run(async {
    /// let handle = tenter::Handle::current();
    /// let _said = handle.call_later(Duration::from_millis(1), || println!("late"));
    /// let never = handle.call_later(Duration::from_secs(60), || unreachable!());
    /// assert!(never.cancel());
    /// sleep(Duration::from_millis(2)).await;
    /// # });
    /// ```
    #[track_caller]
    pub fn call_later(
        &self,
        delay: Duration,
        function: impl FnOnce() + Send + 'static,
    ) -> TimerHandle {
        self.call_at(self.scheduler().now() + delay, function)
    }

    /// [`call_later`](Self::call_later) with the time itself, which is one of this runtime's clock.
    #[track_caller]
    pub fn call_at(&self, when: Instant, function: impl FnOnce() + Send + 'static) -> TimerHandle {
        let state = StdArc::new(AtomicU32::new(WAITING));
        let waiting = {
            let state = StdArc::clone(&state);
            async move {
                sleep_until(when).await;
                if decide(&state, CALLED) {
                    function();
                }
            }
        };
        let task = self.spawn_with(waiting, None, Location::caller());
        TimerHandle {
            task: task.canceller(),
            state,
            when,
        }
    }
}

/// The runtime has ended, or ends, and calls nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished(());

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime has ended, and calls no function that is posted to it")
    }
}

impl std::error::Error for Finished {}

/// A function that is to be called, made by [`Handle::call_later`]. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct TimerHandle {
    task: Canceller,
    /// A task whose timer has fired is polled once more, cancelled or not: it asks here.
    state: StdArc<AtomicU32>,
    when: Instant,
}

const WAITING: u32 = 0;
const CALLED: u32 = 1;
const CANCELLED: u32 = 2;

/// Whoever is first decides.
fn decide(state: &AtomicU32, outcome: u32) -> bool {
    // ORDERING: Relaxed. The decision orders nothing else.
    let decided = state.compare_exchange(WAITING, outcome, Ordering::Relaxed, Ordering::Relaxed);
    decided.is_ok()
}

impl TimerHandle {
    /// Sees to it that the function is not called. True: it has not been, and will not be.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        let first = decide(&self.state, CANCELLED);
        if first {
            self.task.cancel();
        }
        first
    }

    /// Whether [`cancel`](Self::cancel) came before the call.
    pub fn is_cancelled(&self) -> bool {
        // ORDERING: Relaxed. As in `decide`.
        self.state.load(Ordering::Relaxed) == CANCELLED
    }

    /// Whether the function was called or dropped.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// When it is to be called, on the clock of its runtime.
    pub fn when(&self) -> Instant {
        self.when
    }

    /// The number of the task that calls it.
    pub fn id(&self) -> TaskId {
        self.task.id()
    }
}
