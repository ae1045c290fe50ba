//! Streams in memory, and halves of any stream.

mod hostile;
mod rig;

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_io::{AsyncRead, AsyncWrite};
use hostile::{Random, both, polled_at_most};
use rig::{Count, Rig, poll_once};
use tenter_io::{
    AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, join, sink, split,
};
use tenter_sync::budget;
use tenter_sync::current::{TaskSlot, with_task};

fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

#[test]
fn a_full_pipe_holds_the_writer_and_an_empty_one_the_reader() {
    let (mut near, mut far) = duplex(4);
    let mut buffer = [0; 8];
    assert!(poll_once(pin!(far.read(&mut buffer))).is_pending());
    assert_eq!(block_on(near.write(b"abcdef")).expect("some"), 4);
    assert!(poll_once(pin!(near.write(b"ef"))).is_pending());
    // Nothing is neither the end nor a reason to wait.
    assert_eq!(block_on(near.write(b"")).expect("nothing"), 0);
    assert_eq!(block_on(far.read(&mut [])).expect("nothing"), 0);
    assert_eq!(block_on(far.read(&mut buffer[..3])).expect("some"), 3);
    assert_eq!(block_on(near.write(b"ef")).expect("room"), 2);
    assert_eq!(block_on(far.read(&mut buffer)).expect("the rest"), 3);
    assert_eq!(&buffer[..3], b"def");
}

#[test]
fn who_waits_is_woken() {
    let (mut near, mut far) = duplex(1);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut buffer = [0; 4];
    let mut woken = 0;
    // The waits of both ends share one waker; each line says whose turn it is.
    let mut expect = |what: &str| {
        woken += 1;
        assert_eq!(count.get(), woken, "{what}");
    };
    assert!(
        Pin::new(&mut far.read(&mut buffer))
            .poll(&mut cx)
            .is_pending()
    );
    assert_eq!(block_on(near.write(b"x")).expect("room"), 1);
    expect("a byte has come");
    assert!(Pin::new(&mut near.write(b"y")).poll(&mut cx).is_pending());
    assert_eq!(block_on(far.read(&mut buffer)).expect("x"), 1);
    expect("there is room");
    assert!(
        Pin::new(&mut far.read(&mut buffer))
            .poll(&mut cx)
            .is_pending()
    );
    block_on(near.close()).expect("closed");
    expect("the end has come");
    assert_eq!(block_on(far.write(b"z")).expect("the other direction"), 1);
    assert!(Pin::new(&mut far.write(b"z")).poll(&mut cx).is_pending());
    drop(near);
    expect("nobody reads any more");
}

#[test]
fn what_was_written_is_read_before_the_end() {
    block_on(async {
        for close in [true, false] {
            let (mut near, mut far) = duplex(64);
            near.write_all(b"last words").await.expect("room");
            if close {
                near.close().await.expect("closed");
                let error = near.write(b"!").await.expect_err("closed");
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                far.write_all(b"still").await.expect("the other direction");
                near.read_exact(&mut [0; 5]).await.expect("likewise");
            } else {
                drop(near);
                let error = far.write(b"!").await.expect_err("dropped");
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                assert!(error.to_string().contains("dropped"), "{error}");
            }
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.expect("read");
            assert_eq!(all, b"last words");
        }
    });
}

#[test]
fn several_buffers_are_one_stream() {
    block_on(async {
        for seed in 0..500 {
            let mut random = Random::new(seed);
            let (mut near, mut far) = duplex(1 + random.below(20));
            let (mut written, mut read) = (Vec::new(), Vec::new());
            for _ in 0..20 {
                let pieces: Vec<_> = (0..3).map(|_| random.bytes(6)).collect();
                let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
                let wait = near.write_vectored(&slices);
                let count = polled_at_most(1, wait).await.transpose().expect("open");
                written.extend_from_slice(&pieces.concat()[..count.unwrap_or(0)]);
                let mut targets: Vec<_> = (0..3).map(|_| vec![0; random.below(5)]).collect();
                let mut slices: Vec<_> =
                    targets.iter_mut().map(|one| IoSliceMut::new(one)).collect();
                let wait = far.read_vectored(&mut slices);
                let count = polled_at_most(1, wait).await.transpose().expect("open");
                read.extend_from_slice(&targets.concat()[..count.unwrap_or(0)]);
            }
            drop(near);
            far.read_to_end(&mut read).await.expect("the rest");
            assert_eq!(read, written, "seed {seed}");
        }
    });
}

