//! What can go wrong between two processes.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;
use tenter::signal::SignalKind;
use tenter::{Builder, task};
use tenter_tests::support::{Count, assert_says, build, never};

use super::support::{Folder, pause, program, taken_in, tenter, tenter_in};

/// Goal: what cannot be looked into says why, and what to do.
#[test]
fn a96_what_cannot_be_looked_into_says_why() {
    let name = "faults::a96_what_cannot_be_looked_into_says_why";
    let folder = Folder::new("why");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        let closed = program.ask("ps").failed(3);
        assert_says(
            &closed,
            &["does not let anybody", "TENTER_INSPECT=1", "inspect_socket"],
        );
        assert_says(&closed, &[&format!("process {}", program.id())]);
        program.next();
        program.ask("ps").fine();
        // Somebody else's number, and whom to ask instead.
        let own = std::process::id().to_string();
        let other = tenter_in(&folder, &["pstree", &own]).failed(3);
        assert_says(
            &other,
            &["These can be looked into:", &program.id().to_string()],
        );
        program.end();
    });
    if is_program {
        let _closed = build(Builder::multi_thread());
        pause();
        let _open = build(Builder::multi_thread().inspect_socket(true));
        pause();
        return;
    }
    let none = tenter(&["ps", &i32::MAX.to_string()]).failed(3);
    assert_says(&none, &["there is no process 2147483647"]);
}

/// Goal: what a killed process leaves is not taken for another one's, is removed by the next one, and what
/// is alive stays.
#[test]
fn a96_a_stale_socket_is_cleaned_up() {
    let name = "faults::a96_a_stale_socket_is_cleaned_up";
    let folder = Folder::new("stale");
    let mut killed = 0;
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        program.next();
        killed = program.id();
        program.kill();
    });
    if is_program {
        pause();
        let _runtime = build(Builder::multi_thread().inspect_socket(true));
        pause();
        pause();
        return;
    }
    assert_eq!(folder.names(), [killed.to_string()]);
    let gone = tenter_in(&folder, &["ps", &killed.to_string()]).failed(3);
    assert_says(&gone, &["there is no process"]);
    // Left over under the number of a process that is there: of this one.
    drop(UnixListener::bind(folder.socket(std::process::id())).unwrap());
    let own = tenter_in(&folder, &["ps", &std::process::id().to_string()]);
    assert_says(&own.failed(3), &["does not let anybody"]);
    // And under the number that the next program will have.
    program(name, &folder, |mut program| {
        program.wait();
        drop(UnixListener::bind(folder.socket(program.id())).unwrap());
        program.next();
        program.ask("ps").fine();
        let mut names = folder.names();
        names.sort();
        let mut left = [std::process::id().to_string(), program.id().to_string()];
        left.sort();
        assert_eq!(names, left);
        program.next();
        program.end();
    });
}

/// Goal: a socket that is somebody else's is not believed.
#[test]
fn a96_an_answer_of_another_process_is_not_believed() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let name = "faults::a96_an_answer_of_another_process_is_not_believed";
    let folder = Folder::new("trap");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        folder.make_sockets(0o700);
        let trap = UnixListener::bind(folder.socket(program.id())).unwrap();
        assert_says(&program.ask("ps").failed(3), &["does not let anybody"]);
        drop(trap);
        program.end();
    });
    if is_program {
        pause();
    }
}

/// Goal: whoever says nothing, too much, the wrong thing, or goes away harms nobody; a crowd of the silent
/// keeps nobody out.
#[test]
fn a96_a_bad_client_harms_nobody() {
    let name = "faults::a96_a_bad_client_harms_nobody";
    let folder = Folder::new("bad");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        let said = |bytes: &[u8]| {
            let mut stream = program.connect(&folder);
            // It may be refused before all of it is said.
            let _ = stream.write_all(bytes);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        assert_says(
            &said(b"kill\n"),
            &["refused", "\"kill\" is not known", "ps and pstree"],
        );
        assert_says(&said(b"\n"), &["refused"]);
        assert_says(&said(&[b'x'; 65]), &["refused", "more than 64 bytes"]);
        let _ = said(&vec![b'x'; 1 << 20]);
        assert_says(&said(b"ps\n"), &["tenter-inspect 1 ok "]);
        let silent: Vec<_> = (0..100).map(|_| program.connect(&folder)).collect();
        program.ask("ps").fine();
        // Those that had to make room were told by the end of the connection.
        let mut first = &silent[0];
        assert_eq!(first.read(&mut [0; 8]).unwrap(), 0);
        for number in 0..100 {
            let mut stream = program.connect(&folder);
            stream.write_all(&b"pstree\n"[..number % 8]).unwrap();
            drop(stream);
        }
        program.ask("pstree").fine();
        program.end();
        drop(silent);
    });
    if is_program {
        let runtime = build(Builder::multi_thread().inspect_socket(true));
        // A program may have given the signal of a broken pipe its effect back.
        // SAFETY: nothing but the number of a signal goes in, and no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        // The answers are too long for the socket.
        let _entered = runtime.enter();
        let tasks: Vec<_> = (0..2_000)
            .map(|number| {
                let named = task::Builder::new().name(format!("{number}").repeat(40));
                named.spawn(never())
            })
            .collect();
        taken_in(&runtime, tasks.len());
        pause();
        drop(tasks);
    }
}

