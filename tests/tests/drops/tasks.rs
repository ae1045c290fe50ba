//! Tasks, groups, scopes and time: a wait that is dropped is no wait; a scope that is dropped leaves no task.

use std::sync::Arc;
use std::time::Duration;

use tenter::task::{context_var, unconstrained, yield_now};
use tenter::testing::{
    Sequencer, assert_checkpoints, assert_no_checkpoints, wait_all_tasks_blocked,
};
use tenter::time::{Instant, advance, interval, interval_at, now, sleep, sleep_until};
use tenter::{
    CancelScope, Handle, TaskGroup, Until, defer_async, fail_after, move_on_after, select, shield,
    spawn, spawn_blocking, spawn_eager, task, task_group, task_group_with, wait, wait_mut,
};
use tenter_tests::support::{Count, Slot};

use crate::bells::Bells;
use crate::harness::{Case, case, of_streams};

/// Where tasks can be spawned.
pub fn cases() -> Vec<Case> {
    let mut cases = handles();
    cases.extend(waits());
    cases.extend(groups());
    // A clean-up that was handed over is polled with the waker it had.
    cases.extend(of_streams(scopes()));
    cases
}

fn handles() -> Vec<Case> {
    vec![
        case(
            "spawn task::eager::spawn_eager task::builder::Builder::spawn \
             handle::Handle::spawn",
            1,
            |cut| async move {
                let bells = Bells::new(3);
                let named = || task::Builder::new().name("one");
                let handles = [
                    spawn(bells.member(0)),
                    spawn_eager(bells.member(1)),
                    named().spawn(bells.member(2)),
                ];
                // The output stays for the next one who asks.
                for (index, mut handle) in handles.into_iter().enumerate() {
                    let ended = cut.pushed(&mut handle, |_| bells.ring(index)).await;
                    bells.ring(index);
                    let output = match ended {
                        Some(output) => output,
                        None => handle.await,
                    };
                    assert_eq!(output.unwrap(), index);
                }
                bells.all_gone();
                // The handle is dropped, and the task runs on.
                let bells = Bells::new(1);
                let task = Handle::current().spawn(bells.member(0));
                cut.pushed(task, |_| bells.ring(0)).await;
                bells.ring(0);
            },
        )
        .keeps_waker(),
        case(
            "task::join::JoinHandle::cancel_on_drop",
            1,
            |cut| async move {
                let bells = Bells::new(1);
                let task = spawn(bells.member(0)).cancel_on_drop();
                let ended = cut.pushed(task, |_| bells.ring(0)).await;
                assert!(ended.is_none_or(|output| output.unwrap() == 0));
                // Nobody rings: the harness waits until the task is gone.
            },
        ),
        case(
            "task::join::CancelOnDrop::into_inner",
            1,
            |cut| async move {
                let bells = Bells::new(1);
                let task = spawn(bells.member(0)).cancel_on_drop().into_inner();
                cut.pushed(task, |_| bells.ring(0)).await;
                // It runs on.
                bells.ring_all();
            },
        ),
        case(
            "spawn_blocking task::builder::Builder::spawn_blocking",
            1,
            |cut| async move {
                let ended = Count::new();
                let work = |gate: &Slot<()>| {
                    let (gate, ended) = (gate.clone(), ended.clone());
                    move || {
                        gate.take();
                        ended.add()
                    }
                };
                let gate = Slot::new();
                let mut job = spawn_blocking(work(&gate));
                cut.pushed(&mut job, |_| gate.put(())).await;
                gate.put(());
                // What was begun goes on, and its handle still has the output.
                if ended.get() == 0 {
                    assert!(job.await.is_ok());
                }
                let gate = Slot::new();
                let job = task::Builder::new().spawn_blocking(work(&gate));
                cut.pushed(job, |_| gate.put(())).await;
                gate.put(());
            },
        )
        .with_threads(),
        case("task::yield_now::yield_now", 1, |cut| async move {
            cut.of(yield_now()).await;
        }),
        case(
            "task::unconstrained::unconstrained task::context_var::ContextVar::scope",
            1,
            |cut| async move {
                context_var! { static DEPTH: usize = 0; }
                let bells = Bells::new(2);
                cut.pushed(unconstrained(bells.member(0)), |_| bells.ring(0))
                    .await;
                let member = bells.member(1);
                let inside = DEPTH.scope(7, async {
                    member.await;
                    DEPTH.get()
                });
                let seen = cut.pushed(inside, |_| bells.ring(1)).await;
                assert!(seen.is_none_or(|seen| seen == 7));
                assert_eq!(DEPTH.get(), 0);
                bells.all_gone();
            },
        ),
    ]
}

