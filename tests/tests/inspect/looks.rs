//! What is shown.

use std::future::pending;
use std::sync::{Arc, mpsc};

use tenter::sync::{Barrier, Lock};
use tenter::{Builder, task};
use tenter_tests::support::{assert_says, build, thread};

use super::support::{Folder, pause, program, program_with, tenter};

/// Goal: `ps` and `pstree` show the tasks of a running program, on each flavour; it goes on unchanged.
#[test]
fn a96_ps_and_pstree_show_the_tasks_of_another_process() {
    let name = "looks::a96_ps_and_pstree_show_the_tasks_of_another_process";
    let folder = Folder::new("show");
    let is_program = program(name, &folder, |mut program| {
        for flavour in ["MultiThread", "CurrentThread", "Deterministic"] {
            program.wait();
            for word in ["ps", "pstree"] {
                let shown = program.ask(word).fine();
                let parts = ["runtime ", "\"web\"", flavour, "reader", "writer"];
                assert_says(&shown, &parts);
            }
            assert_eq!(folder.names(), [program.id().to_string()]);
            program.go_on();
        }
        program.end();
    });
    if !is_program {
        return;
    }
    for builder in [
        Builder::multi_thread().workers(2),
        Builder::current_thread(),
        Builder::deterministic(7),
    ] {
        let runtime = build(builder.name("web").inspect_socket(true));
        for name in ["reader", "writer"] {
            runtime.block_on(async {
                let (begin, begun) = tenter::sync::oneshot();
                let task = task::Builder::new().name(name).spawn(async move {
                    begin.send(()).unwrap();
                    pending::<()>().await;
                });
                begun.await.unwrap();
                drop(task);
            });
        }
        pause();
    }
    pause();
}

/// Goal: tasks that wait for each other in a circle are an error, with the circle; `ps` and `pstree` say the
/// same.
#[test]
fn a96_a_cycle_is_printed_and_is_an_error() {
    let name = "looks::a96_a_cycle_is_printed_and_is_an_error";
    let folder = Folder::new("cycle");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        for word in ["ps", "pstree"] {
            let answer = program.ask(word);
            assert_eq!(answer.status, Some(1), "{}", answer.errors);
            assert_says(
                &answer.errors,
                &["ERROR: tasks wait for each other in a circle"],
            );
            let mut end = answer.out.lines().rev();
            assert_says(end.next().unwrap(), &["The future of block_on is no task"]);
            let circle = end.next().unwrap();
            let parts = [
                "deadlock: ",
                "there",
                "back",
                "Lock \"from\"",
                "Lock \"to\"",
            ];
            assert_says(circle, &parts);
        }
        program.end();
    });
    if !is_program {
        return;
    }
    static FROM: Lock<()> = Lock::new(()).named("from");
    static TO: Lock<()> = Lock::new(()).named("to");
    let runtime = build(Builder::multi_thread().workers(2).inspect_socket(true));
    let meeting = Arc::new(Barrier::new(2));
    let cross = |name, first: &'static Lock<()>, second: &'static Lock<()>| {
        let meeting = Arc::clone(&meeting);
        let _entered = runtime.enter();
        task::Builder::new().name(name).spawn(async move {
            let _first = first.lock().await;
            let _ = meeting.wait().await;
            let _second = second.lock().await;
        })
    };
    let tasks = [cross("there", &FROM, &TO), cross("back", &TO, &FROM)];
    while FROM.stats().waiting + TO.stats().waiting < 2 {
        std::thread::yield_now();
    }
    pause();
    drop(tasks);
}

/// Goal: it answers when every worker is stuck, and does not wait for any of them.
#[test]
fn a96_a_runtime_whose_workers_are_all_stuck_answers() {
    let name = "looks::a96_a_runtime_whose_workers_are_all_stuck_answers";
    let folder = Folder::new("stuck");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        for word in ["ps", "pstree"] {
            let shown = program.ask(word).fine();
            assert_says(&shown, &["stuck-0", "stuck-1", "stuck-2"]);
        }
        program.end();
    });
    if !is_program {
        return;
    }
    let runtime = build(Builder::multi_thread().workers(3).inspect_socket(true));
    let (say, said) = mpsc::channel();
    let mut blocked = Vec::new();
    let _entered = runtime.enter();
    for number in 0..3 {
        let (release, released) = mpsc::channel::<()>();
        let (say, name) = (say.clone(), format!("stuck-{number}"));
        let task = task::Builder::new().name(name);
        let task = task.spawn(async move {
            say.send(()).unwrap();
            // The wrong way to wait: it takes the thread along.
            let _ = released.recv();
        });
        blocked.push((release, task));
    }
    (0..3).for_each(|_| said.recv().unwrap());
    pause();
    for (release, task) in blocked {
        drop(release);
        runtime.block_on(task).unwrap();
    }
}

