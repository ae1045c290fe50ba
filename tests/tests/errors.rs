//! Every misuse gets an answer that says what was wrong, where, and what to do.
//!
//! Nested `block_on`: `block_on.rs`; timers and tasks after the end of a runtime: `shutdown.rs`;
//! deadlocks: `deterministic.rs`; reports of panics: `panics.rs`.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use tenter::task::{self, yield_now};
use tenter::{Builder, Handle, spawn};
use tenter_tests::support::{
    Count, assert_says, both, build, ends, every, foreign_block_on, panic_of, settle, text_of,
    thread,
};

/// Goal: a number of workers that the flavour cannot have is refused when the runtime is built.
#[test]
fn a_wrong_number_of_workers_is_refused() {
    both(|builder| {
        let flavour = if format!("{builder:?}").contains("Deterministic") {
            "Deterministic"
        } else {
            "CurrentThread"
        };
        let refused = |workers| {
            let error = builder
                .clone()
                .workers(workers)
                .build()
                .expect_err("it is wrong");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            error.to_string()
        };
        assert_says(
            &refused(0),
            &[
                "Builder::workers(0)",
                "at least one",
                "leave the setting out",
            ],
        );
        let two = refused(2);
        assert_says(
            &two,
            &[
                "Builder::workers(2)",
                flavour,
                "exactly one",
                "leave the setting out",
            ],
        );
        assert_says(&refused(usize::MAX), &["Builder::workers(1844"]);
        assert_eq!(build(builder.clone().workers(1)).block_on(async { 1 }), 1);
    });
}

/// Goal: what needs a runtime and finds none names itself, the place, the thread and the ways out.
#[test]
fn what_needs_a_runtime_says_so() {
    ends("a named thread", || {
        let messages = [
            ("tenter::spawn", panic_of(|| spawn(async {}))),
            ("tenter::task::Builder::spawn", {
                panic_of(|| task::Builder::new().name("lost").spawn(async {}))
            }),
            ("tenter::Handle::current", panic_of(Handle::current)),
            ("tenter::Handle::try_current", {
                Handle::try_current()
                    .expect_err("there is none")
                    .to_string()
            }),
        ];
        for (what, message) in messages {
            let ways_out = ["#[tenter::main]", "Runtime::block_on", "handle.enter()"];
            assert_says(&message, &ways_out);
            assert_says(
                &message,
                &[what, "thread \"a named thread\"", "in no tenter runtime"],
            );
        }
    });
    let nameless = thread(|| panic_of(|| spawn(async {}))).join();
    assert_says(&nameless, &["a thread without a name", "tests/errors.rs"]);
}

/// Goal: the future of a spawn that panics is dropped, not leaked.
#[test]
fn a_future_that_cannot_be_spawned_is_dropped() {
    let dropped = Count::new();
    let (sent, local) = (dropped.on_drop(), dropped.on_drop());
    panic_of(|| spawn(async move { drop(sent) }));
    panic_of(|| tenter::spawn_local(async move { drop(local) }));
    assert_eq!(dropped.get(), 2);
}

/// Goal: `spawn_local` under the entry of another runtime is refused: the tasks of this thread are not
/// that runtime's.
#[test]
fn a_local_task_of_another_runtime_is_refused() {
    every(|builder| {
        let (here, there) = (build(builder.clone()), build(builder));
        here.block_on(async {
            let _entered = there.enter();
            let message = panic_of(|| tenter::spawn_local(async {}));
            assert_says(&message, &["tenter::spawn_local", "errors.rs"]);
        });
    });
}

/// Goal: moving a clock that is not virtual is refused.
#[test]
fn a_real_clock_cannot_be_moved() {
    ends("current_thread", || {
        let message = panic_of(|| {
            build(Builder::current_thread()).block_on(async {
                tenter::time::advance(Duration::from_secs(1)).await;
            });
        });
        assert_says(&message, &["advance", "virtual clock", "virtual_clock()"]);
    });
}

/// Goal: a hook that panics is named in the panic of `block_on`, and the runtime is whole afterwards.
#[test]
fn a_hook_that_panics_is_named() {
    type Set = fn(Builder, Box<dyn Fn() + Send + Sync>) -> Builder;
    let hooks: [(&str, Set); 3] = [
        ("on_thread_start", |builder, hook| {
            builder.on_thread_start(hook)
        }),
        ("on_thread_park", |builder, hook| {
            builder.on_thread_park(hook)
        }),
        ("on_thread_unpark", |builder, hook| {
            builder.on_thread_unpark(hook)
        }),
    ];
    both(move |builder| {
        for (name, set) in hooks {
            let calls = Count::new();
            let counted = calls.clone();
            let hook = Box::new(move || assert!(counted.add() > 0, "the first call"));
            let runtime = build(set(builder.clone().virtual_clock(), hook));
            let ran = Count::new();
            let counts = ran.clone();
            let task = runtime.spawn(async move {
                tenter::time::sleep(Duration::from_secs(1)).await;
                counts.add()
            });
            let wait = || {
                runtime.block_on(async { tenter::time::sleep(Duration::from_secs(2)).await });
            };
            let message = panic_of(wait);
            assert_says(
                &message,
                &[name, "the first call", "must not panic", "intact"],
            );
            assert!(Handle::try_current().is_err());
            wait();
            assert_eq!(runtime.block_on(task).expect("no panic"), 0);
            assert_eq!(runtime.metrics().alive_tasks, 0);
        }
    });
}

