//! [`Watch`]: a child that was started and not yet reaped, and how its end is seen.
//!
//! ```text
//!                    pidfd                        SIGCHLD, where there is no pidfd
//!   end is seen      the descriptor is readable   the handler has run
//!   reaped by        waitid on the descriptor     waitpid on the number, of this child alone
//!   signals go to    the descriptor               the number, and only before it is reaped
//!
//!   Running ── reaped ──► Ended(status)
//!      └── reaped by somebody else ──► each wait says so
//! ```
//!
//! 1. A child is ours until we reap it: as a zombie it keeps its number, so the descriptor that is
//!    opened right after the start is that of this child, whether or not it has ended. Only where
//!    somebody else reaps it, the number could be another's: so the descriptor is asked at once
//!    whether it is that of a child of ours.
//! 2. With a descriptor, nothing is ever done by number, but for signals to the group, whose number
//!    is kept by the zombie of its leader (3). Whether somebody else has reaped that is asked first.
//! 3. No signal is sent by number to what has been reaped.
//! 4. Who waits by SIGCHLD listens first and looks then: an end between the two is seen.
//! 5. What is left of a group is killed while the zombie of its leader still keeps its number.
//!
//! Rejected: one listener for SIGCHLD for all children. It would need a home in one runtime, or a
//! thread. Each child pays two descriptors, on systems without pidfd only. Rejected: `waitpid(-1)`,
//! which takes the statuses of children that other parts of the program wait for.
//!
//! `watch_script.rs` stands in for this in the model.
//!
//! Tests: `tests/tests/process/waits.rs`, `tests/tests/process/host.rs`.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, OwnedFd};
#[cfg(target_os = "linux")]
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, WaitIdStatus, pidfd_open, pidfd_send_signal};
#[cfg(target_os = "linux")]
use tenter_io::{Async, Interest};

use super::error;
use crate::signal::{SignalKind, Signals, signals};

/// A child that was started.
#[derive(Debug)]
pub struct Watch {
    pid: Pid,
    ended: Option<ExitStatus>,
    /// The group that ends with the child.
    group: Option<Pid>,
    by: By,
}

#[derive(Debug)]
enum By {
    #[cfg(target_os = "linux")]
    Pidfd(Async<OwnedFd>),
    Sigchld(Box<Signals>, process::Child),
    /// Somebody else has reaped it already.
    Nobody,
}

/// What is left of a child whose runtime has ended: enough to reap it.
#[derive(Debug)]
pub enum Left {
    #[cfg(target_os = "linux")]
    Pidfd(OwnedFd),
    Number(process::Child),
}

impl Left {
    /// Reaps the child if it has ended. True: there is nothing left to do.
    pub fn try_reap(&mut self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Left::Pidfd(pidfd) => !matches!(reap(WaitId::PidFd(pidfd.as_fd()), None), Ok(None)),
            Left::Number(child) => !matches!(child.try_wait(), Ok(None)),
        }
    }
}

impl Watch {
    /// Watches a child that was just started. `by_signal`: without a pidfd, though there be one.
    ///
    /// # Errors
    ///
    /// No descriptor is to be had, or no driver. The child is given back.
    pub fn new(
        child: process::Child,
        by_signal: bool,
    ) -> Result<Watch, (io::Error, process::Child)> {
        let pid = Pid::from_child(&child);
        let found = if by_signal {
            Ok(Found::NoPidfd)
        } else {
            open(pid)
        };
        let by = match found {
            #[cfg(target_os = "linux")]
            Ok(Found::Pidfd(pidfd)) => By::Pidfd(pidfd),
            Ok(Found::NotOurs) => By::Nobody,
            Ok(Found::NoPidfd) => match signals([SignalKind::child()]) {
                Ok(signals) => By::Sigchld(Box::new(signals), child),
                Err(error) => return Err((error, child)),
            },
            Err(error) => return Err((error, child)),
        };
        Ok(Watch {
            pid,
            ended: None,
            group: None,
            by,
        })
    }

