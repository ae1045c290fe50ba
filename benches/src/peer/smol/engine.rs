//! The three executors of async-executor, and where `spawn` finds the one that is meant: smol has no
//! ambient executor that belongs to a thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use async_executor::StaticExecutor;
use smol::channel;
use smol::{Executor, LocalExecutor, Task};

use crate::peer::WORKERS;

/// An executor, and the threads that run it.
pub trait Engine: Sized + 'static {
    /// Starts it and makes it the calling thread's.
    fn start() -> Self;
    /// Waits for `future`.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
    /// Starts a task on the calling thread's executor.
    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// An executor that other threads can reach.
pub trait Shared: Engine {
    /// What another thread needs to spawn a task.
    type Remote: Clone + Send + Sync + 'static;
    /// For other threads.
    fn remote(&self) -> Self::Remote;
    /// Starts a task that nobody waits for.
    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static;
}

const INSIDE: &str = "called inside the runtime";

thread_local! {
    static LOCAL: RefCell<Option<Rc<LocalExecutor<'static>>>> = const { RefCell::new(None) };
    static SHARED: RefCell<Option<Arc<Executor<'static>>>> = const { RefCell::new(None) };
    static STATIC: Cell<Option<&'static StaticExecutor>> = const { Cell::new(None) };
}

/// A `LocalExecutor`, run by the thread in `block_on`.
#[derive(Debug)]
pub struct Local(Rc<LocalExecutor<'static>>);

impl Engine for Local {
    fn start() -> Self {
        let executor = Rc::new(LocalExecutor::new());
        LOCAL.set(Some(Rc::clone(&executor)));
        Self(executor)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(self.0.run(future))
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        LOCAL.with_borrow(|executor| executor.as_ref().expect(INSIDE).spawn(future))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        LOCAL.take();
    }
}

/// Threads that run an executor until this is dropped, as those of smol's global executor do.
#[derive(Debug)]
struct Threads {
    stop: channel::Sender<()>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// `run` is called on each thread with a channel that ends when the thread has to.
    fn start(run: impl Fn(channel::Receiver<()>) + Clone + Send + 'static) -> Self {
        let (stop, stopped) = channel::bounded(1);
        let running = (0..WORKERS).map(|_| {
            let (run, stopped) = (run.clone(), stopped.clone());
            thread::spawn(move || run(stopped))
        });
        let running = running.collect();
        Self { stop, running }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.close();
        for thread in self.running.drain(..) {
            thread.join().expect("a thread of the executor ends well");
        }
    }
}

/// An `Executor`, run by two threads.
#[derive(Debug)]
pub struct Pool {
    _threads: Threads,
    executor: Arc<Executor<'static>>,
}

impl Engine for Pool {
    fn start() -> Self {
        let executor = Arc::new(Executor::new());
        SHARED.set(Some(Arc::clone(&executor)));
        let run = {
            let executor = Arc::clone(&executor);
            move |stopped: channel::Receiver<()>| {
                SHARED.set(Some(Arc::clone(&executor)));
                // The channel is closed, never written to.
                let _ = smol::block_on(executor.run(stopped.recv()));
            }
        };
        Self {
            _threads: Threads::start(run),
            executor,
        }
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        SHARED.with_borrow(|executor| executor.as_ref().expect(INSIDE).spawn(future))
    }
}

impl Shared for Pool {
    type Remote = Arc<Executor<'static>>;

    fn remote(&self) -> Self::Remote {
        Arc::clone(&self.executor)
    }

    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        remote.spawn(future).detach();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        SHARED.take();
    }
}

/// A `StaticExecutor`, run by two threads. It is leaked, as it has to be, with whatever still waits
/// in it.
#[derive(Debug)]
pub struct StaticPool {
    _threads: Threads,
    executor: &'static StaticExecutor,
}

impl Engine for StaticPool {
    fn start() -> Self {
        let executor = Executor::new().leak();
        STATIC.set(Some(executor));
        let run = move |stopped: channel::Receiver<()>| {
            STATIC.set(Some(executor));
            // The channel is closed, never written to.
            let _ = smol::block_on(executor.run(stopped.recv()));
        };
        Self {
            _threads: Threads::start(run),
            executor,
        }
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        STATIC.get().expect(INSIDE).spawn(future)
    }
}

impl Shared for StaticPool {
    type Remote = &'static StaticExecutor;

    fn remote(&self) -> Self::Remote {
        self.executor
    }

    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        remote.spawn(future).detach();
    }
}

impl Drop for StaticPool {
    fn drop(&mut self) {
        STATIC.take();
    }
}
