//! What a thread of the pool does, and how decisions are carried out once the lock is released.

use core::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc as StdArc;

use tenter_sync::brake::AtWork;
use tenter_sync::parker::Unparked;
use tenter_sync::planted;
use tenter_sync::shim::{local, thread};

use super::decision::{Help, Next};
use super::patience::Patience;
use super::report::{print, thread_name};
use super::state::NAP;
use super::{Shared, job};
use crate::task::Runnable;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;

/// The thread's number in its pool.
#[derive(Clone)]
pub struct Place {
    pool: StdArc<Shared>,
    number: usize,
}

local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

impl Place {
    fn current() -> Option<Self> {
        PLACE.try_with(|place| place.borrow().clone()).ok()?
    }

    /// The number of the calling thread, if it is one of `pool`.
    pub fn in_pool(pool: &StdArc<Shared>) -> Option<usize> {
        let place = Self::current()?;
        StdArc::ptr_eq(&place.pool, pool).then_some(place.number)
    }
}

/// Calls `sleep`, which waits for something that another job may have to do. On a thread of a pool,
/// another thread may stand in meanwhile.
pub fn while_waiting<R>(sleep: impl FnOnce() -> R) -> R {
    struct Resume(Place);
    impl Drop for Resume {
        fn drop(&mut self) {
            self.0.pool.state.lock().end_wait(self.0.number);
        }
    }
    let Some(place) = Place::current() else {
        return sleep();
    };
    let help = place.pool.state.lock().begin_wait(place.number);
    let resume = Resume(place);
    resume.0.pool.carry_out(help);
    sleep()
}

impl Shared {
    /// Does what a decision asks for.
    #[inline]
    pub fn carry_out(self: &StdArc<Self>, help: Help) {
        match help {
            Help::Nobody => {}
            Help::Wake(parker) => {
                let _ = parker.unpark();
            }
            help => self.start_or_tell(help),
        }
    }

    #[cold]
    fn start_or_tell(self: &StdArc<Self>, mut help: Help) {
        loop {
            let number = match help {
                Help::Start(number) => number,
                Help::Exhausted { waiting, queued } => {
                    return print(&format!(
                        "{waiting} blocking jobs wait in a block_on, which is as many threads as the \
                         pool may have, and the {queued} jobs in the queue have none: if the former \
                         wait for the latter, none of them ends. Await the jobs in a task instead, or \
                         raise max_blocking_threads"
                    ));
                }
                help => return self.carry_out(help),
            };
            let Err(error) = self.start(number) else {
                return;
            };
            help = self.refuse(number, &error);
        }
    }

    fn start(self: &StdArc<Self>, number: usize) -> io::Result<()> {
        if let Some(error) = self.settings.refuse.as_ref().and_then(|refuse| refuse()) {
            return Err(error);
        }
        let name = thread_name(&self.settings.thread_name, number);
        let place = Place {
            pool: StdArc::clone(self),
            number,
        };
        let stack_size = self.settings.stack_size;
        // The pool counts its threads; nobody joins them.
        thread::spawn_named_with_stack(&name, stack_size, move || place.live()).map(drop)
    }

    fn refuse(&self, number: usize, error: &io::Error) -> Help {
        let refused = self.state.lock().start_refused(number);
        if refused.tell {
            print(&format!(
                "the system refused to start thread \"{}\" ({error}); its jobs wait for the other \
                 threads of the pool, and the next attempt is made in 10 ms at the earliest. Raise the \
                 limit on threads, or lower max_blocking_threads. This is said once; the metrics count \
                 refusals",
                thread_name(&self.settings.thread_name, number)
            ));
        }
        while let Some(task) = refused.jobs.pop() {
            job::end_refused(task, error);
            self.let_go();
        }
        for waiter in refused.waiters {
            let _ = waiter.unpark();
        }
        refused.help
    }
}

impl Shared {
    /// Ends a job unrun.
    pub fn end(&self, task: Runnable) {
        job::end(task);
        self.let_go();
    }

    /// A job has ended unrun, and holds nothing any more.
    fn let_go(&self) {
        if let Some(brake) = &self.settings.brake {
            brake.release();
        }
    }
}

impl Place {
    /// The life of a thread.
    fn live(self) {
        PLACE.with(|place| *place.borrow_mut() = Some(self.clone()));
        let Self { pool, number } = self;
        start_hook(&pool);
        pool.work(number);
        pool.settings.hooks.stop();
        let own = PLACE.with(|place| place.borrow_mut().take());
        drop(own);
        let waiters = pool.state.lock().gone(number);
        for waiter in waiters {
            let _ = waiter.unpark();
        }
    }
}

impl Shared {
    fn work(self: &StdArc<Self>, number: usize) {
        let parker = self.state.lock().parker(number);
        let mut patience = Patience::default();
        let mut next = self.seek(number);
        loop {
            let how = match next {
                Next::Run(task, help) => {
                    // First, for the job may take long, or wait for those behind it.
                    self.carry_out(help);
                    let at_work = self.settings.brake.as_ref().map(AtWork::begin);
                    job::run(task);
                    // Before it looks for another, which has a hold of its own.
                    drop(at_work);
                    next = self.seek(number);
                    continue;
                }
                Next::Sleep => patience.sleep(&parker, self.settings.keep_alive),
                Next::Nap if NAP.is_zero() => Unparked::TimedOut,
                Next::Nap => parker.park(Some(NAP)),
                Next::Leave => return,
            };
            next = self.state.lock().woke(number, how);
        }
    }

    #[inline]
    fn seek(&self, number: usize) -> Next {
        if planted!("blocking.rest_without_recheck") && self.state.lock().is_quiet() {
            return self.state.lock().rest_blindly(number);
        }
        self.state.lock().seek(number)
    }
}

/// A hook that panics must not take the thread with it: jobs count on it.
fn start_hook(pool: &Shared) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| pool.settings.hooks.start())) {
        print(payload_message(&*payload));
        drop_payload(payload);
    }
}
