//! What becomes of children that are dropped: they go on or end as was asked, and are reaped.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use tenter::Builder;
use tenter::process::{Child, OnDrop, Stdio};
use tenter::signal::SignalKind;
use tenter::time::timeout;
use tenter_tests::support::{Slot, alone, build, every, foreign_block_on};

use crate::support::{
    How, descriptors, everywhere, is_dead, started, state, sweep, until, until_no_child_is_left,
};

/// Our end of a socket, and the other for a child.
fn socket() -> (UnixStream, Stdio) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours, Stdio::from(OwnedFd::from(theirs)))
}

/// Ignores SIGTERM, and says so.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do read line || exec sleep 1000; done";

const HOUR: Duration = Duration::from_secs(3600);

/// Goal: by default a child goes on, with no zombie when it ends.
#[test]
fn a_dropped_child_goes_on_and_is_reaped() {
    everywhere(|how| async move {
        let (mut ours, theirs) = socket();
        let mut command = how.command("cat");
        let (again, output) = socket();
        let child = command.stdin(theirs).stdout(output).spawn().unwrap();
        let id = child.id().unwrap();
        drop((child, command));
        ours.write_all(b"it goes on").unwrap();
        let mut text = [0; 10];
        (&again).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"it goes on");
        assert!(!is_dead(id));
        drop(ours);
        until(|| state(id).is_none()).await;
    });
}

/// Goal: a child that had ended before it was dropped is reaped there and then.
#[test]
fn a_zombie_is_reaped_by_the_drop() {
    everywhere(|how| async move {
        let child = how.command("true").spawn().unwrap();
        let id = child.id().unwrap();
        until(|| state(id) == Some('Z')).await;
        drop(child);
        assert_eq!(state(id), None);
    });
}

/// Goal: `kill_on_drop` kills, also a child that ignores everything else.
#[test]
fn kill_on_drop_kills() {
    everywhere(|how| async move {
        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true)).await;
        drop(child);
        until(|| state(id).is_none()).await;
        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true).kill_on_drop(false)).await;
        drop(child);
        assert!(!is_dead(id));
        let id = i32::try_from(id).unwrap();
        // SAFETY: numbers only; the child was not reaped, for it runs.
        assert_eq!(unsafe { libc::kill(id, libc::SIGKILL) }, 0);
    });
}

/// Goal: a child that is asked to end has time to do so in its own way.
#[test]
fn a_child_that_is_asked_ends_by_itself() {
    everywhere(|how| async move {
        for (kind, name) in [
            (SignalKind::terminate(), "TERM"),
            (SignalKind::hangup(), "HUP"),
        ] {
            let (mut ours, theirs) = socket();
            let script = format!("trap 'echo bye >&2; exit' {name}; echo ready; sleep 1000 & wait");
            let mut command = how.sh(&script);
            command
                .stderr(theirs)
                .on_drop(OnDrop::signal(kind).grace(HOUR).whole_group());
            let (child, id, _) = started(command.process_group(0)).await;
            drop((child, command));
            let mut text = [0; 4];
            ours.read_exact(&mut text).unwrap();
            assert_eq!(&text, b"bye\n");
            until(|| state(id).is_none()).await;
            // What is left of the group is killed with it, and then nobody has the socket.
            assert_eq!(ours.read(&mut text).unwrap(), 0);
        }
    });
}

/// Goal: a child that does not end when it is asked is killed when the grace is over.
#[test]
fn a_stubborn_child_is_killed() {
    everywhere(|how| async move {
        for grace in [Duration::ZERO, Duration::from_millis(20)] {
            let mut command = how.sh(STUBBORN);
            let (child, id, _) = started(command.on_drop(OnDrop::terminate().grace(grace))).await;
            drop(child);
            // Behind the grace: a virtual clock moves only while everybody waits.
            tenter::time::sleep(grace).await;
            until(|| state(id).is_none()).await;
        }
    });
}

