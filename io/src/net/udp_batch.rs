//! Many datagrams at once: one look whether the socket is ready, and as few system calls as the
//! system offers.
//!
//! Sending is one call for up to 32 messages on Linux (`sendmmsg`), and one for each elsewhere.
//! Receiving is one call for each message: there is no safe `recvmmsg` to be had. What is saved is
//! the wait, the budget and the wake for all but the first.
//!
//! Tests: `io/tests/udp.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;

use crate::async_fd::Waiting;
use crate::interest::Direction;
use crate::limits::DATAGRAMS_PER_TURN;
use crate::net::datagram::DatagramSocket;
use crate::net::sys;
use crate::net::udp::UdpSocket;

impl DatagramSocket<net::UdpSocket> {
    /// Receives as many messages as are there, at least one, at most as many as `batch` has room
    /// for, and about a thousand at a time, so that other tasks have their turn. Returned is how
    /// many; what was in the batch is replaced.
    ///
    /// # Errors
    ///
    /// As [`recv`](DatagramSocket::recv). An error behind received messages is told by the next call
    /// with this batch.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been received when the future is dropped before it is ready.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use tenter_io::net::{DatagramBatch, UdpSocket};
    ///
    /// # async fn example(socket: UdpSocket) -> std::io::Result<()> {
    /// let mut batch = DatagramBatch::new(32, 1500);
    /// loop {
    ///     socket.recv_many(&mut batch).await?;
    ///     let answers: Vec<_> = batch.iter().collect();
    ///     socket.send_many_to(&answers).await?;
    /// }
    /// # }
    /// ```
    #[doc(alias = "recvmmsg")]
    pub fn recv_many<'a>(&'a self, batch: &'a mut DatagramBatch) -> RecvMany<'a> {
        RecvMany {
            socket: self,
            waiting: self.source().waiting(),
            batch,
        }
    }

    /// Sends messages to the address that the socket is connected to, in this order: as many as
    /// there is room for, at least one unless there is none, and about a thousand at a time, so that
    /// other tasks have their turn. Returned is how many.
    ///
    /// # Errors
    ///
    /// As [`send`](DatagramSocket::send), of the first message. If a later one cannot be sent, those
    /// before it are returned, and the error comes when the rest is sent.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped before it is ready.
    #[doc(alias = "sendmmsg")]
    pub fn send_many<'a>(&'a self, messages: &'a [&'a [u8]]) -> SendMany<'a> {
        self.send_messages(Messages::Connected(messages))
    }

    /// As [`send_many`](Self::send_many), each message to an address of its own.
    ///
    /// # Errors
    ///
    /// As [`send_many`](Self::send_many).
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped before it is ready.
    pub fn send_many_to<'a>(&'a self, messages: &'a [(&'a [u8], SocketAddr)]) -> SendMany<'a> {
        self.send_messages(Messages::Addressed(messages))
    }

    fn send_messages<'a>(&'a self, messages: Messages<'a>) -> SendMany<'a> {
        SendMany {
            socket: self,
            waiting: self.source().waiting(),
            messages,
        }
    }
}

/// Room for a number of datagrams, used again by each
/// [`recv_many`](UdpSocket::recv_many).
pub struct DatagramBatch {
    room: Vec<u8>,
    size: usize,
    count: usize,
    received: Vec<(usize, SocketAddr)>,
    /// What came behind the messages of the last call.
    error: Option<io::Error>,
}

impl DatagramBatch {
    /// Room for `count` messages of `size` bytes each. What is longer is cut off.
    ///
    /// # Panics
    ///
    /// If `count` is zero, or the sizes together are more than memory has addresses for.
    pub fn new(count: usize, size: usize) -> DatagramBatch {
        assert!(
            count > 0,
            "a batch without room would never receive anything"
        );
        let bytes = count
            .checked_mul(size)
            .expect("a batch that fits into memory");
        DatagramBatch {
            room: vec![0; bytes],
            size,
            count,
            received: Vec::with_capacity(count),
            error: None,
        }
    }

    /// For how many messages there is room.
    pub fn capacity(&self) -> usize {
        self.count
    }

