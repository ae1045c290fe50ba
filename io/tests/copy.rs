//! Copies: nothing lost, nothing twice, nothing kept back, and both directions get their turn.

mod hostile;
mod rig;

use std::cell::{Cell, RefCell};
use std::io;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use hostile::{Random, RoughReader, RoughWriter, both, polled_at_most};
use rig::{Count, Rig, poll_once};
use tenter_io::ext::{CopyError, Direction};
use tenter_io::{
    AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy, copy_bidirectional, copy_buf, duplex,
    empty, join, repeat, sink,
};
use tenter_sync::budget;
use tenter_sync::current::{TaskSlot, with_task};

on_every_backend! {
    a_proxy_between_sockets,
}

fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

#[test]
fn everything_arrives_once_and_flushed() {
    for seed in 0..500 {
        let data = Random::new(seed).bytes(200);
        let mut writer = RoughWriter::new(seed);
        let mut reader = RoughReader::new(&data, seed);
        let count = block_on(copy(&mut reader, &mut writer)).expect("copied");
        assert_eq!((count, &writer.written), (data.len() as u64, &data));
        assert_eq!(writer.flushed, data.len());
        assert!(!writer.closed);

        let mut writer = RoughWriter::new(seed);
        let mut reader = BufReader::with_capacity(7, RoughReader::new(&data, seed));
        let count = block_on(copy_buf(&mut reader, &mut writer)).expect("copied");
        assert_eq!((count, &writer.written), (data.len() as u64, &data));
        assert_eq!(writer.flushed, data.len());
    }
}

#[test]
fn much_goes_through_a_buffer_that_grows() {
    block_on(async {
        let (near, far) = duplex(300_000);
        let data = Random::new(1).bytes(2_000_000);
        let mut received = Vec::new();
        let (mut reader, mut near, mut far) = (&data[..], near, far);
        let sent = async {
            let count = copy(&mut reader, &mut near).await;
            near.close().await.expect("closed");
            count.expect("copied")
        };
        let (sent, count) = both(sent, copy(&mut far, &mut received)).await;
        assert_eq!((sent, count.expect("copied")), (data.len() as u64, sent));
        assert!(received == data);
    });
}

#[test]
fn a_copy_out_of_a_buffer_may_be_dropped_at_every_poll() {
    for seed in 0..300 {
        let data = Random::new(seed).bytes(60);
        for polls in 0..5 {
            let mut writer = RoughWriter::new(seed);
            let mut reader = BufReader::with_capacity(5, RoughReader::new(&data, seed));
            let first = copy_buf(&mut reader, &mut writer);
            block_on(polled_at_most(polls, first));
            block_on(copy_buf(&mut reader, &mut writer)).expect("copied");
            assert_eq!(writer.written, data, "seed {seed}: lost or twice");
            assert_eq!(writer.flushed, data.len());
        }
    }
}

#[test]
fn a_dropped_copy_has_written_the_beginning_and_says_how_much() {
    for seed in 0..300 {
        let data = Random::new(seed).bytes(60);
        let mut writer = RoughWriter::new(seed);
        let mut reader = RoughReader::new(&data, seed);
        let copied = {
            let mut copy = copy(&mut reader, &mut writer);
            for _ in 0..seed % 7 {
                if poll_once(Pin::new(&mut copy)).is_ready() {
                    break;
                }
            }
            copy.copied()
        };
        assert_eq!(writer.written[..], data[..copied as usize]);
    }
}

#[test]
fn what_was_written_is_flushed_before_the_next_read_is_waited_for() {
    block_on(async {
        let (mut near, mut middle) = duplex(64);
        let (back, mut far) = duplex(64);
        let mut buffered = BufWriter::new(back);
        near.write_all(b"question").await.expect("room");
        let mut buffer = [0; 8];
        {
            let mut copy = pin!(copy(&mut middle, &mut buffered));
            assert!(poll_once(copy.as_mut()).is_pending());
            far.read_exact(&mut buffer).await.expect("it has arrived");
        }
        assert_eq!(&buffer, b"question");
        near.write_all(b"and more").await.expect("room");
        let mut middle = BufReader::new(middle);
        let mut copy = pin!(copy_buf(&mut middle, &mut buffered));
        assert!(poll_once(copy.as_mut()).is_pending());
        far.read_exact(&mut buffer).await.expect("it has arrived");
        assert_eq!(&buffer, b"and more");
    });
}

