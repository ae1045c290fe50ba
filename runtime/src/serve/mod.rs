//! A structured accept loop: [`serve()`].
//!
//! ```text
//!                close(), or a listener fails            nobody left
//!  accepting ──────────────────────────────► draining ──────────────────────────► closed
//!      │                                         │ abort(), or the drain timeout    ▲  ▲
//!      └──────────────── abort() ────────────────┴─► cancelling ── nobody left, ────┘  │
//!                                                       or the grace is over: stuck    │
//!  any of them ──the future of the server is dropped, and no scope ends with it: cancel all──┘
//!  any of them ──its scope ends: close(), and the scope is over when the server is closed
//!
//!  connection:  entered ──► running ──► left: completed | panicked | cancelled
//! ```
//!
//! 1. The stages are only ever left forwards, and who asks later sees them too: `closing`,
//!    `cancelling` and `closed` are latches.
//! 2. A connection is entered in the roster before its task exists, and leaves it when its future
//!    is dropped, whichever way that comes about: after its end, its panic, its cancellation, or
//!    unpolled in a runtime that has ended. So an empty roster means that nothing of any connection
//!    is left, and `accepted = completed + panicked + cancelled + live` at all times.
//! 3. No connection escapes cancellation: a task is cancelled by who goes over the roster, or, if
//!    its handle came there later, by who brings the handle. The stage and the handles are under
//!    one lock, so one of the two sees the other.
//! 4. The draining server sleeps until the roster is empty; the last to leave sees under the same
//!    lock that the server drains, and leaves a notification that is kept until it is looked for.
//! 5. A server ends whatever its handlers do: what a cancelled handler still does in a poll that
//!    does not end, or under a shield, is waited for up to the grace, then reported as stuck.
//! 6. A failing accept ends nothing. The listener pauses by itself when the system is out of room;
//!    errors that nobody foresaw are retried with a pause, and only if they persist, or if the
//!    descriptor is no listener any more, the server drains and ends with the error.
//! 7. No user code runs under a lock: handles of tasks, whose end may call a hook, leave the roster
//!    before they are dropped.
//!
//! # Who owns what
//!
//! A server that was started by [`serve()`] is a task of the runtime: its [`ServerHandle`] is, like
//! every handle of a task, only a right to it, and dropping it detaches. That is also how
//! `asyncio.start_server` behaves, and a program may start a server and forget about it. A
//! [`Server`] is a future: it serves in the task that awaits it, and the scope that it is cancelled
//! with waits for its connections (`cut_off.rs`). That is the structured form.
//!
//! # What a connection costs
//!
//! One allocation, its task, which holds the handler's future and 16 bytes. The accept loop calls
//! the handler's closure, which makes the future; so the closure need not be `Sync`, and the
//! connection's task has no room for what it is made of. A panic of the closure is carried to the
//! task and raised there, so it is the connection's.
//!
//! Rejected: each connection waits on the latches itself, in order to leave. That is two looks at
//! shared words in every poll of every connection; tasks can be cancelled from outside. Rejected:
//! one limit for all shards. A shard would hold the last place while it waits, and the clients
//! wait at the other. Rejected: handlers that return a `Result`. An I/O error is the ordinary end
//! of many a connection; the handler knows which are worth a line.
//!
//! Tests: `roster.rs`, `trouble.rs`, `tests/tests/serve/`, `tests/tests/soak.rs` (model:
//! `loom-tests/tests/serve.rs`).

pub use self::connection::{Closing, Connection};
pub use self::handle::ServerHandle;
pub use self::listener::Listener;
pub use self::options::ServeOptions;
pub use self::report::{ServeError, ServeReport, StuckConnection};
pub use self::server::{Server, serve};
pub use self::shards::serve_shards;

mod accept;
mod connection;
mod cut_off;
mod handle;
#[expect(unsafe_code, reason = "projects the pin to the handler's future")]
pub(crate) mod handling;
mod latch;
pub(crate) mod listener;
mod options;
mod report;
mod roster;
mod server;
mod shards;
pub(crate) mod shared;
mod trouble;
