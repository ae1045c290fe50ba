//! Every future, dropped after each number of polls: no byte is lost or doubled, and nothing stays.

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::process::{OnDrop, Stdio};

use crate::support::{everywhere, pattern, polled_at_most, state, until};

const LENGTH: usize = 300_000;

/// Goal: talks that are dropped go on where they were.
#[test]
fn talks() {
    everywhere(|how| async move {
        let input = pattern(LENGTH);
        for limit in 1..6 {
            let mut command = how.command("tee");
            command
                .arg("/dev/stderr")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut tee = command.stderr(Stdio::piped()).spawn().unwrap();
            // What was never polled has not begun.
            assert!(polled_at_most(0, tee.communicate("never")).await.is_none());
            let mut output = polled_at_most(limit, tee.communicate(&*input)).await;
            while output.is_none() {
                assert!(polled_at_most(0, tee.communicate("never")).await.is_none());
                output = polled_at_most(limit, tee.communicate([])).await;
            }
            let output = output.unwrap().unwrap();
            assert!(output.status.success());
            assert!(
                output.stdout == input && output.stderr == input,
                "limit {limit}"
            );
        }
    });
}

/// Goal: waits that are dropped lose nothing.
#[test]
fn waits() {
    everywhere(|how| async move {
        for limit in 1..6 {
            let mut child = how.sh("exit 5").spawn().unwrap();
            let mut status = None;
            while status.is_none() {
                assert!(polled_at_most(0, child.wait()).await.is_none());
                status = polled_at_most(limit, child.wait()).await;
            }
            assert_eq!(status.unwrap().unwrap().code(), Some(5));
            assert_eq!(child.wait().await.unwrap().code(), Some(5));
        }
    });
}

/// Goal: reads and writes that are dropped have done nothing.
#[test]
fn reads_and_writes() {
    everywhere(|how| async move {
        let input = pattern(LENGTH);
        for limit in 1..5 {
            let mut command = how.command("cat");
            let mut cat = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut to, mut from) = (cat.stdin.take(), cat.stdout.take().unwrap());
            let (mut written, mut received) = (0, Vec::new());
            let mut buffer = vec![0; 7_000];
            loop {
                if let Some(pipe) = &mut to {
                    // In pieces of different sizes, above and below what a pipe takes in one.
                    let end = (written + 1 + written % 150_000).min(LENGTH);
                    let piece = &input[written..end];
                    assert!(polled_at_most(0, pipe.write(piece)).await.is_none());
                    let write = polled_at_most(limit, pipe.write(piece)).await;
                    written += write.map_or(0, Result::unwrap);
                    if written == LENGTH {
                        to = None;
                    }
                }
                assert!(polled_at_most(0, from.read(&mut buffer)).await.is_none());
                match polled_at_most(limit, from.read(&mut buffer))
                    .await
                    .map(Result::unwrap)
                {
                    Some(0) => break,
                    Some(count) => received.extend_from_slice(&buffer[..count]),
                    None => {}
                }
            }
            assert!(
                received == input,
                "limit {limit}: {} of {LENGTH}",
                received.len()
            );
            assert!(cat.wait().await.unwrap().success());
        }
    });
}

/// Goal: whenever a run is dropped, its child ends and is reaped.
#[test]
fn runs() {
    everywhere(|how| async move {
        for limit in 0..5 {
            for on_drop in [OnDrop::kill(), OnDrop::terminate()] {
                let marker = format!("1{limit}00.{}", u8::from(on_drop == OnDrop::kill()));
                let mut command = how.command("sleep");
                command.arg(&marker).kill_on_drop(true);
                let run = command.run(on_drop);
                let id = child_with(&marker);
                assert!(polled_at_most(limit, run).await.is_none());
                until(|| state(id).is_none()).await;
            }
        }
    });
}

/// The child of this process that was started with `argument`.
pub fn child_with(argument: &str) -> u32 {
    loop {
        // A child is started a moment before the system knows its arguments.
        let all = std::fs::read_dir("/proc").unwrap();
        let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        if let Some(id) = ids.into_iter().find(|id| is_child_with(*id, argument)) {
            return id;
        }
        std::thread::yield_now();
    }
}

fn is_child_with(id: u32, argument: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let parent = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
    let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    parent == Some(std::process::id()) && arguments.any(|part| part == argument.as_bytes())
}
