//! A poll that blocks its thread strands nothing: what its worker alone knew of goes on elsewhere.
//!
//! Real time is the subject. Each case has its turn, so that it has the machine to itself; together they
//! take about 20 seconds. A round in which the machine itself was late, as a thread sees that does
//! nothing but sleep, is repeated.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenter::io::AsyncReadExt as _;
use tenter::net::TcpListener;
use tenter::{Builder, Runtime};
use tenter_tests::support::{GiveWaker, Meeting, Slot, build};

const ROUNDS: usize = 100;

/// How long the poll blocks if nobody comes to the rescue.
const STUCK: Duration = Duration::from_secs(1);

/// After so long without activity every worker sleeps without bound.
const SETTLE: Duration = Duration::from_millis(20);

const MEDIAN_MAX: Duration = Duration::from_millis(10);
const WORST_MAX: Duration = Duration::from_millis(30);

/// What the machine may be late by itself.
const LATE_MAX: Duration = Duration::from_millis(4);

/// A round begins with both workers asleep, or both just active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Idle,
    Busy,
}

/// A task that waits to be woken and says when it went on.
struct Victim {
    waker: Waker,
    went_on: Slot<Instant>,
}

fn victim(runtime: &Runtime) -> Victim {
    let (given, went_on) = (Slot::new(), Slot::new());
    let (give, goes_on) = (given.clone(), went_on.clone());
    drop(runtime.spawn(async move {
        GiveWaker::new(give).await;
        goes_on.put(Instant::now());
    }));
    let waker = given.take();
    Victim { waker, went_on }
}

/// Blocks a worker in a poll: it does `before`, says when that was due, and waits to be released.
/// `after` is done here when it has begun to wait.
fn block(
    runtime: &Runtime,
    from: From,
    before: impl FnOnce() -> Instant + Send + 'static,
    after: impl FnOnce(Instant) -> Instant,
    went_on: &[&Slot<Instant>],
) -> Duration {
    let (blocked, release) = (Slot::new(), Slot::<()>::new());
    let poll = {
        let (blocked, release) = (blocked.clone(), release.clone());
        move || {
            blocked.put(before());
            release.take_within(STUCK);
        }
    };
    let stuck = match from {
        From::Idle => {
            thread::sleep(SETTLE);
            runtime.spawn(async move { poll() })
        }
        From::Busy => {
            let both = Meeting::new(2);
            let other = Arc::clone(&both);
            drop(runtime.spawn(async move { other.meet() }));
            runtime.spawn(async move {
                both.meet();
                poll();
            })
        }
    };
    let due = after(blocked.take());
    let last = went_on.iter().map(|went_on| went_on.take()).max();
    release.put(());
    runtime.block_on(stuck).expect("no panic");
    last.expect("there is one").saturating_duration_since(due)
}

/// A thread that sees how late the machine is.
struct Control {
    worst_nanos: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Control {
    fn start() -> Self {
        let worst_nanos = Arc::new(AtomicU64::new(0));
        let ends = Arc::new(AtomicBool::new(false));
        let (worst, end) = (Arc::clone(&worst_nanos), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            let nap = Duration::from_millis(1);
            while !end.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(nap);
                let late = start.elapsed().saturating_sub(nap).as_nanos();
                worst.fetch_max(late as u64, Ordering::Relaxed);
            }
        });
        Self {
            worst_nanos,
            ends,
            thread: Some(thread),
        }
    }

    /// How late it was since the last time.
    fn take(&self) -> Duration {
        Duration::from_nanos(self.worst_nanos.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}

/// Runs a case from idle and from busy, and looks at the median and the worst.
fn case(name: &str, mut round: impl FnMut(&Runtime, From) -> Duration) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let control = Control::start();
    for from in [From::Idle, From::Busy] {
        let runtime = build(Builder::multi_thread().workers(2));
        let (mut times, mut repeated) = (Vec::new(), 0);
        while times.len() < ROUNDS {
            let _before = control.take();
            let time = round(&runtime, from);
            if control.take() <= LATE_MAX {
                times.push(time);
            } else {
                repeated += 1;
                assert!(
                    repeated < 10 * ROUNDS,
                    "this machine is too busy to measure"
                );
            }
        }
        times.sort_unstable();
        let (median, worst) = (times[ROUNDS / 2], times[ROUNDS - 1]);
        eprintln!(
            "stuck: {name} from {from:?}: median {median:?}, worst {worst:?}, {repeated} repeated"
        );
        assert!(
            median <= MEDIAN_MAX,
            "{name} from {from:?}: median {median:?}"
        );
        assert!(worst <= WORST_MAX, "{name} from {from:?}: worst {worst:?}");
    }
}

