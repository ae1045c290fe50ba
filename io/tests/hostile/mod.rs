//! Readers and writers that make it hard, in an order that a seed decides.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

/// Numbers that look random and are the same each time.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// Bytes out of few, so that separators come often.
    pub fn letters(&mut self, most: usize, letters: &[u8]) -> Vec<u8> {
        let length = self.below(most + 1);
        let one = |_| letters[self.below(letters.len())];
        (0..length).map(one).collect()
    }

    /// Text of characters of one to four bytes, in lines.
    pub fn text(&mut self, most: usize) -> String {
        let length = self.below(most + 1);
        let letters = ['a', '\n', '\r', 'ß', '√', '🦀'];
        let one = |_| letters[self.below(letters.len())];
        (0..length).map(one).collect()
    }
}

/// What a rough stream does instead of its work.
fn trouble(random: &mut Random, cx: &mut Context<'_>) -> Option<Poll<io::Error>> {
    match random.below(6) {
        0 => {
            cx.waker().wake_by_ref();
            Some(Poll::Pending)
        }
        1 => Some(Poll::Ready(io::ErrorKind::Interrupted.into())),
        _ => None,
    }
}

/// A reader of `data`: a byte or a few at a time, pending and interrupted in between.
pub struct RoughReader {
    pub data: Vec<u8>,
    pub at: usize,
    pub random: Random,
    /// The largest piece.
    pub most: usize,
    /// Panics where it would read the byte at this place.
    pub panics_at: usize,
}

impl RoughReader {
    pub fn new(data: &[u8], seed: u64) -> RoughReader {
        let mut random = Random::new(seed);
        RoughReader {
            data: data.to_vec(),
            at: 0,
            most: 1 + random.below(9),
            random,
            panics_at: usize::MAX,
        }
    }
}

impl AsyncRead for RoughReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        assert!(!buffer.is_empty(), "nothing asks for nothing");
        if let Some(trouble) = trouble(&mut this.random, cx) {
            return trouble.map(Err);
        }
        let rest = &this.data[this.at..];
        let count = rest
            .len()
            .min(buffer.len())
            .min(1 + this.random.below(this.most));
        assert!(this.at + count <= this.panics_at, "a hostile reader");
        buffer[..count].copy_from_slice(&rest[..count]);
        this.at += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncSeek for RoughReader {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: io::SeekFrom,
    ) -> Poll<io::Result<u64>> {
        if self.random.one_in(3) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut cursor = io::Cursor::new(&self.data[..]);
        cursor.set_position(self.at as u64);
        let place = io::Seek::seek(&mut cursor, place)?;
        self.at = (place as usize).min(self.data.len());
        Poll::Ready(Ok(place))
    }
}

/// A writer that takes a byte or a few at a time, pending and interrupted in between.
pub struct RoughWriter {
    pub written: Vec<u8>,
    pub flushed: usize,
    pub closed: bool,
    pub random: Random,
    /// Panics where it would write the byte at this place.
    pub panics_at: usize,
}

impl RoughWriter {
    pub fn new(seed: u64) -> RoughWriter {
        RoughWriter {
            written: Vec::new(),
            flushed: 0,
            closed: false,
            random: Random::new(seed),
            panics_at: usize::MAX,
        }
    }
}

impl AsyncWrite for RoughWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        assert!(!buffer.is_empty(), "nothing writes nothing");
        assert!(!this.closed, "nothing is written behind the end");
        if let Some(trouble) = trouble(&mut this.random, cx) {
            return trouble.map(Err);
        }
        let count = buffer.len().min(1 + this.random.below(9));
        assert!(
            this.written.len() + count <= this.panics_at,
            "a hostile writer"
        );
        this.written.extend_from_slice(&buffer[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.random.one_in(3) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.flushed = self.written.len();
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.random.one_in(3) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.flushed = self.written.len();
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

/// Polls `future` until it is ready, or `limit` polls have been made: then it is dropped.
pub async fn polled_at_most<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(move |cx: &mut Context<'_>| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Polled again soon, whether or not something happened.
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls all at each wake, until all are ready.
pub async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(move |cx| {
        if of_a.is_none() {
            if let Poll::Ready(output) = a.as_mut().poll(cx) {
                of_a = Some(output);
            }
        }
        if of_b.is_none() {
            if let Poll::Ready(output) = b.as_mut().poll(cx) {
                of_b = Some(output);
            }
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