/// Goal: a signal that does not exist kills.
#[test]
fn an_unknown_signal_kills() {
    everywhere(|how| async move {
        let on_drop = OnDrop::signal(SignalKind::from_raw(99)).grace(HOUR);
        let (child, id, _) = started(how.sh(STUBBORN).on_drop(on_drop)).await;
        drop(child);
        until(|| state(id).is_none()).await;
    });
}

/// Goal: the whole group ends, also where its leader had ended before.
#[test]
fn a_group_ends_with_its_leader() {
    everywhere(|how| async move {
        for script in ["sleep 1000 & echo $!; wait", "sleep 1000 & echo $!"] {
            let mut command = how.sh(script);
            command
                .process_group(0)
                .on_drop(OnDrop::kill().whole_group());
            let (child, id, line) = started(&mut command).await;
            let other: u32 = line.parse().unwrap();
            if !script.ends_with("wait") {
                until(|| state(id) == Some('Z')).await;
            }
            assert!(!is_dead(other));
            drop(child);
            until(|| state(id).is_none() && is_dead(other)).await;
        }
    });
}

/// Goal: without a group of its own, the child alone is meant.
#[test]
fn a_child_without_a_group_ends_alone() {
    everywhere(|how| async move {
        let mut command = how.sh(STUBBORN);
        let (child, id, _) = started(command.on_drop(OnDrop::kill().whole_group())).await;
        drop(child);
        until(|| state(id).is_none()).await;
    });
}

/// Goal: `end` does what a drop would do, and waits for it: the status says which of the ways it was.
#[test]
fn an_end_that_is_awaited() {
    everywhere(|how| async move {
        // A virtual clock would not wait for a real process: for ever is for ever on every clock.
        let polite = "trap 'exit 7' TERM; echo ready; sleep 1000 & wait";
        for (script, on_drop, expected) in [
            (
                polite,
                OnDrop::terminate().grace(Duration::MAX).whole_group(),
                (Some(7), None),
            ),
            (polite, OnDrop::kill().whole_group(), (None, Some(9))),
            (
                STUBBORN,
                OnDrop::terminate().grace(Duration::from_millis(1)),
                (None, Some(9)),
            ),
            (
                STUBBORN,
                OnDrop::signal(SignalKind::from_raw(99)),
                (None, Some(9)),
            ),
            ("echo ready; exit 3", OnDrop::detach(), (Some(3), None)),
        ] {
            let mut command = how.sh(script);
            let (mut child, ..) = started(command.process_group(0).on_drop(on_drop)).await;
            let status = child.end().await.unwrap();
            assert_eq!(
                (status.code(), status.signal()),
                expected,
                "{script} {on_drop:?}"
            );
            assert_eq!(child.end().await.unwrap(), status);
        }
        // A wait for the end that is dropped leaves a child that can be ended in another way.
        let (mut child, ..) = started(&mut how.sh(STUBBORN)).await;
        child.set_on_drop(OnDrop::terminate().grace(HOUR));
        assert!(
            timeout(Duration::from_millis(1), child.end())
                .await
                .is_err()
        );
        child.set_on_drop(OnDrop::kill());
        assert_eq!(child.end().await.unwrap().signal(), Some(9));
    });
}

/// Starts a child in a runtime of its own, in a task that waits for it, and ends the runtime.
fn end_of_a_runtime(builder: Builder, how: How, on_drop: OnDrop) -> u32 {
    let runtime = build(builder);
    let ready = Slot::new();
    let tell = ready.clone();
    let task = runtime.spawn(async move {
        let (mut child, id, _) = started(how.sh(STUBBORN).on_drop(on_drop)).await;
        tell.put(id);
        child.wait().await
    });
    let id = runtime.block_on(async {
        until(|| ready.is_full()).await;
        ready.take()
    });
    assert!(!is_dead(id));
    drop(runtime);
    drop(task);
    id
}

fn until_now(mut so: impl FnMut() -> bool) {
    while !so() {
        std::thread::yield_now();
    }
}

