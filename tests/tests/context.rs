//! Context variables: what a task inherits, what it keeps to itself, what tasks share. Rows A80 and X22,
//! cases T17 to T19.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use tenter::task::{Builder as Task, Context, yield_now};
use tenter::{TaskGroup, context_var, spawn, spawn_blocking, spawn_eager, spawn_local, task_group};
use tenter_tests::support::{
    Count, Log, OnDrop, alone, assert_says, both, build, every, foreign_block_on, panic_of,
    poll_once, settle, thread,
};

context_var! {
    static REQUEST: Option<u64> = None;
    static USER: Arc<str> = Arc::from("nobody");
}

/// Goal: a task sees what held at its spawn; what either sets later, the other does not see.
#[test]
fn t17_a_child_sees_the_value_at_its_spawn_and_keeps_its_own() {
    every(|builder| {
        build(builder).block_on(async {
            assert_eq!(REQUEST.get(), None);
            REQUEST.set(Some(1));
            let child = spawn(async {
                let before = REQUEST.get();
                REQUEST.set(Some(3));
                yield_now().await;
                (before, REQUEST.get())
            });
            REQUEST.set(Some(2));
            settle().await;
            assert_eq!(child.await.expect("no panic"), (Some(1), Some(3)));
            assert_eq!(REQUEST.get(), Some(2));
        });
        assert_eq!(REQUEST.get(), None, "what main sets is main's");
    });
}

