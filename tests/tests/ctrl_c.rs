//! What ctrl-c does to a run, with real signals.
//!
//! Signals and exit codes belong to the process, so each test runs in one of its own.
#![cfg(unix)]

use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tenter::signal::{SignalKind, ctrl_c, signals};
use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, CancelKind, CtrlC, Interrupted, Runner, defer_async, shield, spawn};
use tenter_tests::support::{self, Count, OnDrop, ends, thread};

/// [`support::alone`], with the system's own action for ctrl-c: whoever runs the tests in the background
/// may have had it ignored, and that is inherited.
fn alone(name: &str) -> bool {
    support::alone(name) && not_ignored()
}

/// [`support::alone_with`], as above.
fn alone_with(name: &str, arrange: impl FnOnce(&mut Command), judge: impl FnOnce(Child)) -> bool {
    support::alone_with(name, arrange, judge) && not_ignored()
}

fn not_ignored() -> bool {
    // SAFETY: nothing but the number of a signal goes in, and no handler.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    true
}

/// Raises the signal at this very thread: the handler has run when it returns, the watcher may not.
fn interrupt() {
    // SAFETY: nothing but the number of a signal goes in.
    assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
}

/// A runner of each flavour, one after the other.
fn each(test: impl Fn(Runner) + Send + Sync + Copy + 'static) {
    for builder in [
        Builder::current_thread(),
        Builder::deterministic(7),
        Builder::multi_thread().workers(1),
        Builder::multi_thread().workers(2),
    ] {
        let builder = builder.ctrl_c(CtrlC::CancelMain);
        ends("a flavour", move || {
            test(Runner::from(builder.build().unwrap()));
        });
    }
}

/// What SIGINT does now.
fn action() -> libc::sighandler_t {
    // SAFETY: a zeroed action is a valid one, to be overwritten.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGINT, std::ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

/// How a process that was to be killed has ended, and what it printed.
fn ended(child: Child) -> (Option<i32>, Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), output.status.signal(), text)
}

fn captured(command: &mut Command) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// Goal: ctrl-c while main waits: what main holds is dropped, the run says that it was interrupted, and the
/// next one on the same runner is as good as the first.
#[test]
fn r05_ctrl_c_while_main_waits() {
    if !alone("r05_ctrl_c_while_main_waits") {
        return;
    }
    each(|mut runner| {
        for round in 0..3 {
            let dropped = Count::new();
            let ended = runner.run(async {
                let _guard = dropped.on_drop();
                interrupt();
                pending::<()>().await;
            });
            assert!(ended.is_err(), "round {round}");
            assert_eq!(dropped.get(), 1);
        }
        assert_eq!(runner.run(async { 7 }), Ok(7));
        assert!(runner.close().is_clean());
    });
}

/// Goal: the first ctrl-c cancels main, and an error says so.
#[test]
fn a03_the_first_ctrl_c_interrupts() {
    if !alone("a03_the_first_ctrl_c_interrupts") {
        return;
    }
    each(|mut runner| {
        let (sender, receiver) = oneshot::<()>();
        let ended = runner.run(async {
            let _task = spawn(async move {
                interrupt();
                pending::<()>().await;
                drop(sender);
            });
            let _ = receiver.await;
        });
        let error: Interrupted = ended.unwrap_err();
        assert!(error.is_ctrl_c() && error.to_string().contains("ctrl-c"));
        // The task was not main, and is still there.
        assert_eq!(runner.close().cancelled, 1);
    });
}

/// Goal: what main has deferred is done before the run says that it was interrupted.
#[test]
fn r05_the_clean_ups_of_main_are_awaited() {
    if !alone("r05_the_clean_ups_of_main_are_awaited") {
        return;
    }
    each(|mut runner| {
        let cleaned = Count::new();
        let ended = runner.run(async {
            let _cleaned = defer_async({
                let cleaned = cleaned.clone();
                async move {
                    let helper = spawn(async { yield_now().await });
                    helper.await.unwrap();
                    cleaned.add();
                }
            });
            interrupt();
            pending::<()>().await;
        });
        assert!(ended.unwrap_err().is_ctrl_c());
        assert_eq!(cleaned.get(), 1);
        assert!(runner.close().is_clean());
    });
}

