//! A record: what stands before a separator, gathered in a vector that the caller keeps.
//!
//! ```text
//!   source ──► [ reader's buffer ] ──► record ─────────► the caller
//!                    │                    │
//!                    └── stays there ◄────┴── stays here, when the wait is dropped,
//!                        behind the limit     fails, or the stream ends
//! ```
//!
//! Invariants:
//! - I1: record and reader's buffer together are what was read, in order. A step first appends and
//!   then consumes, with nothing in between that could stop it.
//! - I2: between two polls the state is the record itself, and nothing else. A dropped wait is
//!   therefore one that has not begun.
//! - I3: what [`poll_record`] has added holds no whole separator unless it returned `Complete`; so
//!   that the next call, which looks only for separators that end in new bytes, misses none.
//! - I4: a record never grows beyond the limit by more than the separator's length less one: as
//!   much as may turn out to be a part of the separator.
//!
//! Rejected: to leave everything in the reader until the record is complete, as asyncio does. It
//! needs a reader whose buffer grows, and `AsyncBufRead` knows only those that do not.
//! Rejected: to keep the place of the search beside the record. It would be lost with the wait.
//!
//! Tests: `io/tests/records.rs`.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncBufRead;

use crate::ext::error::LimitOverrun;
use crate::ext::separator::Separator;

/// How a record ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With its separator, which stands at this place.
    Separator(Range<usize>),
    /// With the end of the stream.
    Stream,
}

/// Continues `record` up to and including the separator.
pub(crate) fn poll_record<R, S>(
    reader: &mut R,
    cx: &mut Context<'_>,
    separator: &S,
    limit: usize,
    record: &mut Vec<u8>,
) -> Poll<io::Result<End>>
where
    R: AsyncBufRead + Unpin + ?Sized,
    S: Separator,
{
    loop {
        // What is there already may be too long without another byte (a lower limit).
        if record.len() > longest(separator, limit) {
            return Poll::Ready(Err(overrun(limit, false)));
        }
        let chunk = match ready!(Pin::new(&mut *reader).poll_fill_buf(cx)) {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Poll::Ready(Err(error)),
        };
        if chunk.is_empty() {
            return Poll::Ready(Ok(End::Stream));
        }
        let step = step(separator, limit, record, chunk);
        record.extend_from_slice(&chunk[..step.take]);
        Pin::new(&mut *reader).consume(step.take); // I1
        match step.then {
            Then::Complete(range) => return Poll::Ready(Ok(End::Separator(range))),
            Then::Continue => {}
            Then::TooLong { found } => return Poll::Ready(Err(overrun(limit, found))),
        }
    }
}

/// How long a record may become before it is certain that its separator comes too late.
fn longest(separator: &impl Separator, limit: usize) -> usize {
    limit.saturating_add(separator.longest() - 1)
}

fn overrun(limit: usize, found: bool) -> io::Error {
    LimitOverrun { limit, found }.into()
}

/// So many bytes go from the chunk to the record.
#[must_use]
struct Step {
    take: usize,
    then: Then,
}

enum Then {
    Complete(Range<usize>),
    Continue,
    TooLong { found: bool },
}

fn step(separator: &impl Separator, limit: usize, record: &mut Vec<u8>, chunk: &[u8]) -> Step {
    let up_to_limit = limit.saturating_sub(record.len());
    match find(separator, record, chunk) {
        Some(range) if range.start <= limit => Step {
            take: range.end - record.len(),
            then: Then::Complete(range),
        },
        Some(range) => Step {
            // I3: the separator's last byte stays in the reader.
            take: up_to_limit.min(range.end - record.len() - 1),
            then: Then::TooLong { found: true },
        },
        None if record.len().saturating_add(chunk.len()) > longest(separator, limit) => Step {
            take: up_to_limit.min(chunk.len()),
            then: Then::TooLong { found: false },
        },
        None => Step {
            take: chunk.len(),
            then: Then::Continue,
        },
    }
}

/// The place of the first separator that ends in `chunk`, counted from the start of `record`.
fn find(separator: &impl Separator, record: &mut Vec<u8>, chunk: &[u8]) -> Option<Range<usize>> {
    let before = record.len();
    let inside = separator
        .search(chunk, 0)
        .map(|range| before + range.start..before + range.end);
    let reach = separator.longest() - 1;
    let overlap = reach.min(before);
    if overlap == 0 {
        return inside;
    }
    // One that begins in the record ends within `reach` of the chunk: both side by side for a
    // moment. The search is our own code and does not panic.
    record.extend_from_slice(&chunk[..reach.min(chunk.len())]);
    let base = before - overlap;
    let across = separator
        .search(&record[base..], overlap)
        .map(|range| base + range.start..base + range.end);
    record.truncate(before);
    across
        .into_iter()
        .chain(inside)
        .min_by_key(|range| (range.end, range.start))
}
