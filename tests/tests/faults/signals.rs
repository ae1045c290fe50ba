//! Faults 28 and 48: signals that come all the time, and signals that others wait for too.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::signal::{SignalKind, signals};
use tenter::spawn;
use tenter::time::sleep;
use tenter_tests::support::{alone, build, thread};

use crate::system::{every_flavour, pair, real_clocks};

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    SEEN.fetch_add(1, Ordering::Relaxed);
}

/// Installs [`count`], as a program of any language would. Interrupted calls are not gone on with.
fn install(signal: libc::c_int) {
    // SAFETY: a structure of numbers and an optional pointer, for which zeros are valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the action is complete, and its function does nothing but an atomic addition.
    let result = unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

/// Sends a signal to every thread of this process but the calling one.
fn interrupt_all(signal: libc::c_int) {
    // SAFETY: these three have numbers for arguments, and touch no memory.
    let (process, me) = unsafe { (libc::getpid(), libc::gettid()) };
    for task in std::fs::read_dir("/proc/self/task").expect("this is Linux") {
        let name = task.expect("an entry").file_name();
        let task: libc::pid_t = name.to_string_lossy().parse().expect("a number");
        if task != me {
            // SAFETY: as above. A thread that has ended meanwhile is an error that does not matter.
            let _ = unsafe { libc::syscall(libc::SYS_tgkill, process, task, signal) };
        }
    }
}

/// Goal: interrupted system calls neither end a sleep early nor keep it from ending, and lose
/// nothing of a stream, on one thread and on several.
/// Method: each thread is interrupted up to ten thousand times a second.
#[test]
fn fault_28_a_storm_of_signals_on_every_thread() {
    if !alone("signals::fault_28_a_storm_of_signals_on_every_thread") {
        return;
    }
    static CALM: AtomicBool = AtomicBool::new(false);
    install(libc::SIGUSR1);
    let storm = thread(|| {
        while !CALM.load(Ordering::Acquire) {
            interrupt_all(libc::SIGUSR1);
            std::thread::sleep(Duration::from_micros(100)); // The pace of the storm.
        }
    });
    for builder in real_clocks() {
        let label = format!("{builder:?}");
        let before = SEEN.load(Ordering::Relaxed);
        let runtime = build(builder);
        runtime.block_on(async {
            let (mut one, mut other) = pair().await;
            let echo = spawn(async move {
                // As long as it takes for the storm to be one, on however busy a machine.
                for round in 0_u32.. {
                    if round >= 500 && SEEN.load(Ordering::Relaxed) - before >= 200 {
                        break;
                    }
                    one.write_all(&round.to_ne_bytes()).await.expect("written");
                    let mut back = [0; 4];
                    one.read_exact(&mut back).await.expect("read");
                    assert_eq!(u32::from_ne_bytes(back), round);
                }
            });
            let answers = spawn(async move {
                let mut bytes = [0; 4];
                while other.read_exact(&mut bytes).await.is_ok() {
                    other.write_all(&bytes).await.expect("written");
                }
            });
            let timers: Vec<_> = (1..=20)
                .map(|millis| {
                    spawn(async move {
                        let mut late = Duration::ZERO;
                        for _ in 0..5 {
                            let (start, rest) = (Instant::now(), Duration::from_millis(millis));
                            sleep(rest).await;
                            let passed = start.elapsed();
                            assert!(passed >= rest, "{passed:?} of {rest:?}");
                            late = late.max(passed - rest);
                        }
                        late
                    })
                })
                .collect();
            echo.await.expect("no panic");
            answers.await.expect("no panic");
            let mut late = Vec::new();
            for timer in timers {
                late.push(timer.await.expect("no panic"));
            }
            late.sort_unstable();
            // Far more than the machine makes of it, far less than a lost deadline does.
            assert!(late[10] < Duration::from_millis(200), "{label}: {late:?}");
            assert!(late[19] < Duration::from_secs(5), "{label}: {late:?}");
        });
    }
    CALM.store(true, Ordering::Release);
    storm.join();
}

/// Goal: a handler that was there before, installed by no library that we know of, is called for
/// every signal, while we listen, and afterwards; and we get ours. SIGCHLD included, which whoever
/// starts processes waits for.
#[test]
fn fault_48_handlers_of_others_are_called_too() {
    if !alone("signals::fault_48_handlers_of_others_are_called_too") {
        return;
    }
    install(libc::SIGUSR2);
    install(libc::SIGCHLD);
    let raise = || {
        // SAFETY: nothing but the number of a signal goes in.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
    };
    for builder in every_flavour() {
        let label = format!("{builder:?}");
        let runtime = build(builder);
        let before = SEEN.load(Ordering::SeqCst);
        runtime.block_on(async {
            let mut children = signals([SignalKind::child()]).expect("allowed");
            let mut users = signals([SignalKind::user_defined2()]).expect("allowed");
            raise();
            assert_eq!(users.recv().await, Some(SignalKind::user_defined2()));
            let status = Command::new("true").status().expect("it is there");
            assert!(status.success());
            assert_eq!(children.recv().await, Some(SignalKind::child()));
        });
        assert_eq!(SEEN.load(Ordering::SeqCst), before + 2, "{label}");
        raise();
        assert_eq!(SEEN.load(Ordering::SeqCst), before + 3, "{label}");
    }
}
