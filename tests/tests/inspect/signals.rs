//! The dump on a signal.

use std::sync::mpsc;

use rustix::process::Signal;
use tenter::signal::SignalKind;
use tenter::{Builder, task};
use tenter_tests::support::{assert_says, build, never};

use super::support::{Folder, pause, program, taken_in};

/// Goal: SIGQUIT prints the tasks of a program whose workers are all stuck, which goes on; once for each
/// signal that is waited for, and only of the runtimes that were told to.
#[test]
fn a96_sigquit_prints_the_tasks_and_the_program_goes_on() {
    let name = "signals::a96_sigquit_prints_the_tasks_and_the_program_goes_on";
    let folder = Folder::new("quit");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        let end = format!("tenter: process {} goes on", program.id());
        for (signal, kind, stuck, idle) in [
            (Signal::QUIT, "SIGQUIT", true, false),
            (Signal::USR1, "SIGUSR1", true, true),
            (Signal::QUIT, "SIGQUIT", true, false),
        ] {
            program.signal(signal);
            let text = program.errors_to(&end);
            let title = format!("tenter: {kind}: the tasks of process {}", program.id());
            assert_says(&text, &[&title]);
            assert_eq!(text.contains("stuck-0"), stuck, "{text}");
            assert_eq!(text.contains("stuck-1"), stuck, "{text}");
            assert_eq!(text.contains("\"idle\""), idle, "{text}");
        }
        assert!(!folder.sockets().exists(), "nobody asked for a socket");
        program.next();
        // The runtime that wanted it has ended, and so has the effect; the other one's is still there.
        program.signal(Signal::QUIT);
        program.signal(Signal::USR1);
        let text = program.errors_to(&end);
        assert!(
            text.contains("\"idle\"") && !text.contains("SIGQUIT"),
            "{text}"
        );
        program.end();
    });
    if !is_program {
        return;
    }
    let (quit, user) = (SignalKind::quit(), SignalKind::user_defined1());
    let stuck = Builder::multi_thread().workers(2);
    let stuck = build(stuck.dump_on_signal(quit).dump_on_signal(user));
    let _idle = build(Builder::current_thread().name("idle").dump_on_signal(user));
    let (say, said) = mpsc::channel();
    let mut blocked = Vec::new();
    let entered = stuck.enter();
    for number in 0..2 {
        let (release, released) = mpsc::channel::<()>();
        let say = say.clone();
        let task = task::Builder::new().name(format!("stuck-{number}"));
        let task = task.spawn(async move {
            say.send(()).unwrap();
            let _ = released.recv();
        });
        blocked.push((release, task));
    }
    (0..2).for_each(|_| said.recv().unwrap());
    pause();
    drop(entered);
    for (release, task) in blocked {
        drop(release);
        stuck.block_on(task).unwrap();
    }
    drop(stuck);
    pause();
}

/// Goal: a dump that nobody reads keeps neither the socket from answering nor the runtime from its end.
#[test]
fn a96_a_dump_that_nobody_reads_blocks_nobody() {
    let name = "signals::a96_a_dump_that_nobody_reads_blocks_nobody";
    let folder = Folder::new("unread");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        program.signal(Signal::QUIT);
        let title = format!("tenter: SIGQUIT: the tasks of process {}", program.id());
        // It has looked, and more is to come than there is room for.
        program.errors_to(&title);
        program.next();
        program.ask("ps").fine();
        program.next();
        // Only now there is room for the rest.
        let end = format!("tenter: process {} goes on", program.id());
        assert_says(&program.errors_to(&end), &["1999"]);
        program.end();
    });
    if !is_program {
        return;
    }
    let runtime = Builder::multi_thread().workers(1).inspect_socket(true);
    let runtime = build(runtime.dump_on_signal(SignalKind::quit()));
    let entered = runtime.enter();
    for number in 0..2_000 {
        let task = task::Builder::new().name(format!("{number} ").repeat(40));
        drop(task.spawn(never()));
    }
    drop(entered);
    taken_in(&runtime, 2_000);
    pause();
    pause();
    drop(runtime);
    pause();
}
