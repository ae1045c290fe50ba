//! Children and the scopes that they are dropped in: a scope that ends is not over before they are.

use std::future::{Future, pending};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use tenter::process::{Command, OnDrop, Stdio};
use tenter::time::{now, timeout};
use tenter::{Builder, CancelScope, Outcome, Runner, Runtime, scope_deadline, spawn, task_group};
use tenter_tests::support::{Slot, both, build, every};

use crate::cancel::child_with;
use crate::support::{How, is_dead, started, state, until};

const MOMENT: Duration = Duration::from_millis(5);

/// Ends when it is asked, and says so on descriptor 2.
const POLITE: &str = "trap 'echo bye >&2; exit 7' TERM; echo ready; while :; do sleep 0.01; done";

/// Ignores SIGTERM.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do read line || exec sleep 1000; done";

/// Runs a test in every runtime, with both ways to see an end.
fn in_runtimes<F: Future<Output = ()>>(test: impl Fn(How) -> F + Clone + Send + Sync + 'static) {
    for how in [How::Pidfd, How::Sigchld] {
        let here = test.clone();
        every(move |builder| build(builder).block_on(here(how)));
    }
}

/// Cuts `work` off as soon as it is so.
async fn cut_off<T>(work: impl Future<Output = T>, mut when: impl FnMut() -> bool) -> Outcome<T> {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (outcome, ()) = tenter::gather!(scope.run(work), async {
        until(&mut when).await;
        handle.cancel("enough");
    })
    .await;
    outcome
}

/// Goal: whichever way a process is run, a scope that is cancelled returns when it was reaped.
#[test]
fn x24_a_cancelled_scope_is_over_when_its_process_is() {
    in_runtimes(|how| async move {
        for (index, on_drop) in [OnDrop::kill(), OnDrop::terminate()]
            .into_iter()
            .enumerate()
        {
            let marker = |way: usize| format!("1{way}00.{index}1");
            let mut first = how.command("sleep");
            let mut second = how.command("sleep");
            let mut third = how.command("sleep");
            second.on_drop(on_drop);
            third.on_drop(on_drop);
            for way in 0..3 {
                let run = async {
                    let marker = marker(way);
                    match way {
                        0 => drop(first.arg(marker).run(on_drop).await),
                        1 => drop(second.arg(marker).output().await),
                        _ => drop(third.arg(marker).status().await),
                    }
                };
                let mut id = None;
                let outcome = cut_off(run, || {
                    id = Some(child_with(&marker(way)));
                    true
                });
                assert!(outcome.await.is_cancelled());
                assert_eq!(state(id.unwrap()), None, "{way} {on_drop:?}");
            }
        }
    });
}

/// Goal: nobody but the future has the child of `output` and `status`, so it ends with that.
#[test]
fn x24_a_process_that_nobody_else_has_is_asked_to_end_by_default() {
    in_runtimes(|how| async move {
        for by_output in [true, false] {
            let mut command = how.command("sleep");
            let run = async {
                match by_output {
                    true => drop(command.arg("1500.1").output().await),
                    false => drop(command.arg("1500.2").status().await),
                }
            };
            let marker = if by_output { "1500.1" } else { "1500.2" };
            let mut id = None;
            let outcome = cut_off(run, || {
                id = Some(child_with(marker));
                true
            });
            assert!(outcome.await.is_cancelled());
            assert_eq!(state(id.unwrap()), None, "{marker}");
        }
        // Unless it was said that it goes on.
        let mut command = how.command("sleep");
        let run = command.arg("1500.3").kill_on_drop(false).status();
        let id = child_with("1500.3");
        assert!(cut_off(run, || true).await.is_cancelled());
        assert!(!is_dead(id));
        let raw = i32::try_from(id).unwrap();
        // SAFETY: numbers only; the child was not reaped, for it runs.
        assert_eq!(unsafe { libc::kill(raw, libc::SIGKILL) }, 0);
        // The next round looks for one of the same argument.
        until(|| state(id).is_none()).await;
    });
}

