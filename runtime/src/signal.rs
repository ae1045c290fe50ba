//! Waiting for signals of the operating system: [`ctrl_c`], [`signals`].
//!
//! Each [`Signals`] is on its own: a word of pending signals and a socket pair.
//!
//! ```text
//!  signal handler                              task
//!  H1 pending |= bit of the signal             T1 take pending; any bit: deliver it
//!  H2 write one byte to the socket             T2 drain the socket
//!                                              T3 socket empty: wait until readable, else T1
//! ```
//!
//! 1. No signal is lost: a handler whose write finds the socket full leaves it readable, so the
//!    task that has not drained it yet comes by T1 again, after H1.
//! 2. Signals of one kind that arrive before they are received are delivered once, as the
//!    operating system itself does. Different kinds never hide each other.
//! 3. The handler does an atomic or and a `send`, both async-signal-safe, and touches nothing else.
//! 4. Handlers that the host application had installed before are still called, by
//!    `signal-hook-registry`, which holds the one table that a process has to have.
//! 5. A forked child that has not called `exec` shares the socket but not the word: a signal to the
//!    child costs the parent a wake and delivers nothing.
//!
//! Rejected: one process-wide pipe with a table of listeners. Two runtimes would share it, and a
//! listener that is slow would decide for the others. Rejected: writing the signal's number into
//! the pipe. A flood of one kind fills it, and another kind is then lost.
//!
//! Tests: `tests/tests/signal.rs` raises real signals; the bookkeeping is tested below.
#![expect(
    unsafe_code,
    reason = "promises that the action of a handler is async-signal-safe"
)]

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use signal_hook_registry::SigId;
use tenter_io::{Async, Interest};
use tenter_sync::shim::atomic::{AtomicU64, Ordering};

use self::interrupt::Listening;
pub use crate::signal::kind::SignalKind;

pub(crate) mod interrupt;
mod kind;
#[cfg(feature = "inspect")]
pub(crate) mod relay;

/// What the handlers of one [`Signals`] touch.
struct Mailbox {
    /// A bit for each signal that arrived and was not taken. Handlers set, the task takes.
    pending: AtomicU64,
    /// Non-blocking. Handlers write; the task reads the other end.
    writer: UnixStream,
}

impl Mailbox {
    /// Runs in a signal handler.
    fn signal_arrived(&self, bit: u64) {
        // ORDERING: Release, H1; pairs with the Acquire in `take`. The write that follows wakes
        // the task through the kernel, and the task must then see the bit.
        self.pending.fetch_or(bit, Ordering::Release);
        // H2. When the socket is full the task is about to be woken anyway (invariant 1).
        let _ = (&self.writer).write(&[1]);
    }

    fn take(&self) -> u64 {
        // ORDERING: Acquire, T1; pairs with the Release in `signal_arrived`.
        self.pending.swap(0, Ordering::Acquire)
    }
}

/// A stream of signals, made by [`signals`].
///
/// It receives what arrives after it was made, and only for itself: several `Signals` of one kind
/// each get every signal. Dropping it stops that.
#[must_use = "signals are received with `recv` or as a stream"]
pub struct Signals {
    mailbox: Arc<Mailbox>,
    reader: Async<UnixStream>,
    /// Taken from the mailbox and not yet delivered.
    taken: u64,
    kinds: Vec<SignalKind>,
    handlers: Vec<SigId>,
    /// Keeps [`crate::CtrlC`] from acting on a signal that is received here.
    _listening: Option<Listening>,
}