/// Goal: if somebody else has cancelled main when ctrl-c arrives, that is what the run reports.
#[test]
fn r07_a_cancellation_before_ctrl_c_is_what_is_reported() {
    if !alone("r07_a_cancellation_before_ctrl_c_is_what_is_reported") {
        return;
    }
    each(|mut runner| {
        let handle = runner.main_handle();
        let ended = runner.run(async {
            let child = spawn(async move { handle.cancel("a child gave up") });
            // So that it is still there when ctrl-c comes.
            shield(async {
                assert!(child.await.unwrap());
                interrupt();
            })
            .await;
            pending::<()>().await;
        });
        let error = ended.unwrap_err();
        assert!(!error.is_ctrl_c());
        assert_eq!(error.reason().kind(), CancelKind::Requested);
        assert_eq!(error.reason().message(), Some("a child gave up"));
        let late = runner.main_handle();
        assert_eq!(runner.run(async { 7 }), Ok(7));
        late.cancel("too late");
        assert!(runner.main_handle().cancel("too early"));
        assert!(runner.run(async { 7 }).is_err());
        assert_eq!(runner.run(async { 7 }), Ok(7));
    });
}

/// Goal: main that is ready all the same returns its value.
#[test]
fn a03_main_that_is_ready_all_the_same_is_not_interrupted() {
    if !alone("a03_main_that_is_ready_all_the_same_is_not_interrupted") {
        return;
    }
    each(|mut runner| {
        let output = runner.run(async {
            interrupt();
            // Within one poll, so that the interruption finds it ready.
            7
        });
        assert_eq!(output, Ok(7));
        assert!(runner.close().is_clean());
    });
}

/// Goal: the second ctrl-c ends the process at once, though main does not come back from a poll.
#[test]
fn a03_the_second_ctrl_c_exits_at_once() {
    let judge = |child| assert_eq!(ended(child).0, Some(130));
    if !alone_with("a03_the_second_ctrl_c_exits_at_once", captured, judge) {
        return;
    }
    let mut runner = Runner::new().unwrap();
    let _ = runner.run(async {
        let _stuck = OnDrop(|| {
            loop {
                interrupt();
                std::thread::yield_now();
            }
        });
        interrupt();
        pending::<()>().await;
    });
}

/// Goal: a ctrl-c that comes when main is done, while leftovers stop, ends the process.
#[test]
fn a03_ctrl_c_while_leftovers_stop_exits() {
    let judge = |child| assert_eq!(ended(child).0, Some(130));
    if !alone_with("a03_ctrl_c_while_leftovers_stop_exits", captured, judge) {
        return;
    }
    #[tenter::main(flavor = "current_thread")]
    async fn main() {
        drop(spawn(shield(async {
            yield_now().await;
            interrupt();
            pending::<()>().await;
        })));
        yield_now().await;
    }
    main();
}

/// Goal: `#[tenter::main]` is interrupted, ends gracefully, and exits with 130.
#[test]
fn a03_main_ends_gracefully_and_exits_with_130() {
    let judge = |child| {
        let (code, _, text) = ended(child);
        assert_eq!(code, Some(130), "{text}");
        let parts = ["main is dropped", "the task has cleaned up"];
        let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    };
    let name = "a03_main_ends_gracefully_and_exits_with_130";
    if !alone_with(name, captured, judge) {
        return;
    }
    static GONE: AtomicBool = AtomicBool::new(false);
    #[tenter::main(workers = 2)]
    async fn main() {
        let (begun, wait) = oneshot();
        let _said = OnDrop(|| {
            println!("main is dropped");
            GONE.store(true, Ordering::SeqCst);
        });
        drop(spawn(async {
            shield(async {
                begun.send(()).unwrap();
                while !GONE.load(Ordering::SeqCst) {
                    yield_now().await;
                }
                println!("the task has cleaned up");
            })
            .await;
        }));
        wait.await.unwrap();
        interrupt();
        pending::<()>().await;
    }
    main();
}

