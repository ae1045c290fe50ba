//! Functions that are called when a task has ended: row A11, cases T11 and T12.

use std::future::pending;

use tenter::task::yield_now;
use tenter::{UnobservedKind, context_var, spawn};
use tenter_tests::support::{
    Count, Log, OnDrop, assert_says, both, build, every, panic_of, settle,
};

context_var! { static REQUEST: u32 = 0; }

/// Goal: of three callbacks, of which two are removed, the third is called, after the last step, and not
/// inside it.
#[test]
fn t11_callbacks_that_were_removed_are_not_called() {
    both(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let task = spawn({
                let log = log.clone();
                async move {
                    yield_now().await;
                    log.add("last step");
                }
            });
            let ids: Vec<_> = ["first", "second", "third"]
                .into_iter()
                .map(|name| {
                    let log = log.clone();
                    task.on_done(move |_| log.add(name))
                })
                .collect();
            assert!(task.remove_callback(ids[0]));
            assert!(task.remove_callback(ids[1]));
            assert!(!task.remove_callback(ids[1]), "once");
            let other = spawn(pending::<()>());
            assert!(!other.remove_callback(ids[2]), "another task's");
            task.await.expect("no panic");
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(log.take(), ["last step", "third"]);
        });
    });
}

/// Goal: callbacks are called in the order of their registration, once, however the task ends.
#[test]
fn t11_callbacks_are_called_in_order_however_the_task_ends() {
    every(|builder| {
        let runtime = build(builder.on_unobserved(|_| ()));
        runtime.block_on(async {
            for end in ["ready", "panic", "cancel", "detached"] {
                let log = Log::new();
                let task = spawn(async move {
                    yield_now().await;
                    match end {
                        "panic" => panic!("on purpose"),
                        "cancel" => pending().await,
                        _ => {}
                    }
                });
                let id = task.id();
                for number in 0..5 {
                    let log = log.clone();
                    task.on_done(move |task| {
                        log.add((task.id() == id, task.is_finished(), number));
                    });
                }
                match end {
                    "detached" => drop(task),
                    "cancel" => drop(task.cancel_and_wait().await),
                    _ => drop(task.await),
                }
                for _ in 0..4 {
                    settle().await;
                }
                let expected: Vec<_> = (0..5).map(|number| (true, true, number)).collect();
                assert_eq!(log.take(), expected, "{end}");
            }
        });
    });
}

/// Goal: on a task that has ended, a callback is called soon, once, and never inside `on_done`.
#[test]
fn t12_a_callback_on_an_ended_task_is_called_later_and_once() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let task = spawn(async { 7 });
            settle().await;
            assert!(task.is_finished());
            for number in 0..3 {
                let log = log.clone();
                let here = std::thread::current().id();
                task.on_done(move |_| {
                    log.add(number);
                    let _ = here;
                });
            }
            if tenter_tests::support::one_thread() {
                assert_eq!(log.take(), []);
            }
            for _ in 0..3 {
                settle().await;
            }
            if tenter_tests::support::one_thread() {
                assert_eq!(log.take(), [0, 1, 2]);
            }
            assert_eq!(task.await.expect("no panic"), 7, "the output is untouched");
        });
    });
}

/// Goal: a callback may register another one, and has the context variables of its registration.
#[test]
fn a11_a_callback_may_register_and_has_the_context_of_its_registration() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            REQUEST.set(1);
            let task = spawn(async { REQUEST.set(9) });
            REQUEST.set(2);
            task.on_done({
                let log = log.clone();
                move |_| {
                    log.add(REQUEST.get());
                    REQUEST.set(8);
                }
            });
            REQUEST.set(3);
            task.on_done({
                let log = log.clone();
                move |_| log.add(REQUEST.get())
            });
            task.await.expect("no panic");
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(log.take(), [2, 3]);
            assert_eq!(REQUEST.get(), 3);
        });
    });
}

/// Goal: a callback that panics is reported, and the next one is called.
#[test]
fn a11_a_callback_that_panics_is_reported_and_the_next_one_called() {
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add((failure.kind(), failure.message().to_owned()))
        }));
        let called = Count::new();
        runtime.block_on(async {
            let task = spawn(async {});
            task.on_done(|_| panic!("on purpose"));
            task.on_done({
                let called = called.clone();
                move |_| {
                    called.add();
                }
            });
            task.await.expect("no panic");
            for _ in 0..3 {
                settle().await;
            }
        });
        assert_eq!(called.get(), 1);
        let expected = (UnobservedKind::Callback, "on purpose".to_owned());
        assert_eq!(reports.take(), [expected]);
    });
}

/// Goal: callbacks that the end of the runtime finds are dropped once, uncalled or called.
#[test]
fn a11_callbacks_are_dropped_with_their_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let (called, dropped) = (Count::new(), Count::new());
        runtime.block_on(async {
            let task = spawn(pending::<()>());
            let (called, guard) = (called.clone(), dropped.on_drop());
            task.on_done(move |_| {
                let _guard = guard;
                called.add();
            });
            drop(task);
            settle().await;
        });
        drop(runtime);
        assert_eq!((called.get(), dropped.get()), (0, 1));
    });
}

/// Goal: a callback that comes too late for its runtime is dropped, and its destructor may panic.
#[test]
fn a11_a_callback_that_is_dropped_may_panic() {
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add(failure.kind())
        }));
        let task = runtime.spawn(pending::<()>());
        runtime.block_on(async {
            for _ in 0..2 {
                let bomb = OnDrop(|| panic!("on purpose"));
                task.on_done(move |_| drop(bomb));
            }
            settle().await;
        });
        drop(runtime);
        assert_eq!(reports.take(), [UnobservedKind::Callback; 2]);
        drop(task);
    });
}

/// Goal: outside a runtime nobody could call it, which is said.
#[test]
fn a11_outside_a_runtime_there_is_nobody_to_call() {
    let runtime = build(tenter::Builder::current_thread());
    let task = runtime.spawn(async {});
    let message = panic_of(|| task.on_done(|_| ()));
    assert_says(&message, &["JoinHandle::on_done", "callbacks.rs"]);
}

/// Goal: a value of a context variable whose destructor panics when its task ends is reported; nothing else
/// is lost.
#[test]
fn a80_a_value_that_panics_when_it_is_dropped_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a value");
        }
    }
    context_var! { static BOMB: Option<Bomb> = None; }
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add(failure.kind())
        }));
        runtime.block_on(async {
            let joined = spawn(async { drop(BOMB.set(Some(Bomb))) });
            joined.await.expect("its output is not concerned");
            settle().await;
            drop(spawn(async { drop(BOMB.set(Some(Bomb))) }));
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(reports.take(), [UnobservedKind::ContextDrop; 2]);
        });
    });
}