/// Goal: a process that is stopped is told from one that is stuck.
#[test]
fn a96_a_stopped_process_is_named_so() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let name = "faults::a96_a_stopped_process_is_named_so";
    let folder = Folder::new("stopped");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        program.signal(Signal::STOP);
        program.wait_until_stopped();
        assert_says(
            &program.ask("ps").failed(3),
            &["it is stopped", "kill -CONT"],
        );
        program.signal(Signal::CONT);
        program.ask("ps").fine();
        program.end();
    });
    if is_program {
        let _runtime = build(Builder::multi_thread().inspect_socket(true));
        pause();
    }
}

/// Goal: a runtime that has ended has left no thread, no descriptor and no file; and a `build` that fails
/// has not, either.
#[test]
fn a96_nothing_is_left_of_it() {
    let name = "faults::a96_nothing_is_left_of_it";
    let folder = Folder::new("left");
    let is_program = program(name, &folder, |program| drop(program.end()));
    if !is_program {
        return;
    }
    let count = |what: &str| {
        let folder = format!("/proc/self/{what}");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    };
    let watched = || {
        let builder = Builder::current_thread().inspect_socket(true);
        builder.dump_on_signal(SignalKind::quit())
    };
    // The library of signals keeps what it has made.
    drop(watched().build().unwrap());
    let before = (count("task"), count("fd"));
    for round in 0..10 {
        let runtime = watched().build().unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(count("task"), before.0 + 2, "a thread for each");
        }
        assert_eq!(runtime.block_on(async { round }), round);
        let dropped = Count::new();
        let guard = dropped.on_drop();
        drop(runtime.spawn(async move {
            let _guard = guard;
            never().await;
        }));
        drop(runtime);
        assert_eq!(dropped.get(), 1, "nothing keeps the runtime");
        let error = watched().max_blocking_threads(0).build().unwrap_err();
        assert_says(&error.to_string(), &["max_blocking_threads"]);
        let error = watched().dump_on_signal(SignalKind::from_raw(9)).build();
        let error = error.unwrap_err().to_string();
        assert_says(
            &error,
            &["Builder::dump_on_signal(SIGKILL)", "cannot be waited for"],
        );
        let error = watched().dump_on_signal(SignalKind::interrupt()).build();
        assert_says(
            &error.unwrap_err().to_string(),
            &["ctrl-c", "SignalKind::quit()"],
        );
        assert_eq!((count("task"), count("fd")), before);
        let place = std::env::var("XDG_RUNTIME_DIR").unwrap();
        let place = std::path::Path::new(&place).join("tenter");
        assert_eq!(std::fs::read_dir(place).unwrap().count(), 0);
    }
}

/// Goal: what the process starts inherits nothing, and a copy that `fork` makes leaves the socket alone, and
/// may have its own.
#[test]
fn a96_children_are_on_their_own() {
    let name = "faults::a96_children_are_on_their_own";
    let folder = Folder::new("children");
    let is_program = program(name, &folder, |mut program| {
        program.wait();
        program.ask("ps").fine();
        assert_eq!(folder.names(), [program.id().to_string()]);
        let errors = program.end();
        assert!(
            !errors.contains("SIGQUIT"),
            "the child's signal is not the parent's: {errors}"
        );
    });
    if !is_program {
        return;
    }
    let descriptors = || -> Vec<i32> {
        let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .map(|it| it.to_str().unwrap().parse().unwrap())
            .collect()
    };
    let inherited = descriptors();
    let runtime = Builder::current_thread().inspect_socket(true);
    let runtime = runtime.dump_on_signal(SignalKind::quit()).build().unwrap();
    for number in descriptors() {
        // SAFETY: it asks for the flags of a number, which need not be a descriptor any more.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        let is_closed = flags == -1 || flags & libc::FD_CLOEXEC != 0;
        assert!(is_closed || inherited.contains(&number), "{number}");
    }
    // SAFETY: there is one thread that holds locks of the standard library, this one; the child uses files
    // and threads of its own, and leaves without running what the parent has at its end.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(move || {
            // SAFETY: nothing but the number of a signal goes in.
            unsafe { libc::raise(libc::SIGQUIT) };
            drop(runtime);
            let own = Builder::current_thread()
                .inspect_socket(true)
                .build()
                .unwrap();
            let place = std::env::var("XDG_RUNTIME_DIR").unwrap();
            let place = std::path::Path::new(&place).join("tenter");
            let place = place.join(std::process::id().to_string());
            let mut stream = UnixStream::connect(&place).unwrap();
            stream.write_all(b"ps\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer.matches("runtime").count(), 1, "{answer}");
            drop(own);
            assert!(!place.exists());
        });
        // SAFETY: it ends the process, and nothing else.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the pointer is to a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
    pause();
    drop(runtime);
}