#[test]
fn a_half_closed_connection_goes_on_the_other_way() {
    block_on(async {
        let (mut client, mut near) = duplex(16);
        let (mut far, mut server) = duplex(16);
        let mut proxy = pin!(copy_bidirectional(&mut near, &mut far));
        client.write_all(b"request").await.expect("room");
        client.close().await.expect("closed");
        assert!(poll_once(proxy.as_mut()).is_pending());
        let mut request = Vec::new();
        server.read_to_end(&mut request).await.expect("and the end");
        assert_eq!(request, b"request");
        // The client has nothing more to say, and listens.
        for _ in 0..3 {
            server.write_all(b"answer").await.expect("room");
            assert!(poll_once(proxy.as_mut()).is_pending());
            client.read_exact(&mut [0; 6]).await.expect("the answer");
        }
        server.close().await.expect("closed");
        assert_eq!(proxy.as_mut().copied(), (7, 18));
        assert_eq!(proxy.await.expect("both ended"), (7, 18));
        assert_eq!(client.read(&mut [0; 6]).await.expect("the end"), 0);
    });
}

#[test]
fn both_ways_between_rough_streams() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let (there, back) = (random.bytes(150), random.bytes(150));
        let mut a = join(RoughReader::new(&there, seed), RoughWriter::new(seed + 1));
        let mut b = join(
            RoughReader::new(&back, seed + 2),
            RoughWriter::new(seed + 3),
        );
        let counts = block_on(copy_bidirectional(&mut a, &mut b)).expect("copied");
        assert_eq!(counts, (there.len() as u64, back.len() as u64));
        assert_eq!((&b.writer().written, &a.writer().written), (&there, &back));
        assert!(a.writer().closed && b.writer().closed);
    }
}

/// Fails to write after so many bytes.
struct Breaks(usize);

