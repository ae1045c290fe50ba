//! The pipes of children as streams.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::pin::Pin;

use tenter::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tenter::process::Stdio;

use crate::support::{everywhere, pattern};

/// Goal: what goes in at one end comes out at the other, piece by piece.
#[test]
fn a_conversation_with_cat() {
    everywhere(|how| async move {
        let mut command = how.command("cat");
        let mut cat = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut to, mut from) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        for text in ["one", "two", "three"] {
            to.write_all(text.as_bytes()).await.unwrap();
            to.flush().await.unwrap();
            let mut buffer = vec![0; text.len()];
            from.read_exact(&mut buffer).await.unwrap();
            assert_eq!(buffer, text.as_bytes());
        }
        let parts = [
            IoSlice::new(b"four"),
            IoSlice::new(b""),
            IoSlice::new(b"five"),
        ];
        let written = std::future::poll_fn(|cx| Pin::new(&mut to).poll_write_vectored(cx, &parts));
        assert_eq!(written.await.unwrap(), 8);
        let (mut a, mut b) = ([0; 2], [0; 16]);
        let mut filled = 0;
        while filled < 8 {
            // `cat` may hand it over in pieces.
            let mut parts = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
            let read =
                std::future::poll_fn(|cx| Pin::new(&mut from).poll_read_vectored(cx, &mut parts));
            filled += read.await.unwrap();
        }
        assert_eq!(filled, 8);
        to.close().await.unwrap();
        let error = to.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(from.read(&mut a).await.unwrap(), 0);
        assert_eq!(from.read(&mut a).await.unwrap(), 0, "the end stays the end");
        assert!(cat.wait().await.unwrap().success());
    });
}

/// Goal: a write to a child that has ended says so.
#[test]
fn a_write_to_nobody_is_a_broken_pipe() {
    everywhere(|how| async move {
        let mut child = how.command("true").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        assert!(child.wait().await.unwrap().success());
        let error = stdin.write_all(&pattern(1 << 20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// Goal: the output of one child is the input of another, directly, with more than a pipe holds; what
/// was read before is not read again.
#[test]
fn a_chain_of_children() {
    everywhere(|how| async move {
        let script = "printf 'head\n'; head -c 1000000 /dev/zero";
        let mut first = how.sh(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut between = first.stdout.take().unwrap();
        let mut head = [0; 5];
        between.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"head\n");
        let mut count = how.command("wc");
        count.arg("-c").stdin(Stdio::try_from(between).unwrap());
        let counted = count.output().await.unwrap();
        assert_eq!(counted.stdout.trim_ascii(), b"1000000");
        assert!(first.wait().await.unwrap().success());
        // And the other way round: a child that writes to the input of one that runs.
        let mut cat = how.command("cat");
        let mut cat = cat
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = Stdio::try_from(cat.stdin.take().unwrap()).unwrap();
        // The command keeps its copy of the pipe, and so do its children: they end first.
        let mut echo = how.command("echo");
        assert!(
            echo.arg("hello")
                .stdout(input)
                .status()
                .await
                .unwrap()
                .success()
        );
        drop(echo);
        assert_eq!(cat.wait_with_output().await.unwrap().stdout, b"hello\n");
    });
}

/// Goal: an end that is handed on blocks, as every program expects.
#[test]
fn an_end_that_is_handed_on_blocks() {
    everywhere(|how| async move {
        let mut command = how.command("cat");
        let mut cat = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let blocks = |fd: &dyn AsFd| {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd());
            // SAFETY: the descriptor is open, and nothing but a number comes back.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
            assert!(flags >= 0);
            flags & libc::O_NONBLOCK == 0
        };
        let stdout = cat.stdout.take().unwrap();
        assert!(!blocks(&stdout));
        assert!(blocks(&stdout.into_owned_fd().unwrap()));
        assert!(blocks(&cat.stdin.take().unwrap().into_owned_fd().unwrap()));
        cat.wait().await.unwrap();
    });
}
