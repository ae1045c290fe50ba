//! One task that holds two futures for one lock and polls only one of them.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tenter_sync::{Event, Lock, RwLock, current};

use crate::support::{Executor, Tenter, yield_now};

const ROUNDS: usize = 50;

/// Both futures have the task's own waker: works everywhere.
pub fn one_waker(executor: &impl Executor) {
    run(executor, Lock::new, |lock| Box::pin(two_in_one_task(lock)));
    run(executor, Lock::unfair, |lock| {
        Box::pin(two_in_one_task(lock))
    });
    for _ in 0..ROUNDS {
        let shared = Arc::new((RwLock::new(0), Event::new()));
        let both = Arc::clone(&shared);
        executor.block_on(async {
            let held = shared.0.write().await;
            let task = executor.spawn(async move {
                let (lock, both_wait) = &*both;
                let mut first = Box::pin(lock.write());
                assert!(poll_once(first.as_mut()).await.is_pending());
                let second = Box::pin(lock.read());
                both_wait.set();
                drop(second.await); // `first` is not polled meanwhile
                *first.await += 1;
            });
            shared.1.wait().await;
            yield_now().await;
            drop(held);
            task.await;
            assert_eq!(*shared.0.read().await, 1);
        });
    }
}

type Task = fn(Arc<(Lock<usize>, Event)>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Somebody holds the lock until the task has two futures in line.
fn run(executor: &impl Executor, make: fn(usize) -> Lock<usize>, task: Task) {
    for _ in 0..ROUNDS {
        let shared = Arc::new((make(0), Event::new()));
        executor.block_on(async {
            let held = shared.0.lock().await;
            let task = executor.spawn(task(Arc::clone(&shared)));
            shared.1.wait().await;
            assert_eq!(shared.0.stats().waiting, 2);
            drop(held);
            task.await;
            assert_eq!(*shared.0.lock().await, 2);
        });
        assert_eq!(shared.0.stats().waiting, 0);
    }
}

async fn two_in_one_task(shared: Arc<(Lock<usize>, Event)>) {
    let (lock, both_wait) = &*shared;
    let mut first = Box::pin(lock.lock());
    assert!(poll_once(first.as_mut()).await.is_pending());
    let mut second = Box::pin(lock.lock());
    assert!(poll_once(second.as_mut()).await.is_pending());
    both_wait.set();
    *second.await += 1; // `first` is due, and nobody polls it
    *first.await += 1;
}

async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// A combinator as those are that hold many futures: each branch has a waker of its own, and only
/// branches that were woken are polled.
#[derive(Default)]
struct Branches {
    branches: Vec<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    woken: Arc<Mutex<Woken>>,
}

#[derive(Default)]
struct Woken {
    branches: VecDeque<usize>,
    task: Option<Waker>,
}

struct Branch(usize, Arc<Mutex<Woken>>);

impl Wake for Branch {
    fn wake(self: Arc<Self>) {
        let mut woken = self.1.lock().unwrap();
        woken.branches.push_back(self.0);
        let task = woken.task.clone();
        drop(woken);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Branches {
    fn add(&mut self, branch: impl Future<Output = ()> + Send + 'static) -> usize {
        self.branches.push(Some(Box::pin(branch)));
        let number = self.branches.len() - 1;
        self.woken.lock().unwrap().branches.push_back(number);
        number
    }

    /// Polls what was woken, but for those branches that are not polled.
    fn poll(&mut self, cx: &Context<'_>, stopped: Option<usize>) {
        self.woken.lock().unwrap().task = Some(cx.waker().clone());
        loop {
            let next = self.woken.lock().unwrap().branches.pop_front();
            let Some(number) = next else { return };
            let branch = Some(number).filter(|number| Some(*number) != stopped);
            if let Some(future) = branch.and_then(|number| self.branches[number].as_mut()) {
                let waker = Waker::from(Arc::new(Branch(number, Arc::clone(&self.woken))));
                if future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready()
                {
                    self.branches[number] = None;
                }
            }
        }
    }

    /// Runs until this branch is over. Another one may be stopped: it is not polled even if woken.
    async fn run_until(&mut self, number: usize, stopped: Option<usize>) {
        poll_fn(|cx| {
            self.poll(cx, stopped);
            match self.branches[number] {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        })
        .await;
    }
}

async fn two_in_branches(shared: Arc<(Lock<usize>, Event)>) {
    let mut branches = Branches::default();
    let wait = |shared: &Arc<(Lock<usize>, Event)>| {
        let shared = Arc::clone(shared);
        async move { *shared.0.lock().await += 1 }
    };
    let first = branches.add(wait(&shared));
    poll_fn(|cx| {
        branches.poll(cx, None);
        Poll::Ready(())
    })
    .await;
    let second = branches.add(wait(&shared));
    poll_fn(|cx| {
        branches.poll(cx, None);
        Poll::Ready(())
    })
    .await;
    shared.1.set();
    branches.run_until(second, Some(first)).await; // the stopped one is due
    let again = Branch(first, Arc::clone(&branches.woken));
    Arc::new(again).wake();
    branches.run_until(first, None).await;
}

/// On tenter a task is known by itself, and not by its waker: each branch may have its own.
#[test]
fn branches_with_wakers_of_their_own_on_tenter() {
    for make in [Lock::new, Lock::unfair] {
        run(&Tenter::multi_thread(), make, |lock| {
            Box::pin(two_in_branches(lock))
        });
        run(&Tenter::current_thread(), make, |lock| {
            Box::pin(two_in_branches(lock))
        });
        run(&Tenter::deterministic(), make, |lock| {
            Box::pin(two_in_branches(lock))
        });
    }
}

/// `Lock` takes a waker for the task's own if it points to the head of the cell that the task's slot is
/// in, at a distance that is the same in all tasks. So the layout is looked at in real ones.
#[test]
fn the_waker_of_a_task_points_to_the_head_of_its_cell() {
    async fn distance<const SIZE: usize>() -> usize {
        let ballast = [0_u8; SIZE];
        yield_now().await;
        let distance = poll_fn(|cx| {
            let slot = current::slot_address().addr();
            Poll::Ready(slot.wrapping_sub(cx.waker().data().addr()))
        })
        .await;
        assert_eq!(ballast.len(), SIZE);
        distance
    }
    for executor in [
        Tenter::multi_thread(),
        Tenter::current_thread(),
        Tenter::deterministic(),
    ] {
        executor.block_on(async {
            let tasks = [
                executor.spawn(distance::<0>()),
                executor.spawn(distance::<100>()),
                executor.spawn(distance::<10_000>()),
            ];
            for task in tasks {
                assert_eq!(task.await, current::HEAD_TO_SLOT);
            }
        });
    }
}