/// Goal: a child that is asked has the grace for its own clean-up, and can write to the end of it,
/// though nobody reads: neither a full pipe nor a closed one ends it before.
#[test]
fn x24_a_child_that_is_asked_finishes_its_own_clean_up() {
    in_runtimes(|how| async move {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let script = "trap 'head -c 300000 /dev/zero; echo bye >&2; exit 7' TERM; echo ready; \
                      while :; do sleep 0.01; done";
        let mut command = how.sh(script);
        command.stderr(Stdio::from(OwnedFd::from(theirs)));
        // For ever is for ever on every clock.
        command.on_drop(OnDrop::terminate().grace(Duration::MAX));
        let (child, id, _) = started(&mut command).await;
        drop(command);
        let waits = async move {
            let mut child = child;
            drop(child.wait().await);
        };
        assert!(timeout(MOMENT, waits).await.is_err());
        assert_eq!(state(id), None);
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, "bye\n");
    });
}

/// Goal: the grace is honoured and is the bound: the scope is over when it is, and not before.
#[test]
fn x24_a_stubborn_child_is_killed_when_its_grace_is_over() {
    both(|builder| {
        build(builder).block_on(async {
            for grace in [Duration::ZERO, Duration::from_millis(40)] {
                let mut command = How::Pidfd.sh(STUBBORN);
                command.on_drop(OnDrop::terminate().grace(grace));
                let (child, id, _) = started(&mut command).await;
                let begin = now();
                let ended = timeout(MOMENT, async move {
                    let _child = child;
                    pending::<()>().await;
                });
                assert!(ended.await.is_err());
                assert_eq!(state(id), None);
                assert!(now() - begin >= MOMENT + grace);
            }
        });
    });
    let mut exact = Builder::deterministic(1);
    exact = exact.virtual_clock();
    build(exact).block_on(async {
        let mut command = How::Pidfd.sh(STUBBORN);
        command.on_drop(OnDrop::terminate());
        let (child, id, _) = started(&mut command).await;
        let begin = now();
        // No deadline around cuts it short: a clean-up bounds itself.
        let ended = timeout(2 * MOMENT, async move {
            let inner = timeout(MOMENT, async move {
                let _child = child;
                assert_eq!(scope_deadline(), Some(begin + MOMENT));
                pending::<()>().await;
            });
            let _ = inner.await;
        });
        assert!(ended.await.is_err());
        assert_eq!(now() - begin, MOMENT + Duration::from_secs(5));
        assert_eq!(state(id), None);
    });
}

/// Goal: every kind of scope waits: a task that is cancelled, a group whose other child fails, a body that
/// returns.
#[test]
fn a70_every_scope_waits_for_the_children_that_are_dropped_in_it() {
    in_runtimes(|how| async move {
        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true)).await;
        let task = spawn(async move {
            let mut child = child;
            child.wait().await
        });
        task.cancel_and_wait().await.unwrap_err();
        assert_eq!(state(id), None, "a task");

        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true)).await;
        let group = task_group(async |group| {
            group.spawn(async move {
                let mut child = child;
                drop(child.wait().await);
                Ok(())
            });
            group.spawn(async { Err::<(), _>("it fails") });
            Ok(())
        });
        assert!(group.await.is_err());
        assert_eq!(state(id), None, "a group");

        let (child, id, _) = started(how.sh(STUBBORN).kill_on_drop(true)).await;
        let scope = CancelScope::new().run(async move { drop(child) });
        assert_eq!(scope.await, Outcome::Done(()));
        assert_eq!(state(id), None, "a body that returns");
    });
}

/// Goal: where the scope goes on, the child is ended meanwhile; and `run` does not return before it was.
#[test]
fn a70_a_program_ends_after_the_children_that_it_dropped() {
    for builder in [
        || Builder::multi_thread().workers(2),
        Builder::current_thread,
    ] {
        let id = Slot::new();
        let tell = id.clone();
        let mut runner = Runner::from(builder().build().unwrap());
        let log = Slot::new();
        let heard = log.clone();
        let ran = runner.run(async move {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let mut command = How::Pidfd.sh(POLITE);
            command.stderr(Stdio::from(OwnedFd::from(theirs)));
            command.on_drop(OnDrop::terminate());
            let (child, id, _) = started(&mut command).await;
            drop((child, command));
            tell.put(id);
            std::thread::spawn(move || {
                let mut said = String::new();
                ours.read_to_string(&mut said).unwrap();
                heard.put(said);
            });
            tenter::task::yield_now().await;
        });
        ran.unwrap();
        drop(runner.close());
        assert_eq!(state(id.take()), None);
        assert_eq!(log.take(), "bye\n");
    }
}

