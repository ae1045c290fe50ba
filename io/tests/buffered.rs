//! Buffers: what goes through them is the same as without, and nothing stays behind in secret.

mod hostile;
mod rig;

use std::io::{self, BufRead as _, IoSlice, IoSliceMut, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use hostile::{Random, RoughReader, RoughWriter, polled_at_most};
use rig::{Rig, poll_once};
use tenter_io::{
    AsyncPeek, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, BufStream, BufWriter, Cursor,
    duplex,
};

fn block_on<F: Future>(future: F) -> F::Output {
    Rig::Fallback.block_on(future)
}

/// Waits again as long as the system interrupts.
macro_rules! uninterrupted {
    ($wait:expr) => {
        loop {
            match block_on($wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.expect("no error"),
            }
        }
    };
}

#[test]
fn reading_and_seeking_is_as_in_the_standard_library() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let data = random.bytes(100);
        let capacity = random.below(12);
        let rough = RoughReader::new(&data, seed);
        let mut reader = BufReader::with_capacity(capacity, rough);
        let mut of_std = io::BufReader::with_capacity(capacity, io::Cursor::new(&data));
        for _ in 0..30 {
            match random.below(4) {
                0 => {
                    let mut buffer = vec![0; random.below(20)];
                    let count = uninterrupted!(reader.read(&mut buffer));
                    let mut expected = vec![0; count];
                    of_std.read_exact(&mut expected).expect("as much");
                    assert_eq!(buffer[..count], expected);
                }
                1 => {
                    let mut parts = [vec![0; random.below(4)], vec![0; random.below(9)]];
                    let mut slices: Vec<_> =
                        parts.iter_mut().map(|part| IoSliceMut::new(part)).collect();
                    let count = uninterrupted!(reader.read_vectored(&mut slices));
                    let mut expected = vec![0; count];
                    of_std.read_exact(&mut expected).expect("as much");
                    assert_eq!(parts.concat()[..count], expected);
                }
                2 => {
                    let place = match random.below(3) {
                        0 => SeekFrom::Start(random.below(data.len() + 1) as u64),
                        1 => SeekFrom::End(-(random.below(data.len() + 1) as i64)),
                        _ => {
                            let here = of_std.stream_position().expect("somewhere") as i64;
                            let there = random.below(data.len() + 1) as i64;
                            SeekFrom::Current(there - here)
                        }
                    };
                    let at = block_on(reader.seek(place)).expect("within");
                    assert_eq!(at, of_std.seek(place).expect("within"), "{place:?}");
                    assert!(reader.buffer().is_empty());
                }
                _ => {
                    let at = block_on(reader.stream_position()).expect("somewhere");
                    assert_eq!(at, of_std.stream_position().expect("somewhere"));
                }
            }
        }
    }
}

#[test]
fn more_is_got_behind_what_is_there() {
    for seed in 0..200 {
        let data = Random::new(seed).bytes(40);
        let mut reader = BufReader::with_capacity(3, RoughReader::new(&data, seed));
        let mut all = Vec::new();
        // Take a byte now and then; the rest is held, however much that is.
        while uninterrupted!(std::future::poll_fn(
            |cx| Pin::new(&mut reader).poll_fill_more(cx)
        )) {
            if seed % 3 == 0 && !reader.buffer().is_empty() {
                all.push(reader.buffer()[0]);
                futures_io::AsyncBufRead::consume(Pin::new(&mut reader), 1);
            }
        }
        all.extend_from_slice(reader.buffer());
        assert_eq!(all, data);
        let (_, held) = reader.into_parts();
        assert!(data.ends_with(&held));
    }
    // A reader that holds all there is says so.
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut bytes: &[u8] = b"x";
    let more = Pin::new(&mut bytes).poll_fill_more(&mut cx);
    assert!(matches!(more, Poll::Ready(Ok(false))));
}

/// Counts what is asked of it, and answers at once.
#[derive(Default)]
struct Counts {
    reads: Vec<usize>,
    writes: Vec<usize>,
    flushes: usize,
}

