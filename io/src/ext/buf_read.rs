//! Reading records from a buffered reader: up to a byte, a sequence, the end of a line.
//!
//! Tests: `io/tests/records.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncBufRead;
use tenter_sync::current::without_budget;

use crate::ext::error::IncompleteRead;
use crate::ext::lines::{Lines, Split};
use crate::ext::opaque_debug;
use crate::ext::peek::AsyncPeek;
use crate::ext::read_line::ReadLine;
use crate::ext::record::{End, poll_record};
use crate::ext::separator::Separator;
use crate::limits::RECORD_LIMIT;

/// What one does with a buffered reader. Implemented for every [`AsyncBufRead`].
///
/// # Limits
///
/// Whatever reads up to a separator has a limit, so that a peer that never sends one cannot make
/// the process run out of memory: 1 MiB unless you say otherwise. It counts the bytes before the
/// separator. A record that is longer is an error ([`LimitOverrun`](crate::ext::LimitOverrun)), and
/// nothing of it is lost: its beginning is in the caller's buffer, the rest still in the reader.
/// Raise the limit and call again, or clear the buffer and go on behind it.
pub trait AsyncBufReadExt: AsyncBufRead {
    /// Waits until there is something to read, and lends it out. Empty at the end of the stream.
    /// [`consume`](AsyncBufRead::consume) says how much of it was used.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing is consumed.
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Unpin,
    {
        FillBuf(Some(self))
    }

    /// Whether everything has been read and the stream is at its end. Waits until that is known.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing is consumed.
    #[doc(alias = "has_data_left")]
    fn at_eof(&mut self) -> AtEof<'_, Self>
    where
        Self: Unpin,
    {
        AtEof(self)
    }

    /// Appends everything up to and including `separator` to `record`. Returns how much this call
    /// appended; `Ok(0)` is the end of the stream. At the end of the stream the last record may
    /// lack its separator, unless it must be [whole](ReadUntil::whole).
    ///
    /// `record` is the record in progress: what it already holds counts as its beginning, for the
    /// limit and for a separator that begins in it. Clear it between two records.
    ///
    /// # Errors
    ///
    /// The record is longer than the [limit](ReadUntil::limit): its beginning is in `record`, the
    /// rest in the reader. Else those of the reader.
    ///
    /// # Panics
    ///
    /// If the separator is empty, or one of several is.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: when the future is dropped, what was read so far is in `record`. Call again
    /// with the same `record` to go on. The count begins anew, so at the end of the stream look at
    /// `record` itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_io::AsyncBufReadExt;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let mut reader: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nbody";
    /// let mut head = Vec::new();
    /// reader.read_until("\r\n\r\n", &mut head).limit(16 * 1024).whole().await?;
    /// assert_eq!(reader, b"body");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "readuntil")]
    #[track_caller]
    fn read_until<'a, S: Separator>(
        &'a mut self,
        separator: S,
        record: &'a mut Vec<u8>,
    ) -> ReadUntil<'a, Self, S>
    where
        Self: Unpin,
    {
        not_empty(&separator);
        ReadUntil {
            reader: self,
            separator,
            limit: RECORD_LIMIT,
            whole: false,
            start: record.len(),
            record,
        }
    }

    /// Appends everything up to and including the end of the line to `line`. Returns how many bytes
    /// this call appended; `Ok(0)` is the end of the stream. The last line may lack its end.
    ///
    /// `line` is the line in progress: what it already holds counts for the limit. Clear it between
    /// two lines.
    ///
    /// # Errors
    ///
    /// The line is longer than the [limit](ReadLine::limit): its beginning is in `line`, the rest
    /// in the reader. It is not UTF-8: what stands before the bad bytes is in `line`, the bad bytes
    /// and all behind them in the reader. Else those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: when the future is dropped, the whole characters that were read are in `line`,
    /// and a character of which only a part has come is still in the reader. Call again with the
    /// same `line` to go on. This is why the reader must be one that can [get
    /// more](AsyncPeek) behind what it holds.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_io::AsyncBufReadExt;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let mut reader: &[u8] = b"one\ntwo";
    /// let mut line = String::new();
    /// while reader.read_line(&mut line).await? > 0 {
    ///     println!("{}", line.trim_end());
    ///     line.clear();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "readline")]
    fn read_line<'a>(&'a mut self, line: &'a mut String) -> ReadLine<'a, Self>
    where
        Self: AsyncPeek + Unpin,
    {
        ReadLine::new(self, line)
    }

    /// The lines, without their ends (`\n` or `\r\n`).
    ///
    /// # Errors
    ///
    /// See [`Lines::next_line`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_io::AsyncBufReadExt;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let reader: &[u8] = b"one\r\ntwo\n";
    /// let mut lines = reader.lines().limit(80);
    /// while let Some(line) = lines.next_line().await? {
    ///     println!("{line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    fn lines(self) -> Lines<Self>
    where
        Self: Unpin + Sized,
    {
        Lines::new(self)
    }

    /// The records between the separators, without these.
    ///
    /// # Panics
    ///
    /// If the separator is empty, or one of several is.
    #[track_caller]
    fn split<S: Separator>(self, separator: S) -> Split<Self, S>
    where
        Self: Unpin + Sized,
    {
        not_empty(&separator);
        Split::new(self, separator)
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufReadExt for R {}

#[track_caller]
fn not_empty(separator: &impl Separator) {
    assert!(
        separator.shortest() > 0,
        "an empty separator stands everywhere; name at least one byte"
    );
}

/// The future of [`AsyncBufReadExt::fill_buf`].
#[must_use = "futures do nothing unless awaited"]
pub struct FillBuf<'a, R: ?Sized>(Option<&'a mut R>);

