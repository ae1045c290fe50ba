//! Those of async-lock. A newcomer may pass; who has lost for half a millisecond is let in next.

use std::future::Future;

use async_lock::{MutexGuard, RwLockReadGuard, SemaphoreGuard};

/// A mutex.
pub type Lock = async_lock::Mutex<u64>;

impl super::Lock for Lock {
    type Guard<'a> = MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

/// Readers together.
pub type ReadLock = async_lock::RwLock<u64>;

impl super::ReadLock for ReadLock {
    type Guard<'a> = RwLockReadGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.read()
    }
}

/// Whoever comes when a permit is free has it.
pub type Semaphore = async_lock::Semaphore;

impl super::Semaphore for Semaphore {
    type Permit<'a> = SemaphoreGuard<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send {
        self.acquire()
    }
}
