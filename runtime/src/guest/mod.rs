//! A runtime as a guest in another loop: of a user interface, of a game, of another executor.
//!
//! ```text
//!   the host's thread:  … event │ turn │ event │ event │ turn │ turn │ event …
//!                                  ▲                      ▲      ▲ more is ready: posted by the turn before
//!   the helper's thread:  waits for sockets, timers, wakes┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `relay` | who may run tasks next, and who waits: the state machine |
//! | `turn` | what is posted to the host's loop |
//! | `host` | what the host's thread has: main, turns, the end |
//! | `helper` | the thread that waits |
//!
//! Tests: `tests/tests/guest/main.rs`; `loom-tests/tests/guest.rs`.

mod helper;
mod host;
pub mod relay;
pub mod turn;

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::Location;
use core::time::Duration;
use std::io;
use std::rc::Rc;
use std::sync::Arc as StdArc;

use tenter_sync::shim::thread;

use self::host::{Host, Inner};
use self::turn::{Poster, Shared, Turn, Visit};
use crate::ctrl_c::Watched;
use crate::handle::Handle;
use crate::runtime::Runtime;
use crate::scheduler::current_thread::Core;
use crate::scheduler::shared::Kind;
use crate::scheduler::shutdown::ShutdownReport;
use crate::scope::CancelHandle;
use crate::scope::node::Node;
use crate::scope::scoped::Scoped;
use crate::task::cell::Extras;
use crate::task::{CancelReason, JoinError, JoinHandle};

/// How long a turn lasts, unless [`GuestBuilder::turn_limit`] says otherwise.
const TURN_LIMIT: Duration = Duration::from_millis(1);

impl Runtime {
    /// Makes a guest of this runtime: it will run on the thread of another loop, the host's, a turn at a time,
    /// and that loop goes on between the turns.
    ///
    /// `poster` gives a turn to the host's loop, which is to call [`Turn::run`] soon, on its own thread. The
    /// poster is called on the host's thread and on one of the guest, never twice before the turn has begun. It
    /// returns at once: what has to be told to the host's loop for it to wake up, it tells, but it neither
    /// runs the turn nor waits for it.
    ///
    /// [`GuestBuilder::start`] says more, with an example.
    #[doc(alias = "start_guest_run")]
    #[doc(alias = "LocalSet")]
    pub fn guest<P>(self, poster: P) -> GuestBuilder
    where
        P: Fn(Turn) + Send + Sync + 'static,
    {
        GuestBuilder {
            runtime: self,
            poster: StdArc::new(poster),
            limit: TURN_LIMIT,
        }
    }
}

/// Settings of a guest that is about to be started, made by [`Runtime::guest`].
#[must_use = "a guest does nothing until `start` is called"]
pub struct GuestBuilder {
    runtime: Runtime,
    poster: Poster,
    limit: Duration,
}

