//! In programs that have their own ideas about SIGCHLD and about children.

use std::sync::atomic::{AtomicUsize, Ordering};

use tenter::process::OnDrop;
use tenter::signal::SignalKind;
use tenter_tests::support::{alone, build, every};

use crate::support::{How, is_dead, started, state, until};

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SEEN.fetch_add(1, Ordering::SeqCst);
}

fn on_sigchld(action: libc::sighandler_t) {
    // SAFETY: the handler does an atomic addition, which is async-signal-safe.
    let before = unsafe { libc::signal(libc::SIGCHLD, action) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Goal: a handler that the program had installed before still sees every child end.
#[test]
fn the_handler_of_a_host_is_still_called() {
    if !alone("host::the_handler_of_a_host_is_still_called") {
        return;
    }
    on_sigchld(count as extern "C" fn(libc::c_int) as libc::sighandler_t);
    every(|builder| {
        build(builder).block_on(async {
            for how in [How::Pidfd, How::Sigchld, How::Pidfd] {
                let before = SEEN.load(Ordering::SeqCst);
                assert!(how.command("true").status().await.unwrap().success());
                until(|| SEEN.load(Ordering::SeqCst) > before).await;
            }
        });
    });
}

/// Goal: where SIGCHLD is ignored, the error says so; nothing hangs, and nobody else is signalled.
#[test]
fn where_sigchld_is_ignored_the_error_says_so() {
    if !alone("host::where_sigchld_is_ignored_the_error_says_so") {
        return;
    }
    on_sigchld(libc::SIG_IGN);
    every(|builder| {
        build(builder).block_on(async {
            for script in ["exit 0", "read line"] {
                let mut child = How::Pidfd.sh(script);
                let mut child = child
                    .stdin(tenter::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                let error = child.wait().await.unwrap_err();
                assert_eq!(error.raw_os_error(), None);
                let text = error.to_string();
                assert!(text.contains("this program ignores SIGCHLD"), "{text}");
                assert!(text.contains("No child processes"), "{text}");
                child.kill().unwrap();
                child.terminate().unwrap();
                assert!(child.try_wait().is_err(), "the answer stays the same");
            }
            drop(How::Pidfd.command("true").spawn().unwrap());
            drop(
                How::Pidfd
                    .command("sleep")
                    .arg("1000")
                    .kill_on_drop(true)
                    .spawn()
                    .unwrap(),
            );
        });
    });
}

/// Goal: the number of a group whose leader was reaped by others is left alone: by now it may be that
/// of another group.
#[test]
fn a_group_whose_leader_others_have_reaped_is_left_alone() {
    if !alone("host::a_group_whose_leader_others_have_reaped_is_left_alone") {
        return;
    }
    every(|builder| {
        build(builder).block_on(async {
            for how in [How::Pidfd, How::Sigchld] {
                // What is left of the group stands for whoever may have the number.
                let mut command = how.sh("sleep 1000 & echo $!");
                command
                    .process_group(0)
                    .on_drop(OnDrop::kill().whole_group());
                let (mut child, id, line) = started(&mut command).await;
                let other: u32 = line.parse().unwrap();
                until(|| state(id) == Some('Z')).await;
                let raw = i32::try_from(id).unwrap();
                // SAFETY: the status is not asked for.
                let reaped = unsafe { libc::waitpid(raw, std::ptr::null_mut(), 0) };
                assert_eq!(reaped, raw);
                child.signal_group(SignalKind::terminate()).unwrap();
                assert_eq!(child.id(), None, "the number may be another's");
                drop(child);
                assert!(!is_dead(other), "{how:?}");
                let other = i32::try_from(other).unwrap();
                // SAFETY: numbers only; the process runs.
                assert_eq!(unsafe { libc::kill(other, libc::SIGKILL) }, 0);
            }
        });
    });
}

/// Goal: where another part of the program reaps all children, the error says so.
#[test]
fn where_others_reap_the_error_says_so() {
    if !alone("host::where_others_reap_the_error_says_so") {
        return;
    }
    every(|builder| {
        build(builder).block_on(async {
            for how in [How::Pidfd, How::Sigchld] {
                let mut child = how.command("true").spawn().unwrap();
                let id = child.id().unwrap();
                until(|| state(id) == Some('Z')).await;
                let mut status = 0;
                // SAFETY: the status is a number of ours.
                let reaped = unsafe { libc::waitpid(-1, &raw mut status, 0) };
                assert_eq!(u32::try_from(reaped).unwrap(), id);
                let text = child.wait().await.unwrap_err().to_string();
                assert!(text.contains("waits for all children"), "{text}");
                child.kill().unwrap();
                drop(child);
            }
        });
    });
}
