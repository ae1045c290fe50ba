//! [`Latch`]: something that happens once, and that anybody may wait for.

use tenter_sync::Semaphore;

/// Shut, and then open for good. A semaphore without permits is that: waiting for one ends when it
/// is closed, also if it was closed before.
#[derive(Debug)]
pub struct Latch(Semaphore);

impl Latch {
    /// A shut one.
    pub fn new(name: &'static str) -> Latch {
        Latch(Semaphore::new(0).named(name))
    }

    /// Lets everyone pass who waits or comes later.
    pub fn open(&self) {
        self.0.close();
    }

    pub fn is_open(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until it is open.
    pub async fn wait(&self) {
        drop(self.0.acquire().await);
    }
}
