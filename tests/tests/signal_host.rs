//! `tenter::signal` in a program that has installed handlers of its own, by the system's own calls.
//!
//! Handlers belong to the process, so each test runs in one of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use tenter::process::Command;
use tenter::signal::{SignalKind, signals};
use tenter_tests::support::{alone, build, every};

static SIMPLE: AtomicUsize = AtomicUsize::new(0);
static DETAILED: AtomicUsize = AtomicUsize::new(0);
/// The process that the last SIGCHLD was about.
static ABOUT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn simple(_signal: libc::c_int) {
    SIMPLE.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn detailed(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: a handler with SA_SIGINFO gets a valid pointer.
    let about = unsafe { (*info).si_pid() };
    ABOUT.store(usize::try_from(about).unwrap_or(0), Ordering::SeqCst);
    DETAILED.fetch_add(1, Ordering::SeqCst);
}

fn install(signal: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: the handlers above are async-signal-safe: they store into atomics and nothing else; a
    // zeroed action is a valid one.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags | libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    assert_eq!(result, 0);
}

fn raise(signal: libc::c_int) {
    // SAFETY: nothing but the number of a signal goes in.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// Goal: both kinds of handlers that the host had installed before run for every signal, while streams
/// listen and after they are gone; and the streams get theirs.
#[test]
fn handlers_of_the_host_run_before_and_after() {
    if !alone("handlers_of_the_host_run_before_and_after") {
        return;
    }
    let simple: extern "C" fn(_) = simple;
    let detailed: extern "C" fn(_, _, _) = detailed;
    install(libc::SIGUSR1, simple as libc::sighandler_t, 0);
    install(
        libc::SIGUSR2,
        detailed as libc::sighandler_t,
        libc::SA_SIGINFO,
    );
    every(|builder| {
        let before = (
            SIMPLE.load(Ordering::SeqCst),
            DETAILED.load(Ordering::SeqCst),
        );
        build(builder).block_on(async {
            let kinds = [SignalKind::user_defined1(), SignalKind::user_defined2()];
            let mut stream = signals(kinds).unwrap();
            raise(libc::SIGUSR1);
            assert_eq!(stream.recv().await, Some(kinds[0]));
            raise(libc::SIGUSR2);
            assert_eq!(stream.recv().await, Some(kinds[1]));
            drop(stream);
            raise(libc::SIGUSR1);
            raise(libc::SIGUSR2);
        });
        let after = (
            SIMPLE.load(Ordering::SeqCst),
            DETAILED.load(Ordering::SeqCst),
        );
        assert_eq!(after, (before.0 + 2, before.1 + 2));
        assert_eq!(ABOUT.load(Ordering::SeqCst), std::process::id() as usize);
    });
}

/// Goal: SIGCHLD is shared by a handler of the host, streams, and children that are waited for with its
/// help.
#[test]
fn sigchld_is_shared() {
    if !alone("sigchld_is_shared") {
        return;
    }
    let detailed: extern "C" fn(_, _, _) = detailed;
    install(
        libc::SIGCHLD,
        detailed as libc::sighandler_t,
        libc::SA_SIGINFO,
    );
    every(|builder| {
        build(builder).block_on(async {
            for by_sigchld in [false, true] {
                let mut stream = signals([SignalKind::child()]).unwrap();
                let before = DETAILED.load(Ordering::SeqCst);
                let mut command = Command::new("true");
                let mut child = command.watch_by_sigchld(by_sigchld).spawn().unwrap();
                let id = child.id().unwrap() as usize;
                assert!(child.wait().await.unwrap().success());
                assert_eq!(stream.recv().await, Some(SignalKind::child()));
                assert_eq!(DETAILED.load(Ordering::SeqCst), before + 1);
                assert_eq!(ABOUT.load(Ordering::SeqCst), id);
            }
        });
    });
}

/// Goal: a handler that the host installs afterwards, and that calls the one it found, breaks nothing.
#[test]
fn a_handler_that_is_installed_later_may_call_ours() {
    static OURS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn later(signal: libc::c_int, info: *mut libc::siginfo_t, data: *mut libc::c_void) {
        SIMPLE.fetch_add(1, Ordering::SeqCst);
        // SAFETY: what was found there is a handler with SA_SIGINFO; the arguments are passed on.
        let ours: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute(OURS.load(Ordering::SeqCst)) };
        ours(signal, info, data);
    }
    if !alone("a_handler_that_is_installed_later_may_call_ours") {
        return;
    }
    every(|builder| {
        build(builder).block_on(async {
            let mut stream = signals([SignalKind::hangup()]).unwrap();
            if OURS.load(Ordering::SeqCst) == 0 {
                // SAFETY: a zeroed action is a valid one to be overwritten.
                let found = unsafe {
                    let mut action: libc::sigaction = std::mem::zeroed();
                    libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action);
                    assert_ne!(action.sa_flags & libc::SA_SIGINFO, 0);
                    action.sa_sigaction
                };
                OURS.store(found, Ordering::SeqCst);
                let later: extern "C" fn(_, _, _) = later;
                install(libc::SIGHUP, later as libc::sighandler_t, libc::SA_SIGINFO);
            }
            let before = SIMPLE.load(Ordering::SeqCst);
            raise(libc::SIGHUP);
            assert_eq!(stream.recv().await, Some(SignalKind::hangup()));
            assert_eq!(SIMPLE.load(Ordering::SeqCst), before + 1);
        });
    });
}
