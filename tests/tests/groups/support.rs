//! What these tests share.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tenter::task::UnobservedKind;
use tenter::task::yield_now;
use tenter::{Builder, Runtime};
use tenter_tests::support::{Log, build};

/// A runtime that notes what nobody could observe.
pub fn watched(builder: Builder) -> (Runtime, Log<(UnobservedKind, String)>) {
    let reports = Log::new();
    let runtime = build(builder.on_unobserved({
        let reports = reports.clone();
        move |failure| reports.add((failure.kind(), failure.message().to_owned()))
    }));
    (runtime, reports)
}

/// Polls a future once with the waker of the task, and says what it said.
pub async fn touch<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Lets the others run so many times.
pub async fn turns(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// A child that panics.
pub async fn panics<E>() -> Result<(), E> {
    panic!("on purpose")
}
