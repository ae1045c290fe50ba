//! The records of a reader, one after the other: lines, or what stands between separators.
//!
//! Both own the record in progress, so their futures may be dropped at any time, and an error about
//! a record keeps it.
//!
//! Tests: `io/tests/records.rs`.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_io::AsyncBufRead;

use crate::ext::error::NotUtf8;
use crate::ext::opaque_debug;
use crate::ext::record::{End, poll_record};
use crate::ext::separator::Separator;
use crate::limits::RECORD_LIMIT;

/// Reader, separator, and the record in progress.
struct Records<R, S> {
    reader: R,
    separator: S,
    record: Vec<u8>,
    limit: usize,
    /// The stream has given an error, which nobody has dealt with yet.
    failed: bool,
}

struct Record {
    bytes: Vec<u8>,
    /// Whether the separator stood behind it, and not the end of the stream.
    ended: bool,
}

impl<R, S> Records<R, S> {
    fn new(reader: R, separator: S) -> Self {
        Records {
            reader,
            separator,
            record: Vec::new(),
            limit: RECORD_LIMIT,
            failed: false,
        }
    }
}

impl<R: AsyncBufRead + Unpin, S: Separator> Records<R, S> {
    /// The next record, without its separator.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Record>>> {
        let end = ready!(poll_record(
            &mut self.reader,
            cx,
            &self.separator,
            self.limit,
            &mut self.record
        ))?;
        let mut bytes = mem::take(&mut self.record);
        let ended = match end {
            End::Separator(range) => {
                bytes.truncate(range.start);
                true
            }
            End::Stream if bytes.is_empty() => return Poll::Ready(Ok(None)),
            End::Stream => false,
        };
        Poll::Ready(Ok(Some(Record { bytes, ended })))
    }
}

macro_rules! records {
    ($([$generic:ident])? $name:ident) => {
        impl<R $(, $generic)?> $name<R $(, $generic)?> {
            /// The most bytes of a record before its separator; 1 MiB unless set. `usize::MAX` is
            /// no limit.
            pub fn limit(mut self, bytes: usize) -> Self {
                self.set_limit(bytes);
                self
            }

            /// As [`limit`](Self::limit), in place: after an error about the limit a higher one
            /// lets the record go on.
            pub fn set_limit(&mut self, bytes: usize) {
                self.0.limit = bytes;
                self.0.failed = false;
            }

            /// What was read of the record in progress.
            pub fn partial(&self) -> &[u8] {
                &self.0.record
            }

            /// Takes what was read of the record in progress. The rest of it follows as if it were
            /// a record of its own.
            pub fn take_partial(&mut self) -> Vec<u8> {
                self.0.failed = false;
                mem::take(&mut self.0.record)
            }

            /// The reader.
            pub fn get_ref(&self) -> &R {
                &self.0.reader
            }

            /// The reader. What is read from it directly does not become a record.
            pub fn get_mut(&mut self) -> &mut R {
                &mut self.0.reader
            }

            /// The reader, and what was read of the record in progress.
            pub fn into_parts(self) -> (R, Vec<u8>) {
                (self.0.reader, self.0.record)
            }
        }

        opaque_debug!([R $(, $generic)?] $name<R $(, $generic)?>);
    };
}

/// The lines of a reader, without their ends. See
/// [`AsyncBufReadExt::lines`](crate::AsyncBufReadExt::lines).
#[must_use = "lines are read only when asked for"]
pub struct Lines<R>(Records<R, u8>);

records!(Lines);

impl<R> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Lines(Records::new(reader, b'\n'))
    }
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// The next line, without its end; `None` at the end of the stream. The last line may lack its
    /// end.
    ///
    /// # Errors
    ///
    /// The line is longer than the limit ([`LimitOverrun`](crate::ext::LimitOverrun)): it stays
    /// [here](Self::partial), and the error comes again until the limit is
    /// [raised](Self::set_limit) or the line [taken](Self::take_partial).
    /// It is not UTF-8 ([`NotUtf8`]): it is in the error, and the next line follows.
    /// Else those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: what was read so far stays here, and the next call goes on with it.
    #[doc(alias = "readline")]
    pub fn next_line(&mut self) -> NextLine<'_, R> {
        NextLine(self)
    }

    /// Polls for the next line. See [`next_line`](Self::next_line).
    ///
    /// # Errors
    ///
    /// Those of [`next_line`](Self::next_line).
    pub fn poll_next_line(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<String>>> {
        let Some(record) = ready!(self.0.poll_next(cx))? else {
            return Poll::Ready(Ok(None));
        };
        let mut line = record.bytes;
        // Only a `\r` before a `\n` is a part of the end; a last line without `\n` keeps it.
        if record.ended && line.last() == Some(&b'\r') {
            line.pop();
        }
        Poll::Ready(match String::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                Err(NotUtf8 { bytes, valid }.into())
            }
        })
    }
}