    /// The number of the process, as long as it cannot be another's.
    pub fn id(&self) -> Option<u32> {
        let ours = self.ended.is_none() && !matches!(self.by, By::Nobody);
        ours.then(|| self.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// How the child ended, if it has. Reaps it.
    pub fn try_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        let ended = match &mut self.by {
            #[cfg(target_os = "linux")]
            By::Pidfd(pidfd) => reap(WaitId::PidFd(pidfd.as_fd()), self.group),
            By::Sigchld(_, child) => reap_by_number(child, self.group),
            By::Nobody => Err(Errno::CHILD.into()),
        };
        self.ended = ended.map_err(|error| self.not_ours(error))?;
        Ok(self.ended)
    }

    /// Waits until the child has ended, and reaps it.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        if let Some(status) = self.ended {
            return Poll::Ready(Ok(status));
        }
        let ended = match &mut self.by {
            #[cfg(target_os = "linux")]
            By::Pidfd(pidfd) => ready!(poll_reap(pidfd, self.group, cx)),
            By::Sigchld(signals, child) => ready!(poll_signalled(signals, child, self.group, cx)),
            By::Nobody => Err(Errno::CHILD.into()),
        };
        let status = match ended {
            Ok(status) => status,
            // The driver has ended, but the child may have, too.
            Err(error) => self
                .try_ended()?
                .ok_or_else(|| error::unwatched(self.pid, error))?,
        };
        self.ended = Some(status);
        Poll::Ready(Ok(status))
    }

    /// Sends a signal, unless the child has ended.
    ///
    /// # Errors
    ///
    /// Those of the system: this program may not, because the child runs as somebody else.
    pub fn send(&mut self, signal: Signal) -> io::Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        let sent = match &mut self.by {
            #[cfg(target_os = "linux")]
            By::Pidfd(pidfd) => pidfd_send_signal(&*pidfd, signal),
            By::Sigchld(..) => match self.try_ended() {
                Ok(None) => kill_process(self.pid, signal),
                _ => Ok(()), // 3
            },
            By::Nobody => Ok(()),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Sends a signal to everything in the group that the child leads, as long as it is not reaped.
    ///
    /// # Errors
    ///
    /// It leads no group; or those of the system.
    pub fn send_group(&mut self, signal: Signal) -> io::Result<()> {
        if self.ended.is_some() || matches!(self.by, By::Nobody) {
            return Ok(());
        }
        if let Err(error) = self.has_ended() {
            let error = self.not_ours(error.into());
            return if matches!(self.by, By::Nobody) {
                Ok(()) // 2
            } else {
                Err(error)
            };
        }
        match kill_process_group(self.pid, signal) {
            Err(Errno::SRCH) => Err(error::no_group(self.pid)),
            result => Ok(result?),
        }
    }

    /// From now on, what is left of the child's group is killed when the child has ended.
    pub fn end_group(&mut self) {
        self.group = Some(self.pid);
    }

    /// Takes the child over. What stays behind does nothing.
    pub fn take(&mut self) -> Watch {
        let nobody = Watch {
            pid: self.pid,
            ended: self.ended,
            group: None,
            by: By::Nobody,
        };
        std::mem::replace(self, nobody)
    }

    /// What is needed to reap the child later, without a runtime. `None`: it is not ours any more.
    pub fn into_left(self) -> Option<Left> {
        if self.ended.is_some() {
            return None;
        }
        match self.by {
            #[cfg(target_os = "linux")]
            By::Pidfd(pidfd) => Some(Left::Pidfd(pidfd.into_inner())),
            By::Sigchld(_, child) => Some(Left::Number(child)),
            By::Nobody => None,
        }
    }

    /// Whether the child has ended. `ECHILD`: somebody else has reaped it.
    fn has_ended(&self) -> Result<bool, Errno> {
        match &self.by {
            #[cfg(target_os = "linux")]
            By::Pidfd(pidfd) => has_ended(WaitId::PidFd(pidfd.as_fd())),
            By::Sigchld(..) => has_ended(WaitId::Pid(self.pid)),
            By::Nobody => Err(Errno::CHILD),
        }
    }

    /// When the child turns out to be reaped by somebody else, its number is left alone from now on.
    fn not_ours(&mut self, error: io::Error) -> io::Error {
        if Errno::from_io_error(&error) != Some(Errno::CHILD) {
            return error;
        }
        self.by = By::Nobody;
        error::reaped_by_others(self.pid, error)
    }
}

