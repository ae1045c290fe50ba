//! The two halves of any stream (`io/src/split.rs`), in two threads.
//!
//! A panic under the lock is not modelled: it poisons loom's locks, but not the production's. There
//! is one in `io/tests/duplex.rs`.
#![cfg(tenter_loom)]

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tenter_io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tenter_loom_tests::{WakeCount, block_on, check};
use tenter_sync::oneshot::{self, oneshot};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Live, Mutex, thread};

/// A stream that is always ready, and tells when two polls of it meet.
struct Probe {
    /// Another thread may come between a load and a store of this.
    polls: AtomicUsize,
    /// Two accesses that nothing orders are a finding.
    live: Live,
    /// What the next read finds here, it polls, and then gives it away.
    comes_back: Slot,
}

type Slot = Arc<Mutex<Option<ComesBack>>>;

struct ComesBack {
    half: WriteHalf<Probe>,
    given_to: oneshot::Sender<WriteHalf<Probe>>,
}

impl Probe {
    fn new() -> Probe {
        Probe {
            polls: AtomicUsize::new(0),
            live: Live::new(),
            comes_back: Slot::default(),
        }
    }

    /// A poll, in steps that lose one if another poll comes between them.
    fn step(&mut self) -> Poll<io::Result<usize>> {
        self.live.end();
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls + 1, Ordering::Relaxed);
        Poll::Ready(Ok(1))
    }
}

impl AsyncRead for Probe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let back = self.comes_back.lock().take();
        if let Some(mut back) = back {
            let (waker, _) = WakeCount::waker();
            let mut cx = Context::from_waker(&waker);
            let polled = Pin::new(&mut back.half).poll_write(&mut cx, &[0]);
            assert!(
                polled.is_pending(),
                "the lock is taken by the poll around it"
            );
            assert!(back.given_to.send(back.half).is_ok(), "somebody waits");
        }
        self.step()
    }
}

impl AsyncWrite for Probe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.step()
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn read(half: &mut ReadHalf<Probe>) {
    let polled = poll_fn(|cx| Pin::new(&mut *half).poll_read(cx, &mut [0]));
    block_on(polled).expect("it never fails");
}

fn write(half: &mut WriteHalf<Probe>) {
    let polled = poll_fn(|cx| Pin::new(&mut *half).poll_write(cx, &[0]));
    block_on(polled).expect("it never fails");
}

/// Goal: halves that meet at the lock exclude each other, and each gets its turn: who finds the lock
/// taken is woken when it is free.
#[test]
fn two_halves() {
    check("split::two_halves", || {
        let (mut reader, mut writer) = split(Probe::new());
        let other = thread::spawn(move || {
            write(&mut writer);
            write(&mut writer);
            writer
        });
        read(&mut reader);
        read(&mut reader);
        let writer = other.join().unwrap();
        let probe = reader.unsplit(writer).expect("of one stream");
        assert_eq!(probe.polls.load(Ordering::Relaxed), 4);
    });
}

/// Goal: a poll that comes back to the other half finds it pending, and a thread that goes on with that
/// half gets its turn when the outer poll has returned.
#[test]
fn a_poll_comes_back() {
    check("split::a_poll_comes_back", || {
        let probe = Probe::new();
        let slot = Arc::clone(&probe.comes_back);
        let (mut reader, half) = split(probe);
        let (given_to, given) = oneshot();
        *slot.lock() = Some(ComesBack { half, given_to });
        let other = thread::spawn(move || {
            let mut writer = block_on(given).expect("the read gives it away");
            write(&mut writer);
            writer
        });
        read(&mut reader);
        let writer = other.join().unwrap();
        let probe = reader.unsplit(writer).expect("of one stream");
        assert_eq!(probe.polls.load(Ordering::Relaxed), 2);
    });
}
