//! Files at the end of their runtime.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::mpsc;
use std::time::Duration;

use tenter::fs::{self, File};
use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter_tests::support::{assert_says, build, every, foreign_block_on, poll_once};

use crate::support::{Folder, pattern};

/// Goal: bytes that were accepted are written, though the pool ends before a thread takes their job.
#[test]
fn bytes_whose_job_no_thread_has_taken_are_written() {
    every(|builder| {
        let folder = Folder::new();
        let path = folder.path("a");
        let bytes = pattern(200_000);
        let runtime = build(builder.max_blocking_threads(1));
        let mut file = runtime.block_on(File::create(&path)).unwrap();
        let (open, opened) = mpsc::channel::<()>();
        let (running, runs) = mpsc::channel();
        let stuck = runtime.spawn_blocking(move || {
            running.send(()).expect("the test waits");
            let _ = opened.recv();
        });
        runs.recv().expect("it runs");
        runtime.block_on(file.write_all(&bytes)).unwrap();
        drop(file);
        assert_eq!(
            std::fs::read(&path).unwrap(),
            b"",
            "the only thread is busy"
        );
        let report = runtime.shutdown_timeout(Duration::ZERO);
        assert_eq!(report.stuck_tasks.len(), 1, "{report}");
        assert!(std::fs::read(&path).unwrap() == bytes);
        drop(open);
        foreign_block_on(stuck).expect("it ran to its end");
    });
}

#[test]
fn a_read_that_still_waits_is_named_and_does_not_hold_the_end_up() {
    every(|builder| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut file = File::from_std(std::fs::File::from(OwnedFd::from(ours)));
        let runtime = build(builder);
        runtime.block_on(async {
            let mut buffer = [0; 10];
            assert!(poll_once(&mut pin!(file.read(&mut buffer))).is_pending());
        });
        // The job may be queued yet, and is then ended unrun.
        while runtime.metrics().queued_blocking_jobs > 0 {
            std::thread::yield_now();
        }
        let report = runtime.shutdown_timeout(Duration::from_millis(1));
        assert_eq!(report.stuck_tasks.len(), 1, "{report}");
        assert_says(&report.to_string(), &["fs-read"]);
        // It goes on for as long as it takes, and its bytes are there.
        (&theirs).write_all(b"late").unwrap();
        let mut late = [0; 4];
        foreign_block_on(file.read_exact(&mut late)).unwrap();
        assert_eq!(&late, b"late");
    });
}

#[test]
fn after_the_end_operations_fail_and_accepted_bytes_are_still_written() {
    every(|builder| {
        let folder = Folder::new();
        let path = folder.file("a", &pattern(100));
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let mut file = runtime
            .block_on(File::options().read(true).write(true).open(&path))
            .unwrap();
        drop(runtime);
        let _entered = handle.enter();
        foreign_block_on(async {
            let error = fs::read(&path).await.unwrap_err();
            assert_says(&error.to_string(), &["the runtime has ended", "`read`"]);
            let mut ten = [0; 10];
            for _ in 0..2 {
                let error = file.read(&mut ten).await.unwrap_err();
                assert_says(&error.to_string(), &["the runtime has ended", "`fs-read`"]);
                assert_eq!(
                    error.kind(),
                    std::io::ErrorKind::Other,
                    "no caller tries again"
                );
            }
            assert!(file.metadata().await.is_err());
            file.write_all(b"written").await.unwrap();
            file.flush().await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap()[..7], *b"written");
        });
    });
}

/// Goal: what takes nothing does not hold up the end of a runtime for ever, and its bytes are not lost.
#[test]
fn bytes_for_what_takes_none_are_written_when_it_does() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let file = std::fs::File::from(OwnedFd::from(ours));
    let mut file = File::from_std(file);
    let runtime = build(tenter::Builder::multi_thread().workers(1));
    let bytes = pattern(500_000);
    let accepted = runtime.block_on(async {
        let mut accepted = 0;
        // More than the system's buffers hold: then nothing is accepted any more.
        while accepted < bytes.len() {
            let write = &mut pin!(file.write(&bytes[accepted..]));
            match poll_once(write) {
                std::task::Poll::Ready(count) => accepted += count.unwrap(),
                std::task::Poll::Pending => break,
            }
        }
        accepted
    });
    assert!(accepted > 0);
    drop(file);
    let _ = runtime.shutdown_timeout(Duration::from_millis(1));
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).unwrap();
    assert!(received == bytes[..accepted]);
}
