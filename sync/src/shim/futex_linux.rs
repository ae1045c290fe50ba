//! The kernel's futex.

use core::sync::atomic::AtomicU32;
use core::time::Duration;

use rustix::thread::futex;
use rustix::time::Timespec;

use super::FutexWait;

/// A word that a thread can sleep on until another thread changes it and says so.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Futex(AtomicU32);

impl Futex {
    /// A futex whose word is `value`.
    #[inline]
    pub const fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    /// The word.
    #[inline(always)]
    pub fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps while the word is `expected`, at most for `timeout`. May return early.
    pub fn wait(&self, expected: u32, timeout: Option<Duration>) -> FutexWait {
        // A timeout that the kernel's clock cannot hold is as good as none.
        let timeout = timeout.and_then(|duration| {
            Some(Timespec {
                tv_sec: i64::try_from(duration.as_secs()).ok()?,
                tv_nsec: duration.subsec_nanos().into(),
            })
        });
        match futex::wait(&self.0, futex::Flags::PRIVATE, expected, timeout.as_ref()) {
            Err(rustix::io::Errno::TIMEDOUT) => FutexWait::TimedOut,
            _ => FutexWait::Returned,
        }
    }

    /// Wakes one sleeper, if there is one.
    pub fn wake_one(&self) {
        // Waking cannot fail on an aligned word of our own.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, 1);
    }
}
