//! What to make of an error of `accept`, and how long to wait before the next try.
//!
//! | `accept` says                            | it is about            | the listener           |
//! |------------------------------------------|------------------------|------------------------|
//! | `EAGAIN`                                 | –                      | waits                  |
//! | `EINTR`                                  | –                      | tries again            |
//! | `ECONNABORTED`, `EPROTO`, network errors | one connection, gone   | tries again, counts    |
//! | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`  | this process or system | tells, and pauses      |
//! | anything else                            | the listener           | tells                  |
//!
//! Tests: below; `io/tests/faults.rs`.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use tenter_timer::Instant;

use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN};

/// Whom an error concerns.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The connection that would have been accepted is gone, the listener is well.
    Connection,
    /// There is no room for another connection in this process or system.
    Exhaustion,
    /// The caller.
    Listener,
}

/// Tells them apart.
pub fn blame(error: &io::Error) -> Blame {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(
            Errno::CONNABORTED
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH,
        ) => Blame::Connection,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Blame::Exhaustion,
        _ => Blame::Listener,
    }
}

/// How long `accept` waits before it tries again after the system had no room.
#[derive(Debug, Default)]
pub struct Pause {
    until: Option<Instant>,
    length: Duration,
}

impl Pause {
    /// There was no room: twice as long as the last time.
    pub fn begin(&mut self, now: Instant) -> Duration {
        self.length = (self.length * 2).clamp(ACCEPT_PAUSE_MIN, ACCEPT_PAUSE_MAX);
        self.until = Some(now + self.length);
        self.length
    }

    /// A connection could be taken.
    pub fn end(&mut self) {
        *self = Pause::default();
    }

    /// When the next try is worth it, if not now.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault 26: what is wrong with one connection does not end the loop; what is wrong with the
    /// listener does.
    #[test]
    fn errors_are_told_apart() {
        let retried = [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::NETDOWN,
            Errno::HOSTUNREACH,
        ];
        let paused = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        let told = [
            Errno::BADF,
            Errno::INVAL,
            Errno::NOTSOCK,
            Errno::OPNOTSUPP,
            Errno::PERM,
        ];
        let is = |errno: Errno, expected| assert_eq!(blame(&errno.into()), expected, "{errno}");
        retried
            .iter()
            .for_each(|&errno| is(errno, Blame::Connection));
        paused
            .iter()
            .for_each(|&errno| is(errno, Blame::Exhaustion));
        told.iter().for_each(|&errno| is(errno, Blame::Listener));
    }

    #[test]
    fn pauses_double_up_to_half_a_second_and_start_again() {
        let mut pause = Pause::default();
        let now = Instant::from_nanos(0);
        let lengths: Vec<_> = (0..9).map(|_| pause.begin(now).as_millis()).collect();
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(pause.until(), Some(now + ACCEPT_PAUSE_MAX));
        pause.end();
        assert_eq!(pause.until(), None);
        assert_eq!(pause.begin(now), ACCEPT_PAUSE_MIN);
    }
}