/// Goal: what a child has written before its time was up is not lost with it, for who keeps the child.
#[test]
fn a70_the_output_so_far_is_kept_with_the_child() {
    in_runtimes(|how| async move {
        let script = "trap 'echo bye; exit 7' TERM; echo so far; while :; do sleep 0.01; done";
        let mut command = how.sh(script);
        command.stdout(Stdio::piped());
        command.on_drop(OnDrop::terminate().grace(Duration::MAX));
        let mut child = command.spawn().unwrap();
        // One that has not set its trap is ended without a word.
        let heard = child.stdout.as_mut().unwrap();
        assert_eq!(crate::support::line(heard).await, "so far");
        assert!(timeout(MOMENT, child.communicate([])).await.is_err());
        assert_eq!(child.end().await.unwrap().code(), Some(7));
        let output = child.communicate([]).await.unwrap();
        assert_eq!(output.stdout, b"bye\n");
        assert_eq!(output.status.code(), Some(7));
    });
}

/// Goal: with its group, what a shell has started ends too, before the scope does.
#[test]
fn a70_a_group_of_processes_is_gone_with_the_scope() {
    in_runtimes(|how| async move {
        let mut command = how.sh("sleep 1000 & echo $!; wait");
        command.process_group(0);
        command.on_drop(OnDrop::terminate().grace(Duration::MAX).whole_group());
        let (child, id, line) = started(&mut command).await;
        let other: u32 = line.parse().unwrap();
        let waits = async move {
            let mut child = child;
            child.wait().await
        };
        assert!(timeout(MOMENT, waits).await.is_err());
        assert_eq!(state(id), None);
        until(|| is_dead(other)).await;
    });
}

/// Goal: a runtime that ends by force while a scope waits for a child kills it, and says nothing.
#[test]
fn a70_a_grace_in_a_scope_ends_with_the_runtime() {
    every(|builder| {
        let told = Slot::new();
        let tell = told.clone();
        let builder = builder.on_unobserved(move |event| tell.put(event.to_string()));
        let runtime: Runtime = build(builder);
        let id = runtime.block_on(async {
            let mut command = How::Pidfd.sh(STUBBORN);
            command.on_drop(OnDrop::terminate().grace(Duration::MAX));
            let (child, id, _) = started(&mut command).await;
            let task = spawn(async move {
                let mut child = child;
                child.wait().await
            });
            tenter::task::yield_now().await;
            task.cancel();
            tenter::task::yield_now().await;
            assert!(!is_dead(id));
            id
        });
        drop(runtime.shutdown_timeout(Duration::ZERO));
        // The worker may still be about to leave it to the next who looks.
        while state(id).is_some() {
            crate::support::sweep();
        }
        assert!(!told.is_full());
    });
}

/// Goal: a child that ended by itself has its own status, whatever is dropped.
#[test]
fn a70_an_end_that_comes_first_counts() {
    in_runtimes(|how| async move {
        let (mut child, id, _) = started(how.sh("echo ready; exit 3").kill_on_drop(true)).await;
        until(|| is_dead(id)).await;
        let status = timeout(MOMENT, child.wait()).await.unwrap().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(3), None));
        drop(child);
        let _ = Command::new("true").status().await;
        assert_eq!(state(id), None);
    });
}

/// Goal: children of one scope are ended side by side: the last words of one are read while another goes on.
/// Method: the other is killed when they were heard.
#[test]
fn x24_the_children_of_a_scope_end_side_by_side() {
    in_runtimes(|how| async move {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let script = "trap 'head -c 300000 /dev/zero; echo bye >&2; exit 7' TERM; echo ready; \
                      while :; do sleep 0.01; done";
        let mut stubborn = how.sh(STUBBORN);
        let mut busy = how.sh(script);
        busy.stderr(Stdio::from(OwnedFd::from(theirs)));
        for command in [&mut stubborn, &mut busy] {
            command.on_drop(OnDrop::terminate().grace(Duration::MAX));
        }
        let (first, other, _) = started(&mut stubborn).await;
        let (second, id, _) = started(&mut busy).await;
        drop(busy);
        let heard = std::thread::spawn(move || {
            let mut said = String::new();
            ours.read_to_string(&mut said).unwrap();
            let raw = i32::try_from(other).unwrap();
            // SAFETY: numbers only; the child was not reaped, for it runs.
            assert_eq!(unsafe { libc::kill(raw, libc::SIGKILL) }, 0);
            said
        });
        let waits = async move {
            let _children = (first, second);
            pending::<()>().await;
        };
        assert!(timeout(MOMENT, waits).await.is_err());
        assert_eq!((state(id), state(other)), (None, None));
        assert_eq!(heard.join().unwrap(), "bye\n");
    });
}
