//! Rows of the table of features: one small program for each, as a user would write it. The guide's
//! table names them (`docs/guide/rows.md`).
//!
//! What a row promises in every corner is tested where it is made; here is what it is for.

mod channels;
mod errors;
mod processes;
mod running;
mod servers;
mod streams;
mod tree;

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;

/// The next item of a stream.
pub async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}
