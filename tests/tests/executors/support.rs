//! Seven executors behind one small trait, and what the programs share.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};

use tenter::{Builder, Runtime};

/// What a program needs of an executor.
pub trait Executor: Send + Sync {
    /// Starts a task. The future that comes back waits for its end.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Join<T>;

    /// Runs a future on this thread to its end.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T;

    /// Runs `count` tasks, numbered from 0, and returns what they return.
    fn run_all<T, F>(&self, count: usize, task: impl Fn(usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.block_on(async {
            let tasks: Vec<_> = (0..count).map(|number| self.spawn(task(number))).collect();
            let mut outputs = Vec::new();
            for task in tasks {
                outputs.push(task.await);
            }
            outputs
        })
    }
}

/// Waits for the end of a task.
pub type Join<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub struct Tenter(Runtime);

impl Tenter {
    fn new(builder: Builder) -> Self {
        Self(builder.build().expect("the system grants what it needs"))
    }

    pub fn multi_thread() -> Self {
        Self::new(Builder::multi_thread().workers(4))
    }

    pub fn current_thread() -> Self {
        Self::new(Builder::current_thread())
    }

    pub fn deterministic() -> Self {
        Self::new(Builder::deterministic(7))
    }
}

impl Executor for Tenter {
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Join<T> {
        let task = self.0.spawn(task);
        Box::pin(async { task.await.expect("no panic") })
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

pub struct Tokio(tokio::runtime::Runtime);

impl Tokio {
    pub fn multi_thread() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(builder.worker_threads(4).build().expect("threads"))
    }

    pub fn current_thread() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        Self(builder.build().expect("nothing is needed"))
    }
}

impl Executor for Tokio {
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Join<T> {
        let task = self.0.spawn(task);
        Box::pin(async { task.await.expect("no panic") })
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

/// smol's executor on the thread that blocks and some more.
pub struct Smol {
    executor: Arc<smol::Executor<'static>>,
    stop: Option<smol::channel::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Smol {
    pub fn threads(count: usize) -> Self {
        let executor = Arc::new(smol::Executor::new());
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        let threads = (0..count).map(|_| {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            thread::spawn(move || {
                let end = smol::block_on(executor.run(stopped.recv()));
                assert!(end.is_err(), "nobody sends");
            })
        });
        Self {
            threads: threads.collect(),
            executor,
            stop: Some(stop),
        }
    }
}

impl Executor for Smol {
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Join<T> {
        Box::pin(self.executor.spawn(task))
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        smol::block_on(self.executor.run(future))
    }
}

impl Drop for Smol {
    fn drop(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic");
        }
    }
}

/// Lets the others run.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls a future so many times, and drops it if it is not ready by then. `None` is without limit.
pub async fn give_up_after<F: Future>(polls: Option<usize>, future: F) -> Option<F::Output> {
    let Some(polls) = polls else {
        return Some(future.await);
    };
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let poll = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = poll {
            return Some(output);
        }
        yield_now().await;
    }
    None
}
