//! `tenter::signal` with real signals, raised at this very process.
//!
//! Signals belong to the process, so the tests take turns, and each listens before it raises.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, getpid};
use tenter::signal::{SignalKind, ctrl_c, signals};
use tenter::time::timeout;

/// The turn of one test. A failed one must not fail the others.
struct Turn {
    _guard: MutexGuard<'static, ()>,
}

fn turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    Turn {
        _guard: TURN.lock().unwrap_or_else(PoisonError::into_inner),
    }
}

/// Raises a signal at this very thread, so its handlers have run when this returns.
fn raise(signal: Signal) {
    // SAFETY: nothing but the number of a signal goes in.
    let result = unsafe { libc::raise(signal.as_raw()) };
    assert_eq!(result, 0, "raising {signal:?}");
}

/// Goal: the kinds have the numbers of this system.
#[test]
fn kinds_have_the_numbers_of_the_system() {
    for (kind, signal) in [
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
        (SignalKind::user_defined1(), Signal::USR1),
        (SignalKind::user_defined2(), Signal::USR2),
        (SignalKind::alarm(), Signal::ALARM),
        (SignalKind::child(), Signal::CHILD),
        (SignalKind::pipe(), Signal::PIPE),
        (SignalKind::window_change(), Signal::WINCH),
    ] {
        assert_eq!(kind.as_raw(), signal.as_raw(), "{kind}");
        assert_eq!(SignalKind::from_raw(kind.as_raw()), kind);
    }
    assert_eq!(SignalKind::terminate().to_string(), "SIGTERM");
    assert_eq!(SignalKind::from_raw(40).to_string(), "signal 40");
}

/// Goal: every listener gets every kind it asked for, and no other.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn each_listener_gets_the_kinds_it_asked_for() {
    let _turn = turn();
    let mut both = signals([SignalKind::user_defined1(), SignalKind::user_defined2()]).unwrap();
    let mut one = signals([SignalKind::user_defined2()]).unwrap();
    raise(Signal::USR1);
    assert_eq!(both.recv().await, Some(SignalKind::user_defined1()));
    raise(Signal::USR2);
    assert_eq!(both.recv().await, Some(SignalKind::user_defined2()));
    assert_eq!(one.recv().await, Some(SignalKind::user_defined2()));
}

/// Goal: signals that came before `recv` are delivered, each kind once, also after a wait that was
/// given up.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn signals_wait_for_their_receiver_and_coalesce() {
    let _turn = turn();
    let mut signals = signals([SignalKind::user_defined1(), SignalKind::user_defined2()]).unwrap();
    assert!(timeout(Duration::ZERO, signals.recv()).await.is_err());
    for _ in 0..100 {
        raise(Signal::USR2);
    }
    raise(Signal::USR1);
    assert_eq!(signals.recv().await, Some(SignalKind::user_defined1()));
    assert_eq!(signals.recv().await, Some(SignalKind::user_defined2()));
    assert!(
        timeout(Duration::ZERO, signals.recv()).await.is_err(),
        "nothing comes twice"
    );
}

/// Goal: a signal that arrives while the task sleeps in the poller wakes it.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn a_signal_wakes_a_sleeping_runtime() {
    let _turn = turn();
    let mut signals = signals([SignalKind::user_defined1()]).unwrap();
    let parent = getpid().as_raw_nonzero();
    for _ in 0..20 {
        // Another process takes long enough for this one to fall asleep, and needs no clock here.
        let mut kill = Command::new("sh")
            .args(["-c", &format!("kill -USR1 {parent}")])
            .spawn()
            .unwrap();
        assert_eq!(signals.recv().await, Some(SignalKind::user_defined1()));
        kill.wait().unwrap();
    }
}

/// Goal: a handler that the host application installed before is still called.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn the_handler_of_the_host_application_is_still_called() {
    let _turn = turn();
    let host = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&host);
    // SAFETY: an atomic addition is async-signal-safe.
    let id = unsafe {
        signal_hook_registry::register(SignalKind::user_defined1().as_raw(), move || {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        })
    }
    .unwrap();
    let mut signals = signals([SignalKind::user_defined1()]).unwrap();
    raise(Signal::USR1);
    assert_eq!(signals.recv().await, Some(SignalKind::user_defined1()));
    drop(signals);
    raise(Signal::USR1);
    assert_eq!(host.load(std::sync::atomic::Ordering::SeqCst), 2);
    signal_hook_registry::unregister(id);
}

/// Goal: `ctrl_c` listens from the call on, not from the first poll.
#[tenter::test(flavor = "current_thread", timeout = "20s")]
async fn ctrl_c_listens_from_the_call_on() {
    let _turn = turn();
    let wait = ctrl_c();
    raise(Signal::INT);
    wait.await.unwrap();
}

/// Goal: two runtimes in one process both get a signal.
#[test]
fn two_runtimes_both_get_a_signal() {
    let _turn = turn();
    let listening = std::sync::Arc::new(std::sync::Barrier::new(3));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let listening = std::sync::Arc::clone(&listening);
            std::thread::spawn(move || {
                tenter::run(async move {
                    let mut signals = signals([SignalKind::hangup()]).unwrap();
                    listening.wait();
                    timeout(Duration::from_secs(20), signals.recv()).await
                })
            })
        })
        .collect();
    listening.wait();
    raise(Signal::HUP);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(Some(SignalKind::hangup())));
    }
}