    /// How many messages the last call has received.
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Whether the last call has received none, because there was none yet.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// The messages of the last call and their senders, in the order of their arrival.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], SocketAddr)> {
        let places = self.received.iter().enumerate();
        places.map(|(index, &(count, from))| {
            let start = index * self.size;
            (&self.room[start..start + count], from)
        })
    }

    /// Drains the socket into this batch.
    fn fill(&mut self, socket: &net::UdpSocket) -> io::Result<usize> {
        self.received.clear();
        while self.received.len() < self.count.min(DATAGRAMS_PER_TURN) {
            let start = self.received.len() * self.size;
            let place = &mut self.room[start..start + self.size];
            match sys::recv_from(socket, place, RecvFlags::empty()) {
                Ok(received) => self.received.push(received),
                Err(error) if self.received.is_empty() => return Err(error),
                Err(error) => {
                    let is_the_end = error.kind() == io::ErrorKind::WouldBlock;
                    let is_nothing = error.kind() == io::ErrorKind::Interrupted;
                    self.error = (!is_the_end && !is_nothing).then_some(error);
                    break;
                }
            }
        }
        Ok(self.received.len())
    }
}

impl fmt::Debug for DatagramBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramBatch")
            .field("size", &self.size)
            .field("capacity", &self.capacity())
            .field("received", &self.received)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// The future of [`UdpSocket::recv_many`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvMany<'a> {
    socket: &'a UdpSocket,
    waiting: Waiting<'a>,
    batch: &'a mut DatagramBatch,
}

impl Future for RecvMany<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(error) = this.batch.error.take() {
            this.batch.received.clear();
            return Poll::Ready(Err(error));
        }
        let place = this.waiting.place();
        let source = this.socket.source();
        source.poll_io(Direction::Read, place, cx, |socket| this.batch.fill(socket))
    }
}

/// The future of [`UdpSocket::send_many`] and [`UdpSocket::send_many_to`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendMany<'a> {
    socket: &'a UdpSocket,
    waiting: Waiting<'a>,
    messages: Messages<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Messages<'a> {
    Connected(&'a [&'a [u8]]),
    Addressed(&'a [(&'a [u8], SocketAddr)]),
}

impl<'a> Messages<'a> {
    fn len(self) -> usize {
        match self {
            Messages::Connected(messages) => messages.len(),
            Messages::Addressed(messages) => messages.len(),
        }
    }

    fn get(self, index: usize) -> (&'a [u8], Option<SocketAddr>) {
        match self {
            Messages::Connected(messages) => (messages[index], None),
            Messages::Addressed(messages) => {
                let (message, address) = messages[index];
                (message, Some(address))
            }
        }
    }

    /// Sends all there is room for.
    fn send(self, socket: &net::UdpSocket) -> io::Result<usize> {
        let mut sent = 0;
        while sent < self.len().min(DATAGRAMS_PER_TURN) {
            match self.send_some(socket, sent) {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                // It comes again with the message that it is about.
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    #[cfg(not(target_os = "linux"))]
    fn send_some(self, socket: &net::UdpSocket, start: usize) -> io::Result<usize> {
        match self.get(start) {
            (message, None) => sys::write(socket, message)?,
            (message, Some(address)) => sys::send_to(socket, message, &address)?,
        };
        Ok(1)
    }

    #[cfg(target_os = "linux")]
    fn send_some(self, socket: &net::UdpSocket, start: usize) -> io::Result<usize> {
        use std::array::from_fn;
        use std::io::IoSlice;

        use rustix::net::addr::SocketAddrArg;
        use rustix::net::{MMsgHdr, SendAncillaryBuffer, sendmmsg};

        use crate::limits::DATAGRAMS_PER_SEND;

        let count = (self.len() - start).min(DATAGRAMS_PER_SEND);
        let message = |index: usize| (index < count).then(|| self.get(start + index));
        let slices: [IoSlice<'_>; DATAGRAMS_PER_SEND] =
            from_fn(|index| IoSlice::new(message(index).map_or(&[], |(message, _)| message)));
        let addresses: [_; DATAGRAMS_PER_SEND] =
            from_fn(|index| message(index)?.1.map(|address| address.as_any()));
        let mut controls: [_; DATAGRAMS_PER_SEND] =
            from_fn(|_| SendAncillaryBuffer::<'_, '_, '_>::default());
        let mut controls = controls.iter_mut();
        let mut headers: [_; DATAGRAMS_PER_SEND] = from_fn(|index| {
            let slice = &slices[index..=index];
            let control = controls.next().expect("there are as many");
            match &addresses[index] {
                Some(address) => MMsgHdr::new_with_addr(address, slice, control),
                None => MMsgHdr::new(slice, control),
            }
        });
        Ok(sendmmsg(socket, &mut headers[..count], sys::SEND)?)
    }
}

impl Future for SendMany<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let messages = this.messages;
        if messages.len() == 0 {
            return Poll::Ready(Ok(0));
        }
        let place = this.waiting.place();
        let source = this.socket.source();
        source.poll_io(Direction::Write, place, cx, |socket| messages.send(socket))
    }
}