impl AsyncRead for Counts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reads.push(buffer.len());
        Poll::Ready(Ok(buffer.len()))
    }
}

impl AsyncWrite for Counts {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.push(buffer.len());
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = buffers.iter().flat_map(|one| one.to_vec()).collect();
        self.poll_write(cx, &all)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn small_ones_are_gathered_and_large_ones_go_past() {
    let mut reader = BufReader::with_capacity(8, Counts::default());
    for size in [0, 1, 1, 6, 8, 20, 7, 1] {
        assert_eq!(
            block_on(reader.read(&mut vec![0; size])).expect("read"),
            size
        );
    }
    assert_eq!(reader.get_ref().reads, [8, 8, 20, 8]);

    let mut writer = BufWriter::with_capacity(8, Counts::default());
    for size in [0, 1, 1, 6, 1, 8, 20, 7, 2] {
        assert_eq!(
            block_on(writer.write(&vec![0; size])).expect("written"),
            size
        );
    }
    // 1 + 1 + 6 fill it; 1 goes before the 8 that go past; 20 go past; 7 leave before 2.
    assert_eq!(writer.get_ref().writes, [8, 1, 8, 20, 7]);
    let slices = [IoSlice::new(&[1; 3]), IoSlice::new(&[2; 3])];
    assert_eq!(block_on(writer.write_vectored(&slices)).expect("kept"), 6);
    assert_eq!(writer.get_ref().writes.len(), 5);
    let slices = [IoSlice::new(&[1; 5]), IoSlice::new(&[2; 5])];
    assert_eq!(block_on(writer.write_vectored(&slices)).expect("past"), 10);
    assert_eq!(writer.get_ref().writes[5..], [8, 10]);
    assert_eq!(writer.get_ref().flushes, 0);
    block_on(writer.flush()).expect("flushed");
    assert_eq!(writer.get_ref().flushes, 1);
}

#[test]
fn everything_is_written_once_and_in_order() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let mut writer = BufWriter::with_capacity(random.below(10), RoughWriter::new(seed));
        let mut expected = Vec::new();
        for _ in 0..20 {
            let (one, two) = (random.bytes(9), random.bytes(9));
            let polls = random.below(4);
            match random.below(4) {
                0 => {
                    let mut rest = &one[..];
                    let wait = writer.write_all_buf(&mut rest);
                    block_on(polled_at_most(polls, wait));
                    expected.extend_from_slice(&one[..one.len() - rest.len()]);
                }
                1 => {
                    let slices = [IoSlice::new(&one), IoSlice::new(&two)];
                    let wait = writer.write_vectored(&slices);
                    if let Some(Ok(count)) = block_on(polled_at_most(polls, wait)) {
                        expected.extend_from_slice(&[one, two].concat()[..count]);
                    }
                }
                2 => {
                    let wait = writer.flush();
                    if block_on(polled_at_most(polls, wait)).is_some() {
                        assert_eq!(writer.get_ref().flushed, expected.len());
                    }
                }
                _ => {
                    block_on(writer.write_all(&one)).expect("written");
                    expected.extend_from_slice(&one);
                }
            }
            let reached = writer.get_ref().written.len();
            assert_eq!(expected[..reached], writer.get_ref().written);
            assert_eq!(expected[reached..], *writer.buffer(), "seed {seed}");
        }
        for polls in 0..3 {
            block_on(polled_at_most(polls, writer.close()));
        }
        block_on(writer.close()).expect("closed");
        assert_eq!(writer.get_ref().written, expected, "seed {seed}");
        assert!(writer.get_ref().closed);
    }
}

#[test]
fn a_writer_that_panics_or_fails_is_taken_up_where_it_stopped() {
    for seed in 0..200 {
        let data = Random::new(seed).bytes(30);
        let mut inner = RoughWriter::new(seed);
        inner.panics_at = data.len() / 2;
        let mut writer = BufWriter::with_capacity(64, inner);
        block_on(writer.write_all(&data)).expect("kept");
        let flush = AssertUnwindSafe(|| block_on(writer.flush()));
        assert_eq!(catch_unwind(flush).is_err(), !data.is_empty());
        writer.get_mut().panics_at = usize::MAX;
        block_on(writer.flush()).expect("on it goes");
        assert_eq!(writer.get_ref().written, data, "seed {seed}");
    }
}

