//! A group whose future is dropped after each of its polls: its children end, and every clean-up runs once.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use tenter::time::{Duration, sleep, timeout};
use tenter::{Builder, CancelScope, defer_async, shield, spawn, task_group};
use tenter_tests::support::{Count, build};

use crate::support::{touch, turns};

/// What is counted in a program.
#[derive(Clone, Default)]
struct Counts {
    begun: Count,
    ended: Count,
    deferred: Count,
    cleaned: Count,
}

impl Counts {
    /// A part of a program that is alive for a while and has something to clean up.
    async fn part(self, length: usize) -> Result<(), ()> {
        self.begun.add();
        let _ended = self.ended.on_drop();
        self.deferred.add();
        let cleaned = self.cleaned.clone();
        let _guard = defer_async(async move {
            turns(2).await;
            cleaned.add();
        });
        turns(length).await;
        sleep(Duration::from_millis(1)).await;
        turns(length).await;
        Ok(())
    }
}

type Program = Pin<Box<dyn Future<Output = ()> + Send>>;

type Named = (&'static str, fn(Counts) -> Program);

fn programs() -> Vec<Named> {
    vec![
        ("children", |counts| {
            Box::pin(async move {
                let ended = task_group(async |group| {
                    for child in 0..3 {
                        group.spawn(counts.clone().part(child));
                    }
                    counts.clone().part(1).await
                });
                drop(ended.await);
            })
        }),
        ("a failure", |counts| {
            Box::pin(async move {
                let ended = task_group(async |group| {
                    group.spawn(counts.clone().part(3));
                    group.spawn(async {
                        turns(2).await;
                        Err::<(), _>(())
                    });
                    counts.clone().part(4).await
                });
                drop(ended.await);
            })
        }),
        ("a group in a group, limited", |counts| {
            Box::pin(async move {
                let ended = task_group(async |group| {
                    group.limit(1);
                    for _ in 0..2 {
                        let counts = counts.clone();
                        group.spawn(async move {
                            task_group(async |group| {
                                group.spawn(counts.clone().part(1));
                                counts.clone().part(2).await
                            })
                            .await
                            .map_err(drop)
                        });
                    }
                    Ok(())
                });
                drop(ended.await);
            })
        }),
        ("a start", |counts| {
            Box::pin(async move {
                let ended = task_group(async |group| {
                    let own = counts.clone();
                    let started = group.start(|started| async move {
                        turns(1).await;
                        let _ = started.ready(());
                        own.part(1).await
                    });
                    drop(started.await);
                    counts.clone().part(1).await
                });
                drop(ended.await);
            })
        }),
        ("in a scope, a timeout and a shield", |counts| {
            Box::pin(async move {
                let inner = timeout(
                    Duration::from_millis(1),
                    task_group(async |group| {
                        group.spawn(counts.clone().part(1));
                        shield(turns(3)).await;
                        counts.clone().part(5).await
                    }),
                );
                drop(CancelScope::new().run(inner).await);
            })
        }),
    ]
}

#[test]
fn a26_a_group_may_be_dropped_at_every_poll() {
    for (name, program) in programs() {
        for polls in 0.. {
            let counts = Counts::default();
            let runtime = build(Builder::deterministic(1));
            let ready = runtime.block_on(async {
                let mut group = program(counts.clone());
                let mut ready = false;
                for _ in 0..polls {
                    ready = touch(&mut group).await.is_ready();
                    if ready {
                        break;
                    }
                    turns(1).await;
                    if polls > 40 {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
                drop(group);
                sleep(Duration::from_secs(1)).await;
                ready
            });
            let seen = [&counts.ended, &counts.deferred, &counts.cleaned].map(Count::get);
            assert_eq!(seen, [counts.begun.get(); 3], "{name}, after {polls} polls");
            if ready {
                break;
            }
        }
    }
}

/// Goal: the same with a task that is cancelled after each of its polls, on every flavour in the end.
#[test]
fn a26_a_task_with_a_group_may_be_cancelled_at_every_poll() {
    for (name, program) in programs() {
        for polls in 0.. {
            let counts = Counts::default();
            let runtime = build(Builder::deterministic(1));
            let ready = runtime.block_on(async {
                let mut task = spawn(program(counts.clone()));
                turns(polls).await;
                if polls > 40 {
                    sleep(Duration::from_millis(polls as u64 - 40)).await;
                }
                task.cancel();
                let ended = touch(&mut task).await;
                let ended = match ended {
                    Poll::Ready(ended) => ended,
                    Poll::Pending => task.await,
                };
                // No rest: a task has ended when all in it has.
                let seen = [&counts.ended, &counts.deferred, &counts.cleaned].map(Count::get);
                assert_eq!(seen, [counts.begun.get(); 3], "{name}, after {polls} polls");
                ended.is_ok()
            });
            if ready {
                break;
            }
        }
    }
}