fn waits() -> Vec<Case> {
    vec![
        // The tasks run on.
        case("wait::wait", 1, |cut| async move {
            let bells = Bells::new(3);
            let tasks: Vec<_> = bells.members().into_iter().map(spawn).collect();
            let waited = cut
                .pushed(wait(tasks, Until::all()), |_| bells.ring_all())
                .await;
            assert!(waited.is_none_or(|waited| waited.done.len() == 3));
            bells.ring_all();
        }),
        // No handle is lost.
        case("wait::wait_mut", 1, |cut| async move {
            let bells = Bells::new(3);
            let mut tasks: Vec<_> = bells.members().into_iter().map(spawn).collect();
            let first = wait_mut(&mut tasks, Until::first_completed());
            let waited = cut.pushed(first, |n| bells.ring(n - 1)).await;
            tasks.extend(waited.into_iter().flat_map(|waited| waited.done));
            assert_eq!(tasks.len(), 3);
            bells.ring_all();
            for task in tasks {
                task.await.unwrap();
            }
            bells.all_gone();
        }),
    ]
}

type Failed = &'static str;

fn groups() -> Vec<Case> {
    vec![
        // However it ends, no child is left: the harness counts them.
        case(
            "group::task_group::task_group group::task_group::TaskGroup::spawn \
             group::task_group::NamedChild::spawn",
            1,
            |cut| async move {
                let (bells, cleaned) = (Bells::new(3), Count::new());
                let group = task_group::<_, Failed>(async |group: &TaskGroup<Failed>| {
                    for index in 0..2 {
                        let (member, cleaned) = (bells.member(index), cleaned.on_drop());
                        group.spawn(async move {
                            let _guard = defer_async(async move { drop(cleaned) });
                            member.await;
                            Ok(())
                        });
                    }
                    let last = bells.member(2);
                    let last = group.named("last").spawn(async { Ok(last.await) });
                    Ok(last.await.unwrap_or(2))
                });
                let ended = cut.pushed(group, |_| bells.ring_all()).await;
                assert!(ended.is_none_or(|ended| ended.unwrap() == 2));
                // Both children, with their clean-ups, if they were spawned.
                until(|| [0, 2].contains(&cleaned.get())).await;
            },
        ),
        case(
            "group::task_group::task_group_with group::task_group::GroupHandle::spawn",
            1,
            |cut| async move {
                let bells = Bells::new(1);
                let (member, gone) = (bells.member(0), bells.gone.clone());
                let group = task_group_with::<_, Failed, _>(|group| async move {
                    group.spawn(async { Ok(member.await) });
                    Ok(())
                });
                let ended = cut.pushed(group, |_| bells.ring(0)).await;
                assert!(ended.is_none_or(|ended| ended.is_ok()));
                until(|| gone.get() == 1).await;
            },
        ),
        // A child that was not ready when nobody waited any more is cancelled.
        case(
            "group::task_group::TaskGroup::start group::task_group::GroupHandle::start",
            1,
            |cut| async move {
                let bells = Bells::new(2);
                task_group::<_, Failed>(async |group: &TaskGroup<Failed>| {
                    let handle = group.handle();
                    for index in 0..2 {
                        let member = bells.member(index);
                        let child = |started: tenter::Started<usize>| async move {
                            let _ = started.ready(member.await);
                            Ok(())
                        };
                        let started = if index == 0 {
                            cut.pushed(group.start(child), |_| bells.ring(0)).await
                        } else {
                            cut.pushed(handle.start(child), |_| bells.ring(1)).await
                        };
                        if let Some(started) = started {
                            assert_eq!(started.expect("it is ready").0, index);
                        }
                    }
                    Ok(())
                })
                .await
                .unwrap();
                bells.all_gone();
            },
        ),
        // The end of every child is told once.
        case(
            "group::task_group::TaskGroup::join_next group::task_group::GroupHandle::join_next",
            1,
            |cut| async move {
                let bells = Bells::new(4);
                task_group::<_, Failed>(async |group: &TaskGroup<Failed>| {
                    let handle = group.handle();
                    for member in bells.members() {
                        group.spawn(async { Ok(member.await) });
                    }
                    let mut ends = Vec::new();
                    ends.extend(
                        cut.pushed(group.join_next(), |_| bells.ring(3))
                            .await
                            .flatten(),
                    );
                    // What the first one left.
                    bells.ring(3);
                    if ends.is_empty() {
                        ends.extend(group.join_next().await);
                    }
                    ends.extend(
                        cut.pushed(handle.join_next(), |_| bells.ring(2))
                            .await
                            .flatten(),
                    );
                    bells.ring_all();
                    while let Some(end) = group.join_next().await {
                        ends.push(end);
                    }
                    let mut ids: Vec<_> = ends.iter().map(|end| end.id).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    assert_eq!(ids.len(), 4);
                    assert_eq!(ends.len(), 4);
                    Ok(())
                })
                .await
                .unwrap();
            },
        ),
    ]
}