/// Starts to listen for signals, which from now on no longer have their default effect.
///
/// The handler stays in the process when the [`Signals`] is dropped: a SIGTERM that nobody listens
/// for any more is then ignored, it does not end the process.
///
/// # Errors
///
/// `InvalidInput` if `kinds` is empty or has a signal that cannot be waited for (SIGKILL, SIGSTOP,
/// SIGILL, SIGFPE, SIGSEGV, a number outside 1 to 64); else what the operating system says when a
/// handler or a socket pair is refused. Nothing stays registered then.
///
/// # Examples
///
/// ```no_run
/// use tenter::signal::{SignalKind, signals};
///
/// # #[tenter::main]
/// # async fn main() -> std::io::Result<()> {
/// let mut stop = signals([SignalKind::interrupt(), SignalKind::terminate()])?;
/// if let Some(kind) = stop.recv().await {
///     println!("stopping on {kind}");
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "add_signal_handler")]
pub fn signals(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<Signals> {
    let mut kinds: Vec<SignalKind> = kinds.into_iter().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if let Some(error) = kinds.iter().find_map(|kind| kind.refusal()) {
        return Err(error);
    }
    if kinds.is_empty() {
        let text = "no signal to wait for: name at least one kind";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    let mailbox = Arc::new(Mailbox {
        pending: AtomicU64::new(0),
        writer,
    });
    // From here on dropping `signals` takes back whatever was registered.
    let mut signals = Signals {
        mailbox,
        reader: Async::new(reader)?,
        taken: 0,
        kinds: Vec::new(),
        handlers: Vec::with_capacity(kinds.len()),
        _listening: kinds
            .contains(&SignalKind::interrupt())
            .then(Listening::new),
    };
    for kind in &kinds {
        let (mailbox, bit) = (Arc::clone(&signals.mailbox), kind.bit());
        // SAFETY: the action runs in a signal handler, where a lock or an allocation could
        // deadlock with the interrupted code. It does an atomic or and a write to a non-blocking
        // socket, both async-signal-safe; it drops nothing, because the registry keeps it until
        // `unregister`, which runs on an ordinary thread.
        let id = unsafe {
            signal_hook_registry::register(kind.as_raw(), move || mailbox.signal_arrived(bit))
        }?;
        signals.handlers.push(id);
    }
    signals.kinds = kinds;
    Ok(signals)
}

impl Signals {
    /// Waits for the next signal. `None` when the runtime that watched for it has shut down.
    ///
    /// Signals of one kind that arrive before they are received are delivered once. Among kinds
    /// that arrived together the lower number comes first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what arrived stays for the next call.
    pub fn recv(&mut self) -> Recv<'_> {
        Recv { signals: self }
    }

    /// Polls for the next signal; see [`recv`](Signals::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<SignalKind>> {
        self.poll_signal(cx).map(Result::ok)
    }

    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<SignalKind>> {
        loop {
            self.taken |= self.mailbox.take();
            if let Some(kind) = take_lowest(&mut self.taken) {
                return Poll::Ready(Ok(kind));
            }
            ready!(self.reader.poll_readable(cx))?;
            let mut bytes = [0; 64];
            let socket = &self.reader;
            let read = socket.try_io(Interest::READABLE, || socket.get_ref().read(&mut bytes));
            match read {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Takes the signal of the lowest number out of `word`.
fn take_lowest(word: &mut u64) -> Option<SignalKind> {
    let lowest = word.trailing_zeros();
    if lowest == u64::BITS {
        return None;
    }
    *word &= *word - 1;
    i32::try_from(lowest + 1).ok().map(SignalKind::from_raw)
}

impl Stream for Signals {
    type Item = SignalKind;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SignalKind>> {
        self.poll_recv(cx)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.handlers.drain(..) {
            // Returns once no handler runs the action any more, so the socket outlives its users.
            signal_hook_registry::unregister(id);
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

/// The future of [`Signals::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Recv<'a> {
    signals: &'a mut Signals,
}

impl Future for Recv<'_> {
    type Output = Option<SignalKind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SignalKind>> {
        self.signals.poll_recv(cx)
    }
}

/// Waits for ctrl-c, that is SIGINT.
///
/// Listening begins with the call, not with the first poll. From then on SIGINT no longer ends the
/// process by itself, also after the future is dropped; call it again to wait for another one.
///
/// # Errors
///
/// Those of [`signals`], and that of a runtime that was shut down meanwhile.
///
/// # Cancel safety
///
/// A ctrl-c that arrived and was not yet delivered is lost with the future. Keep one [`Signals`]
/// where that matters.
///
/// # Examples
///
/// ```no_run
/// # #[tenter::main]
/// # async fn main() -> std::io::Result<()> {
/// tenter::signal::ctrl_c().await?;
/// println!("good bye");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "KeyboardInterrupt")]
pub fn ctrl_c() -> CtrlC {
    CtrlC {
        signals: Some(signals([SignalKind::interrupt()])),
    }
}

/// The future of [`ctrl_c`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct CtrlC {
    /// `None` once a failure to listen was reported.
    signals: Option<io::Result<Signals>>,
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.signals {
            Some(Ok(signals)) => signals.poll_signal(cx).map_ok(drop),
            failed => match failed.take() {
                Some(Err(error)) => Poll::Ready(Err(error)),
                _ => panic!("the future of `ctrl_c` was polled after it had returned its error"),
            },
        }
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync + Unpin>() {}
    send_and_sync::<SignalKind>();
    send_and_sync::<Signals>();
    send_and_sync::<Recv<'static>>();
    send_and_sync::<CtrlC>();
};

#[cfg(test)]
mod tests {
    use super::kind::LAST;
    use super::kind::numbers::STOP;
    use super::*;

    #[test]
    fn pending_signals_leave_the_word_once_each_and_lowest_first() {
        let (first, last) = (SignalKind::from_raw(1), SignalKind::from_raw(LAST));
        let mut word = last.bit() | SignalKind::terminate().bit() | first.bit();
        assert_eq!(take_lowest(&mut word), Some(first));
        assert_eq!(take_lowest(&mut word), Some(SignalKind::terminate()));
        assert_eq!(take_lowest(&mut word), Some(last));
        assert_eq!(take_lowest(&mut word), None);
    }

    #[test]
    fn a_full_socket_loses_no_kind() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        reader.set_nonblocking(true).unwrap();
        let mailbox = Mailbox {
            pending: AtomicU64::new(0),
            writer,
        };
        for _ in 0..100_000 {
            mailbox.signal_arrived(SignalKind::user_defined1().bit());
        }
        mailbox.signal_arrived(SignalKind::terminate().bit());
        assert!(reader.read(&mut [0; 64]).unwrap() > 0, "the task is woken");
        let all = SignalKind::user_defined1().bit() | SignalKind::terminate().bit();
        assert_eq!(mailbox.take(), all);
        assert_eq!(mailbox.take(), 0);
    }

    #[test]
    fn what_cannot_be_waited_for_is_refused_with_the_reason() {
        for (number, reason) in [
            (
                9,
                "SIGKILL cannot be waited for: the system acts on it itself",
            ),
            (11, "SIGSEGV cannot be waited for: it reports a fault"),
            (STOP, "SIGSTOP cannot be waited for"),
            (0, "there is no signal 0"),
            (-1, "there is no signal -1"),
            (65, "there is no signal 65"),
        ] {
            let error = signals([SignalKind::from_raw(number)]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(
            signals([])
                .unwrap_err()
                .to_string()
                .contains("at least one")
        );
    }
}