/// What came of the wish for a pidfd.
enum Found {
    #[cfg(target_os = "linux")]
    Pidfd(Async<OwnedFd>),
    NoPidfd,
    NotOurs,
}

#[cfg(not(target_os = "linux"))]
fn open(_pid: Pid) -> io::Result<Found> {
    Ok(Found::NoPidfd)
}

/// The descriptor of a child that was just started, watched by the driver of this thread.
#[cfg(target_os = "linux")]
fn open(pid: Pid) -> io::Result<Found> {
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(Found::NotOurs),
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(error.into()),
        // The kernel has none, or a sandbox forbids it.
        Err(_) => return Ok(Found::NoPidfd),
    };
    match has_ended(WaitId::PidFd(pidfd.as_fd())) {
        // Never read or written, so it may as well block.
        Ok(_) => Ok(Found::Pidfd(Async::new_nonblocking(pidfd)?)),
        Err(Errno::CHILD) => Ok(Found::NotOurs), // 1
        // Linux 5.3 has the descriptor, and cannot wait for it.
        Err(_) => Ok(Found::NoPidfd),
    }
}

/// Whether a child has ended. It is not reaped.
fn has_ended(child: WaitId<'_>) -> Result<bool, Errno> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(child, look)?.is_some())
}

/// Before a child is reaped: kills what is left of its group, if it has ended. 5
fn end_group(child: WaitId<'_>, group: Option<Pid>) -> io::Result<()> {
    if let Some(group) = group {
        if has_ended(child)? {
            // There may be nobody left, or no group.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    Ok(())
}

fn reap_by_number(
    child: &mut process::Child,
    group: Option<Pid>,
) -> io::Result<Option<ExitStatus>> {
    end_group(WaitId::Pid(Pid::from_child(child)), group)?;
    child.try_wait()
}

#[cfg(target_os = "linux")]
fn reap(child: WaitId<'_>, group: Option<Pid>) -> io::Result<Option<ExitStatus>> {
    end_group(child.clone(), group)?;
    let status = waitid(child, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
    Ok(status.as_ref().map(exit_status))
}

#[cfg(target_os = "linux")]
fn poll_reap(
    pidfd: &Async<OwnedFd>,
    group: Option<Pid>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<ExitStatus>> {
    loop {
        if let Err(error) = ready!(pidfd.poll_readable(cx)) {
            return Poll::Ready(Err(error));
        }
        let reaped = pidfd.try_io(Interest::READABLE, || {
            let status = reap(WaitId::PidFd(pidfd.as_fd()), group)?;
            status.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        match reaped {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

/// 4: `signals` listens since before the first look.
fn poll_signalled(
    signals: &mut Signals,
    child: &mut process::Child,
    group: Option<Pid>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<ExitStatus>> {
    loop {
        if let Some(status) = reap_by_number(child, group)? {
            return Poll::Ready(Ok(status));
        }
        if ready!(signals.poll_recv(cx)).is_none() {
            let text = "the runtime that listened for SIGCHLD has shut down";
            return Poll::Ready(Err(io::Error::other(text)));
        }
    }
}

/// The status as `wait` would have packed it, which the standard library unpacks.
#[cfg(target_os = "linux")]
fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) if status.dumped() => signal | CORE_DUMPED,
        (None, signal) => signal.unwrap_or_default(),
    })
}
