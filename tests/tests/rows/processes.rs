//! A32, A70, A75, X24: a pool of one's own, processes and signals.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tenter::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tenter::net::UnixStream;
use tenter::process::{Command, OnDrop, Stdio};
use tenter::signal::{SignalKind, signals};
use tenter::sync::CapacityLimiter;
use tenter::task::Builder as Task;
use tenter::{Builder, gather, spawn_blocking, try_gather};
use tenter_tests::support::{Meeting, build, every, poll_once};

use crate::next;

/// Goal: a limiter makes a pool of one's own within the threads for blocking jobs: so many of its jobs run at
/// a time, and no more, whatever else is run.
/// Method: six jobs that meet in pairs.
#[test]
fn a32_a_pool_of_ones_own_is_a_limiter() {
    static POOL: CapacityLimiter = CapacityLimiter::new(2);
    every(|builder| {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let pairs = Meeting::new(2);
        build(builder).block_on(async {
            let job = |_| {
                let (running, most, pairs) =
                    (Arc::clone(&running), Arc::clone(&most), Arc::clone(&pairs));
                Task::new().limiter(&POOL).spawn_blocking(move || {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    pairs.meet();
                    running.fetch_sub(1, Ordering::SeqCst);
                })
            };
            let jobs: Vec<_> = (0..6).map(job).collect();
            // Not one of them, so it does not wait for them.
            assert_eq!(spawn_blocking(|| 1).await.expect("no panic"), 1);
            try_gather(jobs).await.expect("no panic");
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    });
}

/// Goal: work in another process, for whose end a task waits as for any other future.
#[tenter::test]
async fn a32_another_process_works_for_a_task() {
    let work = |by: u32| async move {
        let output = Command::shell(format!("echo $((6 * {by}))")).output().await;
        String::from_utf8(output.expect("there is a shell").stdout).expect("digits")
    };
    assert_eq!(gather((1..=3).map(work)).await, ["6\n", "12\n", "18\n"]);
}

/// Goal: a child is told something, says something, and ends with a status.
#[tenter::test]
async fn a70_a_child_reads_answers_and_ends() {
    let mut command = Command::shell("read word; echo \"got $word\"; echo bad >&2; exit 3");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("there is a shell");
    let output = child
        .communicate("hello\n")
        .await
        .expect("it reads and writes");
    assert_eq!(output.stdout, b"got hello\n");
    assert_eq!(output.stderr, b"bad\n");
    assert_eq!(output.status.code(), Some(3));
    // Again, as often as one likes.
    assert_eq!(child.wait().await.expect("known").code(), Some(3));
    // It is gone, and its number may be somebody else's.
    assert!(child.kill().is_err() || child.id().is_none());
}

/// Goal: a wait that is given up loses nothing; what is asked to end ends.
#[tenter::test]
async fn a70_a_wait_is_given_up_and_taken_up_again() {
    let mut child = Command::new("sleep")
        .arg("1000")
        .spawn()
        .expect("there is sleep");
    {
        let mut waiting = Box::pin(child.wait());
        assert!(poll_once(&mut waiting).is_pending());
    }
    child.terminate().expect("it is there");
    let status = child.wait().await.expect("it ends");
    assert!(!status.success());
    // What cannot be started is an error that names it.
    let error = Command::new("no-such-program").spawn().expect_err("none");
    assert!(error.to_string().contains("no-such-program"), "{error}");
}

/// Goal: signals come as a stream, to each who listens; one that nobody can wait for is refused.
#[tenter::test]
async fn a75_signals_are_received() {
    let mut first = signals([SignalKind::user_defined1()]).expect("it can be waited for");
    let mut second = signals([SignalKind::user_defined1()]).expect("so can several");
    kill_process(getpid(), Signal::USR1).expect("ourselves");
    assert_eq!(first.recv().await, Some(SignalKind::user_defined1()));
    assert_eq!(next(&mut second).await, Some(SignalKind::user_defined1()));
    let kill = SignalKind::from_raw(9);
    let refused = signals([kill]).expect_err("nobody hears of it");
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
}

/// Goal: a program that is run lives no longer than who waits for it: it is asked to end, may clean up,
/// and is gone.
#[test]
fn x24_a_program_that_nobody_waits_for_is_asked_to_end() {
    build(Builder::current_thread()).block_on(async {
        let (here, there) = StdUnixStream::pair().expect("two sockets");
        let script =
            "trap 'echo cleaned up >&2; exit' TERM; echo ready >&2; while :; do sleep 0.01; done";
        let mut command = Command::shell(script);
        command.stderr(Stdio::from(OwnedFd::from(there)));
        let patient = OnDrop::terminate().grace(Duration::from_secs(60));
        let running = command.run(patient);
        // What the command keeps would hold the other end open.
        drop(command);
        let mut said = BufReader::new(UnixStream::from_std(here).expect("it can be polled"));
        let mut line = String::new();
        let begun = async {
            said.read_line(&mut line).await.expect("it begins");
        };
        tenter::select! {
            biased;
            _ = running => panic!("it has no end"),
            () = begun => {}
        }
        assert_eq!(line, "ready\n");
        let mut rest = String::new();
        said.read_to_string(&mut rest)
            .await
            .expect("until it is gone");
        assert_eq!(rest, "cleaned up\n");
    });
}

/// Goal: the output of a program that ends is had in one call, and its status with it.
#[tenter::test]
async fn x24_a_program_that_ends_gives_its_output() {
    let output = Command::shell("echo out; echo err >&2; exit 4").run(OnDrop::kill());
    let output = output.await.expect("there is a shell");
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!(output.status.code(), Some(4));
}
