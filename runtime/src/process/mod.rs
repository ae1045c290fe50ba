//! Child processes: [`Command`] starts them, [`Child`] waits for them, feeds them and ends them.
//!
//! ```
//! use tenter::process::Command;
//!
//! # fn main() -> std::io::Result<()> {
//! # tenter::run(async {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Starting
//!
//! Starting is a system call of the calling thread (`posix_spawn`, or `fork` and `exec`), as with
//! [`std::process::Command`], which does it. It takes some hundred microseconds, and longer in a
//! program with much memory; who starts many processes from a busy worker puts
//! [`block_in_place`](crate::block_in_place) around it. A child inherits no descriptor of this
//! program but its standard input, output and error.
//!
//! # Ending
//!
//! A [`Child`] of [`Command::spawn`] that is dropped goes on by default, and is reaped in the
//! background, so no zombie stays. [`Command::kill_on_drop`] kills it instead; [`Command::on_drop`]
//! asks it to end first and gives it time. [`Command::output`], [`Command::status`] and
//! [`Command::run`] are for the usual case: a process that lives no longer than the future that waits
//! for it. When that is cut off, by a timeout or a cancelled task say, the child gets SIGTERM, 5 s
//! later SIGKILL, and the scope is not over before it is reaped; [`OnDrop`] says more.
//!
//! When the runtime of a dropped child ends before the child does, the child goes on (by default) or
//! is killed at once (otherwise). It is reaped when the next child is started or dropped by any
//! runtime of this process, and at the latest by the system when this process ends.
//!
//! # What the rest of the program should not do
//!
//! Children are watched by descriptor where the system has such (`pidfd` of Linux 5.4), and only
//! ever waited for one by one. A program that waits for *all* its children (`waitpid(-1)`), or that
//! ignores SIGCHLD, so that the system reaps them, takes their exit statuses away: then
//! [`Child::wait`] says so in an error, and nothing is ever signalled by a number that might be
//! another's by now. Handlers for SIGCHLD do no harm.
//!
//! The standard library ignores SIGPIPE when a Rust program starts, so writing to a child that does
//! not read is an error (`BrokenPipe`). Loaded into a program that does not ignore it, the write
//! would end that program. Children start with the signal's default.
//!
//! Tests: `tests/tests/process/`.

pub use std::process::{ExitStatus, Output, Stdio};

pub use crate::process::child::{Child, Wait};
pub use crate::process::command::Command;
pub use crate::process::communicate::Communicate;
pub use crate::process::on_drop::OnDrop;
pub use crate::process::pipe::{ChildStderr, ChildStdin, ChildStdout};

mod child;
mod command;
mod communicate;
#[cfg_attr(
    tenter_loom,
    expect(dead_code, reason = "the children of the model are numbers")
)]
mod error;
mod in_scope;
mod on_drop;
pub(crate) mod orphan;
mod pipe;
#[cfg(not(tenter_loom))]
mod watch;
#[path = "watch_script.rs"]
#[cfg(tenter_loom)]
pub(crate) mod watch;