impl<'a, R: AsyncBufRead + Unpin + ?Sized> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reader = self.0.take().expect("not polled after it was ready");
        match Pin::new(&mut *reader).poll_fill_buf(cx) {
            // The end. Behind that of a terminal there may be more, so it is not asked for again.
            Poll::Ready(Ok([])) => Poll::Ready(Ok(&[])),
            // The borrow of the answer would last as long as the reader's. It is in the buffer, so
            // the second time it is there at once, and has been paid for.
            Poll::Ready(Ok(_)) => match without_budget(|| Pin::new(reader).poll_fill_buf(cx)) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => Poll::Ready(Err(io::Error::other(
                    "a buffered reader gave bytes away and took them back: its implementation is \
                     wrong",
                ))),
            },
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.0 = Some(reader);
                Poll::Pending
            }
        }
    }
}

/// The future of [`AsyncBufReadExt::at_eof`].
#[must_use = "futures do nothing unless awaited"]
pub struct AtEof<'a, R: ?Sized>(&'a mut R);

impl<R: AsyncBufRead + Unpin + ?Sized> Future for AtEof<'_, R> {
    type Output = io::Result<bool>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(Pin::new(&mut *self.0).poll_fill_buf(cx)) {
                Ok(chunk) => return Poll::Ready(Ok(chunk.is_empty())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The future of [`AsyncBufReadExt::read_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadUntil<'a, R: ?Sized, S> {
    reader: &'a mut R,
    separator: S,
    limit: usize,
    whole: bool,
    start: usize,
    record: &'a mut Vec<u8>,
}

impl<R: ?Sized, S> ReadUntil<'_, R, S> {
    /// The most bytes before the separator. `usize::MAX` is no limit.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// A record without its separator at the end of the stream is an error
    /// ([`IncompleteRead`]); it is in the buffer all the same. The end of the stream with nothing
    /// in the buffer is none.
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }
}

// The separator is looked at, never pinned.
impl<R: ?Sized, S> Unpin for ReadUntil<'_, R, S> {}

impl<R: AsyncBufRead + Unpin + ?Sized, S: Separator> Future for ReadUntil<'_, R, S> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let end = ready!(poll_record(
            this.reader,
            cx,
            &this.separator,
            this.limit,
            this.record
        ))?;
        if end == End::Stream && this.whole && !this.record.is_empty() {
            let read = this.record.len();
            let incomplete = IncompleteRead {
                read,
                expected: None,
            };
            return Poll::Ready(Err(incomplete.into()));
        }
        Poll::Ready(Ok(this.record.len().saturating_sub(this.start)))
    }
}

opaque_debug!([R: ?Sized] FillBuf<'_, R>);
opaque_debug!([R: ?Sized] AtEof<'_, R>);
opaque_debug!([R: ?Sized, S] ReadUntil<'_, R, S>);