/// What stands between separators. See [`AsyncBufReadExt::split`](crate::AsyncBufReadExt::split).
#[must_use = "records are read only when asked for"]
pub struct Split<R, S>(Records<R, S>);

records!([S] Split);

// The separator is looked at, never pinned.
impl<R: Unpin, S> Unpin for Split<R, S> {}

impl<R, S> Split<R, S> {
    pub(crate) fn new(reader: R, separator: S) -> Self {
        Split(Records::new(reader, separator))
    }
}

impl<R: AsyncBufRead + Unpin, S: Separator> Split<R, S> {
    /// The next record, without its separator; `None` at the end of the stream. The last record may
    /// lack its separator.
    ///
    /// # Errors
    ///
    /// The record is longer than the limit ([`LimitOverrun`](crate::ext::LimitOverrun)): it stays
    /// [here](Self::partial), and the error comes again until the limit is
    /// [raised](Self::set_limit) or the record [taken](Self::take_partial).
    /// Else those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: what was read so far stays here, and the next call goes on with it.
    pub fn next_segment(&mut self) -> NextSegment<'_, R, S> {
        NextSegment(self)
    }

    /// Polls for the next record. See [`next_segment`](Self::next_segment).
    ///
    /// # Errors
    ///
    /// Those of [`next_segment`](Self::next_segment).
    pub fn poll_next_segment(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        let next = ready!(self.0.poll_next(cx))?;
        Poll::Ready(Ok(next.map(|record| record.bytes)))
    }
}

/// The future of [`Lines::next_line`].
#[must_use = "futures do nothing unless awaited"]
pub struct NextLine<'a, R>(&'a mut Lines<R>);

impl<R: AsyncBufRead + Unpin> Future for NextLine<'_, R> {
    type Output = io::Result<Option<String>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next_line(cx)
    }
}

/// The future of [`Split::next_segment`].
#[must_use = "futures do nothing unless awaited"]
pub struct NextSegment<'a, R, S>(&'a mut Split<R, S>);

impl<R: AsyncBufRead + Unpin, S: Separator> Future for NextSegment<'_, R, S> {
    type Output = io::Result<Option<Vec<u8>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next_segment(cx)
    }
}

/// One item of a stream: an error comes once, and then the end, so that a loop that only reports
/// errors does not turn for ever. Raising the limit or taking the record lets it go on.
fn poll_item<T>(
    failed: &mut bool,
    next: impl FnOnce() -> Poll<io::Result<Option<T>>>,
) -> Poll<Option<io::Result<T>>> {
    if *failed {
        return Poll::Ready(None);
    }
    let item = ready!(next()).transpose();
    *failed = matches!(item, Some(Err(_)));
    Poll::Ready(item)
}

/// As [`next_line`](Lines::next_line), but after an error the stream ends, until the limit is
/// [raised](Lines::set_limit) or the line [taken](Lines::take_partial).
impl<R: AsyncBufRead + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut failed = self.0.failed;
        let item = poll_item(&mut failed, || self.as_mut().poll_next_line(cx));
        self.0.failed = failed;
        item
    }
}

/// As [`next_segment`](Split::next_segment), but after an error the stream ends, until the limit is
/// [raised](Split::set_limit) or the record [taken](Split::take_partial).
impl<R: AsyncBufRead + Unpin, S: Separator> Stream for Split<R, S> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut failed = self.0.failed;
        let item = poll_item(&mut failed, || self.as_mut().poll_next_segment(cx));
        self.0.failed = failed;
        item
    }
}

opaque_debug!([R] NextLine<'_, R>);
opaque_debug!([R, S] NextSegment<'_, R, S>);
