//! Row A90 of the guide, the debug mode: a poll that lasts too long is reported while it lasts, once, with who it
//! is; and the mode is turned on by the program or by the environment.
//!
//! A poll that is to be slow blocks until it has been reported, so no test depends on who is faster.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenter::task::{self, yield_now};
use tenter::time::Duration;
use tenter::{Builder, DebugOptions, SlowPoll, spawn};
use tenter_tests::support::{Log, Meeting, Slot, alone_with, assert_says, both, build, every};

const LIMIT: Duration = Duration::from_millis(2);

/// Reports of tasks of that name go to the log, and open the gate. Others may come from a machine that is late.
fn options(name: &'static str, log: &Log<SlowPoll>, gate: &Slot<()>) -> DebugOptions {
    let (log, gate) = (log.clone(), gate.clone());
    DebugOptions::new()
        .slow_poll(LIMIT)
        .on_slow_poll(move |slow| {
            if slow.task.name.as_deref() == Some(name) {
                log.add(slow.clone());
                gate.put(());
            }
        })
}

/// Keeps this thread until `time` has passed, as a poll does that computes.
fn compute(time: Duration) {
    let began = std::time::Instant::now();
    while began.elapsed() <= time {
        std::hint::spin_loop();
    }
}

/// Goal: on every flavour, also with one worker and so with nobody beside it, a poll that blocks is reported
/// while it does, with all that there is to know of it, and once.
#[test]
fn a90_a_poll_that_blocks_is_reported_while_it_does() {
    every(|builder| {
        let (log, gate) = (Log::new(), Slot::new());
        let runtime = build(builder.debug(options("blocks", &log, &gate)));
        // It would block for ever, were it not reported while it does.
        let blocks = task::Builder::new().name("blocks");
        let entered = runtime.enter();
        let line = line!() + 1;
        let task = blocks.spawn(async move { gate.take() });
        drop(entered);
        let id = task.id();
        runtime.block_on(task).unwrap();
        drop(runtime);
        let slow = log.take();
        let [slow] = &slow[..] else {
            panic!("once: {slow:?}")
        };
        assert_eq!(slow.task.id, id);
        assert!(slow.task.spawned_at.file().ends_with("debug_mode.rs"));
        assert_eq!(slow.task.spawned_at.line(), line);
        assert!(!slow.ended);
        assert!(slow.lasted > LIMIT);
        assert!(slow.worker < 2);
        let thread = slow.thread.clone().unwrap();
        let said = slow.to_string();
        let advice = ["\"blocks\"", "spawn_blocking", "block_in_place", "gdb -p"];
        assert_says(&said, &advice);
        assert_says(
            &said,
            &[
                "has been in one poll for ",
                "s, and still is",
                &format!("thread {thread}"),
            ],
        );
    });
}

/// Goal: all workers block at once, and nobody among them could tell: each is reported.
#[test]
fn a90_all_workers_that_block_at_once_are_reported() {
    let (log, gates) = (Log::new(), [Slot::new(), Slot::new()]);
    let (reported, opened) = (log.clone(), gates.clone());
    let options = DebugOptions::new()
        .slow_poll(LIMIT)
        .on_slow_poll(move |slow| {
            reported.add((slow.worker, slow.thread.clone().unwrap()));
            opened[slow.worker].put(());
        });
    let builder = Builder::multi_thread().workers(2).thread_name("crew");
    let runtime = build(builder.debug(options));
    let both = Meeting::new(2);
    let tasks = [(); 2].map(|()| {
        let (gates, both) = (gates.clone(), Arc::clone(&both));
        runtime.spawn(async move {
            both.meet();
            let name = std::thread::current().name().map(str::to_owned);
            let worker = usize::from(name.unwrap().ends_with('1'));
            gates[worker].take();
        })
    });
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    let mut slow = log.take();
    slow.sort();
    slow.dedup();
    let expected = [0, 1].map(|worker| (worker, format!("crew-worker-{worker}").into()));
    assert_eq!(slow, expected);
}

/// Goal: a poll that is over before anybody looked is reported by its worker.
/// Method: the thread that looks is kept in the report of another poll.
#[test]
fn a90_a_slow_poll_that_nobody_saw_is_reported_when_it_ends() {
    let (log, began, gate) = (Log::new(), Slot::<()>::new(), Slot::<()>::new());
    let (reported, begins, opens) = (log.clone(), began.clone(), gate.clone());
    let options = DebugOptions::new()
        .slow_poll(LIMIT)
        .on_slow_poll(move |slow| match slow.task.name.as_deref() {
            Some("seen") => {
                reported.add(("seen", slow.ended));
                begins.put(());
                opens.take();
            }
            Some("unseen") => {
                reported.add(("unseen", slow.ended));
                opens.put(());
            }
            _ => {}
        });
    // On a virtual clock, too, time is the real clock's.
    let runtime = build(Builder::deterministic(1).debug(options));
    runtime.block_on(async {
        let seen = task::Builder::new().name("seen");
        seen.spawn(async move { began.take() }).await.unwrap();
        let unseen = task::Builder::new().name("unseen");
        unseen.spawn(async { compute(LIMIT) }).await.unwrap();
    });
    drop((runtime, gate));
    assert_eq!(log.take(), [("seen", false), ("unseen", true)]);
}

