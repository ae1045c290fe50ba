//! The children of the model, twin of `watch.rs`: numbers without meaning, which a loom thread lets
//! end. A child that has ended makes its descriptor readable, and is reaped once.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::process::Signal;
use tenter_io::Handle;
use tenter_io::model::{Direction, Directions, Place, Registration, register};
use tenter_sync::shim::{Condvar, Mutex};

/// What is known of a child that does not exist.
pub struct Script {
    fd: i32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    ended: bool,
    killed: bool,
    reaped: bool,
}

impl Script {
    /// A child that runs, of this descriptor.
    pub fn new(fd: i32) -> Arc<Script> {
        Arc::new(Script {
            fd,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        })
    }

    /// It ends, by itself or because it was killed. `handle`: of the driver that watches it.
    pub fn end(&self, handle: &Handle) {
        self.state.lock().ended = true;
        self.wake(handle);
    }

    /// The poller reports its descriptor, for whatever reason.
    pub fn wake(&self, handle: &Handle) {
        if let Some(selector) = handle.shared().selector() {
            selector.raise(self.fd, Directions::READ);
        }
    }

    /// Waits until it has been killed.
    pub fn wait_killed(&self) {
        self.wait(|state| state.killed);
    }

    /// Waits until it has been reaped.
    pub fn wait_reaped(&self) {
        self.wait(|state| state.reaped);
    }

    /// Whether it has been reaped.
    pub fn is_reaped(&self) -> bool {
        self.state.lock().reaped
    }

    fn wait(&self, condition: impl Fn(&State) -> bool) {
        let mut state = self.state.lock();
        while !condition(&state) {
            self.changed.wait(&mut state);
        }
    }

    fn kill(&self) {
        self.state.lock().killed = true;
        self.changed.notify_all();
    }

    fn reap(&self) -> Option<ExitStatus> {
        let mut state = self.state.lock();
        if !state.ended {
            return None;
        }
        assert!(!state.reaped, "a child is reaped once");
        state.reaped = true;
        self.changed.notify_all();
        Some(ExitStatus::from_raw(0))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("fd", &self.fd).finish()
    }
}

/// A child that runs.
#[derive(Debug)]
pub struct Watch {
    child: Option<(Registration, Arc<Script>)>,
    ended: Option<ExitStatus>,
}

/// What is left of a child whose runtime has ended.
#[derive(Debug)]
pub enum Left {
    /// One of the model.
    Script(Arc<Script>),
    /// There is none in the model.
    Number(process::Child),
}

impl Left {
    /// Reaps the child if it has ended. True: there is nothing left to do.
    pub fn try_reap(&mut self) -> bool {
        match self {
            Left::Script(script) => script.reap().is_some(),
            Left::Number(child) => !matches!(child.try_wait(), Ok(None)),
        }
    }
}

impl Watch {
    /// Watches a child of the model.
    ///
    /// # Errors
    ///
    /// The driver has ended.
    pub fn scripted(handle: &Handle, script: Arc<Script>) -> io::Result<Watch> {
        let registration = register(handle, script.fd, Directions::NONE)?;
        Ok(Watch {
            child: Some((registration, script)),
            ended: None,
        })
    }

    /// # Errors
    ///
    /// The model has no children of the system.
    pub fn new(child: process::Child, _: bool) -> Result<Watch, (io::Error, process::Child)> {
        Err((io::ErrorKind::Unsupported.into(), child))
    }

    /// Those of the model have none.
    pub fn id(&self) -> Option<u32> {
        None
    }

    /// How the child ended, if it has. Reaps it.
    pub fn try_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            let (_, script) = self.child.as_ref().ok_or(Errno::CHILD)?;
            self.ended = script.reap();
        }
        Ok(self.ended)
    }

    /// Waits until the child has ended, and reaps it.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        loop {
            let Some((registration, _)) = &self.child else {
                return Poll::Ready(Err(Errno::CHILD.into()));
            };
            let ready = ready!(registration.poll_ready(Direction::Read, Place::Poller, cx));
            match (self.try_ended()?, ready) {
                (Some(status), _) => return Poll::Ready(Ok(status)),
                (None, Err(error)) => return Poll::Ready(Err(error)),
                (None, Ok(tick)) => self.clear(tick),
            }
        }
    }

    fn clear(&self, tick: tenter_io::model::Tick) {
        if let Some((registration, _)) = &self.child {
            let _ = registration.clear(Direction::Read, tick);
        }
    }

    /// Only the kill means something here.
    ///
    /// # Errors
    ///
    /// None.
    pub fn send(&mut self, signal: Signal) -> io::Result<()> {
        if let (Some((_, script)), None, Signal::KILL) = (&self.child, self.ended, signal) {
            script.kill();
        }
        Ok(())
    }

    /// # Errors
    ///
    /// It leads no group.
    pub fn send_group(&mut self, _: Signal) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// It leads no group.
    pub fn end_group(&mut self) {}

    /// Takes the child over. What stays behind does nothing.
    pub fn take(&mut self) -> Watch {
        Watch {
            child: self.child.take(),
            ended: self.ended,
        }
    }

    /// What is needed to reap the child later, without a runtime.
    pub fn into_left(self) -> Option<Left> {
        let (_, script) = self.child?;
        self.ended.is_none().then(|| Left::Script(script))
    }
}
