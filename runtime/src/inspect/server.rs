//! The thread behind the socket.
//!
//! It waits for the socket, for all who are there, and for its end, and never for one of them alone. Whoever
//! is silent keeps a place until its time is over or somebody else needs it, and nobody waiting.
//!
//! Tests: `visitor.rs`; `tests/tests/inspect/main.rs`.

use core::time::Duration;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tenter_timer::{Clock, Instant};

use super::folder::{self, Bound, SocketFile};
use super::helper::Helper;
use super::protocol::{Answer, Question};
use super::visitor::{Next, Visitor};

/// How many may be there at a time.
const VISITORS_MAX: usize = 16;

/// How long nobody is let in after the system has refused it, for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// What is asked about the process.
type Look = dyn Fn(Question) -> Answer + Send;

/// The socket and the thread behind it. Dropping this ends both.
#[derive(Debug)]
pub struct Server {
    // First, so that nobody comes whom nobody serves.
    file: Option<SocketFile>,
    _helper: Helper,
}

impl Server {
    /// Makes the socket and starts the thread.
    pub fn start(look: impl Fn(Question) -> Answer + Send + 'static) -> io::Result<Self> {
        let Bound { listener, file } = folder::bind()?;
        let helper = Helper::start("tenter-inspect", move |end| {
            Hall {
                listener: &listener,
                end: &end,
                look: &look,
                clock: Clock::real(),
                visitors: Vec::new(),
                rests_until: None,
            }
            .serve();
        })?;
        Ok(Self {
            file: Some(file),
            _helper: helper,
        })
    }

    /// Removes the file: nobody new comes.
    pub fn remove_file(&mut self) {
        self.file = None;
    }
}

/// Where visitors are served.
struct Hall<'a> {
    listener: &'a UnixListener,
    end: &'a UnixStream,
    look: &'a Look,
    clock: Clock,
    /// The oldest first.
    visitors: Vec<Visitor>,
    rests_until: Option<Instant>,
}

/// What there is to do.
struct Ready {
    end: bool,
    door: bool,
    visitors: Vec<bool>,
}

impl Hall<'_> {
    fn serve(mut self) {
        loop {
            let Some(ready) = self.wait() else { continue };
            if ready.end {
                return;
            }
            let (look, clock) = (self.look, &self.clock);
            let mut ready_visitors = ready.visitors.into_iter();
            self.visitors.retain_mut(|visitor| {
                let is_ready = ready_visitors.next().unwrap_or(false);
                !is_ready || visitor.turn(look, &|| clock.now()) == Next::Stay
            });
            let now = clock.now();
            self.visitors.retain(|visitor| visitor.deadline > now);
            if ready.door {
                self.let_in();
            }
        }
    }

    /// Waits until there is something to do. `None`: perhaps there is.
    fn wait(&mut self) -> Option<Ready> {
        let now = self.clock.now();
        self.rests_until = self.rests_until.filter(|until| *until > now);
        let rests = self.rests_until.is_some();
        let deadlines = self.visitors.iter().map(|visitor| visitor.deadline);
        let first = deadlines.chain(self.rests_until).min();
        let left = first.map(|first| timespec(first.duration_since(now)));
        let end = PollFd::from_borrowed_fd(self.end.as_fd(), PollFlags::IN);
        let door = if rests {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let door = PollFd::from_borrowed_fd(self.listener.as_fd(), door);
        let mut places = vec![end, door];
        for visitor in &self.visitors {
            let (reads, writes) = (PollFlags::IN, PollFlags::OUT);
            let interest = if visitor.is_reading() { reads } else { writes };
            places.push(PollFd::from_borrowed_fd(visitor.stream.as_fd(), interest));
        }
        match poll(&mut places, left.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return None,
            Err(_) => {
                // There is no memory for it: the visitors are what can be done without.
                self.visitors.clear();
                return None;
            }
        }
        let mut ready = places.iter().map(|place| !place.revents().is_empty());
        Some(Ready {
            end: ready.next()?,
            door: ready.next()?,
            visitors: ready.collect(),
        })
    }

    /// Lets everybody in who is at the door.
    fn let_in(&mut self) {
        // Not more than there are places, so that those who are in have their turn.
        for _ in 0..VISITORS_MAX {
            match self.listener.accept() {
                Ok((stream, _)) => self.receive(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.rests_until = Some(self.clock.now() + REST);
                    return;
                }
            }
        }
    }

    fn receive(&mut self, stream: UnixStream) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let now = self.clock.now();
        let refusal = refusal(&stream);
        let mut visitor = Visitor::new(stream, now);
        if let Some(refusal) = refusal {
            visitor.tell(&refusal, now);
        }
        if self.visitors.len() == VISITORS_MAX {
            // Who asks at all does so at once.
            let silent = self.visitors.iter().position(Visitor::is_reading);
            drop(self.visitors.remove(silent.unwrap_or(0)));
        }
        let clock = &self.clock;
        if visitor.turn(self.look, &|| clock.now()) == Next::Stay {
            self.visitors.push(visitor);
        }
    }
}

/// Why this visitor is not told anything, if that is so.
///
/// The folder lets in nobody else in the first place; this is for a folder that somebody has opened since.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refusal(stream: &UnixStream) -> Option<Answer> {
    let own = rustix::process::geteuid();
    match rustix::net::sockopt::socket_peercred(stream) {
        Ok(peer) if peer.uid == own || peer.uid.is_root() => None,
        Ok(peer) => Some(Answer::refused(format!(
            "the process is user {}'s, and you are user {}",
            own.as_raw(),
            peer.uid.as_raw()
        ))),
        Err(error) => Some(Answer::refused(format!(
            "the system does not say who asks: {error}"
        ))),
    }
}

/// Elsewhere it is the folder alone that keeps others out.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refusal(_stream: &UnixStream) -> Option<Answer> {
    None
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
