//! What a queue tells about itself.
//!
//! Tests: see the module above.

use core::fmt;

use super::core::Core;
use super::store::Store;

/// What a queue tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The name given by [`Queue::named`](super::Queue::named).
    pub name: Option<String>,
    /// How many items are in it.
    pub len: usize,
    /// The most that ever were. Beyond a thousand in a queue without a bound up to one in sixty-four may
    /// be missing: each number exactly would cost each put a look at what the getters write.
    pub peak: usize,
    /// How many there may be.
    pub capacity: Option<usize>,
    /// How many places slots stand for.
    pub reserved: usize,
    /// How many items were put and are not done with.
    pub unfinished: usize,
    /// How many wait for an item.
    pub getters: usize,
    /// The most that ever did at once.
    pub getters_max: usize,
    /// How many wait for room.
    pub putters: usize,
    /// The most that ever did at once.
    pub putters_max: usize,
    /// How many wait until all is done.
    pub joiners: usize,
    /// Whether it was shut down.
    pub is_shut_down: bool,
}

impl<T, S: Store<T>> Core<T, S> {
    pub(crate) fn stats(&self) -> QueueStats {
        let line = self.lock();
        QueueStats {
            name: self.name.get().map(str::to_owned),
            len: self.store.len(),
            peak: self.store.peak(),
            capacity: self.store.capacity(),
            reserved: line.reserved,
            unfinished: self.unfinished(),
            getters: line.getters.len(),
            getters_max: line.getters_peak,
            putters: line.putters.len(),
            putters_max: line.putters_peak,
            joiners: line.joiners.len(),
            is_shut_down: line.is_shut,
        }
    }
}

impl<T, S: Store<T>> fmt::Debug for Core<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("Core", f)
    }
}

impl<T, S: Store<T>> Core<T, S> {
    pub(crate) fn describe(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(what);
        self.name.describe(&mut out);
        out.field("len", &self.store.len());
        out.field("capacity", &self.store.capacity());
        out.field("unfinished", &self.unfinished());
        // Writing is user code, so the line is let go of before.
        let seen = self
            .try_lock()
            .map(|line| (line.getters.len(), line.putters.len(), line.is_shut));
        match seen {
            Some((getters, putters, is_shut)) => out
                .field("getters", &getters)
                .field("putters", &putters)
                .field("is_shut_down", &is_shut),
            None => out.field("line", &format_args!("<locked>")),
        };
        out.finish()
    }
}
