//! A signal as a byte in a socket, for a thread that reads it.
//!
//! The handler does a `getpid`, a comparison and a write to a non-blocking socket, all async-signal-safe. When
//! the socket is full, the thread has enough to read, and the signal is among it or the next like it. A copy
//! that `fork` made of the process shares the socket, and keeps quiet.
//!
//! Tests: `tests/tests/inspect/main.rs`.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use signal_hook_registry::SigId;

use super::kind::SignalKind;

/// A handler of one kind. Dropping it takes the handler's action back; the signal is then ignored.
#[derive(Debug)]
pub(crate) struct Relay {
    kind: SignalKind,
    id: SigId,
}

impl Relay {
    /// From now on, each signal of this kind is its number in `socket`, which does not block.
    pub(crate) fn begin(kind: SignalKind, socket: &Arc<UnixStream>) -> io::Result<Self> {
        if let Some(error) = kind.refusal() {
            return Err(error);
        }
        let byte = u8::try_from(kind.as_raw()).expect("it is a signal: at most 64");
        let (socket, process) = (Arc::clone(socket), std::process::id());
        // SAFETY: the action runs in a signal handler, where a lock or an allocation could deadlock with
        // the interrupted code. It asks for the number of the process and writes to a socket that does not
        // block, both async-signal-safe; it drops nothing, because the registry keeps it until
        // `unregister`, which runs on an ordinary thread.
        let id = unsafe {
            signal_hook_registry::register(kind.as_raw(), move || {
                if std::process::id() == process {
                    let _ = (&*socket).write(&[byte]);
                }
            })
        }?;
        Ok(Self { kind, id })
    }

    pub(crate) fn kind(&self) -> SignalKind {
        self.kind
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Returns once no handler runs the action any more.
        signal_hook_registry::unregister(self.id);
    }
}
