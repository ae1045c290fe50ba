//! How children end, and how that is seen.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use tenter::process::Stdio;
use tenter::signal::SignalKind;
use tenter::time::timeout;

use crate::support::{everywhere, is_dead, started, state, until};

/// Goal: exit codes and signals come back as they are, again and again.
#[test]
fn exit_codes_and_signals_come_back() {
    everywhere(|how| async move {
        for code in [0, 1, 7, 255] {
            let mut child = how.sh(&format!("exit {code}")).spawn().unwrap();
            for _ in 0..3 {
                let status = child.wait().await.unwrap();
                assert_eq!((status.code(), status.signal()), (Some(code), None));
                assert_eq!(child.try_wait().unwrap(), Some(status));
            }
        }
        for signal in [9, 15, 6] {
            // No core file is to be left behind.
            let mut command = how.sh(&format!("ulimit -c 0; kill -{signal} $$"));
            let status = command.status().await.unwrap();
            assert_eq!((status.code(), status.signal()), (None, Some(signal)));
        }
    });
}

/// Goal: the status has every bit of the one that the standard library sees.
#[test]
fn statuses_are_those_of_the_standard_library() {
    everywhere(|how| async move {
        for script in ["exit 3", "kill -9 $$", "ulimit -c unlimited; kill -6 $$"] {
            let run = |command: &mut std::process::Command| {
                // Where a core file is written, it goes where it does no harm.
                command
                    .args(["-c", script])
                    .current_dir("/proc/self")
                    .status()
                    .unwrap()
            };
            let theirs = run(&mut std::process::Command::new("sh"));
            let ours = how
                .sh(script)
                .current_dir("/proc/self")
                .status()
                .await
                .unwrap();
            assert_eq!(ours.into_raw(), theirs.into_raw(), "{script}");
        }
    });
}

/// Goal: a child that runs has no status yet, and `wait` ends one that reads its input to the end.
#[test]
fn waiting_closes_the_input() {
    everywhere(|how| async move {
        let mut cat = how.command("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(cat.try_wait().unwrap(), None);
        assert!(
            timeout(Duration::ZERO, std::future::pending::<()>())
                .await
                .is_err()
        );
        let id = cat.id().unwrap();
        assert!(!is_dead(id));
        assert!(cat.wait().await.unwrap().success());
        assert_eq!((cat.id(), state(id)), (None, None), "it is reaped");
    });
}

/// py:test_subprocess test_cancel_process_wait: the second wait has the status.
#[test]
fn a_wait_that_was_dropped_loses_nothing() {
    everywhere(|how| async move {
        let (mut child, ..) = started(&mut how.sh("echo ready; exec sleep 1000")).await;
        assert!(
            timeout(Duration::from_millis(1), child.wait())
                .await
                .is_err()
        );
        child.kill().unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(9));
    });
}

/// Goal: an end that nobody awaited yet is found at once.
#[test]
fn an_end_before_the_wait_is_seen() {
    everywhere(|how| async move {
        let mut child = how.command("true").spawn().unwrap();
        let id = child.id().unwrap();
        until(|| state(id) == Some('Z')).await;
        assert!(child.wait().await.unwrap().success());
    });
}

/// Goal: a signal for a child that has ended is no error and changes nothing.
#[test]
fn killing_what_has_ended_is_no_error() {
    everywhere(|how| async move {
        let mut child = how.command("true").spawn().unwrap();
        let id = child.id().unwrap();
        until(|| state(id) == Some('Z')).await;
        child.kill().unwrap();
        child.terminate().unwrap();
        assert!(child.wait().await.unwrap().success(), "it had ended before");
        child.kill().unwrap();
        child.signal(SignalKind::hangup()).unwrap();
        child.signal_group(SignalKind::hangup()).unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

/// Goal: each signal arrives as itself; one that cannot be sent is refused.
#[test]
fn signals_arrive() {
    everywhere(|how| async move {
        for kind in [
            SignalKind::hangup(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
        ] {
            let (mut child, ..) = started(&mut how.sh("echo ready; exec sleep 1000")).await;
            child.signal(kind).unwrap();
            assert_eq!(child.wait().await.unwrap().signal(), Some(kind.as_raw()));
        }
        let (mut child, ..) = started(&mut how.sh("echo ready; exec sleep 1000")).await;
        let error = child.signal(SignalKind::from_raw(65)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("signal 65 cannot be sent"),
            "{error}"
        );
        child.terminate().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(15));
    });
}

/// Goal: a signal to the group reaches what the child has started; there has to be a group.
#[test]
fn a_group_gets_a_signal() {
    everywhere(|how| async move {
        let script = "sleep 1000 & echo $!; wait";
        let (mut leader, _, line) = started(how.sh(script).process_group(0)).await;
        let other: u32 = line.parse().unwrap();
        assert!(!is_dead(other));
        leader.signal_group(SignalKind::terminate()).unwrap();
        assert_eq!(leader.wait().await.unwrap().signal(), Some(15));
        until(|| is_dead(other)).await;

        let (mut single, ..) = started(&mut how.sh("echo ready; exec sleep 1000")).await;
        let error = single.signal_group(SignalKind::terminate()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("process_group(0)"), "{error}");
        single.kill().unwrap();
        assert_eq!(single.wait().await.unwrap().signal(), Some(9));
    });
}

/// Goal: many children at once each give their own status.
#[test]
fn two_hundred_children_at_once() {
    everywhere(|how| async move {
        let mut children = Vec::new();
        for number in 0..200 {
            // They all wait for one another: none ends before all were started.
            let mut command = how.sh(&format!("read line; exit {number}"));
            children.push(command.stdin(Stdio::piped()).spawn().unwrap());
        }
        for child in &mut children {
            child.stdin = None;
        }
        for (number, child) in children.iter_mut().enumerate() {
            let status = child.wait().await.unwrap();
            assert_eq!(status.code(), Some(i32::try_from(number).unwrap()));
        }
    });
}

/// Goal: what the command says reaches the child.
#[test]
fn surroundings_reach_the_child() {
    everywhere(|how| async move {
        let script = "echo $0-$A-$B-${C:-unset}; pwd";
        let mut command = how.sh(script);
        command
            .arg0("shell")
            .env("A", "1")
            .envs([("B", "2"), ("C", "3")])
            .env_remove("C");
        let output = command.current_dir("/").output().await.unwrap();
        // `$0` of a script in an argument is the name of the shell.
        assert_eq!(output.stdout, b"shell-1-2-unset\n/\n");
        let clean = how
            .command("/usr/bin/env")
            .env_clear()
            .env("D", "4")
            .output()
            .await;
        assert_eq!(clean.unwrap().stdout, b"D=4\n");
    });
}