/// Goal: a stop hook that panics does not take the output of the main future away, nor a panic of it.
#[test]
fn a_stop_hook_that_panics_hides_nothing() {
    both(|builder| {
        let calls = Count::new();
        let counted = calls.clone();
        let runtime = build(builder.on_thread_stop(move || {
            counted.add();
            panic!("in the hook");
        }));
        assert_eq!(runtime.block_on(async { 1 }), 1);
        assert_eq!(
            panic_of(|| runtime.block_on(async { panic!("main") })),
            "main"
        );
        assert_eq!(calls.get(), 2);
    });
}

/// Goal: a socket whose runtime has shut down answers with an error, on any executor.
#[test]
fn a_socket_that_outlives_its_runtime_says_so() {
    every(|builder| {
        let runtime = build(builder);
        let listener = runtime.block_on(async {
            let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await;
            listener.expect("loopback has a free port")
        });
        let waits = thread({
            let listener = std::sync::Arc::new(listener);
            let accepts = std::sync::Arc::clone(&listener);
            drop(runtime);
            move || {
                let first = foreign_block_on(accepts.accept()).map(drop);
                [first, foreign_block_on(listener.accept()).map(drop)]
            }
        });
        for answer in waits.join() {
            let error = answer.expect_err("nobody waits for its events");
            assert_says(&error.to_string(), &["runtime", "shut down", "keep"]);
        }
    });
}

/// Goal: errors are errors: they can be boxed, sent, and shown in one line.
#[test]
fn errors_are_errors() {
    every(|builder| {
        let runtime = build(builder);
        let (cancelled, panicked, nested, elapsed) = runtime.block_on(async {
            let task = spawn(std::future::pending::<()>());
            let cancelled = task.cancel_and_wait().await.expect_err("never ready");
            let task = spawn(async { panic!("two\nlines") });
            let panicked = task.await.expect_err("it panics");
            let nested = runtime.try_block_on(async {}).expect_err("it is nested");
            let late = tenter::time::timeout(Duration::ZERO, std::future::pending::<()>());
            (
                cancelled,
                panicked,
                nested,
                late.await.expect_err("never ready"),
            )
        });
        let lost = Handle::try_current().expect_err("there is none");
        let boxed: [Box<dyn Error + Send + Sync>; 5] = [
            Box::new(cancelled),
            Box::new(panicked),
            Box::new(nested),
            Box::new(elapsed),
            Box::new(lost),
        ];
        for error in boxed {
            assert!(error.source().is_none());
            assert!(!error.to_string().is_empty() && !format!("{error:?}").is_empty());
        }
    });
}

/// Goal: a join error that is a panic is an `io::Error` of kind Other, and keeps its payload until it is
/// taken.
#[test]
fn a_join_error_keeps_its_payload() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(async { std::panic::panic_any(Box::new(17)) });
            let error = task.await.expect_err("it panics");
            assert_says(
                &error.to_string(),
                &["panicked: (a payload that is not text)"],
            );
            assert_eq!(text_of(&*error.into_panic()), "(not text)");

            let task = spawn(async { panic!("text") });
            let error = task.await.expect_err("it panics");
            let error = std::io::Error::from(error);
            assert_eq!(error.kind(), ErrorKind::Other);
            let inner = error.into_inner().expect("it wraps the JoinError");
            let inner = inner.downcast::<tenter::JoinError>().expect("it is one");
            assert_eq!(text_of(&*inner.into_panic()), "text");
        });
    });
}

/// Goal: every type can be shown, also in the middle of things and to a thread that holds nothing.
#[test]
fn everything_can_be_shown() {
    every(|builder| {
        let shown = format!("{builder:?}");
        assert_says(&shown, &["Builder", "flavor"]);
        let runtime = builder.name("shown").build().expect("nothing is refused");
        assert_says(
            &format!("{runtime:?} {:?}", runtime.handle()),
            &["Runtime", "\"shown\""],
        );
        assert_says(
            &runtime.metrics().to_string(),
            &["0 tasks alive of 0 spawned"],
        );
        runtime.block_on(async {
            let task = task::Builder::new()
                .name("idle")
                .spawn(std::future::pending::<()>());
            settle().await;
            let inside = format!("{task:?} {:?}", task.canceller());
            assert_says(
                &inside,
                &["JoinHandle", "\"idle\"", "errors.rs", "Canceller"],
            );
            assert_eq!(format!("{:?}", task.id()), format!("TaskId({})", task.id()));
            assert_says(
                &format!("{:?}", task.cancel_on_drop()),
                &["CancelOnDrop", "idle"],
            );
            let mut half = Box::pin(tenter::shield(yield_now()));
            let before = format!("{half:?}");
            std::future::poll_fn(|cx| {
                assert!(half.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            assert_ne!(format!("{half:?}"), before);
            assert_says(&format!("{:?}", runtime.enter()), &["EnterGuard"]);
        });
    });
}
