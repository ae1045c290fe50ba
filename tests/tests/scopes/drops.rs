//! Dropped after every poll: nothing is alive, every clean-up was done once, and nothing stays in
//! progress in the scope around.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{CancelScope, defer_async, fail_after, move_on_after, shield, spawn, task_group};
use tenter_tests::support::Count;

use crate::support::SECOND;

type Subject = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is counted of one run.
#[derive(Clone, Default)]
struct Counts {
    made: Count,
    dropped: Count,
    deferred: Count,
    cleaned_up: Count,
}

impl Counts {
    fn guard(&self) -> impl Drop + Send + use<> {
        self.made.add();
        self.dropped.on_drop()
    }

    /// A step that yields twice, with a clean-up around it that yields too.
    async fn step(&self) {
        let counts = self.clone();
        let _alive = self.guard();
        self.deferred.add();
        let alive = self.guard();
        let _clean_up = defer_async(async move {
            let _alive = alive;
            yield_now().await;
            yield_now().await;
            counts.cleaned_up.add();
        });
        yield_now().await;
        yield_now().await;
    }
}

/// Drops what `subject` makes after its poll number `k`, for each `k` until it is ready before that.
async fn at_every_poll(subject: impl Fn(Counts) -> Subject) {
    for polls in 0.. {
        assert!(polls < 100, "it is ready some time");
        let counts = Counts::default();
        let mut future = subject(counts.clone());
        let scope = CancelScope::new();
        let handle = scope.handle();
        // The future is dropped in the scope's body, which then goes on.
        let task = spawn(scope.run(async move {
            let mut ready = false;
            for _ in 0..polls {
                ready = poll_once(&mut future).await;
                if ready {
                    break;
                }
                yield_now().await;
            }
            drop(future);
            if ready {
                return true;
            }
            pending().await
        }));
        let limit = now() + 60 * SECOND;
        while counts.made.get() != counts.dropped.get() || !task.is_finished() {
            assert!(now() < limit, "after {polls} polls: something is alive");
            sleep(Duration::from_millis(10)).await;
            let quiet = counts.made.get() == counts.dropped.get();
            if quiet && !task.is_finished() {
                break;
            }
        }
        assert_eq!(counts.made.get(), counts.dropped.get());
        assert_eq!(
            counts.deferred.get(),
            counts.cleaned_up.get(),
            "after {polls} polls: every clean-up is done, once"
        );
        // Nothing is in progress in the scope any more: it ends at once.
        let start = now();
        handle.cancel("the end");
        let ended = task.await.unwrap();
        assert_eq!(now(), start, "after {polls} polls");
        if ended.done() == Some(true) {
            return;
        }
    }
}

async fn poll_once(future: &mut Subject) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

#[tenter::test]
async fn a_scope_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let scope = CancelScope::new();
            scope.run(counts.step()).await.done();
        })
    })
    .await;
}

#[tenter::test]
async fn a_scope_that_is_cancelled_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let scope = CancelScope::new();
            let handle = scope.handle();
            let body = async {
                handle.cancel("enough");
                counts.step().await;
            };
            scope.run(body).await.done();
        })
    })
    .await;
}

#[tenter::test]
async fn a_timeout_at_every_poll() {
    for limit in [Duration::ZERO, SECOND] {
        at_every_poll(move |counts| {
            Box::pin(async move {
                let _ = timeout(limit, counts.step()).await;
            })
        })
        .await;
    }
}

#[tenter::test]
async fn a_shield_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            shield(counts.step()).await;
            shield(shield(timeout(SECOND, counts.step())))
                .await
                .unwrap();
        })
    })
    .await;
}

#[tenter::test]
async fn clean_ups_in_clean_ups_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let body = async {
                let counts = counts.clone();
                counts.deferred.add();
                let _guard = defer_async(async move {
                    counts.step().await;
                    counts.cleaned_up.add();
                });
                yield_now().await;
            };
            CancelScope::new().run(body).await.done();
        })
    })
    .await;
}

#[tenter::test]
async fn deadlines_at_every_poll() {
    for limit in [Duration::ZERO, SECOND] {
        at_every_poll(move |counts| {
            Box::pin(async move {
                let failed = fail_after(limit, async |_| counts.step().await).await;
                let _ = failed;
                move_on_after(limit, async |_| counts.step().await).await;
            })
        })
        .await;
    }
}

#[tenter::test]
async fn all_of_them_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let body = async {
                let in_group = task_group(async |group| {
                    let child = counts.clone();
                    group.spawn(async move {
                        child.step().await;
                        Ok::<_, ()>(())
                    });
                    shield(counts.step()).await;
                    Ok(())
                });
                in_group.await.unwrap();
                timeout(SECOND, counts.step()).await.unwrap();
            };
            let scope = CancelScope::new();
            scope.run(shield(body)).await.done();
        })
    })
    .await;
}