/// Goal: a hundred tasks that set the variable ten times each, with suspensions in between, always read
/// their own value.
#[test]
fn t18_a_hundred_tasks_read_their_own_values() {
    every(|builder| {
        build(builder).block_on(async {
            REQUEST.set(Some(0));
            let tasks: Vec<_> = (1..=100_u64)
                .map(|task| {
                    spawn(async move {
                        assert_eq!(REQUEST.get(), Some(0));
                        for step in 0..10 {
                            let value = Some(1_000 * task + step);
                            REQUEST.set(value);
                            for _ in 0..task % 3 {
                                yield_now().await;
                                assert_eq!(REQUEST.get(), value);
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            assert_eq!(REQUEST.get(), Some(0));
        });
    });
}

/// Goal: of two tasks that share one context, the second sees what the first has set; who does not share
/// it sees nothing; and the one who made it is not changed.
#[test]
fn t19_tasks_that_share_a_context_see_each_others_values() {
    every(|builder| {
        build(builder).block_on(async {
            REQUEST.set(Some(1));
            let shared = Context::current();
            REQUEST.set(Some(2));
            let step = |add: u64| async move {
                yield_now().await;
                let value = REQUEST.get().unwrap_or(100) + add;
                REQUEST.set(Some(value));
                value
            };
            let first = Task::new().context(&shared).spawn(step(10));
            assert_eq!(first.await.expect("no panic"), 11);
            let second = Task::new().name("second").context(&shared).spawn(step(20));
            assert_eq!(second.await.expect("no panic"), 31);
            let job = Task::new()
                .context(&shared)
                .spawn_blocking(|| REQUEST.get());
            assert_eq!(job.await.expect("no panic"), Some(31));
            assert_eq!(REQUEST.get(), Some(2));
            assert_eq!(shared.run(|| REQUEST.get()), Some(31));
            let empty = Task::new().context(&Context::new()).spawn(step(0));
            assert_eq!(empty.await.expect("no panic"), 100);
            // A child of a task that shares has a copy.
            let outer = Task::new()
                .context(&shared)
                .spawn(async { spawn(async { REQUEST.set(Some(77)) }).await.map(drop) });
            outer.await.expect("no panic").expect("no panic");
            assert_eq!(shared.run(|| REQUEST.get()), Some(31));
        });
    });
}

/// Goal: two tasks that share a context and run at the same time lose no write of another variable.
#[test]
fn t19_a_shared_context_is_whole_on_many_threads() {
    context_var! {
        static A: u64 = 0;
        static B: u64 = 0;
    }
    every(|builder| {
        build(builder).block_on(async {
            let shared = Context::new();
            let a = Task::new().context(&shared).spawn(async {
                for value in 1..=1_000 {
                    A.set(value);
                    assert_eq!(A.get(), value);
                    if value % 100 == 0 {
                        yield_now().await;
                    }
                }
            });
            let b = Task::new().context(&shared).spawn(async {
                for value in 1..=1_000 {
                    drop(B.set(value));
                    assert_eq!(B.get(), value);
                    if value % 100 == 0 {
                        yield_now().await;
                    }
                }
            });
            a.await.expect("no panic");
            b.await.expect("no panic");
            assert_eq!(shared.run(|| (A.get(), B.get())), (1_000, 1_000));
        });
    });
}

/// Goal: every way to spawn copies the values: a task, an eager one, one from another thread, a job, and
/// what these spawn.
#[test]
fn a80_every_spawn_copies_the_context() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            REQUEST.set(Some(5));
            let read = || async { REQUEST.get() };
            assert_eq!(spawn(read()).await.expect("no panic"), Some(5));
            assert_eq!(spawn_eager(read()).await.expect("no panic"), Some(5));
            assert_eq!(handle.spawn(read()).await.expect("no panic"), Some(5));
            let named = Task::new().name("reader").spawn(read());
            assert_eq!(named.await.expect("no panic"), Some(5));
            let inner = spawn(async move { spawn(read()).await });
            let inner = inner.await.expect("no panic");
            assert_eq!(inner.expect("no panic"), Some(5));
            let job = spawn_blocking(move || {
                let seen = REQUEST.get();
                REQUEST.set(Some(6));
                (seen, REQUEST.get(), spawn(read()))
            });
            let (seen, set, task) = job.await.expect("no panic");
            assert_eq!((seen, set), (Some(5), Some(6)));
            assert_eq!(task.await.expect("no panic"), Some(6));
            assert_eq!(REQUEST.get(), Some(5));
            let clean = spawn_blocking(|| {
                // The same thread, perhaps; none of what the job before has set.
                REQUEST.get()
            });
            assert_eq!(clean.await.expect("no panic"), Some(5));
        });
        // A thread that is in no runtime.
        let outside = thread(move || {
            REQUEST.set(Some(8));
            handle.spawn(async { REQUEST.get() })
        });
        let outside = runtime.block_on(outside.join());
        assert_eq!(outside.expect("no panic"), Some(8));
    });
}

/// Goal: local tasks inherit too, and may be given a context.
#[test]
fn a80_local_tasks_inherit() {
    both(|builder| {
        build(builder).block_on(async {
            REQUEST.set(Some(5));
            let local = spawn_local(async {
                let before = REQUEST.get();
                REQUEST.set(Some(6));
                before
            });
            assert_eq!(local.await.expect("no panic"), Some(5));
            assert_eq!(REQUEST.get(), Some(5));
            let given = Task::new().context(&Context::new());
            let given = given.spawn_local(async { REQUEST.get() });
            assert_eq!(given.await.expect("no panic"), None);
        });
    });
}

/// Goal: the children of a group inherit what holds where they are spawned.
#[test]
fn a80_children_of_a_group_inherit() {
    every(|builder| {
        build(builder).block_on(async {
            REQUEST.set(Some(1));
            let seen = task_group(async |group: &TaskGroup<()>| {
                let first = group.spawn(async { Ok(REQUEST.get()) });
                REQUEST.set(Some(2));
                let second = group.spawn(async { Ok(REQUEST.get()) });
                Ok((first.await, second.await))
            });
            let (first, second) = seen.await.expect("no child fails");
            assert_eq!(first.expect("no panic"), Some(1));
            assert_eq!(second.expect("no panic"), Some(2));
        });
    });
}

/// Goal: a token puts back what held before, whether it was a value or the default; tokens may be used in
/// any order; a token of another variable is refused by name.
#[test]
fn a80_a_token_puts_back_what_held_before() {
    context_var! {
        static LEVEL: u32 = 7;
        static OTHER: u32 = 8;
    }
    every(|builder| {
        build(builder).block_on(async {
            let first = LEVEL.set(1);
            let second = LEVEL.set(2);
            LEVEL.reset(second);
            assert_eq!(LEVEL.get(), 1);
            let third = LEVEL.set(3);
            LEVEL.reset(first);
            assert_eq!(LEVEL.get(), 7, "the default");
            LEVEL.reset(third);
            assert_eq!(LEVEL.get(), 1);
            let token = OTHER.set(9);
            let message = panic_of(|| LEVEL.reset(token));
            assert_says(&message, &["LEVEL", "OTHER", "token"]);
            assert_eq!((LEVEL.get(), OTHER.get()), (1, 9));
        });
    });
    assert_eq!(LEVEL.name(), "LEVEL");
}

/// Goal: the value of a scope holds inside, also across suspensions, in its children and in the destructors
/// of its future; not between its polls, and not after it.
#[test]
fn a80_a_scope_holds_inside_and_nowhere_else() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let noted = |log: &Log<Option<u64>>| {
                let log = log.clone();
                OnDrop(move || log.add(REQUEST.get()))
            };
            USER.set(Arc::from("ada"));
            REQUEST.set(Some(1));
            {
                let guard = noted(&log);
                let mut scope = Box::pin(REQUEST.scope(Some(2), async {
                    let _guard = guard;
                    assert_eq!(REQUEST.get(), Some(2));
                    REQUEST.set(Some(3));
                    USER.set(Arc::from("bob"));
                    let child = spawn(async { REQUEST.get() });
                    yield_now().await;
                    assert_eq!(REQUEST.get(), Some(3));
                    child.await.expect("no panic")
                }));
                poll_fn(|cx| {
                    assert!(scope.as_mut().poll(cx).is_pending());
                    assert_eq!(REQUEST.get(), Some(1), "between the polls");
                    Poll::Ready(())
                })
                .await;
                assert_eq!(scope.await, Some(3));
            }
            assert_eq!(REQUEST.get(), Some(1));
            assert_eq!(&*USER.get(), "bob", "other variables stay");
            assert_eq!(log.take(), [Some(3)]);

            let mut dropped = Box::pin(REQUEST.scope(Some(4), {
                let guard = noted(&log);
                async move {
                    let _guard = guard;
                    pending::<()>().await;
                }
            }));
            assert!(poll_once(&mut dropped).is_pending());
            drop(dropped);
            // And one that was never polled.
            drop(REQUEST.scope(Some(5), {
                let guard = noted(&log);
                async move { drop(guard) }
            }));
            assert_eq!(log.take(), [Some(4), Some(5)]);
            assert_eq!(REQUEST.get(), Some(1));
            assert_eq!(REQUEST.sync_scope(Some(6), || REQUEST.get()), Some(6));
            assert_eq!(REQUEST.get(), Some(1));
        });
    });
}

