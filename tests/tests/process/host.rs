//! In programs that have their own ideas about SIGCHLD and about children.

use std::sync::atomic::{AtomicUsize, Ordering};

use tenter_tests::support::{alone, build, every};

use crate::support::{How, state, until};

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