impl GuestBuilder {
    /// How long one turn may take before the host's loop goes on. Default: 1 ms. A turn ends at the first
    /// suspension of a task after that, so a poll takes as long as it takes; zero makes it one poll a turn.
    pub fn turn_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts the guest on the calling thread, which becomes the host's, and posts its first turn.
    ///
    /// `main` and the tasks that it spawns, also with [`spawn_local`](crate::spawn_local), run in turns. When
    /// `main` has ended, the other tasks are cancelled and run until they have stopped, at most for
    /// [`Builder::shutdown_timeout`](crate::Builder::shutdown_timeout); then blocking jobs are waited for;
    /// then `done` is called, in the last turn, with the output of `main`, its panic, or why it was cancelled.
    /// None of this blocks the host's loop. What did not stop in time is named on standard error.
    ///
    /// Ctrl-c is the host's own affair, unless [`Builder::ctrl_c`](crate::Builder::ctrl_c) says otherwise.
    ///
    /// # Waiting, and fairness
    ///
    /// While nothing is ready no turn is posted: a thread of the guest's own waits for sockets, timers and
    /// wakes from other threads. While something is, turn follows turn, each through the host's loop, so that
    /// its other events have theirs in between. If the host's loop is first in, first out, neither starves.
    ///
    /// # Nested loops
    ///
    /// A task that runs a loop of the host itself, such as a modal dialogue, keeps its own guest waiting until
    /// that returns: in a turn there is no other. Other guests of the thread go on, and so may this one when the
    /// task awaits the dialogue instead.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, if the runtime is not of the current-thread flavour with a real clock, or if another
    /// thread has left `!Send` tasks in it. The system's error, if it refuses a thread.
    ///
    /// # Panics
    ///
    /// With the poster, and if it runs the turn at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use tenter::{Builder, Turn, time};
    ///
    /// enum Event {
    ///     Guest(Turn),
    ///     Quit(u32),
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (events, host) = channel();
    /// let runtime = Builder::current_thread().build()?;
    /// let poster = {
    ///     let events = events.clone();
    ///     move |turn| drop(events.send(Event::Guest(turn)))
    /// };
    /// let main = async {
    ///     time::sleep(time::Duration::from_millis(1)).await;
    ///     42
    /// };
    /// let done = move |ended: Result<u32, _>| {
    ///     let _ = events.send(Event::Quit(ended.expect("no panic")));
    /// };
    /// let _guest = runtime.guest(poster).start(main, done)?;
    /// let answer = loop {
    ///     match host.recv().expect("the guest has a sender") {
    ///         Event::Guest(turn) => turn.run(),
    ///         Event::Quit(answer) => break answer,
    ///     }
    /// };
    /// assert_eq!(answer, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn start<F, D>(self, main: F, done: D) -> io::Result<Guest>
    where
        F: Future + 'static,
        D: FnOnce(Result<F::Output, JoinError>) + 'static,
    {
        let at = Location::caller();
        let core = self.take_core()?;
        let Self {
            runtime,
            poster,
            limit,
        } = self;
        let handle = runtime.handle().clone();
        let shared = StdArc::new(Shared::new(handle.scheduler().clone(), poster, at));
        let node = Node::new();
        let config = handle.scheduler().config();
        if let Err(refused) = start_helper(&shared, &config.thread_name) {
            give_back(&runtime, core);
            return Err(refused);
        }
        core.set_driven_at(at);
        let watched = Watched::begin(config, &node);
        let extras = Extras {
            name: Some("main".into()),
            ..Extras::default()
        };
        let main = Scoped::with_node(main, StdArc::clone(&node));
        let main = handle.spawn_local_here(main, Some(Box::new(extras)), at);
        let inner = Inner::new(runtime, main, watched, done);
        let host = Rc::new(Host::new(StdArc::clone(&shared), limit, inner));
        let visit: Rc<dyn Visit> = host.clone();
        turn::enlist(&shared, visit);
        let guest = Guest {
            shared,
            handle,
            main: CancelHandle { node },
            ends: true,
            _thread: PhantomData,
        };
        host.begin(core);
        Ok(guest)
    }

    fn take_core(&self) -> io::Result<Box<Core>> {
        let wrong = |message: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        let Kind::CurrentThread(scheduler) = &self.runtime.handle().scheduler().kind else {
            return wrong(
                "Runtime::guest: a multi-threaded runtime has threads of its own, and needs no host; use \
                 Builder::current_thread, or give its Handle to the host",
            );
        };
        if scheduler.config.is_virtual() {
            return wrong(
                "Runtime::guest: a virtual clock jumps when everything is blocked, and a guest does not \
                 know what its host still does; use Builder::current_thread without virtual_clock",
            );
        }
        let Some(core) = scheduler.seat.take() else {
            return wrong("Runtime::guest: another thread is in block_on of this runtime");
        };
        let others = core.owned.for_each_runnable(thread::current_id(), |_| ());
        if others > 0 {
            give_back(&self.runtime, core);
            return wrong(
                "Runtime::guest: another thread has spawned local tasks in this runtime, which only it can \
                 run; start the guest on that thread",
            );
        }
        Ok(core)
    }
}

