//! Which registration a descriptor's number belongs to at the poller.
//!
//! A library that lends its descriptor may close it, and open another file of the same number,
//! while the source that was made of the old one is still there. The poller has forgotten the old
//! file then, and knows the new one under the same number. Without this table the drop of the old
//! source would take the new one from the poller, which then never hears of an event again.
//!
//! ```text
//!   number: nobody ── taken(k1) ──► k1 ── released(k1) ──► nobody
//!                                   └─ taken(k2) ──► k2 ── released(k1): refused ──► k2
//! ```
//!
//! Invariants:
//! - I1: a number belongs to the registration that the poller accepted last.
//! - I2: only the registration that a number belongs to speaks to the poller about it.
//!
//! Not covered: a number that is closed and used again by one thread in the very moment in which
//! another drops the old source, between the two lines of `Selector::delete`.
//!
//! Tests: below; `io/tests/faults.rs`, `tests/tests/faults/descriptors.rs`.

use std::os::fd::RawFd;
use std::sync::OnceLock;

use tenter_sync::shim::atomic::{AtomicUsize, Ordering};

use crate::slab::Key;

/// Numbers in the first page; each further page doubles. 512 bytes.
const FIRST_PAGE: usize = 64;

/// Pages for every number that there can be.
const PAGES: usize = 26;

/// No key: that of a registration has a generation.
const NOBODY: usize = 0;

/// See the module's first lines.
#[derive(Debug)]
pub struct Holders([OnceLock<Box<[AtomicUsize]>>; PAGES]);

impl Holders {
    /// No number belongs to anybody.
    pub fn new() -> Self {
        Holders([const { OnceLock::new() }; PAGES])
    }

    /// The poller has accepted `fd` under `key`.
    pub fn taken(&self, fd: RawFd, key: Key) {
        if let Some((page, offset)) = place(fd) {
            let holders = self.0[page].get_or_init(|| {
                (0..FIRST_PAGE << page)
                    .map(|_| AtomicUsize::new(NOBODY))
                    .collect()
            });
            // ORDERING: Relaxed. The key is compared and leads to nothing. I1 is about the one
            // word, of which all threads see one order.
            holders[offset].store(key.bits(), Ordering::Relaxed);
        }
    }

    /// Whether `fd` belongs to `key`.
    pub fn is_held(&self, fd: RawFd, key: Key) -> bool {
        self.holder(fd)
            // ORDERING: Relaxed, as in `taken`.
            .is_some_and(|holder| holder.load(Ordering::Relaxed) == key.bits())
    }

    /// The registration ends. False: `fd` belongs to another one.
    #[must_use]
    pub fn released(&self, fd: RawFd, key: Key) -> bool {
        self.holder(fd).is_some_and(|holder| {
            holder
                // ORDERING: Relaxed, as in `taken`.
                .compare_exchange(key.bits(), NOBODY, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        })
    }

    fn holder(&self, fd: RawFd) -> Option<&AtomicUsize> {
        let (page, offset) = place(fd)?;
        self.0[page].get()?.get(offset)
    }
}

/// The page of a number, and the place in it. `None` for what is no number of a descriptor.
fn place(fd: RawFd) -> Option<(usize, usize)> {
    let index = usize::try_from(fd).ok()?;
    let page = (index / FIRST_PAGE + 1).ilog2() as usize;
    Some((page, index - FIRST_PAGE * ((1 << page) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Key = Key::from_bits(1 << 32);
    const NEW: Key = Key::from_bits(2 << 32);

    #[test]
    fn a_number_belongs_to_the_last_one_that_took_it() {
        let holders = Holders::new();
        assert!(!holders.is_held(7, OLD));
        holders.taken(7, OLD);
        assert!(holders.is_held(7, OLD));
        holders.taken(7, NEW);
        assert!(!holders.is_held(7, OLD));
        assert!(!holders.released(7, OLD), "it is somebody else's by now");
        assert!(holders.is_held(7, NEW));
        assert!(holders.released(7, NEW));
        assert!(!holders.released(7, NEW), "only once");
    }

    #[test]
    fn every_number_has_its_own_place() {
        let mut expected = (0, 0);
        for fd in 0..RawFd::try_from(FIRST_PAGE * 31).expect("small") {
            assert_eq!(place(fd), Some(expected));
            expected.1 += 1;
            if expected.1 == FIRST_PAGE << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert!(place(RawFd::MAX).is_some_and(|(page, _)| page < PAGES));
        assert_eq!(place(-1), None);
        assert!(!Holders::new().released(-1, OLD));
    }
}
