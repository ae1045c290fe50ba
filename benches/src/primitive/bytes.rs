//! What a primitive takes, and one that waits for it, in a process with the counting allocator.

use std::future::{Future, poll_fn};
use std::mem::size_of;
use std::task::Poll;

use crate::allocator;
use crate::measure::in_a_task;
use crate::peer::{Peer, PeerId};
use crate::pinned::Pinned;

use super::{Bounded, Event, Lock, ReadLock, Semaphore};

/// How many wait.
const WAITERS: usize = 1_000;

/// The bytes of a primitive of this kind, of a future that waits for it, and what each allocates.
///
/// # Errors
///
/// If there is no such kind.
pub fn of(kind: &str, peer: PeerId) -> Result<[u64; 3], String> {
    Ok(match kind {
        "lock" => with_host!(peer, P => with_lock!(peer, L => lock::<P, L>())),
        "read" => with_host!(peer, P => with_read_lock!(peer, L => read::<P, L>())),
        "permit" => with_host!(peer, P => with_semaphore!(peer, S => permit::<P, S>())),
        "event" => with_host!(peer, P => with_event!(peer, E => event::<P, E>())),
        "queue" => with_host!(peer, P => with_waiting_bounded!(peer, C => queue::<P, C>())),
        _ => return Err(format!("no kind of primitive is called {kind:?}")),
    })
}

fn lock<P: Peer, L: Lock>() -> [u64; 3] {
    in_a_task::<P, _>(async {
        let lock = L::new();
        let _guard = lock.lock().await;
        of_waiters(size_of::<L>(), (0..WAITERS).map(|_| lock.lock())).await
    })
}

/// A lock for readers lets them in: the future is measured, and that it allocates nothing.
fn read<P: Peer, L: ReadLock>() -> [u64; 3] {
    in_a_task::<P, _>(async {
        let lock = L::new();
        of_waiters(size_of::<L>(), (0..WAITERS).map(|_| lock.read())).await
    })
}

fn permit<P: Peer, S: Semaphore>() -> [u64; 3] {
    in_a_task::<P, _>(async {
        let semaphore = S::new(1);
        let _permit = semaphore.acquire().await;
        of_waiters(size_of::<S>(), (0..WAITERS).map(|_| semaphore.acquire())).await
    })
}

fn event<P: Peer, E: Event>() -> [u64; 3] {
    in_a_task::<P, _>(async {
        let event = E::new();
        of_waiters(size_of::<E>(), (0..WAITERS).map(|_| event.wait())).await
    })
}

fn queue<P: Peer, C: Bounded>() -> [u64; 3] {
    in_a_task::<P, _>(async {
        let (mut sender, receiver) = C::new(1);
        C::send(&mut sender, 0).await;
        let mut senders = vec![sender; WAITERS];
        let sends = senders.iter_mut().map(|sender| C::send(sender, 1));
        let bytes = of_waiters(size_of::<C::Sender>(), sends).await;
        drop(receiver);
        bytes
    })
}

/// What was allocated before they were polled is theirs by size.
async fn of_waiters<F: Future>(
    primitive: usize,
    futures: impl ExactSizeIterator<Item = F>,
) -> [u64; 3] {
    let n = futures.len() as u64;
    let mut waiters = Pinned::new(futures);
    let before = allocator::live_bytes();
    poll_fn(|cx| {
        waiters.poll_each(cx);
        Poll::Ready(())
    })
    .await;
    let heap = (allocator::live_bytes() - before) / n;
    [primitive as u64, size_of::<F>() as u64, heap]
}