/// Goal: a runtime of one thread that is stuck in a poll keeps nobody from an answer.
#[test]
fn a96_a_runtime_of_one_thread_that_is_stuck_answers() {
    let name = "looks::a96_a_runtime_of_one_thread_that_is_stuck_answers";
    let folder = Folder::new("one");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        let shown = program.ask("ps").fine();
        assert_says(
            &shown,
            &["\"stuck\", CurrentThread", "\"idle\", MultiThread"],
        );
        program.end();
    });
    if !is_program {
        return;
    }
    let runtime = Builder::current_thread().name("stuck").inspect_socket(true);
    let runtime = runtime.build().unwrap();
    let other = Builder::multi_thread().name("idle").inspect_socket(true);
    let _other = build(other);
    let (say, said) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let stuck = thread(move || {
        runtime.block_on(async move {
            say.send(()).unwrap();
            let _ = released.recv();
        });
    });
    said.recv().unwrap();
    pause();
    drop(release);
    stuck.join();
}

/// Goal: all runtimes of a process share one socket, which is there as long as one of them is.
#[test]
fn a96_two_runtimes_of_a_process_share_a_socket() {
    let name = "looks::a96_two_runtimes_of_a_process_share_a_socket";
    let folder = Folder::new("two");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        let shown = |program: &super::support::Program| {
            let text = program.ask("pstree").fine();
            ["first", "second", "third"].map(|name| text.contains(&format!("\"{name}\"")))
        };
        assert_eq!(shown(&program), [true, true, false]);
        program.next();
        assert_eq!(shown(&program), [false, true, false], "one has ended");
        program.next();
        assert_eq!(folder.names(), [""; 0], "both have ended");
        assert_says(&program.ask("ps").failed(3), &["does not let anybody"]);
        program.next();
        assert_eq!(
            shown(&program),
            [false, false, true],
            "and another one has begun"
        );
        program.end();
        assert_eq!(folder.names(), [""; 0]);
    });
    if !is_program {
        return;
    }
    let named = |name: &str| build(Builder::multi_thread().name(name).inspect_socket(true));
    let (first, second) = (named("first"), named("second"));
    let _silent = build(Builder::current_thread().name("third"));
    pause();
    drop(first);
    pause();
    second.shutdown_background();
    pause();
    let third = named("third");
    pause();
    drop(third);
}

/// Goal: the environment turns it on for a program that says nothing about it, and the program that says no
/// stays closed.
#[test]
fn a96_the_environment_turns_it_on() {
    let name = "looks::a96_the_environment_turns_it_on";
    let folder = Folder::new("environment");
    let on = |command: &mut std::process::Command| {
        command.env("TENTER_INSPECT", "1");
    };
    let is_program = program_with(name, &folder, on, |mut program| {
        program.wait();
        assert_says(&program.ask("ps").fine(), &["MultiThread"]);
        for _ in 0..2 {
            program.next();
            program.ask("ps").failed(3);
        }
        program.end();
    });
    if !is_program {
        return;
    }
    tenter::run(async { tenter::spawn_blocking(pause).await.unwrap() });
    let no = build(Builder::multi_thread().inspect_socket(false));
    pause();
    drop(no);
    // What can be repeated is not looked at from outside, unless it is asked for.
    let _deterministic = Builder::deterministic(7).build().unwrap();
    pause();
}

/// Goal: the program says what it is for, and what is wrong with a command line.
#[test]
fn a96_the_command_line() {
    let help = tenter(&["--help"]).fine();
    assert_says(
        &help,
        &["tenter pstree PID", "TENTER_INSPECT=1", "Exit status"],
    );
    assert_says(&tenter(&["--version"]).fine(), &["tenter 0."]);
    assert_says(&tenter(&[]).failed(2), &["what to do is missing", "Usage"]);
    assert_says(&tenter(&["ps"]).failed(2), &["needs the number"]);
    assert_says(&tenter(&["kill", "7"]).failed(2), &["no command \"kill\""]);
    assert_says(&tenter(&["ps", "x"]).failed(2), &["\"x\" is no number"]);
    assert_says(&tenter(&["ps", "7", "8"]).failed(2), &["\"8\" is too much"]);
}
