//! What an accept loop does after a failed accept.

use core::time::Duration;
use std::io;

use rustix::io::Errno;
use tenter_timer::Instant;

/// How long to wait after an accept failed for a reason that nobody foresaw.
const UNFORESEEN_PAUSE: Duration = Duration::from_millis(100);

/// How many of those in a row mean that the listener is no longer one.
const UNFORESEEN_MAX: u32 = 20;

/// How often failed accepts are told on standard error.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a loop that goes on at once may spin"]
pub enum Next {
    /// Accept again: the listener pauses by itself.
    Again,
    /// Wait, then accept again.
    Pause(Duration),
    /// There is no point in going on.
    GiveUp,
}

/// The failed accepts of a loop.
#[derive(Debug, Default)]
pub struct Trouble {
    unforeseen: u32,
    told: Option<Instant>,
}

impl Trouble {
    /// A connection was accepted.
    pub fn is_over(&mut self) {
        self.unforeseen = 0;
    }

    /// An accept failed.
    pub fn after(&mut self, error: &io::Error) -> Next {
        let system = os_error(error);
        let told_by_the_listener = error.raw_os_error().is_none();
        match system {
            Some(errno) if is_about_the_listener(errno) => return Next::GiveUp,
            // No room for another connection: the listener says so, and pauses.
            Some(_) if told_by_the_listener => return Next::Again,
            // Without an error of the system it is the driver that has failed or was shut down.
            None => return Next::GiveUp,
            Some(_) => {}
        }
        self.unforeseen += 1;
        if self.unforeseen < UNFORESEEN_MAX {
            Next::Pause(UNFORESEEN_PAUSE)
        } else {
            Next::GiveUp
        }
    }

    /// Whether it is time for another line about it.
    pub fn is_to_be_told(&mut self, now: Instant) -> bool {
        let recent = |told: Instant| now.duration_since(told) < TOLD_EVERY;
        if self.told.is_some_and(recent) {
            return false;
        }
        self.told = Some(now);
        true
    }
}

/// The descriptor is closed, or not that of a listener any more.
fn is_about_the_listener(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::BADF | Errno::NOTSOCK | Errno::INVAL | Errno::OPNOTSUPP | Errno::FAULT
    )
}

/// The error of the system that is at the bottom of `error`.
fn os_error(error: &io::Error) -> Option<Errno> {
    if let Some(number) = error.raw_os_error() {
        return Some(Errno::from_raw_os_error(number));
    }
    let mut source = error.get_ref().and_then(|inner| inner.source());
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return os_error(inner);
        }
        source = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn system(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[derive(Debug)]
    struct Explained(Option<io::Error>);
    impl core::fmt::Display for Explained {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("explained")
        }
    }
    impl Error for Explained {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.as_ref().map(|error| error as _)
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let mut trouble = Trouble::default();
        let no_room = io::Error::other(Explained(Some(system(Errno::MFILE))));
        for _ in 0..2 * UNFORESEEN_MAX {
            assert_eq!(trouble.after(&no_room), Next::Again);
        }
        let driver = io::Error::other(Explained(None));
        assert_eq!(trouble.after(&driver), Next::GiveUp);
        for errno in [Errno::BADF, Errno::NOTSOCK, Errno::INVAL] {
            assert_eq!(trouble.after(&system(errno)), Next::GiveUp);
            let explained = io::Error::other(Explained(Some(system(errno))));
            assert_eq!(trouble.after(&explained), Next::GiveUp);
        }
    }

    #[test]
    fn what_nobody_foresaw_is_retried_until_it_persists() {
        let mut trouble = Trouble::default();
        let firewall = system(Errno::PERM);
        for _ in 1..UNFORESEEN_MAX {
            assert_eq!(trouble.after(&firewall), Next::Pause(UNFORESEEN_PAUSE));
        }
        trouble.is_over();
        for _ in 1..UNFORESEEN_MAX {
            assert_eq!(trouble.after(&firewall), Next::Pause(UNFORESEEN_PAUSE));
        }
        assert_eq!(trouble.after(&firewall), Next::GiveUp);
    }

    #[test]
    fn a_line_comes_at_once_and_then_not_for_five_seconds() {
        let mut trouble = Trouble::default();
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let told = [0, 1, 4_999, 5_000, 5_001, 12_000].map(|ms| trouble.is_to_be_told(at(ms)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
