//! The system's side of [`CtrlC`](crate::CtrlC): who gets SIGINT while a run is in progress.
//!
//! ```text
//!  SIGINT ─► handler ─► nobody of this process listens for it? count it, one byte to the socket ─► watcher
//! ```
//!
//! Unlike the streams of [`signals`](crate::signal::signals), whose handlers stay in the process for good,
//! this one is there only while it is [taken](take): before and after, SIGINT ends the process as the
//! system has it. So it is installed by hand, and only where the default is in place: a program that has
//! a handler of its own, or ignores the signal, keeps it.
//!
//! 1. The handler does loads, an addition and a `write` of one byte, all async-signal-safe. The socket
//!    never fills, for no byte is written while [`UNREAD_MAX`] signals are unread; so `write` succeeds and
//!    leaves `errno` alone.
//! 2. The socket stays for the life of the process, so that a handler which is still at work on another
//!    thread when the signal is given back writes into nothing else.
//! 3. Whether somebody listens is asked in the handler: a task that has just been told of the signal and
//!    drops its stream must not make it ours after the fact. `signal-hook-registry` calls the handler it
//!    found before it tells its own.
//! 4. Who installs a handler on top of this one, and calls it, finds it without effect after the run. It
//!    is then used again as it is, for it cannot be put anywhere else.
//! 5. A forked child that has not called `exec` shares the socket, and must not count for its parent: the
//!    handler gives the signal its default effect there, and the child's own runs do not take it.
//!
//! Tests: `tests/tests/ctrl_c.rs` sends real signals to processes of its own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use tenter_sync::shim::diagnostic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// How many signals may be unread before further ones are only counted.
const UNREAD_MAX: u32 = 64;

/// Whether a run is in progress that wants the signal.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether another handler lies on top of ours.
static COVERED: AtomicBool = AtomicBool::new(false);
/// How many streams of this process listen for the signal.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
/// Signals that the watcher has not read.
static UNREAD: AtomicU32 = AtomicU32::new(0);
/// The process that the socket belongs to.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// The end that is written to, and the end that is read from.
static SOCKET: OnceLock<(UnixStream, UnixStream)> = OnceLock::new();

/// A stream of signals that has SIGINT among its kinds.
#[derive(Debug)]
pub struct Listening(());

impl Listening {
    /// From now on the signal is the stream's.
    pub fn new() -> Self {
        // ORDERING: SeqCst, as all in this file: it is read in a handler, and happens once a run.
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // ORDERING: SeqCst. As above.
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs in a signal handler.
extern "C" fn interrupted(_signal: libc::c_int) {
    // ORDERING: SeqCst. As above.
    if !TAKEN.load(Ordering::SeqCst) || LISTENERS.load(Ordering::SeqCst) > 0 {
        return;
    }
    // ORDERING: SeqCst. As above.
    if PROCESS.load(Ordering::SeqCst) != std::process::id() {
        // SAFETY: both calls are async-signal-safe, and take numbers only. The signal that is raised is
        // blocked until the handler returns.
        unsafe {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            libc::raise(libc::SIGINT);
        }
        return;
    }
    // ORDERING: SeqCst. As above.
    if UNREAD.fetch_add(1, Ordering::SeqCst) < UNREAD_MAX {
        if let Some((writer, _)) = SOCKET.get() {
            let _ = (&mut &*writer).write(&[1]);
        }
    }
}

/// What the action of the signal is now.
fn action() -> io::Result<libc::sigaction> {
    let mut action = core::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to memory of that type, to be written to; a zeroed action is a valid one.
    let (result, action) = unsafe {
        let result = libc::sigaction(libc::SIGINT, core::ptr::null(), action.as_mut_ptr());
        (result, action.assume_init())
    };
    match result {
        0 => Ok(action),
        _ => Err(io::Error::last_os_error()),
    }
}

fn install(handler: libc::sighandler_t) -> io::Result<()> {
    let mut action = core::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed action is a valid one; the handler is the default's number, or `interrupted`, which
    // has the type that an action without SA_SIGINFO takes, and is async-signal-safe by 1.
    let result = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGINT, &raw const *action, core::ptr::null_mut())
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn ours() -> libc::sighandler_t {
    let handler: extern "C" fn(libc::c_int) = interrupted;
    handler as libc::sighandler_t
}

/// Takes the signal for the runs of this process. False: the program has a handler of its own. The caller
/// sees to it that nobody else takes it or gives it back meanwhile.
pub fn take() -> io::Result<bool> {
    if SOCKET.get().is_none() {
        let (reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        // Nobody else takes the signal meanwhile.
        let _ = SOCKET.set((writer, reader));
    }
    // ORDERING: SeqCst. As above.
    let process = PROCESS.load(Ordering::SeqCst);
    if process != 0 && process != std::process::id() {
        return Ok(false);
    }
    let found = action()?.sa_sigaction;
    let is_ours = found == ours();
    // ORDERING: SeqCst. As above.
    if found != libc::SIG_DFL && !is_ours && !COVERED.load(Ordering::SeqCst) {
        return Ok(false);
    }
    // ORDERING: SeqCst, all three: as above.
    PROCESS.store(std::process::id(), Ordering::SeqCst);
    UNREAD.store(0, Ordering::SeqCst);
    TAKEN.store(true, Ordering::SeqCst);
    if found == libc::SIG_DFL {
        install(ours())?;
    }
    Ok(true)
}

/// Whether this is the process that took the signal, and not a copy that `fork` made of it.
pub fn is_of_this_process() -> bool {
    // ORDERING: SeqCst. As above.
    PROCESS.load(Ordering::SeqCst) == std::process::id()
}

/// Gives the signal back.
pub fn give_back() {
    // ORDERING: SeqCst. As above.
    TAKEN.store(false, Ordering::SeqCst);
    match action() {
        Ok(action) if action.sa_sigaction == ours() => {
            let _ = install(libc::SIG_DFL);
        }
        // ORDERING: SeqCst. As above.
        _ => COVERED.store(true, Ordering::SeqCst),
    }
}

/// Sends a watcher home.
pub fn dismiss() {
    if let Some((writer, _)) = SOCKET.get() {
        let _ = (&mut &*writer).write(&[0]);
    }
}

/// Waits for the signal, as the watcher. Returns how often it came, or `None` if the watcher is
/// [dismissed](dismiss).
pub fn wait() -> Option<u32> {
    let (_, reader) = SOCKET.get()?;
    loop {
        let mut byte = [0];
        match (&mut &*reader).read(&mut byte) {
            Ok(1) if byte == [1] => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            _ => return None,
        }
        // ORDERING: SeqCst. As above.
        let count = UNREAD.swap(0, Ordering::SeqCst);
        if count > 0 {
            return Some(count);
        }
    }
}
