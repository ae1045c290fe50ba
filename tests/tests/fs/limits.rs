//! What the system refuses: descriptors, threads, room. Each in a process of its own.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter::fs::{self, File};
use tenter::io::AsyncWriteExt;
use tenter_tests::support::{alone, alone_with, assert_says, foreign_block_on};

use crate::support::{Folder, number};

fn limit(resource: Resource, current: u64) {
    let maximum = getrlimit(resource).maximum;
    let current = Some(current);
    setrlimit(resource, Rlimit { current, maximum }).expect("it may be lowered");
}

#[test]
fn descriptors_that_are_used_up_are_an_error_with_the_path() {
    if !alone("limits::descriptors_that_are_used_up_are_an_error_with_the_path") {
        return;
    }
    let folder = Folder::new();
    let path = folder.file("a", b"x");
    let runtime = tenter::Runtime::new().expect("nothing is refused");
    runtime.block_on(async {
        assert_eq!(fs::read(&path).await.unwrap(), b"x");
        let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        limit(Resource::Nofile, used + 2);
        let mut files = Vec::new();
        let error = loop {
            match File::open(&path).await {
                Ok(file) => files.push(file),
                Err(error) => break error,
            }
        };
        let text = error.to_string();
        assert_says(&text, &["cannot open file `", "/a`: ", "os error 24"]);
        assert_eq!(number(&error), Some(24), "EMFILE");
        let error = files[0].try_clone().await.unwrap_err();
        assert_says(
            &error.to_string(),
            &["cannot duplicate the descriptor of file `", "/a`"],
        );
        assert!(fs::read_dir(&folder).await.is_err());
        files.clear();
        assert_eq!(fs::read(&path).await.unwrap(), b"x", "there is room again");
    });
}

#[test]
fn a_file_that_may_not_grow_says_how_many_bytes_were_lost() {
    if !alone("limits::a_file_that_may_not_grow_says_how_many_bytes_were_lost") {
        return;
    }
    // SAFETY: no handler, so nothing runs in one.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let folder = Folder::new();
    let path = folder.path("a");
    tenter::run(async {
        let mut file = File::create(&path).await.unwrap();
        limit(Resource::Fsize, 1_000);
        file.write_all(&[b'x'; 1_600])
            .await
            .expect("it is accepted");
        let error = file.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_says(&error.to_string(), &["/a`", "600 bytes"]);
        assert_eq!(file.metadata().await.unwrap().len(), 1_000);
    });
}

/// Goal: a thread that the system refuses is an error that says what to do; bytes that were accepted are
/// written without one.
#[test]
fn a_refused_thread_is_an_error() {
    let name = "limits::a_refused_thread_is_an_error";
    let large_stacks = |command: &mut Command| {
        command.env("RUST_MIN_STACK", (512 << 20).to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    };
    let is_child = alone_with(name, large_stacks, |child| {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}");
    });
    if !is_child {
        return;
    }
    let folder = Folder::new();
    let path = folder.file("a", b"abc");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut file = File::from_std(file);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = size.and_then(|size| size.trim().strip_suffix(" kB"));
    let bytes: u64 = kilobytes.unwrap().parse::<u64>().unwrap() << 10;
    limit(Resource::As, bytes + (256 << 20));
    let exercise = async || {
        let error = fs::read(&path).await.unwrap_err();
        assert_ne!(
            error.kind(),
            ErrorKind::WouldBlock,
            "no caller tries again at once"
        );
        assert_says(&format!("{error}"), &["`read`"]);
        file.write_all(b"xyz").await.expect("it is accepted");
        file.flush().await.expect("it is written");
        std::io::Result::Ok(error.to_string())
    };
    let mut exercise = exercise;
    let outside = foreign_block_on(exercise()).unwrap();
    assert_says(&outside, &["the system refused a thread", "ulimit -u"]);
    let runtime = tenter::Builder::current_thread().build().unwrap();
    let inside = runtime.block_on(exercise()).unwrap();
    assert_says(&inside, &["the system refused to start a thread"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"xyzxyz");
}
