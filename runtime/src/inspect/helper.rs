//! A thread that ends when it is told to.
//!
//! It is told by the end of a socket that it listens to among other things: a byte might not fit in. Whoever
//! tells it waits until it has ended, but not for ever: a thread that is stuck in a write to standard error
//! holds nothing that is missed, and is left behind.
//!
//! Tests: `tests/tests/inspect/main.rs`.

use core::time::Duration;
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tenter_sync::parker::Parker;
use tenter_sync::shim::{Mutex, thread};
use tenter_timer::Clock;

/// How long is waited for the end of the thread.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Whether the thread has ended, and who waits for it.
#[derive(Default)]
struct Over(Mutex<bool>, Parker);

/// Says so when the thread ends, also if it panics.
struct SayOver(Arc<Over>);

impl Drop for SayOver {
    fn drop(&mut self) {
        *self.0.0.lock() = true;
        let _ = self.0.1.unpark();
    }
}

/// A thread. Dropping this ends it.
pub struct Helper {
    /// Who writes here is read by the thread; its end is the thread's.
    pub to_thread: Arc<UnixStream>,
    thread: Option<thread::JoinHandle<()>>,
    over: Arc<Over>,
}

impl Helper {
    /// Starts a thread. `body` is to return when the socket that it gets has ended.
    pub fn start(name: &str, body: impl FnOnce(UnixStream) + Send + 'static) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        // Written to in signal handlers.
        writer.set_nonblocking(true)?;
        let over = Arc::new(Over::default());
        let say_over = SayOver(Arc::clone(&over));
        let thread = thread::spawn_named(name, move || {
            let _say_over = say_over;
            body(reader);
        })?;
        Ok(Self {
            to_thread: Arc::new(writer),
            thread: Some(thread),
            over,
        })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.to_thread.shutdown(Shutdown::Write);
        let Some(thread) = self.thread.take() else {
            return;
        };
        if thread.thread().id() == thread::current_id() {
            // It dropped the last reference to what was the program's, and that a runtime.
            return;
        }
        let clock = Clock::real();
        let deadline = clock.now() + END_WITHIN;
        while !*self.over.0.lock() {
            let left = deadline.duration_since(clock.now());
            if left.is_zero() {
                return;
            }
            let _ = self.over.1.park(Some(left));
        }
        // It has no result; had it panicked, it would have said so.
        let _ = thread.join();
    }
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").finish_non_exhaustive()
    }
}
