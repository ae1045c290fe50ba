//! `Async<T>`: any file descriptor that the system can poll, awaited.
//!
//! Tests: `io/tests/async_fd.rs`, `io/tests/faults.rs`.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::driver::Handle;
use crate::interest::{Direction, Directions, Interest};
use crate::readiness::Tick;
use crate::registration::Registration;
use crate::slot::Place;
use crate::waiters::Ticket;

/// A source of events: a socket, pipe, timer or anything else with a file descriptor that can be
/// polled.
///
/// The descriptor is registered once, for its whole life, with the driver of the runtime that this
/// thread is in, or else with the background driver. It is non-blocking from then on, also after
/// [`into_inner`](Self::into_inner).
///
/// # Waiting
///
/// A source starts out as "may be ready", and is thought ready until an operation says
/// [`WouldBlock`](io::ErrorKind::WouldBlock) *through this type*: by [`try_io`](Self::try_io),
/// [`read_with`](Self::read_with) or [`write_with`](Self::write_with). An operation tried behind
/// its back tells it nothing, and waiting then returns at once, again and again.
///
/// Any number of tasks may wait for the same direction; an event wakes all of them.
///
/// # Fairness
///
/// A task that never has to wait spends its budget and lets others run, on a tenter runtime.
///
/// # Examples
///
/// ```no_run
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use tenter_io::Async;
///
/// # async fn example() -> std::io::Result<()> {
/// let (ours, theirs) = UnixStream::pair()?;
/// let ours = Async::new(ours)?;
/// let mut buffer = [0; 64];
/// let count = ours.read_with(|mut socket| socket.read(&mut buffer)).await?;
/// # drop((theirs, count));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "AsyncFd")]
#[doc(alias = "add_reader")]
#[doc(alias = "add_writer")]
pub struct Async<T> {
    // First, so that it is dropped before the descriptor is closed.
    registration: Registration,
    io: T,
}

impl<T: AsFd> Async<T> {
    /// Registers `io` and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// The system cannot poll this kind of file (a regular file or a directory), or it is
    /// registered already, or the driver cannot be started or has been shut down. `io` is dropped,
    /// and nothing of it is left behind.
    #[doc(alias = "with_interest")]
    pub fn new(io: T) -> io::Result<Async<T>> {
        let source = Async::new_nonblocking(io)?;
        // After the registration: the flag belongs to the open file, which others may share, and
        // stays.
        rustix::io::ioctl_fionbio(&source.io, true)?;
        Ok(source)
    }

    /// Registers `io`, which is non-blocking already. One that is not would block its whole thread.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_nonblocking(io: T) -> io::Result<Async<T>> {
        Async::register(io, Directions::BOTH)
    }

    /// Registers `io`, of which only `ready` is worth a try before the first event.
    pub(crate) fn register(io: T, ready: Directions) -> io::Result<Async<T>> {
        let handle = Handle::current()?;
        let fd = io.as_fd().as_raw_fd();
        // SAFETY: (a): `io` is ours until `self` is taken apart, lends nobody `&mut`, and is
        // dropped after the registration. If it were closed before, the poller would watch another
        // file's number.
        let registration = unsafe { Registration::new(handle.shared(), fd, ready) }?;
        Ok(Async { registration, io })
    }
}

impl<T> Async<T> {
    /// The source. It may be read and written through this; see "Waiting" for what that means.
    ///
    /// There is no `get_mut`: safe code could put another descriptor in its place.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Ends the registration and returns the source, which stays non-blocking.
    pub fn into_inner(self) -> T {
        let Async { registration, io } = self;
        drop(registration);
        io
    }

