//! Programs that hold something: locks, permits, the right to make a value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tenter_sync::{Lock, OnceCell, RwLock, Semaphore};

use crate::support::{Executor, give_up_after, yield_now};

const TASKS: usize = 8;
const ROUNDS: usize = 300;

/// A number that is read and written in two steps, so that whoever is not alone is found out.
async fn add_slowly(number: &mut usize, inside: &AtomicBool, round: usize) {
    assert!(!inside.swap(true, Ordering::Relaxed), "two are inside");
    let seen = *number;
    if round % 3 == 0 {
        yield_now().await;
    }
    *number = seen + 1;
    inside.store(false, Ordering::Relaxed);
}

pub fn lock(executor: &impl Executor) {
    count_under(executor, Lock::new(0));
}

pub fn unfair_lock(executor: &impl Executor) {
    count_under(executor, Lock::unfair(0));
}

fn count_under(executor: &impl Executor, lock: Lock<usize>) {
    let shared = Arc::new((lock, AtomicBool::new(false)));
    executor.run_all(TASKS, |_| {
        let shared = Arc::clone(&shared);
        async move {
            for round in 0..ROUNDS {
                add_slowly(&mut *shared.0.lock().await, &shared.1, round).await;
            }
        }
    });
    assert_eq!(*shared.0.try_lock().unwrap(), TASKS * ROUNDS);
    assert_eq!(shared.0.stats().waiting, 0);
}

/// Guards that move from task to task.
pub fn owned_lock(executor: &impl Executor) {
    let lock = Arc::new(Lock::new(0));
    let passed_on = executor.run_all(TASKS, |_| {
        let lock = Arc::clone(&lock);
        async move {
            let mut sum = 0;
            for _ in 0..ROUNDS {
                let mut guard = Arc::clone(&lock).lock_owned().await;
                *guard += 1;
                yield_now().await;
                sum += usize::from(*guard > 0);
            }
            sum
        }
    });
    assert_eq!(passed_on.iter().sum::<usize>(), TASKS * ROUNDS);
    assert_eq!(*lock.try_lock().unwrap(), TASKS * ROUNDS);
    assert_eq!(Arc::strong_count(&lock), 1);
}

/// Writers change two numbers one after the other; readers never see them differ.
pub fn rwlock(executor: &impl Executor) {
    let lock = Arc::new(RwLock::new((0, 0)));
    let looks = executor.run_all(TASKS, |number| {
        let lock = Arc::clone(&lock);
        async move {
            let mut looks = 0;
            for round in 0..ROUNDS {
                if (round + number) % 4 == 0 {
                    let mut pair = lock.write().await;
                    pair.0 += 1;
                    yield_now().await;
                    pair.1 += 1;
                } else {
                    let pair = lock.read().await;
                    yield_now().await;
                    assert_eq!(pair.0, pair.1);
                    looks += 1;
                }
            }
            looks
        }
    });
    let writes = TASKS * ROUNDS / 4;
    assert_eq!(looks.iter().sum::<usize>(), TASKS * ROUNDS - writes);
    assert_eq!(*lock.try_read().unwrap(), (writes, writes));
    assert_eq!(lock.stats().waiting, 0);
}

