//! Sockets, and readiness of any file descriptor, for tenter and for every other executor.
//!
//! Inside a tenter runtime its own threads wait for events. On any other executor the first source
//! starts one background thread, which sleeps in a single system call while nothing happens.
//!
//! - [`net`] is TCP, UDP and the sockets of Unix.
//! - [`Async`] is any file descriptor that the system can poll.
//! - [`AsyncReadExt`] and [`AsyncWriteExt`] are what programs do with a stream of bytes,
//!   [`AsyncBufReadExt`] what they do with lines and other records, [`copy()`] and
//!   [`copy_bidirectional`] what they do with two streams.
//! - [`BufReader`] and [`BufWriter`] save system calls. [`split()`], [`join()`], [`duplex()`],
//!   [`Cursor`], [`empty`], [`repeat`] and [`sink`] make streams out of others, or of nothing.
//! - [`Driver`] is for those who build a runtime.
//!
//! The traits [`AsyncRead`], [`AsyncBufRead`], [`AsyncWrite`] and [`AsyncSeek`] are those of
//! futures-io. With the feature `tokio-io`, streams have those of tokio too, and `Compat` carries
//! over what has only one of the two.
#![deny(unsafe_code)]

pub use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};

pub use crate::ambient::EnterGuard;
pub use crate::async_fd::{Async, ReadWith, Readable, Writable, WriteWith};
pub use crate::buffered::{BufReader, BufStream, BufWriter};
pub use crate::copy::{copy, copy_bidirectional, copy_buf};
pub use crate::driver::{Driver, Handle};
pub use crate::duplex::{DuplexStream, duplex};
pub use crate::ext::cursor::Cursor;
pub use crate::ext::ends::{empty, repeat, sink};
pub use crate::ext::join::join;
pub use crate::ext::{
    AsyncBufReadExt, AsyncPeek, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, Lines, Split,
};
pub use crate::interest::Interest;
#[doc(hidden)]
pub use crate::selector::Backend;
pub use crate::split::{ReadHalf, WriteHalf, split};
#[cfg(feature = "tokio-io")]
pub use crate::tokio_io::Compat;
#[cfg(feature = "tokio-io")]
#[doc(hidden)]
pub use crate::tokio_io::poll_read_initialised;

pub mod ext;
pub mod net;

mod ambient;
#[expect(
    unsafe_code,
    reason = "promises that a source keeps its descriptor open while it is registered"
)]
mod async_fd;
mod buffered;
mod copy;
mod driver;
mod duplex;
mod error;
mod fallback;
mod interest;
#[cfg_attr(
    tenter_loom,
    expect(dead_code, reason = "the scripted poller knows no time")
)]
mod limits;
mod phase;
mod readiness;
#[expect(
    unsafe_code,
    reason = "passes on the obligation to keep a registered descriptor open"
)]
mod registration;
mod shared;
mod slab;
mod slot;
mod split;
#[cfg(feature = "tokio-io")]
#[expect(
    unsafe_code,
    reason = "tells tokio how much of its buffer a stream of ours has initialised"
)]
mod tokio_io;
mod waiters;
mod wakes;

#[cfg(not(tenter_loom))]
#[cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "maps a page that the kernel wipes in a forked process"
    )
)]
mod fork;
#[cfg(all(any(test, fuzzing), not(tenter_loom)))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(not(tenter_loom))]
mod holders;
#[cfg(not(tenter_loom))]
#[expect(
    unsafe_code,
    reason = "hands descriptors to the poller, which borrows them until they are deleted"
)]
mod selector;
#[cfg(tenter_loom)]
#[path = "selector_script.rs"]
mod selector;
#[cfg(not(tenter_loom))]
mod selector_portable;

/// What the models in `loom-tests` explore.
#[cfg(tenter_loom)]
#[doc(hidden)]
#[expect(
    unsafe_code,
    reason = "the descriptors of the scripted poller are numbers without meaning"
)]
pub mod model {
    pub use crate::interest::{Direction, Directions};
    pub use crate::readiness::Tick;
    pub use crate::registration::Registration;
    pub use crate::slot::Place;
    pub use crate::waiters::Ticket;

    /// Registers the number `fd`.
    pub fn register(
        handle: &crate::Handle,
        fd: i32,
        ready: Directions,
    ) -> std::io::Result<Registration> {
        // SAFETY: the scripted poller never touches a descriptor.
        unsafe { Registration::new(handle.shared(), fd, ready) }
    }
}
