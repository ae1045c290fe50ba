//! Children that are dropped in a scope: the scope ends them, and is not over before they are.
//!
//! ```text
//!   dropped ── SIGTERM ──► asked ── the grace is over: SIGKILL ──► killed ── 5 s ──► told
//!      │                     │                                       │                │
//!      └── SIGKILL ──────────┼───────────────────────────────────────┘                ▼
//!                            └──────── ended, reaped: the scope goes on ◄──────── an orphan
//! ```
//!
//! 1. The first signal is sent by the drop, and the grace runs from there. What is left to wait for is a
//!    clean-up of the scope: awaited before it returns if it ends, by a task of the runtime if it goes on.
//! 2. What the child writes on its way out is read, and thrown away: it neither waits for a reader nor is
//!    killed by SIGPIPE in the middle of its own clean-up. The end of its outputs is not waited for, for
//!    others may have them.
//! 3. The wait is bounded also where the system keeps a killed process: then it is said which, and the
//!    child is an orphan.
//! 4. A clean-up that is dropped, because its runtime ends by force, leaves a child that is killed.
//!
//! Rejected: the orphan alone, with a scope that waits until it is over. It runs in whatever wakes it, and
//! so cannot read for a child that writes without end.
//!
//! Tests: `tests/tests/process/scopes.rs`.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::Signal;
use tenter_timer::{Instant, now, timeout_at};

use super::child::Child;
use super::communicate::Talk;
use super::orphan;
use crate::context;
use crate::scope::clean_up::{self, CleanUp};
use crate::scope::frame;

/// How long a killed child may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Leaves a child that is dropped to the scope around the caller. False: there is none.
pub fn leave(dropped: &mut Child) -> bool {
    if frame::ending().is_none() {
        return false;
    }
    orphan::sweep();
    let mut child = Child {
        stdin: None,
        stdout: dropped.stdout.take(),
        stderr: dropped.stderr.take(),
        talk: Talk::default(),
        watch: dropped.watch.take(),
        on_drop: dropped.on_drop,
        given_up: true,
    };
    if child.on_drop.is_group() {
        child.watch.end_group();
    }
    if !matches!(child.watch.try_ended(), Ok(None)) {
        return true;
    }
    let grace = orphan::begin_end(&mut child.watch, child.on_drop);
    let asked_until = grace.map(|grace| now() + grace);
    CleanUp::own(end(child, asked_until)).hand_over(context::current_handle().as_ref());
    true
}

/// Waits for the end of a child that was told to end, and helps it.
async fn end(mut child: Child, asked_until: Option<Instant>) {
    let on_drop = child.on_drop;
    child.on_drop = on_drop.killing(); // 4
    if let Some(asked_until) = asked_until {
        if ends_by(asked_until, &mut child).await {
            return;
        }
        orphan::send(&mut child.watch, on_drop, Signal::KILL);
    }
    // A virtual clock would not wait for the system.
    let is_virtual = context::current_handle().is_some_and(|handle| handle.is_virtual());
    let limit = if is_virtual {
        Duration::MAX
    } else {
        KILL_LIMIT
    };
    if ends_by(now() + limit, &mut child).await || !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if let Some(number) = child.id() {
        clean_up::say(format!(
            "process {number} is there {KILL_LIMIT:?} after it was killed: the system keeps it; the scope \
             that it was dropped in goes on without"
        ));
    }
}

async fn ends_by(deadline: Instant, child: &mut Child) -> bool {
    let mut heard = Vec::new();
    let ended = poll_fn(|cx| poll_end(child, &mut heard, cx));
    timeout_at(deadline, ended).await.is_ok()
}

/// Its errors are an end too: it is not ours any more, or the driver has ended (then it is an orphan).
fn poll_end(child: &mut Child, heard: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<()> {
    if child.poll_wait(cx).is_ready() {
        return Poll::Ready(());
    }
    macro_rules! listen {
        ($pipe:expr) => {
            while let Some(pipe) = &$pipe {
                heard.clear();
                match pipe.poll_append(cx, heard) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => $pipe = None,
                    Poll::Pending => break,
                }
            }
        };
    }
    listen!(child.stdout);
    listen!(child.stderr);
    Poll::Pending
}
