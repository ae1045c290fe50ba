//! [`SignalKind`]: which signal.
//!
//! Tests: `tests/tests/signal.rs` compares the numbers with those of the system.

use std::fmt;
use std::io;

/// A kind of signal, such as SIGTERM.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalKind(i32);

/// Signals are numbered from 1, and 64 is the last real-time signal of Linux.
pub(super) const LAST: i32 = 64;

impl SignalKind {
    /// SIGINT: the user pressed ctrl-c.
    pub const fn interrupt() -> SignalKind {
        SignalKind(2)
    }

    /// SIGTERM: a service manager or `kill` asks for the end.
    pub const fn terminate() -> SignalKind {
        SignalKind(15)
    }

    /// SIGHUP: the terminal is gone; services read their configuration again.
    pub const fn hangup() -> SignalKind {
        SignalKind(1)
    }

    /// SIGQUIT: the user pressed ctrl-\.
    pub const fn quit() -> SignalKind {
        SignalKind(3)
    }

    /// SIGUSR1: of the application's own meaning.
    pub const fn user_defined1() -> SignalKind {
        SignalKind(numbers::USR1)
    }

    /// SIGUSR2: of the application's own meaning.
    pub const fn user_defined2() -> SignalKind {
        SignalKind(numbers::USR2)
    }

    /// SIGALRM: a timer of the operating system ran out.
    pub const fn alarm() -> SignalKind {
        SignalKind(14)
    }

    /// SIGCHLD: a child process stopped or ended.
    pub const fn child() -> SignalKind {
        SignalKind(numbers::CHLD)
    }

    /// SIGPIPE: a write to a pipe that nobody reads. The standard library ignores it at start-up.
    pub const fn pipe() -> SignalKind {
        SignalKind(13)
    }

    /// SIGWINCH: the terminal changed its size.
    pub const fn window_change() -> SignalKind {
        SignalKind(numbers::WINCH)
    }

    /// The signal of this number. Whether there is one shows when it is waited for.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// The number of the signal.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// The bit of this signal in a word of pending ones.
    pub(super) fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            numbers::STOP => "SIGSTOP",
            numbers::USR1 => "SIGUSR1",
            numbers::USR2 => "SIGUSR2",
            numbers::CHLD => "SIGCHLD",
            numbers::WINCH => "SIGWINCH",
            _ => return None,
        })
    }

    /// Why nobody can wait for this signal, if that is so.
    pub(crate) fn refusal(self) -> Option<io::Error> {
        let invalid = |text: String| Some(io::Error::new(io::ErrorKind::InvalidInput, text));
        if !(1..=LAST).contains(&self.0) {
            return invalid(format!(
                "there is no signal {}: they are 1 to {LAST}",
                self.0
            ));
        }
        if !signal_hook_registry::FORBIDDEN.contains(&self.0) {
            return None;
        }
        if self.0 == numbers::STOP || self.0 == 9 {
            return invalid(format!(
                "{self} cannot be waited for: the system acts on it itself"
            ));
        }
        invalid(format!(
            "{self} cannot be waited for: it reports a fault of the running instruction, which \
             would fault again as soon as the handler returned"
        ))
    }
}

/// The numbers on which systems differ.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) mod numbers {
    pub(super) const USR1: i32 = 10;
    pub(super) const USR2: i32 = 12;
    pub(super) const CHLD: i32 = 17;
    pub(in crate::signal) const STOP: i32 = 19;
    pub(super) const WINCH: i32 = 28;
}

/// The numbers of the BSD family.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) mod numbers {
    pub(super) const USR1: i32 = 30;
    pub(super) const USR2: i32 = 31;
    pub(super) const CHLD: i32 = 20;
    pub(in crate::signal) const STOP: i32 = 17;
    pub(super) const WINCH: i32 = 28;
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