    /// Waits until reading may succeed.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the source or on others who wait.
    #[doc(alias = "wait_readable")]
    pub fn readable(&self) -> Readable<'_> {
        Readable(Waiting::new(&self.registration))
    }

    /// Waits until writing may succeed.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the source or on others who wait.
    #[doc(alias = "wait_writable")]
    pub fn writable(&self) -> Writable<'_> {
        Writable(Waiting::new(&self.registration))
    }

    /// Whether reading may succeed; if not, the task is woken when that has changed.
    ///
    /// Several tasks may poll the same direction.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_read_ready")]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_direction(Direction::Read, cx)
    }

    /// Whether writing may succeed; if not, the task is woken when that has changed.
    ///
    /// Several tasks may poll the same direction.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_write_ready")]
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_direction(Direction::Write, cx)
    }

    /// Tries an operation now, if it may succeed, and notes when it would block.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): the direction is not ready, or `operation` said
    /// so. Else what `operation` returned, or that the driver has failed or was shut down.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let direction = interest.direction();
        let Some(tick) = self.registration.look(direction)? else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let result = operation();
        if would_block(&result) {
            // If an event came meanwhile the direction stays ready, and the next wait returns at
            // once.
            let _ = self.registration.clear(direction, tick);
        }
        result
    }

    /// Reads with `operation` as soon as that does not block.
    ///
    /// # Errors
    ///
    /// Those of `operation`, except that it would block or was interrupted: then it is called
    /// again.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been read when the future is dropped before it is ready.
    #[doc(alias = "async_io")]
    pub fn read_with<R, F>(&self, operation: F) -> ReadWith<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        ReadWith(Operation::new(self, Direction::Read, operation))
    }

    /// Writes with `operation` as soon as that does not block.
    ///
    /// # Errors
    ///
    /// Those of `operation`, except that it would block or was interrupted: then it is called
    /// again.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been written when the future is dropped before it is ready.
    #[doc(alias = "async_io")]
    pub fn write_with<R, F>(&self, operation: F) -> WriteWith<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        WriteWith(Operation::new(self, Direction::Write, operation))
    }

    /// Tries `operation` whenever it may succeed, until it does not say that it would block.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        direction: Direction,
        place: Place<'_>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_io_at(direction, place, cx, |io, _seen| operation(io))
    }

    #[inline]
    fn poll_io_at<R>(
        &self,
        direction: Direction,
        mut place: Place<'_>,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T, Tick) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let tick = ready!(self.registration.poll_ready(direction, place.again(), cx))?;
            match operation(&self.io, tick) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Either way the next look says what to do.
                    let _ = self.registration.clear(direction, tick);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// As [`poll_io`](Self::poll_io), for a read from a stream into a buffer of `room` bytes: one that
    /// fills less of it, and was not cut, has taken all there was. It saves the read that finds nothing.
    #[inline]
    pub(crate) fn poll_read_stream(
        &self,
        room: usize,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&T) -> io::Result<Taken>,
    ) -> Poll<io::Result<usize>> {
        let mut tick = None;
        let taken = ready!(
            self.poll_io_at(Direction::Read, Place::Poller, cx, |io, seen| {
                tick = Some(seen);
                read(io)
            })
        );
        if let (Ok(taken), Some(tick)) = (&taken, tick) {
            if (1..room).contains(&taken.count) && !taken.cut {
                self.registration.clear_short(tick);
            }
        }
        Poll::Ready(taken.map(|taken| taken.count))
    }

    pub(crate) fn waiting(&self) -> Waiting<'_> {
        Waiting::new(&self.registration)
    }

    fn poll_direction(&self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.registration.poll_ready(direction, Place::Poller, cx);
        ready.map_ok(drop)
    }
}

/// What a read has taken from a stream.
pub(crate) struct Taken {
    pub count: usize,
    /// There may be more behind it, although it filled less than its buffer.
    pub cut: bool,
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsRawFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_raw_fd()
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        &self.io
    }
}

impl<T: fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Async")
            .field("io", &self.io)
            .field("registration", &self.registration)
            .finish()
    }
}

/// A future's wait: its place among the waiters is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    registration: &'a Registration,
    ticket: Option<Ticket>,
}

impl<'a> Waiting<'a> {
    fn new(registration: &'a Registration) -> Self {
        Waiting {
            registration,
            ticket: None,
        }
    }

    pub(crate) fn place(&mut self) -> Place<'_> {
        Place::Ticket(&mut self.ticket)
    }

    fn poll_ready(&mut self, direction: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let place = Place::Ticket(&mut self.ticket);
        let tick = ready!(self.registration.poll_ready(direction, place, cx));
        Poll::Ready(tick.map(drop))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.registration.give_up(&mut self.ticket);
    }
}

macro_rules! wait_future {
    ($(#[$meta:meta])* $name:ident, $direction:expr) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $name<'a>(Waiting<'a>);

        impl Future for $name<'_> {
            type Output = io::Result<()>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                self.0.poll_ready($direction, cx)
            }
        }
    };
}

wait_future! {
    /// The future of [`Async::readable`].
    Readable, Direction::Read
}
wait_future! {
    /// The future of [`Async::writable`].
    Writable, Direction::Write
}

/// An operation that is tried until it does not block.
struct Operation<'a, T, F> {
    source: &'a Async<T>,
    direction: Direction,
    waiting: Waiting<'a>,
    operation: F,
}

impl<'a, T, F> Operation<'a, T, F> {
    fn new(source: &'a Async<T>, direction: Direction, operation: F) -> Self {
        Operation {
            source,
            direction,
            waiting: source.waiting(),
            operation,
        }
    }

    fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        let place = self.waiting.place();
        self.source
            .poll_io(self.direction, place, cx, &mut self.operation)
    }
}

macro_rules! operation_future {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[must_use = "futures do nothing unless awaited"]
        pub struct $name<'a, T, F>(Operation<'a, T, F>);

        // The operation is called, never pinned.
        impl<T, F> Unpin for $name<'_, T, F> {}

        impl<T, F, R> Future for $name<'_, T, F>
        where
            F: FnMut(&T) -> io::Result<R>,
        {
            type Output = io::Result<R>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                self.0.poll(cx)
            }
        }

        impl<T, F> fmt::Debug for $name<'_, T, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

operation_future! {
    /// The future of [`Async::read_with`].
    ReadWith
}
operation_future! {
    /// The future of [`Async::write_with`].
    WriteWith
}