/// Goal: a panic inside a scope, or inside `Context::run`, leaves the outside as it was.
#[test]
fn a80_a_panic_inside_a_scope_ends_it() {
    every(|builder| {
        build(builder).block_on(async {
            REQUEST.set(Some(1));
            let mut scope = Box::pin(REQUEST.scope(Some(2), async {
                assert_eq!(REQUEST.get(), Some(2));
                panic!("inside");
            }));
            let message = panic_of(|| {
                let _: Poll<()> = poll_once(&mut scope);
            });
            assert_eq!(message, "inside");
            assert_eq!(REQUEST.get(), Some(1));
            drop(scope);
            assert_eq!(REQUEST.get(), Some(1));
            let context = Context::new();
            panic_of(|| {
                context.run(|| {
                    REQUEST.set(Some(3));
                    panic!("inside");
                })
            });
            assert_eq!(REQUEST.get(), Some(1));
            assert_eq!(context.run(|| REQUEST.get()), Some(3));
        });
    });
}

/// Goal: a scope can go from task to task between its polls, and takes its value along.
#[test]
fn a80_a_scope_moves_with_its_future() {
    every(|builder| {
        build(builder).block_on(async {
            let mut scope = Box::pin(REQUEST.scope(Some(2), async {
                REQUEST.set(Some(3));
                yield_now().await;
                REQUEST.get()
            }));
            assert!(poll_once(&mut scope).is_pending());
            REQUEST.set(Some(9));
            let elsewhere = spawn(async move {
                let inside = scope.await;
                (inside, REQUEST.get())
            });
            assert_eq!(elsewhere.await.expect("no panic"), (Some(3), Some(9)));
        });
    });
}

/// Goal: a task's destructors see its values: when it is cancelled, and when its runtime ends.
#[test]
fn a80_destructors_see_the_values_of_their_task() {
    every(|builder| {
        let log = Log::new();
        let runtime = build(builder);
        let sleeper = |value: u64| {
            let guard = OnDrop({
                let log = log.clone();
                move || log.add((value, REQUEST.get()))
            });
            async move {
                REQUEST.set(Some(value));
                let _guard = guard;
                pending::<()>().await;
            }
        };
        runtime.block_on(async {
            let cancelled = spawn(sleeper(1));
            settle().await;
            let ended = cancelled.cancel_and_wait().await;
            assert!(ended.is_err());
            drop(spawn(sleeper(2)));
            settle().await;
        });
        REQUEST.sync_scope(Some(100), || drop(runtime));
        assert_eq!(log.take(), [(1, Some(1)), (2, Some(2))]);
    });
}