/// Goal: `ctrl_c = false` leaves ctrl-c to the system, and so do `run` and `block_on`.
#[test]
fn a03_without_the_policy_ctrl_c_kills() {
    let judge = |child| assert_eq!(ended(child).1, Some(libc::SIGINT));
    let name = "a03_without_the_policy_ctrl_c_kills";
    if !alone_with(name, captured, judge) {
        return;
    }
    tenter::run(async { assert_eq!(action(), libc::SIG_DFL) });
    let runtime = Runner::builder().build().unwrap();
    runtime.block_on(async { assert_eq!(action(), libc::SIG_DFL) });
    #[tenter::main(ctrl_c = false)]
    async fn main() {
        assert_eq!(action(), libc::SIG_DFL);
        interrupt();
        pending::<()>().await;
    }
    main();
}

/// Goal: the handler is there while a run is in progress, and only then; runs side by side share it.
#[test]
fn a03_the_default_is_restored_after_the_run() {
    let judge = |child| assert_eq!(ended(child).1, Some(libc::SIGINT));
    let name = "a03_the_default_is_restored_after_the_run";
    if !alone_with(name, captured, judge) {
        return;
    }
    let mut runner = Runner::new().unwrap();
    for _ in 0..100 {
        assert_eq!(action(), libc::SIG_DFL);
        let _ = runner.run(async { assert_ne!(action(), libc::SIG_DFL) });
    }
    let mut other = Runner::new().unwrap();
    let mut inner = None;
    let outer = runner.run(async {
        inner = Some(thread(move || {
            other.run(async {
                interrupt();
                pending::<()>().await;
            })
        }));
        pending::<()>().await;
    });
    assert!(outer.is_err() && inner.unwrap().join().is_err());
    assert_eq!(action(), libc::SIG_DFL);
    interrupt();
}

/// Goal: as long as somebody in the program listens for ctrl-c, it is theirs; afterwards it is not.
#[test]
fn a03_a_listener_has_precedence() {
    if !alone("a03_a_listener_has_precedence") {
        return;
    }
    each(|mut runner| {
        let heard = runner.run(async {
            let wait = ctrl_c();
            interrupt();
            wait.await.unwrap();
            let mut stream = signals([SignalKind::interrupt(), SignalKind::hangup()]).unwrap();
            for _ in 0..3 {
                interrupt();
                assert_eq!(stream.recv().await, Some(SignalKind::interrupt()));
            }
            // Not one of them comes late.
            for _ in 0..100 {
                yield_now().await;
            }
            7
        });
        assert_eq!(heard, Ok(7));
        let ended = runner.run(async {
            drop(signals([SignalKind::interrupt()]).unwrap());
            interrupt();
            pending::<()>().await;
        });
        assert!(ended.is_err());
    });
}

/// Goal: a handler of the program stays, and is the only one that is called.
#[test]
fn a03_a_handler_of_the_program_stays() {
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn heard(_: libc::c_int) {
        HEARD.fetch_add(1, Ordering::SeqCst);
    }
    if !alone("a03_a_handler_of_the_program_stays") {
        return;
    }
    let handler: extern "C" fn(_) = heard;
    // SAFETY: the handler adds to an atomic and does nothing else.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    let mut runner = Runner::new().unwrap();
    let output = runner.run(async {
        interrupt();
        7
    });
    assert_eq!((output, HEARD.load(Ordering::SeqCst)), (Ok(7), 1));
    assert_eq!(action(), handler as libc::sighandler_t);
}

/// Goal: a forked child that has not called `exec` dies of ctrl-c, and its parent does not hear of it.
#[test]
fn a03_a_forked_child_is_on_its_own() {
    if !alone("a03_a_forked_child_is_on_its_own") {
        return;
    }
    let mut runner = Runner::new().unwrap();
    let output = runner.run(async {
        // SAFETY: the child does nothing but async-signal-safe calls.
        let child = unsafe { libc::fork() };
        if child == 0 {
            loop {
                // SAFETY: as above.
                unsafe { libc::pause() };
            }
        }
        let mut status = 0;
        // SAFETY: the child is ours, and the pointer is to a place for its status.
        unsafe {
            assert_eq!(libc::kill(child, libc::SIGINT), 0);
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        }
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGINT);
        for _ in 0..100 {
            yield_now().await;
        }
        7
    });
    assert_eq!(output, Ok(7));
}