/// No guest after all.
fn give_back(runtime: &Runtime, core: Box<Core>) {
    if let Kind::CurrentThread(scheduler) = &runtime.handle().scheduler().kind {
        scheduler.seat.put_back(core);
    }
}

fn start_helper(shared: &StdArc<Shared>, name: &str) -> io::Result<()> {
    let body = {
        let shared = StdArc::clone(shared);
        move || helper::run(&shared)
    };
    thread::spawn_named(&format!("{name}-guest"), body).map(drop)
}

impl fmt::Debug for GuestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestBuilder")
            .field("runtime", &self.runtime)
            .field("turn_limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A runtime that runs on the thread of another loop, started by [`GuestBuilder::start`]. It stays on that
/// thread.
///
/// Dropping it ends the guest as dropping a [`Runtime`] does: every task is dropped, at once or, in a turn of
/// this guest, right after it; blocking jobs in progress are waited for; `done` is dropped uncalled.
/// [`close`](Self::close) is the graceful end for a host whose loop has ended, [`cancel`](Self::cancel) for one
/// whose loop goes on, and [`detach`](Self::detach) leaves the guest to itself.
///
/// # When the host drops a turn
///
/// A turn that is dropped without being run, because the host's loop has ended or its queue was cleared, stops
/// the guest where it is: [`is_stopped`](Self::is_stopped). Nothing waits for it then, neither a thread nor the
/// `Guest` when it is dropped or closed. [`resume`](Self::resume) posts another turn, if the host's loop goes on
/// after all. The same goes for a poster that panics.
#[must_use = "dropping a Guest ends it: keep it, or `detach` it"]
pub struct Guest {
    shared: StdArc<Shared>,
    handle: Handle,
    main: CancelHandle,
    /// Dropping it ends the guest.
    ends: bool,
    /// Stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Guest {
    /// Cancels the main future. True: this was the first request.
    ///
    /// It is dropped when it is next suspended outside a shield, and what it deferred is done; then the guest ends,
    /// and `done` is told the reason. A main future that is ready at that moment keeps its output.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<CancelReason>) -> bool {
        self.main.cancel(reason)
    }

    /// The right to cancel the main future, for other threads and for tasks.
    pub fn main_handle(&self) -> CancelHandle {
        self.main.clone()
    }

    /// A handle of the runtime: to spawn tasks from anywhere, to post functions to it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a task that need not be `Send`, from the host's own code: a handler of its events, say. In the
    /// tasks of the guest [`spawn_local`](crate::spawn_local) does it.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.handle
            .spawn_local_here(future, None, Location::caller())
    }

    /// Whether `done` was called, or is being called.
    pub fn is_finished(&self) -> bool {
        turn::find(&self.shared).is_none()
    }

    /// Whether the host has dropped a turn, so that the guest stands still.
    pub fn is_stopped(&self) -> bool {
        self.shared.relay.is_lost()
    }

    /// Posts a turn in place of one that the host has dropped. False: it has dropped none.
    ///
    /// # Panics
    ///
    /// With the poster.
    pub fn resume(&self) -> bool {
        turn::find(&self.shared).is_some_and(|visit| visit.resume())
    }

    /// Ends the guest gracefully, on this thread, for a host whose loop has ended: cancels `main` and every task,
    /// and runs them here until all have stopped, at most for
    /// [`Builder::shutdown_timeout`](crate::Builder::shutdown_timeout). Then calls `done`.
    ///
    /// In a turn of this guest it cannot wait: then this is as good as dropping it, and the report is empty. See
    /// [`Runtime::shutdown_timeout`] for what else there is to it.
    pub fn close(self) -> ShutdownReport {
        let visit = turn::find(&self.shared);
        visit.map_or_else(ShutdownReport::default, |visit| visit.close())
    }

    /// Leaves the guest to itself: it ends with its main future, or with this thread, and then at once.
    pub fn detach(mut self) {
        self.ends = false;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(visit) = turn::find(&self.shared).filter(|_| self.ends) {
            visit.end();
        }
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("handle", &self.handle)
            .field("finished", &self.is_finished())
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}
