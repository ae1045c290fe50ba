//! What the benchmarks do, `n` times each, written once for every peer.
//!
//! Each function is called from inside a task and returns when the work is done, so the same one can
//! be timed, counted and run under an instruction counter.

pub mod channels;
pub mod io;
pub mod sync;
pub mod workers;

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::peer::Peer;

/// A timeout that never ends by itself in a benchmark.
const FAR: Duration = Duration::from_secs(60);
/// How many tasks a batch has.
const BATCH: u64 = 10_000;

/// Waits for a number of tasks without a primitive of any peer: one relaxed decrement for each task,
/// and one wake for all of them.
#[derive(Debug)]
pub struct Countdown {
    left: AtomicU64,
    waiter: Mutex<Option<Waker>>,
}

impl Countdown {
    /// A countdown from `n`.
    pub fn new(n: u64) -> Arc<Self> {
        Arc::new(Self::from(n))
    }

    /// A countdown from `n` that is shared as part of something else.
    const fn from(n: u64) -> Self {
        Self {
            left: AtomicU64::new(n),
            waiter: Mutex::new(None),
        }
    }

    /// One is done.
    pub fn tick(&self) {
        // ORDERING: Release, with the Acquire load of `zero`: the waiter sees what the tasks did.
        if self.left.fetch_sub(1, Ordering::Release) == 1 {
            let waiter = self.waiter.lock().expect("nobody panics under it").take();
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }
    }

    /// Ready when all are done.
    pub async fn zero(&self) {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let _old = self
                .waiter
                .lock()
                .expect("nobody panics under it")
                .replace(waker);
            // ORDERING: Acquire, with the Release of `tick`. The lock orders the registration
            // before the load: a tick that takes no waker happened before it.
            if self.left.load(Ordering::Acquire) == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Spawns batches of detached tasks and waits until all of a batch have run.
pub async fn spawn_detached<P: Peer>(n: u64) {
    let mut left = n;
    while left > 0 {
        let batch = left.min(BATCH);
        let countdown = Countdown::new(batch);
        for _ in 0..batch {
            let countdown = Arc::clone(&countdown);
            P::spawn_detached(async move { countdown.tick() });
        }
        countdown.zero().await;
        left -= batch;
    }
}

/// Spawns a task and waits for it, one after the other.
pub async fn spawn_and_join<P: Peer>(n: u64) {
    for i in 0..n {
        black_box(P::spawn(async move { i }).await);
    }
}

/// Spawns a hundred tasks, then waits for each; once is one operation.
pub async fn spawn_100_and_await<P: Peer>(n: u64) {
    let mut handles = Vec::with_capacity(100);
    for _ in 0..n {
        handles.extend((0..100u64).map(|i| P::spawn(async move { i })));
        for handle in handles.drain(..) {
            black_box(handle.await);
        }
    }
}

/// Spawns a task and talks to it over two channels for one value.
pub async fn ping_pong<P: Peer>(n: u64) {
    for i in 0..n {
        let (ping, pinged) = P::oneshot();
        let (pong, ponged) = P::oneshot();
        P::spawn_detached(async move {
            let value = P::receive(pinged).await;
            P::send(pong, value);
        });
        P::send(ping, i);
        black_box(P::receive(ponged).await);
    }
}

/// Two tasks that live on exchange a signal; a round trip is one operation.
pub async fn ping_pong_long<P: Peer>(n: u64) {
    let signals = Arc::new((P::signal(), P::signal()));
    let other = P::spawn({
        let signals = Arc::clone(&signals);
        async move {
            for _ in 0..n {
                P::notified(&signals.0).await;
                P::notify(&signals.1);
            }
        }
    });
    for _ in 0..n {
        P::notify(&signals.0);
        P::notified(&signals.1).await;
    }
    other.await;
}

/// Yields with no other task to run.
pub async fn yields<P: Peer>(n: u64) {
    for _ in 0..n {
        P::yield_now().await;
    }
}

/// Two hundred tasks that yield in turn; one yield of one task is one operation.
pub async fn yields_of_200<P: Peer>(n: u64) {
    in_tasks::<P, _>(200, n, yields::<P>).await;
}

/// Arms a timeout around a future that yields once, and cancels it.
pub async fn timeouts<P: Peer>(n: u64) {
    for _ in 0..n {
        black_box(P::timeout(FAR, P::yield_now()).await);
    }
}

/// As [`timeouts`], around a future that wakes itself instead of the runtime's own yield.
pub async fn timeouts_plain<P: Peer>(n: u64) {
    for _ in 0..n {
        black_box(P::timeout(FAR, wake_once()).await);
    }
}

/// As [`timeouts`], from ten thousand tasks at once.
pub async fn timeouts_of_10k<P: Peer>(n: u64) {
    in_tasks::<P, _>(10_000, n, timeouts::<P>).await;
}

/// A timeout around a future that is ready at once.
pub async fn timeouts_ready<P: Peer>(n: u64) {
    for i in 0..n {
        black_box(P::timeout(FAR, std::future::ready(i)).await);
    }
}

/// Groups of a thousand children that do nothing; one child is one operation.
pub async fn children<P: Peer>(n: u64) {
    for _ in 0..n / 1_000 {
        P::children(1_000, || async {}).await;
    }
}

/// The same children, spawned and awaited one by one.
pub async fn children_by_hand<P: Peer>(n: u64) {
    for _ in 0..n / 1_000 {
        let tasks: Vec<_> = (0..1_000).map(|_| P::spawn(async {})).collect();
        for task in tasks {
            task.await;
        }
    }
}

/// Ten thousand futures that each wake themselves once, awaited together in one task; one of them is one
/// operation.
pub async fn gather_of_10k<P: Peer>(n: u64) {
    gather_of::<P>(n, 10_000).await;
}

/// As [`gather_of_10k`], a thousand at a time.
pub async fn gather_of_1k<P: Peer>(n: u64) {
    gather_of::<P>(n, 1_000).await;
}

async fn gather_of<P: Peer>(n: u64, together: u64) {
    for _ in 0..n / together {
        let all = (0..together).map(|_| wake_once()).collect();
        black_box(P::gather(all).await);
    }
}

/// Takes a permit that is free and gives it back.
pub async fn semaphore<P: Peer>(n: u64) {
    let semaphore = P::semaphore(1);
    for _ in 0..n {
        P::take_permit(black_box(&semaphore)).await;
    }
}

/// Makes a channel for one value, sends and receives, all in one task.
pub async fn oneshot_in_task<P: Peer>(n: u64) {
    for i in 0..n {
        let (sender, receiver) = P::oneshot();
        P::send(sender, i);
        black_box(P::receive(receiver).await);
    }
}

/// Makes a channel for one value and receives what a fresh task sends.
pub async fn oneshot_across_tasks<P: Peer>(n: u64) {
    for i in 0..n {
        let (sender, receiver) = P::oneshot();
        P::spawn_detached(async move { P::send(sender, i) });
        black_box(P::receive(receiver).await);
    }
}

/// Sends 64 bytes to a task that echoes them, over a loopback connection.
pub async fn socket_echo<P: Peer>(n: u64) {
    let (near, far) = connected_pair();
    let (mut near, mut far) = (P::stream(near), P::stream(far));
    let echo = P::spawn(async move {
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = P::read(&mut far, &mut buffer).await {
            P::write(&mut far, &buffer[..length])
                .await
                .expect("the near end reads");
        }
    });
    let mut buffer = [7; 1024];
    for _ in 0..n {
        P::write(&mut near, &buffer[..64])
            .await
            .expect("the far end reads");
        let mut got = 0;
        while got < 64 {
            got += P::read(&mut near, &mut buffer[got..])
                .await
                .expect("the far end echoes");
        }
    }
    drop(near);
    echo.await;
}

/// A future of 16 bytes that is never ready and wakes nobody.
#[derive(Debug)]
struct Parked([u64; 2]);

impl Future for Parked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        black_box(self.0);
        Poll::Pending
    }
}

