//! What these tests share.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::{DeferGuard, defer_async};
use tenter_tests::support::Log;

pub const SECOND: Duration = Duration::from_secs(1);

/// Lets all others run, a few times over.
pub async fn settle() {
    for _ in 0..8 {
        yield_now().await;
    }
}

/// Polls a future of another scope once, with the own waker, and leaves it.
pub async fn touch<F: Future + Unpin>(future: &mut F) {
    poll_fn(|cx| {
        assert!(Pin::new(&mut *future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// A clean-up that takes a few polls and then says so.
pub fn deferred(log: &Log<&'static str>, what: &'static str) -> DeferGuard {
    let log = log.clone();
    defer_async(async move {
        yield_now().await;
        yield_now().await;
        log.add(what);
    })
}