#[test]
fn memory_that_is_not_initialised_is_filled_from_the_front() {
    let (mut near, mut far) = duplex(5);
    let mut cx = Context::from_waker(Waker::noop());
    let mut room = [MaybeUninit::new(b'.'); 8];
    assert!(far.poll_read_uninit(&mut cx, &mut room).is_pending());
    // Around the end of the ring.
    block_on(near.write_all(b"abcd")).expect("room");
    block_on(far.read_exact(&mut [0; 3])).expect("there");
    block_on(near.write_all(b"efgh")).expect("room");
    let Poll::Ready(Ok(5)) = far.poll_read_uninit(&mut cx, &mut room) else {
        panic!("five are there");
    };
    let places = room.iter_mut().map(|place| *place.write(b'?'));
    assert_eq!(places.count(), 8);
    let few = &mut room[..2];
    block_on(near.write_all(b"xyz")).expect("room");
    assert!(matches!(
        far.poll_read_uninit(&mut cx, few),
        Poll::Ready(Ok(2))
    ));
    let mut rest = [0; 4];
    assert_eq!(block_on(far.read(&mut rest)).expect("z"), 1);
    assert_eq!(rest[0], b'z', "a byte was taken that had no place");
    assert!(matches!(
        far.poll_read_uninit(&mut cx, &mut []),
        Poll::Ready(Ok(0))
    ));
}

#[test]
fn reads_and_writes_may_be_dropped_at_every_poll() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let data = random.bytes(80);
        let (mut near, mut far) = duplex(1 + random.below(5));
        let mut drops = random.clone();
        let write = async {
            let mut rest = &data[..];
            while !rest.is_empty() {
                polled_at_most(drops.below(4), near.write_all_buf(&mut rest)).await;
                polled_at_most(1, std::future::pending::<()>()).await;
            }
            drop(near);
        };
        let read = async {
            let (mut all, mut buffer) = (Vec::new(), [0; 4]);
            loop {
                let room = 1 + random.below(4);
                let wait = far.read(&mut buffer[..room]);
                match polled_at_most(random.below(3), wait).await {
                    Some(Ok(0)) => return all,
                    Some(count) => all.extend_from_slice(&buffer[..count.expect("open")]),
                    // The other one's turn.
                    None => {
                        let _ = polled_at_most(1, std::future::pending::<()>()).await;
                    }
                }
            }
        };
        let ((), all) = block_on(both(write, read));
        assert_eq!(all, data, "seed {seed}: lost or twice");
    }
}

#[test]
fn halves_in_two_threads_do_not_lose_a_wake() {
    for round in 0..30 {
        let (near, far) = duplex(1 + round % 5);
        let (near, far) = (split(near), split(far));
        let data = Arc::new(Random::new(round as u64).bytes(2000));
        let start = Arc::new(Barrier::new(4));
        let writer = |mut half: WriteHalf<DuplexStream>| {
            let (data, start) = (Arc::clone(&data), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                block_on(async {
                    half.write_all(&data).await.expect("sent");
                    half.close().await.expect("closed");
                });
            })
        };
        let reader = |mut half: ReadHalf<DuplexStream>| {
            let (data, start) = (Arc::clone(&data), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let mut all = Vec::new();
                block_on(half.read_to_end(&mut all)).expect("received");
                assert!(all == *data);
            })
        };
        let threads = [writer(near.1), reader(near.0), writer(far.1), reader(far.0)];
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
}

#[test]
fn a_busy_stream_spends_the_budget_and_loses_nothing_by_it() {
    let (mut near, mut far) = duplex(1000);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    with_task(&slot, 2, || {
        assert!(poll_once(pin!(near.write(b"a"))).is_ready());
        assert!(poll_once(pin!(near.write(b"b"))).is_ready());
        assert!(poll_once(pin!(near.write(b"-"))).is_pending());
        assert!(poll_once(pin!(far.read(&mut [0; 1]))).is_pending());
    });
    drop(near);
    let mut all = Vec::new();
    block_on(far.read_to_end(&mut all)).expect("read");
    assert_eq!(all, b"ab");
    assert!(budget::poll_spend(&mut Context::from_waker(Waker::noop())).is_ready());
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a hostile waker");
    }
}

