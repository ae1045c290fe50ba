//! Numbers of tasks, handed out in blocks so that threads that spawn share no cache line.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;

use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};
use tenter_sync::shim::local;

/// How many numbers a thread takes at a time.
const BLOCK: u64 = 1_024;

/// The first number of the next block. Process-wide, so that a number never names two tasks.
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);

local! {
    static BLOCK_LEFT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The number of a task: unique in this process, never used again, not in order of spawning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(crate) NonZeroU64);

impl TaskId {
    /// The number.
    pub fn get(self) -> NonZeroU64 {
        self.0
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The next number.
#[inline]
pub(crate) fn next() -> NonZeroU64 {
    let number = BLOCK_LEFT.with(|block| {
        let (next, end) = block.get();
        let (next, end) = if next == end {
            take_block()
        } else {
            (next, end)
        };
        block.set((next + 1, end));
        next
    });
    // 2^64 numbers are not used up; were they, the count would have wrapped to the reserved zero.
    NonZeroU64::new(number).expect("numbers of tasks start at one")
}

#[cold]
fn take_block() -> (u64, u64) {
    // ORDERING: Relaxed. Only uniqueness matters.
    let first = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
    (first, first + BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_unique_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..3_000).map(|_| next()).collect::<Vec<_>>()))
            .collect();
        let all: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().expect("no panic"))
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
