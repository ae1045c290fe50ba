//! The thread that prints all tasks when the process gets a signal.
//!
//! Signals that come while it prints are printed once more for each kind, not each: what they ask for is the
//! same.
//!
//! Tests: `tests/tests/inspect/main.rs`.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use super::helper::Helper;
use crate::signal::SignalKind;
use crate::signal::relay::Relay;

/// The thread, and the signals that it hears of.
#[derive(Debug)]
pub struct Dump {
    // First, so that no handler writes to a thread that has ended.
    relays: Vec<Relay>,
    helper: Helper,
}

/// What is no longer needed.
#[derive(Debug, Default)]
pub struct Leftovers {
    _relays: Vec<Relay>,
    _dump: Option<Dump>,
}

impl Dump {
    /// Starts the thread. `view` is what it prints.
    pub fn start(view: impl Fn(SignalKind) -> String + Send + 'static) -> io::Result<Self> {
        let helper = Helper::start("tenter-dump", move |socket| print(&socket, &view))?;
        Ok(Self {
            relays: Vec::new(),
            helper,
        })
    }

    /// Hears of these signals, too.
    pub fn listen(&mut self, kinds: &[SignalKind]) -> io::Result<()> {
        for kind in kinds {
            if !self.relays.iter().any(|relay| relay.kind() == *kind) {
                let relay = Relay::begin(*kind, &self.helper.to_thread)?;
                self.relays.push(relay);
            }
        }
        Ok(())
    }

    /// Takes out what nobody wants any more.
    pub fn keep(dump: &mut Option<Self>, wanted: impl Fn(SignalKind) -> bool) -> Leftovers {
        let mut leftovers = Leftovers::default();
        if let Some(dump) = dump {
            let relays = core::mem::take(&mut dump.relays).into_iter();
            (dump.relays, leftovers._relays) = relays.partition(|relay| wanted(relay.kind()));
        }
        if dump.as_ref().is_some_and(|dump| dump.relays.is_empty()) {
            leftovers._dump = dump.take();
        }
        leftovers
    }
}

/// The thread.
fn print(mut socket: &UnixStream, view: &dyn Fn(SignalKind) -> String) {
    loop {
        let mut bytes = [0; 64];
        let bytes = match socket.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => &mut bytes[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        bytes.sort_unstable();
        for group in bytes.chunk_by(|one, other| one == other) {
            let text = view(SignalKind::from_raw(i32::from(group[0])));
            write_all(text.as_bytes());
        }
    }
}

/// Writes to standard error, past the lock that a thread in the middle of a line may hold for ever.
fn write_all(mut bytes: &[u8]) {
    let mut tries = 0;
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) if tries < TRIES_MAX => {
                // Somebody has made it non-blocking.
                tries += 1;
                wait_for_room();
            }
            Err(_) => return,
        }
    }
}

/// How often room is waited for, a second each.
const TRIES_MAX: u32 = 5;

fn wait_for_room() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stderr = rustix::stdio::stderr();
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let _ = poll(
        &mut [PollFd::from_borrowed_fd(stderr, PollFlags::OUT)],
        Some(&second),
    );
}