/// Goal: a report that panics is said once, and called no more; tasks go on.
#[test]
fn a90_a_report_that_panics_is_taken_out() {
    let name = "a90_a_report_that_panics_is_taken_out";
    let (passed, said) = alone_and_said(name, &[], || {
        let calls = Arc::new(AtomicU64::new(0));
        let (counted, gate) = (Arc::clone(&calls), Slot::new());
        let opened = gate.clone();
        let options = DebugOptions::new().slow_poll(LIMIT).on_slow_poll(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            opened.put(());
            panic!("no report today");
        });
        let runtime = build(Builder::current_thread().debug(options));
        runtime.block_on(async {
            spawn(async move { gate.take() }).await.unwrap();
            spawn(async { compute(2 * LIMIT) }).await.unwrap();
        });
        assert!(calls.load(Ordering::Relaxed) <= 2);
    });
    assert!(passed, "{said}");
    let line = "tenter: the on_slow_poll function given to DebugOptions panicked: no report today";
    assert_eq!(
        said.matches(line).count(),
        usize::from(!said.is_empty()),
        "{said}"
    );
}

/// Runs `body` as the test `name` in a process of its own with these variables. What it said; nothing, in that
/// process.
fn alone_and_said(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> (bool, String) {
    let mut ended = (true, String::new());
    let arrange = |command: &mut Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("TENTER_DEBUG");
        command.envs(variables.iter().copied());
    };
    let is_inside = alone_with(name, arrange, |child| {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ended = (output.status.success(), said);
    });
    if is_inside {
        body();
    }
    ended
}

/// Goal: the variable turns it on, with the limit of 100 milliseconds, and reports are lines on standard error.
#[test]
fn a90_the_environment_turns_it_on() {
    let name = "a90_the_environment_turns_it_on";
    let (passed, said) = alone_and_said(name, &[("TENTER_DEBUG", "1")], || {
        build(Builder::current_thread()).block_on(async {
            let hog = task::Builder::new().name("hog");
            let computes = async { compute(Duration::from_millis(101)) };
            hog.spawn(computes).await.unwrap();
        });
        // The program goes before the environment.
        build(Builder::current_thread().debug(None)).block_on(async {
            let quiet = task::Builder::new().name("quiet");
            quiet
                .spawn(async { compute(Duration::from_millis(101)) })
                .await
                .unwrap();
        });
    });
    assert!(passed, "{said}");
    if said.is_empty() {
        return; // That process.
    }
    assert_says(
        &said,
        &[
            "tenter: slow poll: Task-",
            "\"hog\", spawned at ",
            "debug_mode.rs:",
        ],
    );
    assert!(!said.contains("quiet"), "{said}");
}

/// Goal: off is off, and what is neither on nor off is an error that says what to do.
#[test]
fn a90_nonsense_in_the_environment_is_an_error() {
    let name = "a90_nonsense_in_the_environment_is_an_error";
    let current_thread = || {
        Builder::current_thread()
            .inspect(false)
            .inspect_socket(false)
    };
    let nonsense = [("TENTER_DEBUG", "maybe"), ("TENTER_INSPECT", "2")];
    let (passed, said) = alone_and_said(name, &nonsense, || {
        let error = current_thread().build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_says(
            &error.to_string(),
            &["TENTER_DEBUG=maybe", "it takes 1", "Builder::debug"],
        );
        assert!(Builder::multi_thread().workers(1).build().is_err());
        // Who decides does not ask.
        let error = Builder::multi_thread().debug(None).build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_says(
            &error.to_string(),
            &["TENTER_INSPECT=2", "it takes 1", "Builder::inspect"],
        );
        assert!(current_thread().debug(None).build().is_ok());
        assert!(current_thread().debug(DebugOptions::new()).build().is_ok());
    });
    assert!(passed, "{said}");
}

/// Goal: in the debug mode a program does the same.
#[test]
fn a90_a_program_does_the_same_in_the_debug_mode() {
    both(|builder| {
        let debug = DebugOptions::new().slow_poll(Duration::MAX);
        let runtime = build(builder.debug(debug));
        let sum = runtime.block_on(async {
            let tasks: Vec<_> = (0..100_u64)
                .map(|number| {
                    spawn(async move {
                        yield_now().await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 4_950);
    });
}
