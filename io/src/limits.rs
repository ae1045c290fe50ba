//! Every number that could have been another one: its unit, its reason, its modelled value.

use std::time::Duration;

use tenter_sync::shim::size;

/// Events taken from the poller in one wait. A thousand connections fit into one system call; the
/// buffer is 12 KiB.
pub const EVENTS_PER_WAIT: usize = size(1024, 4);

/// Bits of the tick in a readiness word. A stale clear is mistaken for a fresh one only after
/// exactly 2^26 edges on one socket between two lines of code. The model uses two bits, so that the
/// wrap is within reach.
pub const TICK_BITS: u32 = size(26, 2) as u32;

/// Bits of the generation in a readiness word and in a key, at most half of a key.
pub const GENERATION_BITS: u32 = size(usize::BITS as usize / 2, 2) as u32;

/// Slots in the first page of the slab; each further page doubles. One page of 32 slots is 4 KiB.
pub const FIRST_PAGE: usize = size(32, 1);

/// Pages of the slab: 2^27 slots with the sizes above, more than there are file descriptors.
pub const PAGES: usize = size(22, 3);

/// Tasks that may poll one direction of one source side by side without disturbing each other.
/// One more, and all of them are woken to poll anew, so that what was left behind by tasks that
/// no longer care does not pile up. Then there is twice the room: those that do care come back, and
/// would push each other out for ever.
pub const POLLERS_PER_DIRECTION: usize = size(8, 2);

/// How often that room is doubled at most: up to 4096.
pub const POLLERS_DOUBLINGS: u8 = size(9, 2) as u8;

/// How long a thread has been idle before an alarm that nobody needs any more is taken back. Until
/// then the alarm may cause one needless return of the kernel; a call per turn would cost more.
pub const IDLE_BEFORE_TIDY: Duration = Duration::from_millis(500);

/// Two deadlines closer than this are one: the caller's clock reading and ours are not the same.
pub const DEADLINE_SLACK: Duration = Duration::from_micros(1);

/// Longest wait that is handed to the kernel; longer is "no deadline". A hundred years.
pub const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Connections that the kernel completes for a listener before they are accepted.
pub const LISTEN_BACKLOG: i32 = 1024;

/// First and longest pause of `incoming` when the system has no file descriptor or memory left.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(5);
/// See [`ACCEPT_PAUSE_MIN`].
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// How long an attempt to connect goes on alone before the next address is tried beside it. What
/// RFC 8305 recommends.
pub const CONNECT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The least that it is, where the time for all of them is short.
pub const CONNECT_ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// First and longest pause before a Unix socket whose queue is full is tried again, where the system
/// does not say when there is room.
pub const UNIX_PAUSE_MIN: Duration = Duration::from_millis(1);
/// See [`UNIX_PAUSE_MIN`].
pub const UNIX_PAUSE_MAX: Duration = Duration::from_millis(64);

/// Datagrams that one system call sends.
pub const DATAGRAMS_PER_SEND: usize = 32;

/// Datagrams that one call of `send_many` or `recv_many` moves, about a millisecond's worth: a socket
/// that is always ready must not keep other tasks out.
pub const DATAGRAMS_PER_TURN: usize = 1024;

/// Room that `read_to_end` offers to one read, at least.
pub const READ_TO_END_ROOM_MIN: usize = 1024;
/// Room that `read_to_end` offers to one read, at most.
pub const READ_TO_END_ROOM_MAX: usize = 64 * 1024;

/// Longest record (a line, say) before its separator, unless the caller says otherwise.
pub const RECORD_LIMIT: usize = 1024 * 1024;

/// Buffer of a `BufReader` or `BufWriter`, unless the caller says otherwise.
pub const BUFFER_CAPACITY: usize = 8 * 1024;

/// First and largest buffer of a copy: it doubles when a read fills it.
pub const COPY_BUFFER_MIN: usize = 8 * 1024;
/// See [`COPY_BUFFER_MIN`].
pub const COPY_BUFFER_MAX: usize = 64 * 1024;
