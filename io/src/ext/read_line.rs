//! A line as text.
//!
//! A `String` holds whole characters only, so a part of a character stays in the reader: between
//! two polls the state is the line and the reader, and nothing else.
//!
//! Rejected: to keep the part in the future, as others do. It is lost when the future is dropped.
//!
//! Tests: `io/tests/records.rs`.

use std::io;
use std::pin::Pin;
use std::str;
use std::task::{Context, Poll, ready};

use crate::ext::error::{LimitOverrun, NotUtf8};
use crate::ext::opaque_debug;
use crate::ext::peek::AsyncPeek;
use crate::ext::separator::find_byte;
use crate::limits::RECORD_LIMIT;

/// The future of [`AsyncBufReadExt::read_line`](crate::AsyncBufReadExt::read_line).
#[must_use = "futures do nothing unless awaited"]
pub struct ReadLine<'a, R: ?Sized> {
    reader: &'a mut R,
    line: &'a mut String,
    start: usize,
    limit: usize,
}

impl<'a, R: ?Sized> ReadLine<'a, R> {
    pub(crate) fn new(reader: &'a mut R, line: &'a mut String) -> Self {
        ReadLine {
            start: line.len(),
            limit: RECORD_LIMIT,
            reader,
            line,
        }
    }

    /// The most bytes of a line before its `\n`. `usize::MAX` is no limit.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

/// What follows a chunk.
enum Then {
    Complete,
    Continue,
    /// The chunk is only a part of a character.
    More,
    TooLong {
        found: bool,
    },
    NotText,
}

/// The text at the front of the chunk, up to the end of the line, and what follows it.
fn step(chunk: &[u8], room: usize) -> (&str, Then) {
    let newline = find_byte(b'\n', chunk);
    let content = newline.unwrap_or(chunk.len());
    let (piece, last) = match newline {
        _ if content > room => {
            let found = newline.is_some();
            (&chunk[..room], Then::TooLong { found })
        }
        Some(at) => (&chunk[..=at], Then::Complete),
        None => (chunk, Then::Continue),
    };
    match str::from_utf8(piece) {
        Ok(text) => (text, last),
        Err(error) => {
            let text = str::from_utf8(&piece[..error.valid_up_to()]).unwrap_or_default();
            let then = match (error.error_len(), last) {
                (None, too_long @ Then::TooLong { .. }) => too_long,
                (None, _) if text.is_empty() => Then::More,
                (None, _) => Then::Continue,
                (Some(_), _) => Then::NotText,
            };
            (text, then)
        }
    }
}

impl<R: AsyncPeek + Unpin + ?Sized> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let Some(room) = this.limit.checked_sub(this.line.len()) else {
                return Poll::Ready(Err(this.too_long(false)));
            };
            let chunk = match ready!(Pin::new(&mut *this.reader).poll_fill_buf(cx)) {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            };
            if chunk.is_empty() {
                return Poll::Ready(Ok(this.line.len() - this.start));
            }
            let (text, then) = step(chunk, room);
            let count = text.len();
            this.line.push_str(text);
            Pin::new(&mut *this.reader).consume(count);
            match then {
                Then::Complete => return Poll::Ready(Ok(this.line.len() - this.start)),
                Then::Continue => {}
                Then::More => match ready!(Pin::new(&mut *this.reader).poll_fill_more(cx)) {
                    Ok(true) => {}
                    // The stream ends within a character.
                    Ok(false) => return Poll::Ready(Err(this.not_text())),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Then::TooLong { found } => return Poll::Ready(Err(this.too_long(found))),
                Then::NotText => return Poll::Ready(Err(this.not_text())),
            }
        }
    }
}

impl<R: ?Sized> ReadLine<'_, R> {
    fn too_long(&self, found: bool) -> io::Error {
        let limit = self.limit;
        LimitOverrun { limit, found }.into()
    }

    fn not_text(&self) -> io::Error {
        let (bytes, valid) = (Vec::new(), self.line.len());
        NotUtf8 { bytes, valid }.into()
    }
}

opaque_debug!([R: ?Sized] ReadLine<'_, R>);
