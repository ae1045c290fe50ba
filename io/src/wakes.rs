//! The wakes of one turn: collected while events are recorded, done outside every lock.
//!
//! Edges are reported once. A waker that panics must therefore not keep the rest of a harvest from
//! being recorded: the first panic is kept until all is done.
//!
//! Tests: `io/tests/driver.rs`: `a_panicking_waker_does_not_cost_other_sockets_their_event`.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tenter_sync::wake_batch::WakeBatch;

/// See the module's first lines.
#[derive(Debug)]
pub struct Wakes {
    batch: WakeBatch,
    panic: Option<Box<dyn Any + Send>>,
}

impl Wakes {
    /// None yet.
    pub fn new() -> Self {
        Wakes {
            batch: WakeBatch::new(),
            panic: None,
        }
    }

    /// Where to put wakers. When it is full, [`flush`](Self::flush) without any lock held.
    pub fn batch(&mut self) -> &mut WakeBatch {
        &mut self.batch
    }

    /// Wakes what has been collected.
    pub fn flush(&mut self) {
        let batch = mem::replace(&mut self.batch, WakeBatch::new());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| batch.wake_all())) {
            self.panic.get_or_insert(panic);
        }
    }

    /// Wakes the rest. A waker's panic goes on from here.
    pub fn finish(mut self) {
        self.flush();
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}
