//! What cannot be started, and says so.

use std::io::ErrorKind;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenter::process::Stdio;
use tenter_tests::support::{alone, build, every};

use crate::support::{How, descriptors, everywhere, until_no_child_is_left};

/// Goal: the error names the program, says what the system says, and keeps the kind.
#[test]
fn what_cannot_be_started_is_named() {
    everywhere(|how| async move {
        let error = how.command("no-such-program").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot start `no-such-program`: No such file"),
            "{text}"
        );

        let error = how.command("/etc/passwd").status().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot start `/etc/passwd`: Permission denied"),
            "{text}"
        );

        let mut command = how.command("true");
        let error = command
            .current_dir("/no/such/folder")
            .output()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot start `true` in `/no/such/folder`: "),
            "{text}"
        );

        let error = how.command("true").arg("a\0b").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = std::error::Error::source(&error).map(ToString::to_string);
        assert!(error.is_some(), "the cause is kept");
    });
}

/// Goal: with any number of descriptors that is too small, starting fails with the reason, nothing runs
/// and none is lost; with enough it works.
/// Method: raise the limit one by one, with pipes and without.
#[test]
fn too_few_descriptors() {
    if !alone("errors::too_few_descriptors") {
        return;
    }
    every(|builder| {
        let like = format!("{builder:?}");
        for how in [How::Pidfd, How::Sigchld] {
            let runtime = build(builder_like(&like));
            runtime.block_on(async {
                let (not_started, not_watched) = with_more_and_more(how, true).await;
                assert!(
                    not_started >= 3 && not_watched == 0,
                    "{not_started}, {not_watched}"
                );
                let (_, not_watched) = with_more_and_more(how, false).await;
                assert!(not_watched >= 1, "{how:?}: {not_watched}");
            });
            drop(runtime);
            until_no_child_is_left();
        }
    });
}

/// Starts `true` with room for no descriptor, for one, and so on, until it works. How often it was not
/// started, and how often it was killed again.
async fn with_more_and_more(how: How, pipes: bool) -> (u32, u32) {
    let start = || {
        let mut command = how.command("true");
        if pipes {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        }
        command.spawn()
    };
    // So that the driver has its own.
    assert!(start().unwrap().wait().await.unwrap().success());
    let before = descriptors();
    let (mut not_started, mut not_watched) = (0, 0);
    for more in 0.. {
        let error = match with_descriptors(more, start) {
            Ok(mut child) => {
                assert!(child.wait().await.unwrap().success());
                break;
            }
            Err(error) => error,
        };
        let text = error.to_string();
        assert!(text.contains("Too many open files"), "{text}");
        if text.starts_with("cannot start `true`: ") {
            not_started += 1;
        } else {
            assert!(
                text.starts_with("`true` was started and killed again"),
                "{text}"
            );
            not_watched += 1;
        }
        assert_eq!(descriptors(), before, "after {more}");
    }
    assert_eq!(descriptors(), before);
    (not_started, not_watched)
}

fn builder_like(text: &str) -> tenter::Builder {
    if text.contains("MultiThread") {
        tenter::Builder::multi_thread().workers(1)
    } else {
        tenter::Builder::current_thread()
    }
}

/// Runs `body` with room for so many more descriptors.
fn with_descriptors<T>(more: u64, body: impl FnOnce() -> T) -> T {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let highest = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok())
        .max()
        .unwrap();
    // Fills the holes below the highest, so that the limit says how many there are.
    let mut fill = Vec::new();
    loop {
        let file = std::fs::File::open("/dev/null").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file) as u64;
        if number >= highest {
            break;
        }
        fill.push(file);
    }
    let limited = Rlimit {
        current: Some(highest + more),
        maximum,
    };
    setrlimit(Resource::Nofile, limited).unwrap();
    let result = body();
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    result
}
