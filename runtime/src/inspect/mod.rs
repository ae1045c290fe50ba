//! Looking into a running process from outside: [`Builder::inspect_socket`](crate::Builder::inspect_socket),
//! the program `tenter ps|pstree PID`, and [`Builder::dump_on_signal`](crate::Builder::dump_on_signal).
//!
//! ```text
//!  tenter ps PID ─► socket ─► tenter-inspect, a thread ─┐
//!                                                       ├─► view.rs ─► every runtime that asked for it
//!  kill -QUIT PID ─► handler ─► tenter-dump, a thread ──┘
//! ```
//!
//! Neither thread is a worker, and neither shares anything with the other: the socket answers when every
//! worker is stuck, and also when the dump is, because nobody reads standard error any more.
//!
//! | file | noun |
//! |---|---|
//! | `mod.rs` | the runtimes of this process that may be looked into, and the two threads while there are any |
//! | `settings.rs` | what a `Builder` was told |
//! | `view.rs` | what is shown |
//! | `protocol.rs` | a question, an answer, and how they look in a socket |
//! | `folder.rs` | where the sockets are, and who may put one there |
//! | `server.rs`, `visitor.rs` | the thread behind the socket, and one who asks |
//! | `dump.rs` | the thread that prints |
//! | `helper.rs` | a thread that ends when it is told to |
//! | `client.rs`, `target.rs` | the program `tenter`, and the process that it is asked about |
//!
//! 1. What is kept of a runtime is a handle: its memory, not the runtime, and that only until it has ended.
//! 2. The socket and its file are there while a runtime that asked for it is; the file is removed before the
//!    thread behind it is waited for, so that the next one finds its place free.
//! 3. A copy that `fork` made of the process has none of the threads: it forgets what it finds here, and
//!    touches neither the file nor the sockets, which are its parent's.
//! 4. Under the lock there is no user code: handles are dropped outside of it. It is taken by the threads
//!    only for as long as it takes to copy the list.
//!
//! Rejected: a task that answers. It would not be polled when it is needed most. Rejected: reading the memory
//! of the other process, as asyncio does. It needs the right to trace, and one version for both sides.
//!
//! Tests: `tests/tests/inspect/main.rs`; below the parts.

use std::io;
use std::sync::Arc;

use tenter_sync::shim::{Mutex, global};

use self::dump::Dump;
use self::server::Server;
use self::settings::Socket;
use crate::handle::Handle;
use crate::signal::SignalKind;

pub mod client;
mod dump;
mod folder;
mod helper;
mod protocol;
mod server;
pub mod settings;
mod target;
mod view;
mod visitor;

/// A runtime that may be looked into.
#[derive(Debug)]
struct Entry {
    /// The how many-th of this process.
    number: u64,
    handle: Handle,
    by_socket: bool,
    by_signals: Vec<SignalKind>,
}

/// What there is in this process.
#[derive(Debug)]
struct Watched {
    /// The process that all this belongs to, 0 before the first. 3
    process: u32,
    last: u64,
    entries: Vec<Arc<Entry>>,
    server: Option<Server>,
    dump: Option<Dump>,
}

impl Watched {
    const NONE: Self = Self {
        process: 0,
        last: 0,
        entries: Vec::new(),
        server: None,
        dump: None,
    };
}

global! {
    /// The runtimes of this process that may be looked into, and what makes it possible.
    static WATCHED: Mutex<Watched> = Mutex::new(Watched::NONE);
}

/// What is no longer needed, to be dropped outside the lock. 4
#[derive(Debug, Default)]
struct Leftovers {
    _entry: Option<Arc<Entry>>,
    _server: Option<Server>,
    _dump: dump::Leftovers,
}

/// A runtime may be looked into until this is dropped.
#[derive(Debug)]
pub struct Inspected {
    number: u64,
    process: u32,
}

impl Inspected {
    /// What a runtime was told about it; `None` if nothing is wanted.
    ///
    /// # Errors
    ///
    /// If there is no place for the socket, or the system refuses it, a handler or a thread. Nothing is
    /// left behind then.
    pub fn begin(handle: &Handle) -> io::Result<Option<Self>> {
        let config = handle.scheduler().config();
        let wishes = &config.inspection;
        let socket = wishes.socket(config.flavor)?;
        if socket == Socket::No && wishes.signals.is_empty() {
            return Ok(None);
        }
        let process = std::process::id();
        let (number, entered) = WATCHED
            .lock()
            .enter(process, handle, socket, &wishes.signals);
        // Takes back what was begun, should the rest have been refused.
        let inspected = Self { number, process };
        if let Some(error) = entered? {
            config.report_line(&format!(
                "tenter: {} is set, and yet `tenter ps` cannot look into this process: {error}",
                crate::builder::INSPECT
            ));
        }
        Ok(Some(inspected))
    }
}

impl Drop for Inspected {
    fn drop(&mut self) {
        // 3.
        if self.process == std::process::id() {
            let leftovers = WATCHED.lock().leave(self.number);
            drop(leftovers);
        }
    }
}

impl Watched {
    /// Forgets what belongs to the process that this one is a copy of.
    fn is_of(&mut self, process: u32) {
        if self.process != process {
            core::mem::forget(core::mem::replace(self, Self::NONE));
            self.process = process;
        }
    }

    /// Takes a runtime in. The number is that of the entry, if there is one; the error that is no refusal
    /// is what stood in the way of what was wanted only if possible.
    fn enter(
        &mut self,
        process: u32,
        handle: &Handle,
        socket: Socket,
        signals: &[SignalKind],
    ) -> (u64, io::Result<Option<io::Error>>) {
        self.is_of(process);
        self.last += 1;
        let number = self.last;
        let served = match socket {
            Socket::No => Ok(None),
            Socket::Yes => self.serve().map(|()| None),
            Socket::IfPossible => Ok(self.serve().err()),
        };
        if served.is_ok() {
            self.entries.push(Arc::new(Entry {
                number,
                handle: handle.clone(),
                by_socket: socket != Socket::No,
                by_signals: signals.to_vec(),
            }));
        }
        let entered = served.and_then(|error| self.dump_on(signals).map(|()| error));
        (number, entered)
    }

    fn serve(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            self.server = Some(Server::start(|question| {
                view::answer(question, &entries(|entry| entry.by_socket))
            })?);
        }
        Ok(())
    }

    fn dump_on(&mut self, signals: &[SignalKind]) -> io::Result<()> {
        if signals.is_empty() {
            return Ok(());
        }
        let dump = match &mut self.dump {
            Some(dump) => dump,
            none => none.insert(Dump::start(|kind| {
                view::dump(kind, &entries(|entry| entry.by_signals.contains(&kind)))
            })?),
        };
        dump.listen(signals)
    }

    fn leave(&mut self, number: u64) -> Leftovers {
        let mut leftovers = Leftovers::default();
        if let Some(index) = self.entries.iter().position(|it| it.number == number) {
            leftovers._entry = Some(self.entries.remove(index));
        }
        if !self.entries.iter().any(|entry| entry.by_socket) {
            if let Some(mut server) = self.server.take() {
                // 2.
                server.remove_file();
                leftovers._server = Some(server);
            }
        }
        let entries = &self.entries;
        let wanted = |kind| entries.iter().any(|it| it.by_signals.contains(&kind));
        leftovers._dump = Dump::keep(&mut self.dump, wanted);
        leftovers
    }
}

/// Those of the runtimes for which `which` holds.
fn entries(which: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
    let mut entries = WATCHED.lock().entries.clone();
    entries.retain(|entry| which(entry));
    entries
}
