//! Moving to another place.
//!
//! Tests: `io/tests/ext.rs`.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncSeek;

use crate::ext::opaque_debug;

/// What one does with something that has places. Implemented for every [`AsyncSeek`].
pub trait AsyncSeekExt: AsyncSeek {
    /// Moves to `place`. Returns it, counted from the start.
    ///
    /// # Errors
    ///
    /// The place is before the start, or those of the stream.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, the place is the old or the new one.
    fn seek(&mut self, place: SeekFrom) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        Seek {
            stream: self,
            place,
        }
    }

    /// Moves to the start.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    ///
    /// # Cancel safety
    ///
    /// As [`seek`](Self::seek).
    fn rewind(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Start(0))
    }

    /// Where the next read or write happens, counted from the start.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    ///
    /// # Cancel safety
    ///
    /// Has no effect.
    #[doc(alias = "tell")]
    fn stream_position(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Current(0))
    }
}

impl<S: AsyncSeek + ?Sized> AsyncSeekExt for S {}

/// The future of [`AsyncSeekExt::seek`].
#[must_use = "futures do nothing unless awaited"]
pub struct Seek<'a, S: ?Sized> {
    stream: &'a mut S,
    place: SeekFrom,
}

impl<S: AsyncSeek + Unpin + ?Sized> Future for Seek<'_, S> {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Pin::new(&mut *this.stream).poll_seek(cx, this.place)
    }
}

opaque_debug!([S: ?Sized] Seek<'_, S>);
