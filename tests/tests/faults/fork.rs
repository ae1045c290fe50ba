//! Fault 47: `fork` after the runtime has started.
//!
//! A copy of the process has the memory of the runtime and none of its threads, and it shares the
//! poller. Whatever it does with what it has inherited must not reach the process that it was copied
//! from; what it makes itself must work.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::net::{TcpListener, TcpStream};
use tenter::time::sleep;
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::{alone, assert_says, build, ends, poll_once};

use crate::system::{descriptors, every_flavour, pair, real_clocks};

/// Runs `body` in a copy of this process, and fails if it fails there.
fn forked(label: &str, body: impl FnOnce()) {
    // SAFETY: the copy has this thread alone. It may allocate, because the C library sees to its own
    // locks; other locks may be held for ever by threads that it does not have, so `body` uses
    // nothing that they use. It leaves by `_exit`, without running what belongs to the original.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let ended = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: ends the copy at once.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    assert!(child > 0, "the system has room for a process");
    let mut status = 0;
    // SAFETY: the pointer is to a number, which is written to.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child);
    let ended_well = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    assert!(ended_well, "{label}: the copy ended with {status:#x}");
}

/// Both ends wait, and get an answer: what is there before it is waited for needs no event.
async fn round_trip(one: &mut TcpStream, other: &mut TcpStream) {
    for _ in 0..3 {
        one_way(one, other).await;
        one_way(other, one).await;
    }
}

async fn one_way(from: &mut TcpStream, to: &mut TcpStream) {
    let mut bytes = [0; 4];
    let mut reading = pin!(to.read_exact(&mut bytes));
    assert!(poll_once(&mut reading).is_pending(), "nothing was written");
    from.write_all(b"ping").await.expect("written");
    reading.await.expect("read");
}

/// Goal: sockets that the copy drops go on in the original.
#[test]
fn fault_47_what_a_fork_drops_goes_on_here() {
    if !alone("fork::fault_47_what_a_fork_drops_goes_on_here") {
        return;
    }
    for builder in every_flavour() {
        let label = format!("{builder:?}");
        ends(&label.clone(), move || {
            let before = descriptors();
            let runtime = build(builder);
            let mut pairs: Vec<_> = (0..4).map(|_| runtime.block_on(pair())).collect();
            forked(&label, || {
                // Owned twice: by the copy, and by the original.
                let copies = std::mem::take(&mut pairs);
                drop(copies);
            });
            runtime.block_on(async {
                for (one, other) in &mut pairs {
                    round_trip(one, other).await;
                }
            });
            drop((pairs, runtime));
            assert_eq!(descriptors(), before, "{label}");
        });
    }
}

/// Goal: in the copy an operation that would have to wait is an error that says what to do, and so
/// is a new source; no event of the original is taken, and no deadline of it is moved.
#[test]
fn fault_47_a_fork_cannot_use_the_poller() {
    if !alone("fork::fault_47_a_fork_cannot_use_the_poller") {
        return;
    }
    let builders = [Builder::current_thread(), Builder::deterministic(7)];
    for builder in builders {
        let label = format!("{builder:?}");
        ends(&label.clone(), move || {
            let runtime = build(builder);
            let (mut one, mut other) = runtime.block_on(pair());
            // An event that nobody has taken yet: an edge is told once.
            runtime.block_on(async {
                let mut buffer = [0; 8];
                assert!(poll_once(&mut pin!(one.read(&mut buffer))).is_pending());
            });
            assert_eq!(rustix::io::write(&other, b"ping!"), Ok(5));
            forked(&label, || {
                let failed = runtime.block_on(one.read(&mut [0; 8]));
                let text = failed.expect_err("it is the original's").to_string();
                assert_says(&text, &["`fork`", "new runtime"]);
                let refused = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
                let text = refused.expect_err("it is the original's").to_string();
                assert_says(&text, &["`fork`", "new runtime"]);
            });
            runtime.block_on(async {
                // The event that nobody has taken is still there.
                one.read_exact(&mut [0; 5]).await.expect("read");
                round_trip(&mut one, &mut other).await;
            });
        });
    }
}

/// Goal: a runtime that the copy makes for itself works, with sockets, timers and threads.
#[test]
fn fault_47_a_fork_makes_its_own_runtime() {
    if !alone("fork::fault_47_a_fork_makes_its_own_runtime") {
        return;
    }
    for builder in real_clocks() {
        let label = format!("{builder:?}");
        let runtime = build(builder.clone());
        let (mut one, mut other) = runtime.block_on(pair());
        forked(&label, || {
            works(&builder.build().expect("nothing is refused"));
            // And a copy of the copy.
            forked(&label, || {
                works(&Runtime::new().expect("nothing is refused"));
            });
        });
        runtime.block_on(round_trip(&mut one, &mut other));
        works(&runtime);
    }
}

fn works(runtime: &Runtime) {
    runtime.block_on(async {
        let (mut one, mut other) = pair().await;
        let task = spawn(async move {
            sleep(Duration::from_millis(1)).await;
            round_trip(&mut one, &mut other).await;
        });
        task.await.expect("no panic");
    });
}

/// Goal: the copy may drop the runtime itself, which ends nothing in the original.
#[test]
fn fault_47_a_fork_drops_the_runtime() {
    if !alone("fork::fault_47_a_fork_drops_the_runtime") {
        return;
    }
    for builder in every_flavour() {
        let label = format!("{builder:?}");
        ends(&label.clone(), move || {
            // It waits for the workers, which the copy does not have.
            let runtime = build(builder.shutdown_timeout(Duration::from_millis(20)));
            let (mut one, mut other) = runtime.block_on(pair());
            let mut copy = Some(runtime);
            forked(&label, || drop(copy.take()));
            let runtime = copy.expect("the original's own");
            runtime.block_on(round_trip(&mut one, &mut other));
        });
    }
}

/// Goal: a program that the process starts inherits no descriptor of the runtime.
#[test]
fn fault_47_a_program_inherits_nothing() {
    if !alone("fork::fault_47_a_program_inherits_nothing") {
        return;
    }
    for builder in every_flavour() {
        let runtime = build(builder);
        let _pair = runtime.block_on(pair());
        let _signals = runtime.block_on(async {
            tenter::signal::signals([tenter::signal::SignalKind::user_defined2()])
        });
        let listed = std::process::Command::new("ls")
            .args(["-l", "/proc/self/fd"])
            .output()
            .expect("ls is there");
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        for kind in ["eventpoll", "eventfd", "timerfd", "socket:"] {
            assert!(!listed.contains(kind), "{listed}");
        }
    }
}

/// The tools of this file are what they say.
#[test]
fn a_failure_in_a_fork_is_one_here() {
    if !alone("fork::a_failure_in_a_fork_is_one_here") {
        return;
    }
    let (mut here, there) = UnixStream::pair().expect("a pair");
    forked("", || (&there).write_all(b"x").expect("written"));
    here.read_exact(&mut [0]).expect("the copy has run");
    let failed = catch_unwind(|| forked("", || panic!("on purpose")));
    assert!(failed.is_err());
}
