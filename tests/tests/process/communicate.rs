//! Feeding a child and reading what it writes.

use std::io::ErrorKind;
use std::time::Duration;

use tenter::process::{Child, Command, Stdio};
use tenter::time::timeout;

use crate::support::{everywhere, pattern, until};

fn piped(mut command: Command) -> Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

const MEGABYTE: usize = 1 << 20;

/// Goal: neither side waits for the other, with far more than a pipe holds in all three directions.
#[test]
fn a_megabyte_each_way() {
    everywhere(|how| async move {
        let input = pattern(MEGABYTE);
        let mut tee = how.command("tee");
        tee.arg("/dev/stderr");
        let mut tee = piped(tee).spawn().unwrap();
        let output = tee.communicate(&*input).await.unwrap();
        assert!(output.status.success());
        assert!(output.stdout == input && output.stderr == input);
        assert!(tee.stdin.is_none() && tee.stdout.is_none() && tee.stderr.is_none());
    });
}

/// py:test_subprocess test_communicate_ignore_broken_pipe.
#[test]
fn a_child_that_does_not_read_is_no_error() {
    everywhere(|how| async move {
        for script in [
            "echo done",
            "exec <&-; echo done",
            "head -c 1000 >/dev/null; echo done",
        ] {
            let mut child = piped(how.sh(script)).spawn().unwrap();
            let output = child.communicate(pattern(MEGABYTE)).await.unwrap();
            assert_eq!(output.stdout, b"done\n", "{script}");
            assert!(output.status.success(), "{script}");
        }
    });
}

/// Goal: a child that neither reads nor ends can be given up, killed, and asked for what it wrote.
#[test]
fn a_child_that_never_reads_can_be_given_up() {
    everywhere(|how| async move {
        let mut child = piped(how.sh("echo before; exec sleep 1000"))
            .spawn()
            .unwrap();
        let given_up = timeout(
            Duration::from_millis(5),
            child.communicate(pattern(MEGABYTE)),
        );
        assert!(given_up.await.is_err(), "it does not end");
        let error = child.communicate("more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("has its input already"),
            "{error}"
        );
        // It may not have come to its first line yet.
        until(|| has_written(&child)).await;
        assert!(
            timeout(Duration::from_millis(1), child.communicate([]))
                .await
                .is_err()
        );
        child.kill().unwrap();
        let output = child.communicate([]).await.unwrap();
        assert_eq!(
            output.stdout, b"before\n",
            "what was read before is returned, too"
        );
        assert!(!output.status.success());
    });
}

/// Whether the child has come to its `sleep`, that is behind its `echo`.
fn has_written(child: &Child) -> bool {
    let id = child.id().expect("it runs");
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\0"))
}

/// Goal: input that cannot be given is refused, and the child is as before.
#[test]
fn input_needs_a_pipe() {
    everywhere(|how| async move {
        let mut command = how.command("cat");
        let mut cat = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let error = cat.communicate("text").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("stdin(Stdio::piped())"),
            "{error}"
        );
        let output = cat.communicate([]).await.unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
    });
}

/// Goal: what was taken out of the child is left alone, and a second talk is empty.
#[test]
fn what_was_taken_out_is_left_alone() {
    everywhere(|how| async move {
        let mut child = piped(how.sh("echo out; echo err >&2")).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let output = child.communicate([]).await.unwrap();
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b""[..], &b"err\n"[..])
        );
        let mut text = Vec::new();
        let mut stdout = stdout;
        tenter::io::AsyncReadExt::read_to_end(&mut stdout, &mut text)
            .await
            .unwrap();
        assert_eq!(text, b"out\n");
        let again = child.communicate([]).await.unwrap();
        assert!(again.stdout.is_empty() && again.stderr.is_empty());
        assert_eq!(again.status, output.status);
    });
}

/// Goal: `output` has an empty input and both outputs, `status` neither, and a command can be used for
/// all of them in turn.
#[test]
fn one_command_many_children() {
    everywhere(|how| async move {
        let mut command = how.sh("cat; echo out; echo err >&2; exit 3");
        for _ in 0..3 {
            let output = command.output().await.unwrap();
            assert_eq!(
                (&*output.stdout, &*output.stderr),
                (&b"out\n"[..], &b"err\n"[..])
            );
            assert_eq!(output.status.code(), Some(3));
        }
        // Set here, it is not set again.
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::piped());
        let output = command.output().await.unwrap();
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        assert_eq!(command.status().await.unwrap().code(), Some(3));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.wait_with_output().await.unwrap().stdout, b"out\n");
    });
}
