//! The poller in the model: a script that a loom thread plays the kernel in.
//!
//! It keeps the contract that `selector.rs` states, and no more: a kick is sticky, one thread waits
//! at a time, an event may come for a key that was deleted after the event was queued, a
//! registration reports what is ready already, and in the oneshot mode a report disarms.
//!
//! Descriptors are numbers without meaning.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use tenter_sync::planted;
use tenter_sync::shim::{Condvar, Mutex};

use crate::interest::Directions;
use crate::slab::Key;

/// How a driver waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Edges.
    Best,
    /// Edges.
    PollingEdge,
    /// Armed for each wait.
    PollingOneshot,
}

/// See the module's first lines.
#[derive(Debug)]
pub struct Selector {
    oneshot: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    sources: Vec<Source>,
    queue: Vec<(Key, Directions)>,
    kicked: bool,
    waiting: bool,
    /// The next registration is refused with this number.
    refuse: Option<i32>,
}

#[derive(Debug)]
struct Source {
    fd: RawFd,
    key: Option<Key>,
    armed: Directions,
    ready: Directions,
}

/// The events of one wait.
#[derive(Debug, Default)]
pub struct Harvest(Vec<(Key, Directions)>);

impl Selector {
    /// A poller without registrations.
    pub fn new(backend: Backend) -> io::Result<Self> {
        Ok(Selector {
            oneshot: backend == Backend::PollingOneshot,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        })
    }

    /// Whether the poller reports each wait once.
    pub fn reports_each_wait_once(&self) -> bool {
        self.oneshot
    }

    /// What a descriptor is taken for until its first event.
    pub fn before_any_event(&self, ready: Directions) -> Directions {
        if self.oneshot {
            ready
        } else {
            ready.with_only_data()
        }
    }

    /// Registers a descriptor.
    pub fn add(&self, fd: RawFd, key: Key) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Some(number) = state.refuse.take() {
            return Err(io::Error::from_raw_os_error(number));
        }
        let armed = if self.oneshot {
            Directions::NONE
        } else {
            Directions::BOTH
        };
        let source = state.source(fd);
        assert!(source.key.is_none(), "descriptor {fd} is registered twice");
        source.key = Some(key);
        source.armed = armed;
        self.report(state, fd);
        Ok(())
    }

    /// Asks for one report.
    pub fn arm(&self, fd: RawFd, key: Key, directions: Directions) -> io::Result<()> {
        let mut state = self.state.lock();
        let source = state.source(fd);
        if source.key != Some(key) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        source.armed = directions;
        self.report(state, fd);
        Ok(())
    }

    /// Ends a registration. Events that are queued already still come.
    pub fn delete(&self, fd: RawFd, _key: Key) -> io::Result<()> {
        self.state.lock().source(fd).key = None;
        Ok(())
    }

    /// Waits for events or a kick.
    pub fn wait(&self, harvest: &mut Harvest, timeout: Option<Duration>) -> io::Result<()> {
        let mut state = self.state.lock();
        assert!(!state.waiting, "two threads wait at once");
        if timeout != Some(Duration::ZERO) {
            state.waiting = true;
            while state.queue.is_empty() && !state.kicked {
                self.changed.wait(&mut state);
            }
            state.waiting = false;
        }
        state.kicked = false;
        harvest.0.clear();
        harvest.0.append(&mut state.queue);
        Ok(())
    }

    /// Ends the current wait, or else the next.
    pub fn kick(&self) {
        let mut state = self.state.lock();
        if planted!("io.kick_not_sticky") && !state.waiting {
            return;
        }
        state.kicked = true;
        self.changed.notify_all();
    }

    /// The kernel: `directions` of a descriptor become ready.
    pub fn raise(&self, fd: RawFd, directions: Directions) {
        let mut state = self.state.lock();
        let source = state.source(fd);
        source.ready = directions;
        self.report(state, fd);
    }

    /// The kernel has no room for the next registration.
    pub fn refuse_next(&self, number: i32) {
        self.state.lock().refuse = Some(number);
    }

    /// How many descriptors are registered.
    pub fn registered(&self) -> usize {
        let state = self.state.lock();
        let keys = state.sources.iter().filter(|source| source.key.is_some());
        keys.count()
    }

    /// Queues an event, if the descriptor is registered and armed for what is ready.
    fn report(&self, mut state: impl std::ops::DerefMut<Target = State>, fd: RawFd) {
        let oneshot = self.oneshot;
        let source = state.source(fd);
        let ready = source.ready & source.armed;
        let Some(key) = source.key else { return };
        if ready.is_empty() {
            return;
        }
        if oneshot {
            source.armed = Directions::NONE;
        }
        state.queue.push((key, ready));
        self.changed.notify_all();
    }
}

impl State {
    fn source(&mut self, fd: RawFd) -> &mut Source {
        let position = self.sources.iter().position(|source| source.fd == fd);
        let position = position.unwrap_or_else(|| {
            self.sources.push(Source {
                fd,
                key: None,
                armed: Directions::NONE,
                ready: Directions::NONE,
            });
            self.sources.len() - 1
        });
        &mut self.sources[position]
    }
}

impl Harvest {
    /// Without events.
    pub fn new() -> Self {
        Harvest::default()
    }

    /// The events of the last wait.
    pub fn events(&self) -> impl Iterator<Item = (Key, Directions)> {
        self.0.iter().copied()
    }
}