/// Spawns `n` tasks that keep 16 bytes and wait for ever, a thousand at a time so that the run queue
/// stays small, and returns when each has been polled: on one thread what was spawned first runs
/// first.
pub async fn park<P: Peer>(n: u64) {
    for start in (0..n).step_by(1_000) {
        for i in start..n.min(start + 1_000) {
            P::spawn_detached(Parked([i, n]));
        }
        P::spawn(async {}).await;
    }
}

/// Divides `n` operations among `tasks` tasks, and waits for all of them.
async fn in_tasks<P: Peer, F>(tasks: u64, n: u64, operation: fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let countdown = Countdown::new(tasks);
    for i in 0..tasks {
        let countdown = Arc::clone(&countdown);
        let share = n / tasks + u64::from(i < n % tasks);
        P::spawn_detached(async move {
            operation(share).await;
            countdown.tick();
        });
    }
    countdown.zero().await;
}

/// Pending once, having woken itself.
async fn wake_once() {
    let mut woken = false;
    poll_fn(move |cx: &mut Context<'_>| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A row that opens and closes many connections leaves their ports to the system for a minute: that is waited
/// for here, outside of what is measured.
fn listener_on_a_free_port() -> TcpListener {
    for _ in 0..90 {
        match TcpListener::bind("127.0.0.1:0") {
            Ok(listener) => return listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => panic!("a loopback port: {error}"),
        }
    }
    panic!("no loopback port was free for 90 s");
}

/// Two ends of a loopback connection, non-blocking and without delay.
pub fn connected_pair() -> (TcpStream, TcpStream) {
    let listener = listener_on_a_free_port();
    let near = TcpStream::connect(listener.local_addr().expect("it is bound"));
    let near = near.expect("the listener's backlog has room");
    let (far, _) = listener.accept().expect("a connection waits");
    for end in [&near, &far] {
        end.set_nonblocking(true)
            .expect("a socket can be non-blocking");
        end.set_nodelay(true)
            .expect("a TCP socket can go without delay");
    }
    (near, far)
}
