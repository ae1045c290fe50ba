//! What these tests share: where they run, and what the system says of a process.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use tenter::io::AsyncReadExt;
use tenter::process::{Child, ChildStdout, Command, Stdio};
use tenter::task::yield_now;
use tenter_tests::support::{build, ends, every, foreign_block_on};

/// How the end of a child is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Pidfd,
    Sigchld,
}

impl How {
    pub fn command(self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.watch_by_sigchld(self == How::Sigchld);
        command
    }

    /// `sh` with a script.
    pub fn sh(self, script: &str) -> Command {
        let mut command = self.command("sh");
        command.arg("-c").arg(script);
        command
    }
}

/// Runs a test on every flavour and outside of a runtime, with both ways to see an end.
pub fn everywhere<F>(test: impl Fn(How) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()>,
{
    for how in [How::Pidfd, How::Sigchld] {
        let here = test.clone();
        every(move |builder| build(builder).block_on(here(how)));
        let here = test.clone();
        ends("outside of a runtime", move || foreign_block_on(here(how)));
    }
}

/// What the system says of a process: running, sleeping, `Z` for a zombie. `None`: it is gone.
pub fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

pub fn is_dead(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z'))
}

/// Lets the runtime turn until it is so. Whoever calls is watched for a hang.
pub async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        std::thread::yield_now();
        yield_now().await;
    }
}

/// Starts a child with a pipe from its standard output, and waits for its first line.
pub async fn started(command: &mut Command) -> (Child, u32, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let id = child.id().expect("it was not waited for");
    let line = line(child.stdout.as_mut().expect("a pipe")).await;
    (child, id, line)
}

/// The next line, read byte by byte.
pub async fn line(from: &mut ChildStdout) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte).await.expect("no error") == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

/// Polls `future` until it is ready, or `limit` polls have been made: then it is dropped.
pub async fn polled_at_most<F: Future>(limit: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(move |cx: &mut Context<'_>| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Polled again soon, whether or not something happened.
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Bytes that repeat only after a prime number of them.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(length).collect()
}

pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("this is Linux")
        .count()
}

/// Waits until this process has no child any more. One that nobody reaps is a hang.
pub fn until_no_child_is_left() {
    ends("until no child is left", || {
        while has_children() {
            sweep();
        }
    });
}

/// Starts a child and waits for it, at which those that were left are looked after.
pub fn sweep() {
    foreign_block_on(async {
        let status = Command::new("true").status().await;
        assert!(status.expect("it starts").success());
    });
}

/// Whether this process has a child, ended or not.
fn has_children() -> bool {
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a zeroed record is a valid one, and is ours. No child is reaped.
    let none = unsafe {
        let mut record: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut record, look) != 0
    };
    !none
}