#[test]
fn taking_the_buffer_off_loses_nothing_in_secret() {
    let mut writer = BufWriter::new(Vec::new());
    block_on(writer.write_all(b"kept")).expect("kept");
    let error = writer.into_inner().expect_err("something is in it");
    assert!(error.to_string().starts_with("4 bytes"), "{error}");
    let mut writer = error.0;
    assert_eq!(writer.buffer(), b"kept");
    block_on(writer.flush()).expect("flushed");
    assert_eq!(writer.into_inner().expect("empty"), b"kept");
    let mut writer = BufWriter::new(Vec::new());
    block_on(writer.write_all(b"kept")).expect("kept");
    assert_eq!(writer.into_parts(), (Vec::new(), b"kept".to_vec()));

    let mut reader = BufReader::new(&b"ahead"[..]);
    block_on(reader.read(&mut [0; 2])).expect("read");
    assert_eq!(reader.buffer(), b"ead");
    assert_eq!(reader.into_parts(), (&b""[..], b"ead".to_vec()));
}

#[test]
fn seeking_belongs_to_what_was_written_before() {
    let mut writer = BufWriter::new(Cursor::new(Vec::new()));
    block_on(async {
        writer.write_all(b"abcdef").await.expect("kept");
        writer.seek(SeekFrom::Start(2)).await.expect("within");
        writer.write_all(b"XY").await.expect("kept");
        writer.flush().await.expect("flushed");
    });
    assert_eq!(writer.get_ref().get_ref(), b"abXYef");
}

#[test]
fn a_place_beyond_all_numbers_is_reached_in_two_steps() {
    struct Far(Vec<SeekFrom>);
    impl AsyncRead for Far {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len()))
        }
    }
    impl AsyncSeek for Far {
        fn poll_seek(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            place: SeekFrom,
        ) -> Poll<io::Result<u64>> {
            self.0.push(place);
            Poll::Ready(Ok(0))
        }
    }
    let mut reader = BufReader::with_capacity(8, Far(Vec::new()));
    block_on(reader.read(&mut [0; 3])).expect("read");
    block_on(reader.seek(SeekFrom::Current(i64::MIN))).expect("there");
    let steps = [SeekFrom::Current(-5), SeekFrom::Current(i64::MIN)];
    assert_eq!(reader.get_ref().0, steps);
    assert!(reader.buffer().is_empty());
}

#[test]
fn a_stream_with_two_buffers_is_both() {
    let (near, far) = duplex(64);
    let mut near: BufStream<_> = BufReader::new(BufWriter::new(near));
    let mut far: BufStream<_> = BufReader::new(BufWriter::new(far));
    block_on(async {
        near.write_all(b"hello").await.expect("kept");
        assert!(poll_once(pin!(far.read(&mut [0; 5]))).is_pending());
        near.flush().await.expect("flushed");
        let mut buffer = [0; 5];
        far.read_exact(&mut buffer).await.expect("there");
        assert_eq!(&buffer, b"hello");
        near.close().await.expect("closed");
        assert_eq!(far.read(&mut buffer).await.expect("the end"), 0);
    });
}

#[test]
fn a_reader_that_lies_is_an_error_and_no_more() {
    struct Lies;
    impl AsyncRead for Lies {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len() + 1))
        }
    }
    let error = block_on(BufReader::new(Lies).read(&mut [0])).expect_err("a lie");
    assert!(
        error.to_string().contains("its implementation is wrong"),
        "{error}"
    );
    block_on(Lies.read_exact(&mut [0; 4])).expect_err("a lie");
    block_on(Lies.read_to_end(&mut Vec::new())).expect_err("a lie");
    block_on(tenter_io::copy(&mut Lies, &mut tenter_io::sink())).expect_err("a lie");
    assert_eq!(io::BufReader::new(&b"x"[..]).fill_buf().expect("x"), b"x");
}