/// Lets the others run until it is so.
async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        yield_now().await;
    }
}

/// Waits for its bell, and has something to be cleaned up.
async fn member_with_clean_up(bells: &Bells, index: usize, cleaned: &Count) {
    let cleaned = cleaned.clone();
    let _guard = defer_async(async move {
        yield_now().await;
        cleaned.add();
    });
    bells.member(index).await;
}

fn scopes() -> Vec<Case> {
    vec![
        case("scope::shield::shield", 1, |cut| async move {
            let (bells, cleaned) = (Bells::new(1), Count::new());
            let inner = member_with_clean_up(&bells, 0, &cleaned);
            cut.pushed(shield(inner), |_| bells.ring(0)).await;
            // Clean-ups run wherever it was dropped; one that never began has none.
            let begun = bells.gone.get();
            until(|| cleaned.get() == begun).await;
        }),
        case(
            "scope::cancel_scope::CancelScope::run",
            1,
            |cut| async move {
                let (bells, cleaned) = (Bells::new(1), Count::new());
                let inner = member_with_clean_up(&bells, 0, &cleaned);
                let ended = cut
                    .pushed(CancelScope::new().run(inner), |_| bells.ring(0))
                    .await;
                assert!(ended.is_none_or(|ended| !ended.is_cancelled()));
                let begun = bells.gone.get();
                until(|| cleaned.get() == begun).await;
            },
        ),
        case(
            "scope::timeout::timeout scope::timeout::timeout_at scope::deadline::move_on_after \
             scope::deadline::fail_after",
            1,
            |cut| async move {
                let (bells, cleaned) = (Bells::new(4), Count::new());
                let ever = Duration::MAX;
                let far = now() + Duration::from_secs(1 << 30);
                let member = |index| member_with_clean_up(&bells, index, &cleaned);
                cut.pushed(tenter::time::timeout(ever, member(0)), |_| bells.ring(0))
                    .await;
                cut.pushed(tenter::time::timeout_at(far, member(1)), |_| bells.ring(1))
                    .await;
                cut.pushed(move_on_after(ever, async |_| member(2).await), |_| {
                    bells.ring(2);
                })
                .await;
                cut.pushed(fail_after(ever, async |_| member(3).await), |_| {
                    bells.ring(3);
                })
                .await;
                let begun = bells.gone.get();
                until(|| cleaned.get() == begun).await;
            },
        ),
        case(
            "scope::cancel_scope::CancelHandle::cancelled",
            1,
            |cut| async move {
                let scope = CancelScope::new();
                let handle = scope.handle();
                let reason = cut
                    .pushed(handle.cancelled(), |_| {
                        handle.cancel("enough");
                    })
                    .await;
                assert!(reason.is_none_or(|reason| reason.message() == Some("enough")));
                handle.cancel("enough");
                assert_eq!(handle.cancelled().await.message(), Some("enough"));
            },
        ),
        // Behind a shield nobody is told: the bell ends the wait there.
        case("scope::cancel_scope::cancelled", 1, |cut| async move {
            let (bells, scope) = (Bells::new(1), CancelScope::new());
            let (handle, member) = (scope.handle(), bells.member(0));
            let inner = async {
                let waits = async {
                    select! {
                        _ = tenter::task::cancelled() => {}
                        _ = member => {}
                    }
                };
                cut.pushed(waits, |_| {
                    handle.cancel("enough");
                    bells.ring(0);
                })
                .await;
            };
            let _ = scope.run(inner).await;
        }),
    ]
}