impl AsyncWrite for Breaks {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = self.0.min(buffer.len());
        self.0 -= count;
        Poll::Ready(match count {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_error_says_which_way_and_how_far() {
    let mut a = join(&b"there"[..], sink());
    let mut b = join(empty(), Breaks(3));
    let error = block_on(copy_bidirectional(&mut a, &mut b)).expect_err("it breaks");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let inside = CopyError::of(&error).expect("about the copy");
    assert_eq!(
        (inside.direction, inside.a_to_b, inside.b_to_a),
        (Direction::AToB, 3, 0)
    );
    assert!(error.to_string().contains("after 3 bytes"), "{error}");
    let mut b = join(&b"four"[..], Breaks(9));
    let mut a = join(empty(), Breaks(2));
    let error = block_on(copy_bidirectional(&mut a, &mut b)).expect_err("it breaks");
    let inside = CopyError::of(&error).expect("about the copy");
    assert_eq!((inside.direction, inside.b_to_a), (Direction::BToA, 2));

    let error = block_on(copy(&mut &b"xyz"[..], &mut Breaks(2))).expect_err("it breaks");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let (mut little, mut no_room) = (&b"xyz"[..], [0; 2]);
    let mut writer = tenter_io::Cursor::new(&mut no_room[..]);
    let error = block_on(copy(&mut little, &mut writer)).expect_err("it takes no more");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn a_panic_in_the_middle_leaves_what_was_written() {
    for seed in 0..200 {
        let data = Random::new(seed).bytes(50);
        let mut writer = RoughWriter::new(seed);
        writer.panics_at = data.len() / 2;
        let mut reader = BufReader::new(RoughReader::new(&data, seed));
        let copied = AssertUnwindSafe(|| block_on(copy_buf(&mut reader, &mut writer)));
        assert_eq!(catch_unwind(copied).is_err(), !data.is_empty());
        writer.panics_at = usize::MAX;
        block_on(copy_buf(&mut reader, &mut writer)).expect("on it goes");
        assert_eq!(writer.written, data, "seed {seed}: lost or twice");
    }
}

#[test]
fn a_copy_that_never_waits_spends_the_budget() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let (mut endless, mut nowhere) = (repeat(0), sink());
    let mut copy = copy(&mut endless, &mut nowhere);
    let mut buffered = BufReader::new(repeat(0));
    let mut nowhere = sink();
    let mut copy_buf = copy_buf(&mut buffered, &mut nowhere);
    for round in 1..4 {
        with_task(&slot, budget::PER_POLL, || {
            assert!(Pin::new(&mut copy).poll(&mut cx).is_pending());
        });
        assert_eq!(count.get(), 2 * round - 1);
        with_task(&slot, budget::PER_POLL, || {
            assert!(Pin::new(&mut copy_buf).poll(&mut cx).is_pending());
        });
        assert_eq!(count.get(), 2 * round);
    }
    assert!(copy.copied() > 0 && copy_buf.copied() > 0);
}

/// A reader that has something whenever there is budget, and counts.
struct Busy(Rc<Cell<usize>>);

impl AsyncRead for Busy {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        self.0.set(self.0.get() + 1);
        Poll::Ready(Ok(buffer.len()))
    }
}

#[test]
fn a_busy_direction_does_not_starve_the_other() {
    let (there, back) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut a = join(Busy(Rc::clone(&there)), sink());
    let mut b = join(Busy(Rc::clone(&back)), sink());
    let mut proxy = copy_bidirectional(&mut a, &mut b);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        with_task(&slot, budget::PER_POLL, || {
            assert!(Pin::new(&mut proxy).poll(&mut cx).is_pending());
        });
    }
    assert_eq!(there.get(), back.get());
    assert!(there.get() >= 50);
}

/// Says what is done to it.
struct Told(Rc<RefCell<Vec<&'static str>>>);

impl AsyncWrite for Told {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().push("write");
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().push("flush");
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().push("close");
        Poll::Ready(Ok(()))
    }
}

#[test]
fn the_end_of_a_direction_flushes_and_then_closes_once() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut a = join(&b"x"[..], sink());
    let (mut held, far) = duplex(1);
    let mut b = join(far, Told(Rc::clone(&told)));
    let mut proxy = copy_bidirectional(&mut a, &mut b);
    for _ in 0..3 {
        assert!(poll_once(Pin::new(&mut proxy)).is_pending());
    }
    assert_eq!(*told.borrow(), ["write", "flush", "close"]);
    block_on(held.close()).expect("closed");
    assert_eq!(block_on(proxy).expect("both ended"), (1, 0));
    assert_eq!(told.borrow().len(), 3);
}

fn a_proxy_between_sockets(rig: &mut Rig) {
    let (mut client, mut near) = rig.pair();
    let (mut far, mut server) = rig.pair();
    let mut random = Random::new(7);
    let (there, back) = (random.bytes(3_000_000), random.bytes(3_000_000));
    rig.block_on(async {
        let proxy = copy_bidirectional(&mut near, &mut far);
        let (mut reading, mut writing) = client.split();
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        let client = both(
            async {
                writing.write_all(&there).await?;
                writing.close().await
            },
            reading.read_to_end(&mut answer),
        );
        let server = async {
            server.read_to_end(&mut request).await?;
            // Only after the other direction has ended.
            server.write_all(&back).await?;
            server.close().await
        };
        let (counts, ((sent, received), served)) = both(proxy, both(client, server)).await;
        sent.expect("sent");
        received.expect("received");
        served.expect("served");
        let lengths = (there.len() as u64, back.len() as u64);
        assert_eq!(counts.expect("both ended"), lengths);
        assert!(request == there && answer == back);
    });
}