/// Goal: when the runtime ends, so do its children, at once, whatever their grace; those that are
/// detached go on. They are reaped at the next occasion.
#[test]
fn the_end_of_a_runtime() {
    every(|builder| {
        // A builder makes one runtime; the flavour is all that counts.
        let many = format!("{builder:?}").contains("MultiThread");
        let again = move || {
            if many {
                Builder::multi_thread().workers(2)
            } else {
                Builder::current_thread()
            }
        };
        drop(builder);
        for how in [How::Pidfd, How::Sigchld] {
            for on_drop in [OnDrop::kill(), OnDrop::terminate().grace(HOUR)] {
                let id = end_of_a_runtime(again(), how, on_drop);
                until_now(|| is_dead(id));
                sweep();
                assert_eq!(state(id), None, "{how:?} {on_drop:?}");
            }
            let id = end_of_a_runtime(again(), how, OnDrop::detach());
            assert!(!is_dead(id), "it goes on");
            let raw = i32::try_from(id).unwrap();
            // SAFETY: numbers only; the child runs, so the number is its own.
            assert_eq!(unsafe { libc::kill(raw, libc::SIGKILL) }, 0);
            until_now(|| is_dead(id));
            sweep();
            assert_eq!(state(id), None);
        }
    });
}

/// Goal: a child whose grace runs when the runtime ends is killed then.
#[test]
fn a_grace_ends_with_the_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let id = runtime.block_on(async {
            let mut command = How::Pidfd.sh(STUBBORN);
            let (child, id, _) = started(command.on_drop(OnDrop::terminate().grace(HOUR))).await;
            drop(child);
            // Main would wait for it, but it goes on: a task of the runtime does.
            tenter::task::yield_now().await;
            assert!(!is_dead(id));
            id
        });
        drop(runtime);
        until_now(|| is_dead(id));
        sweep();
        assert_eq!(state(id), None);
    });
}

/// Goal: a child that outlives its runtime can still be asked for, killed and dropped.
#[test]
fn a_child_outlives_its_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let start = |runtime: &tenter::Runtime| {
            let mut command = How::Pidfd.sh(STUBBORN);
            command.kill_on_drop(true);
            let child: (Child, u32, String) = runtime.block_on(started(&mut command));
            child
        };
        let (mut child, id, _) = start(&runtime);
        let (dropped, other, _) = start(&runtime);
        drop(runtime);
        assert_eq!(child.try_wait().unwrap(), None);
        let error = foreign_block_on(child.wait()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {id} still runs")),
            "{error}"
        );
        child.kill().unwrap();
        until_now(|| is_dead(id));
        assert!(!foreign_block_on(child.wait()).unwrap().success());
        drop(dropped);
        until_now(|| is_dead(other));
        sweep();
        assert_eq!(state(other), None);
    });
}

/// Goal: after all of this there is no descriptor and no child more than before.
#[test]
fn nothing_is_left_behind() {
    if !alone("drops::nothing_is_left_behind") {
        return;
    }
    let round = || {
        for how in [How::Pidfd, How::Sigchld] {
            every(move |builder| {
                let runtime = build(builder);
                runtime.block_on(async {
                    for _ in 0..3 {
                        let output = how.sh("echo out; echo err >&2").output().await.unwrap();
                        assert!(output.status.success());
                        how.sh("nonsense")
                            .current_dir("/nowhere")
                            .spawn()
                            .unwrap_err();
                        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true)).await;
                        drop(child);
                        until(|| state(id).is_none()).await;
                        drop(how.command("true").stdin(Stdio::piped()).spawn().unwrap());
                        let run = OnDrop::terminate().grace(HOUR);
                        drop(how.command("sleep").arg("1000").run(run));
                    }
                });
            });
        }
        // Those that were left at the end of their runtimes were killed, and end soon.
        until_no_child_is_left();
    };
    // So that the background driver has its own.
    sweep();
    round();
    let before = descriptors();
    for _ in 0..3 {
        round();
    }
    assert_eq!(descriptors(), before);
}
