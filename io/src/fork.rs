//! Tells a process from a copy that `fork` made of it.
//!
//! A copy has the memory, but shares the poller: what it says there about its own descriptors, it
//! says about those of the process it was copied from, and the events that it takes are missing
//! there. So it must not speak to a poller that it has not opened.
//!
//! The system's number of the process would tell, for a system call each time. A page that the
//! kernel hands to a copy as zeros tells it for a load:
//!
//! ```text
//!                 first poller            fork                   first poller
//!   page: 0 ──────────────────► 1 ──┬──► 1  (the process)
//!                                   └──► 0  (the copy) ─────────────────────► 2
//! ```
//!
//! Invariants:
//! - I1: within one line of descent no two processes have the same number, because the count that
//!   the numbers come from is copied with the rest of the memory.
//! - I2: zero is nobody's number.
//!
//! Where there is no such page (not Linux, or older than 4.14) the system is asked after all.
//!
//! Rejected: `pthread_atfork`. It is told only of copies that the C library makes, and needs that
//! library. Rejected: to ask the system when a source is dropped and nowhere else. A copy that turns
//! an inherited driver takes events, and sets the alarm that both share.
//!
//! Tests: below; `tests/tests/faults/fork.rs`.

use std::io;
use std::sync::OnceLock;

use tenter_sync::shim::atomic::{AtomicU32, Ordering};

use crate::error;

/// The page that is zero in a copy.
static MARK: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();

/// The numbers that have been given.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

/// A process, as something that it made remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The one that runs.
    pub fn current() -> Self {
        let Some(mark) = mark() else {
            return Process(std::process::id());
        };
        // ORDERING: Relaxed, here and below. The numbers are compared and publish nothing.
        let number = mark.load(Ordering::Relaxed);
        if number != 0 {
            return Process(number);
        }
        // I1, I2. Another thread may be first.
        let next = NUMBERS.fetch_add(1, Ordering::Relaxed) + 1;
        match mark.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Process(next),
            Err(number) => Process(number),
        }
    }

    /// Whether it is the one that runs. Otherwise that one is a copy of it.
    #[inline]
    pub fn is_current(self) -> bool {
        let number = match mark() {
            // ORDERING: Relaxed, as in `current`.
            Some(mark) => mark.load(Ordering::Relaxed),
            None => std::process::id(),
        };
        number == self.0
    }
}

/// The poller belongs to the process that this one is a copy of.
#[cold]
pub fn forked() -> io::Error {
    error::plain(
        io::ErrorKind::Other,
        "this process is a copy that `fork` made of the one that opened the I/O driver, and must \
         not take its events away; make a new runtime in this process, and its sockets there"
            .to_owned(),
    )
}

#[inline]
fn mark() -> Option<&'static AtomicU32> {
    *MARK.get_or_init(open_mark)
}

#[cfg(not(target_os = "linux"))]
fn open_mark() -> Option<&'static AtomicU32> {
    None
}

#[cfg(target_os = "linux")]
#[cold]
fn open_mark() -> Option<&'static AtomicU32> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    /// The system rounds it up to a page.
    const LENGTH: usize = size_of::<AtomicU32>();

    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the system's choice touches no memory that is in use.
    let page =
        unsafe { mmap_anonymous(std::ptr::null_mut(), LENGTH, protection, MapFlags::PRIVATE) };
    let page = page.ok()?;
    // SAFETY: the page is ours, and there is nothing in it that a copy could miss.
    if unsafe { madvise(page, LENGTH, Advice::LinuxWipeOnFork) }.is_err() {
        // SAFETY: the page is ours, and nobody has been told of it. Were it in use, the use would
        // be the end of the process.
        let _ = unsafe { munmap(page, LENGTH) };
        return None;
    }
    // SAFETY: a page is large and aligned enough, zeros are a valid number, it is only ever used as
    // this atomic, and it is never unmapped. Were it unmapped, the next look would be the end of
    // the process.
    Some(unsafe { AtomicU32::from_ptr(page.cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let one = Process::current();
        assert!(one.is_current());
        assert_eq!(one, Process::current());
        assert_ne!(one, Process(0), "I2");
        assert!(!Process(u32::MAX).is_current());
    }

    #[test]
    fn linux_has_the_page() {
        assert_eq!(mark().is_some(), cfg!(target_os = "linux"));
    }
}
