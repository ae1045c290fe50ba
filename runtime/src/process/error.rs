//! The errors of this module: which program, what happened, and what to do about it.
//!
//! Tests: `tests/tests/process/errors.rs`.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::process::Pid;

/// A sentence of ours before the system's own, which stays its source.
#[derive(Debug)]
struct Explained {
    sentence: String,
    cause: io::Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sentence, self.cause)
    }
}

impl std::error::Error for Explained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

fn explain(sentence: String, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), Explained { sentence, cause })
}

/// The program did not start.
pub fn cannot_start(program: &Path, folder: Option<&Path>, cause: io::Error) -> io::Error {
    let program = program.display();
    let sentence = match folder {
        Some(folder) => format!("cannot start `{program}` in `{}`", folder.display()),
        None => format!("cannot start `{program}`"),
    };
    explain(sentence, cause)
}

/// The program started, and was killed again.
pub fn cannot_watch(program: &Path, cause: io::Error) -> io::Error {
    let program = program.display();
    explain(
        format!("`{program}` was started and killed again, because it cannot be watched"),
        cause,
    )
}

/// Somebody else has reaped the child.
pub fn reaped_by_others(pid: Pid, cause: io::Error) -> io::Error {
    explain(
        format!(
            "how process {} ended is not known: this program ignores SIGCHLD, or another part of \
             it waits for all children; leave SIGCHLD at its default or give it a handler, and \
             wait only for processes of one's own",
            pid.as_raw_nonzero()
        ),
        cause,
    )
}

/// The runtime that watched for the end of the child has ended.
pub fn unwatched(pid: Pid, cause: io::Error) -> io::Error {
    explain(
        format!(
            "process {} still runs, but nobody watches it any more",
            pid.as_raw_nonzero()
        ),
        cause,
    )
}

/// No such signal can be sent.
pub fn unknown_signal(number: i32) -> io::Error {
    let text = format!(
        "signal {number} cannot be sent to a child: only signals with a name can, such as SIGTERM"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// A process that leads no group of its own.
pub fn no_group(pid: Pid) -> io::Error {
    let text = format!(
        "process {} has no group of its own; start it with `process_group(0)`",
        pid.as_raw_nonzero()
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// `communicate` was given more input while it still had some.
pub fn input_twice() -> io::Error {
    let text = "`communicate` has its input already; call it with an empty one to go on where the \
                earlier call was dropped";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// `communicate` was given input for a child that cannot get it.
pub fn no_stdin() -> io::Error {
    let text = "there is input for a child whose standard input is no pipe of ours; start it with \
                `stdin(Stdio::piped())`, and leave `child.stdin` in its place";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