/// What needs a virtual clock.
pub fn timed() -> Vec<Case> {
    const MS: Duration = Duration::from_millis(1);
    vec![
        case("sleep::sleep sleep::sleep_until", 1, |cut| async move {
            let begun = now();
            let slept = cut.of(sleep(MS)).await;
            assert!(slept.is_none_or(|()| now() == begun + MS));
            let then = now() + MS;
            let slept = cut.of(sleep_until(then)).await;
            assert!(slept.is_none_or(|()| now() == then));
        }),
        // A tick is taken when it is ready: what was dropped comes again.
        case("interval::Interval::tick", 1, |cut| async move {
            let begun = now();
            let mut ticks = interval_at(begun + MS, MS);
            let tick = cut.of(ticks.tick()).await;
            let tick: Instant = match tick {
                Some(tick) => tick,
                None => ticks.tick().await,
            };
            assert_eq!(tick, begun + MS);
            assert_eq!(ticks.tick().await, begun + MS * 2);
            drop(interval(MS));
        })
        .keeps_waker(),
        case("advance::advance", 1, |cut| async move {
            let begun = now();
            let other = spawn(sleep(MS));
            let moved = cut.of(advance(MS * 2)).await;
            assert!(moved.is_none_or(|()| now() == begun + MS * 2));
            other.await.unwrap();
            assert!(now() >= begun + MS);
        }),
        case(
            "testing::blocked::wait_all_tasks_blocked",
            1,
            |cut| async move {
                let bells = Bells::new(1);
                let task = spawn(bells.member(0));
                cut.of(wait_all_tasks_blocked()).await;
                bells.ring(0);
                task.await.unwrap();
            },
        ),
        case(
            "testing::checkpoints::assert_checkpoints",
            1,
            |cut| async move {
                let bells = Bells::new(1);
                cut.pushed(assert_checkpoints(bells.member(0)), |_| bells.ring(0))
                    .await;
                bells.all_gone();
            },
        ),
        // It panics where it would have to wait.
        case(
            "testing::checkpoints::assert_no_checkpoints",
            0,
            |cut| async move {
                cut.of(assert_no_checkpoints(async {})).await;
            },
        ),
        // A step that is dropped before its turn fails the others: so only the last one is.
        case("testing::sequencer::Sequencer::step", 1, |cut| async move {
            let steps = Arc::new(Sequencer::new());
            let bells = Bells::new(1);
            let (first, member) = (Arc::clone(&steps), bells.member(0));
            let task = spawn(async move {
                let _turn = first.step(0).await;
                member.await;
            });
            yield_now().await;
            drop(cut.pushed(steps.step(1), |_| bells.ring(0)).await);
            bells.ring(0);
            task.await.unwrap();
        }),
    ]
}