pub fn semaphore(executor: &impl Executor) {
    const LIMIT: usize = 3;
    let shared = Arc::new((Semaphore::bounded(LIMIT), AtomicUsize::new(0)));
    executor.run_all(TASKS, |_| {
        let shared = Arc::clone(&shared);
        async move {
            let (semaphore, inside) = &*shared;
            for _ in 0..ROUNDS {
                let _permit = semaphore.acquire().await.unwrap();
                assert!(inside.fetch_add(1, Ordering::Relaxed) < LIMIT);
                yield_now().await;
                inside.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!((shared.0.available(), shared.0.stats().waiting), (LIMIT, 0));
}

/// Requests of all sizes, then a close that answers whoever is left.
pub fn large_requests(executor: &impl Executor) {
    let semaphore = Arc::new(Semaphore::new(4));
    let served = executor.run_all(TASKS, |number| {
        let semaphore = Arc::clone(&semaphore);
        async move {
            let mut served = 0;
            for round in 0..ROUNDS {
                let count = (number + round) % 4 + 1;
                let permit = Arc::clone(&semaphore).acquire_many_owned(count).await;
                served += permit.unwrap().count();
                yield_now().await;
            }
            served
        }
    });
    let asked: usize = (0..TASKS * ROUNDS)
        .map(|n| (n / ROUNDS + n % ROUNDS) % 4 + 1)
        .sum();
    assert_eq!(served.iter().sum::<usize>(), asked);
    assert_eq!(semaphore.available(), 4);
    let kept = semaphore.try_acquire_many(4).unwrap();
    executor.block_on(async {
        let waiting: Vec<_> = (0..TASKS)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                executor.spawn(async move { semaphore.acquire().await.is_err() })
            })
            .collect();
        semaphore.close();
        for refused in waiting {
            assert!(refused.await);
        }
    });
    drop(kept);
}

/// Every other wait is dropped at some moment; nothing that was on its way to it is lost.
pub fn waits_that_are_dropped(executor: &impl Executor) {
    let shared = Arc::new((Lock::new(0), RwLock::new(0), Semaphore::new(2)));
    let done = executor.run_all(TASKS, |number| {
        let shared = Arc::clone(&shared);
        async move {
            let (lock, rwlock, semaphore) = &*shared;
            let mut done = [0; 2];
            for round in 0..ROUNDS {
                let polls = ((round + number) % 2 == 1).then_some(round % 4);
                if let Some(mut guard) = give_up_after(polls, lock.lock()).await {
                    yield_now().await;
                    *guard += 1;
                    done[0] += 1;
                }
                drop(give_up_after(polls, rwlock.read()).await);
                if let Some(mut guard) = give_up_after(polls, rwlock.write()).await {
                    yield_now().await;
                    *guard += 1;
                    done[1] += 1;
                }
                let permit = give_up_after(polls, semaphore.acquire_many(1 + round % 2)).await;
                yield_now().await;
                drop(permit);
            }
            done
        }
    });
    let sum = |which: usize| done.iter().map(|done| done[which]).sum::<usize>();
    let (lock, rwlock, semaphore) = &*shared;
    assert_eq!(
        (*lock.try_lock().unwrap(), *rwlock.try_read().unwrap()),
        (sum(0), sum(1))
    );
    assert!(sum(0) >= TASKS * ROUNDS / 2 && sum(1) >= TASKS * ROUNDS / 2);
    assert_eq!((semaphore.available(), semaphore.stats().waiting), (2, 0));
}

pub fn once_cells(executor: &impl Executor) {
    let cells: Arc<[OnceCell<usize>]> = (0..ROUNDS).map(|_| OnceCell::new()).collect();
    let made = Arc::new(AtomicUsize::new(0));
    executor.run_all(TASKS, |_| {
        let (cells, made) = (Arc::clone(&cells), Arc::clone(&made));
        async move {
            for (number, cell) in cells.iter().enumerate() {
                let make = || async {
                    yield_now().await;
                    made.fetch_add(1, Ordering::Relaxed);
                    number
                };
                assert_eq!(*cell.get_or_init(make).await, number);
            }
        }
    });
    assert_eq!(made.load(Ordering::Relaxed), ROUNDS, "each once");
}

/// Each cell is made by the third one who tries; the first two fail or are dropped on the way.
pub fn once_cells_that_fail(executor: &impl Executor) {
    let cells: Arc<[(OnceCell<usize>, AtomicUsize)]> =
        (0..ROUNDS).map(|_| Default::default()).collect();
    executor.run_all(TASKS, |_| {
        let cells = Arc::clone(&cells);
        async move {
            for number in 0..ROUNDS {
                let cell = &cells[number].0;
                while cell.get().is_none() {
                    let cells = Arc::clone(&cells);
                    let make = move || async move {
                        let number = cells[number].1.fetch_add(1, Ordering::Relaxed);
                        yield_now().await;
                        match number {
                            0 => Err(()),
                            1 => std::future::pending().await,
                            _ => Ok(number),
                        }
                    };
                    let _ = give_up_after(Some(5), cell.get_or_try_init(make)).await;
                }
            }
        }
    });
    for (cell, tries) in cells.iter() {
        let tries = tries.load(Ordering::Relaxed);
        assert_eq!(
            cell.get().copied(),
            Some(tries - 1),
            "the last one who tried made it"
        );
        assert!(tries >= 3 && cell.stats().waiting == 0);
    }
}