/// Goal: a task that the stuck poll itself has woken last, and that so lies in its worker's LIFO slot.
#[test]
fn the_task_in_the_lifo_slot_goes_on() {
    case("LIFO slot", |runtime, from| {
        let Victim { waker, went_on } = victim(runtime);
        let before = move || {
            waker.wake();
            Instant::now()
        };
        block(runtime, from, before, |due| due, &[&went_on])
    });
}

/// Goal: a task that was displaced from the slot, into the deque.
#[test]
fn a_task_in_the_deque_goes_on() {
    case("deque", |runtime, from| {
        let (first, second) = (victim(runtime), victim(runtime));
        let before = move || {
            first.waker.wake();
            second.waker.wake();
            Instant::now()
        };
        block(runtime, from, before, |due| due, &[&first.went_on])
    });
}

/// Goal: tasks that other threads wake meanwhile.
/// Method: from four threads, so that the inbox of the stuck worker is among those that they choose.
#[test]
fn a_task_in_an_inbox_goes_on() {
    case("inbox", |runtime, from| {
        let victims: Vec<_> = (0..4).map(|_| victim(runtime)).collect();
        let went_on: Vec<_> = victims
            .iter()
            .map(|victim| victim.went_on.clone())
            .collect();
        let all = Meeting::new(5);
        let threads: Vec<_> = victims
            .into_iter()
            .map(|victim| {
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    all.meet();
                    victim.waker.wake();
                })
            })
            .collect();
        let after = |_| {
            all.meet();
            Instant::now()
        };
        let went_on: Vec<_> = went_on.iter().collect();
        let time = block(runtime, from, Instant::now, after, &went_on);
        for thread in threads {
            thread.join().expect("a wake does not panic");
        }
        time
    });
}

/// Goal: a timer of the stuck worker, which becomes due while it is stuck.
#[test]
fn a_due_timer_fires() {
    case("timer", |runtime, from| {
        let Victim { waker, went_on } = victim(runtime);
        let timer = Arc::new(Mutex::new(None));
        let armed = Arc::clone(&timer);
        let before = move || {
            let due = Instant::now() + Duration::from_millis(1);
            // Of this worker, for it is made here.
            let mut sleep = Box::pin(tenter::time::sleep(Duration::from_millis(1)));
            let polled = Pin::new(&mut sleep)
                .as_mut()
                .poll(&mut Context::from_waker(&waker));
            assert_eq!(polled, Poll::Pending);
            *armed.lock() = Some(sleep);
            due
        };
        let time = block(runtime, from, before, |due| due, &[&went_on]);
        drop(timer);
        time
    });
}

/// Goal: a socket that becomes readable while a worker is stuck.
#[test]
fn a_readable_socket_is_read() {
    use std::io::Write as _;
    case("socket", |runtime, from| {
        let (went_on, waits) = (Slot::new(), Slot::new());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let (goes_on, tells) = (went_on.clone(), waits.clone());
        drop(runtime.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client has come");
            let mut byte = [0];
            {
                let mut read = pin!(stream.read_exact(&mut byte));
                std::future::poll_fn(|cx| {
                    assert!(read.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                tells.put(());
                read.await.expect("the client writes");
            }
            goes_on.put(Instant::now());
        }));
        waits.take();
        let after = |_| {
            let due = Instant::now();
            client.write_all(&[1]).expect("the task reads");
            due
        };
        block(runtime, from, Instant::now, after, &[&went_on])
    });
}