#[test]
fn a_waker_that_panics_at_the_drop_keeps_no_one_from_being_woken() {
    let (mut near, mut far) = duplex(1);
    let hostile = Waker::from(Arc::new(Panics));
    let (count, waker) = Count::new();
    block_on(far.write(b"x")).expect("room");
    // The far end waits to write with a hostile waker, and to read with one that counts.
    let mut cx = Context::from_waker(&hostile);
    assert!(Pin::new(&mut far).poll_write(&mut cx, b"y").is_pending());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut far).poll_read(&mut cx, &mut [0]).is_pending());
    block_on(near.read(&mut [])).expect("nothing");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(near))).is_err());
    assert_eq!(count.get(), 1);
    assert_eq!(block_on(far.read(&mut [0])).expect("the end"), 0);
    assert!(block_on(far.write(b"y")).is_err());
}

#[test]
fn no_capacity_is_refused() {
    let refused = catch_unwind(|| duplex(0)).expect_err("refused");
    let message = refused.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(message.contains("at least one byte"), "{message}");
}

#[test]
fn halves_find_each_other_again() {
    let (one, other) = duplex(4);
    let (read, write) = split(one);
    let (foreign_read, foreign_write) = split(other);
    assert!(read.is_pair_of(&write) && !read.is_pair_of(&foreign_write));
    let error = read.unsplit(foreign_write).expect_err("of two streams");
    assert!(
        error.to_string().contains("two different streams"),
        "{error}"
    );
    let mut one = error.0.unsplit(write).expect("of one stream");
    let mut other = foreign_read.unsplit(error.1).expect("of one stream");
    block_on(one.write_all(b"ok")).expect("room");
    block_on(other.read_exact(&mut [0; 2])).expect("there");
}

type Deed = Box<dyn FnMut(&mut Context<'_>) -> Poll<io::Result<usize>>>;

/// A reader that does what it was told.
struct Acts(Deed);

impl AsyncRead for Acts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        (self.0)(cx)
    }
}

#[test]
fn a_poll_that_comes_back_to_the_other_half_finds_it_pending_and_wakes_it() {
    type Half = WriteHalf<tenter_io::ext::Join<Acts, tenter_io::ext::Sink>>;
    let other: Rc<Cell<Option<Half>>> = Rc::default();
    let (count, waker) = Count::new();
    let deed: Deed = {
        let other = Rc::clone(&other);
        Box::new(move |_cx| {
            let mut half = other.take().expect("put there below");
            let mut cx = Context::from_waker(&waker);
            // The same thread, under the lock: it neither hangs nor gets through.
            assert!(Pin::new(&mut half).poll_write(&mut cx, b"x").is_pending());
            other.set(Some(half));
            Poll::Ready(Ok(0))
        })
    };
    let (mut read, write) = split(join(Acts(deed), sink()));
    other.set(Some(write));
    assert_eq!(block_on(read.read(&mut [0])).expect("it came back"), 0);
    assert_eq!(count.get(), 1, "the half that was refused is woken");
    let mut half = other.take().expect("put back");
    assert_eq!(block_on(half.write(b"x")).expect("free again"), 1);
}

#[test]
fn a_panic_under_the_lock_lets_go_of_it() {
    let mut polls = 0;
    let deed: Deed = Box::new(move |_cx| {
        polls += 1;
        assert!(polls > 1, "a hostile stream");
        Poll::Ready(Ok(0))
    });
    let (mut read, mut write) = split(join(Acts(deed), sink()));
    let panicked = catch_unwind(AssertUnwindSafe(|| block_on(read.read(&mut [0]))));
    assert!(panicked.is_err());
    assert_eq!(block_on(write.write(b"x")).expect("free again"), 1);
    assert_eq!(block_on(read.read(&mut [0])).expect("goes on"), 0);
}

#[test]
fn the_half_that_writes_passes_everything_on() {
    let (near, mut far) = duplex(16);
    let (mut read, mut write) = split(near);
    block_on(async {
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(write.write_vectored(&slices).await.expect("room"), 4);
        write.flush().await.expect("flushed");
        far.write_all(b"xyz").await.expect("room");
        let (mut a, mut b) = ([0; 1], [0; 8]);
        let slices = &mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(read.read_vectored(slices).await.expect("there"), 3);
        assert_eq!((a[0], &b[..2]), (b'x', &b"yz"[..]));
        write.close().await.expect("closed");
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.expect("and the end");
        assert_eq!(all, b"abcd");
    });
}
