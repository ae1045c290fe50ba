//! Where the sockets are, and who may put one there.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::process::Command;

use tenter::Builder;
use tenter_tests::support::assert_says;

use super::support::{Folder, Program, pause, program, program_with};

/// What `build` says in a program with this folder.
fn refusal() {
    let error = Builder::current_thread().inspect_socket(true).build();
    let error = error.expect_err("the folder is not safe");
    eprintln!("error: {error}");
    pause();
}

/// What the program has printed.
fn refused(mut program: Program) -> String {
    program.wait();
    let mut text = program.errors_to("own");
    text.drain(..text.find("error: ").unwrap());
    program.end();
    text
}

/// Goal: a folder that is a link, lets others in, or is somebody else's is refused, by name.
#[test]
fn a96_an_unsafe_folder_is_refused() {
    let name = "folders::a96_an_unsafe_folder_is_refused";
    let folder = Folder::new("unsafe");
    let is_program = program(name, &folder, |program| {
        // It comes too late for the program that has begun: that is the one below.
        program.kill();
    });
    if is_program {
        refusal();
        return;
    }
    let is_refused = |parts: &[&str]| {
        program(name, &folder, |program| {
            let text = refused(program);
            assert_says(&text, &["is not safe", "XDG_RUNTIME_DIR"]);
            assert_says(&text, parts);
        });
    };
    let sockets = folder.sockets();
    // Whether the first program came so far.
    let _ = fs::remove_dir_all(&sockets);
    folder.make_sockets(0o750);
    is_refused(&["others than its owner may enter it", "its mode is 750"]);
    fs::remove_dir(&sockets).unwrap();
    folder.make_sockets(0o700);
    let aside = folder.0.join("aside");
    fs::rename(&sockets, &aside).unwrap();
    symlink(&aside, &sockets).unwrap();
    is_refused(&["it is no folder"]);
    if fs::metadata(&folder.0).unwrap().uid() == 0 {
        fs::remove_file(&sockets).unwrap();
        folder.make_sockets(0o700);
        chown(&sockets, Some(12_345), None).unwrap();
        is_refused(&["it belongs to user 12345, and this is user 0"]);
    }
}

/// Goal: where it was the environment that asked, an unsafe folder is told, and the program runs.
#[test]
fn a96_the_environment_does_not_keep_a_program_from_running() {
    let name = "folders::a96_the_environment_does_not_keep_a_program_from_running";
    let folder = Folder::new("runs");
    let on = |command: &mut Command| {
        command.env("TENTER_INSPECT", "1");
        folder.make_sockets(0o755);
    };
    let is_program = program_with(name, &folder, on, |mut program| {
        program.wait();
        let text = program.errors_to("own");
        assert_says(
            &text,
            &["TENTER_INSPECT is set, and yet", "its mode is 755"],
        );
        program.ask("ps").failed(3);
        program.end();
    });
    if is_program {
        tenter::run(async { pause() });
    }
}

/// Goal: without a folder of the user's own there is one in the temporary folder; another's, or one that all
/// may write to, is none of the user's own.
#[test]
fn a96_the_temporary_folder_stands_in() {
    let name = "folders::a96_the_temporary_folder_stands_in";
    let folder = Folder::new("temporary");
    let user = fs::metadata(&folder.0).unwrap().uid();
    let place = |process: u32| folder.0.join(format!("tenter-{user}/{process}"));
    for xdg in [None, Some("relative"), Some("/tmp"), Some("/nowhere")] {
        let arrange = |command: &mut Command| {
            command.env("TMPDIR", &folder.0);
            match xdg {
                Some(xdg) => command.env("XDG_RUNTIME_DIR", xdg),
                None => command.env_remove("XDG_RUNTIME_DIR"),
            };
        };
        let is_program = program_with(name, &folder, arrange, |mut program| {
            program.wait();
            assert!(place(program.id()).exists(), "{xdg:?}");
            program.ask("ps").fine();
            program.end();
        });
        if is_program {
            let runtime = Builder::current_thread().inspect_socket(true);
            let _runtime = runtime.build().unwrap();
            pause();
            return;
        }
    }
}