/// Goal: values are dropped, once, when nobody can read them any more; their destructors may use the
/// variable.
#[test]
fn a80_values_are_dropped_with_the_last_task_that_has_them() {
    struct Value(Count);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.add();
            HELD.with(|_| ());
            HELD.set(None);
        }
    }
    context_var! { static HELD: Option<Arc<Value>> = None; }
    every(|builder| {
        let dropped = Count::new();
        build(builder).block_on(async {
            HELD.set(Some(Arc::new(Value(dropped.clone()))));
            let (go, gate) = tenter::sync::oneshot();
            let child = spawn(async {
                gate.await.expect("it is sent");
                HELD.with(Option::is_some)
            });
            drop(HELD.set(None));
            assert_eq!(dropped.get(), 0, "the child has it");
            go.send(()).expect("the child waits");
            assert!(child.await.expect("no panic"));
            settle().await;
            assert_eq!(dropped.get(), 1);
        });
    });
}

/// Goal: a nested `block_on` begins with a copy of what holds where it is called, and changes nothing there.
#[test]
fn a80_a_nested_main_has_a_copy() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        runtime.block_on(async move {
            REQUEST.set(Some(1));
            let nested = spawn_blocking(move || {
                let inside = handle.block_on(async {
                    let before = REQUEST.get();
                    REQUEST.set(Some(2));
                    before
                });
                (inside, REQUEST.get())
            });
            assert_eq!(nested.await.expect("no panic"), (Some(1), Some(1)));
        });
    });
}

/// Goal: the main future keeps its values while the core goes to another thread and comes back.
#[test]
fn a80_main_keeps_its_values_when_another_thread_drives() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let other = thread({
            let runtime = Arc::clone(&runtime);
            move || {
                runtime.block_on(async {
                    REQUEST.set(Some(20));
                    for _ in 0..100 {
                        yield_now().await;
                        assert_eq!(REQUEST.get(), Some(20));
                    }
                });
            }
        });
        runtime.block_on(async {
            REQUEST.set(Some(10));
            for _ in 0..100 {
                yield_now().await;
                assert_eq!(REQUEST.get(), Some(10));
            }
        });
        other.join();
        assert_eq!(REQUEST.get(), None);
    });
}

/// Goal: without a runtime, and on a foreign executor, the values are the thread's.
#[test]
fn a80_without_a_runtime_the_values_are_the_threads() {
    thread(|| {
        REQUEST.set(Some(1));
        foreign_block_on(async {
            assert_eq!(REQUEST.get(), Some(1));
            assert_eq!(
                REQUEST.scope(Some(2), async { REQUEST.get() }).await,
                Some(2)
            );
        });
        thread(|| assert_eq!(REQUEST.get(), None)).join();
        assert_eq!(Context::current().run(|| REQUEST.get()), Some(1));
    })
    .join();
}

/// Goal: `Debug` shows neither values nor waits for a lock.
#[test]
fn a80_debug_says_what_it_is() {
    REQUEST.sync_scope(Some(1), || {
        let token = REQUEST.set(Some(2));
        assert_says(&format!("{token:?}"), &["REQUEST", "true"]);
        assert_says(&format!("{REQUEST:?}"), &["ContextVar", "REQUEST"]);
        assert_says(&format!("{:?}", Context::current()), &["Context", "1"]);
    });
}

/// Goal: X22's run-wide state and cross-thread injection: a value set in main is seen by every task of the
/// run, what other threads spawn runs once and in order, and after the end it is refused as cancelled.
#[test]
fn x22_a_value_for_the_run_and_spawns_from_other_threads_in_order() {
    both(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let log = Log::new();
        runtime.block_on(async {
            REQUEST.set(Some(1));
            let injected = thread({
                let (handle, log) = (handle.clone(), log.clone());
                move || {
                    let tasks: Vec<_> = (0..100)
                        .map(|number| {
                            let log = log.clone();
                            handle.spawn(async move { log.add(number) })
                        })
                        .collect();
                    tasks
                }
            });
            for task in injected.join() {
                task.await.expect("no panic");
            }
            let seen = spawn(async { spawn(async { REQUEST.get() }).await });
            let seen = seen.await.expect("no panic").expect("no panic");
            assert_eq!(seen, Some(1));
        });
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
        drop(runtime);
        let late = handle.spawn(async {});
        let late = foreign_block_on(late);
        assert!(late.expect_err("the runtime has ended").is_cancelled());
    });
}

/// Goal: in a process where no variable was ever set, tasks have no values to carry: the spawn leaves
/// them without the block that would hold them, which a `Context` of the moment shows.
#[test]
fn a80_a_process_that_sets_nothing_has_empty_contexts() {
    if alone("a80_a_process_that_sets_nothing_has_empty_contexts") {
        tenter::run(async {
            let context = spawn(async { Context::current() });
            let context = context.await.expect("no panic");
            assert_says(&format!("{context:?}"), &["0"]);
            assert_eq!(context.run(|| REQUEST.get()), None);
        });
    }
}
