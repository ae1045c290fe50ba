//! Waiting the way `polling` does it, on every system that it knows.

use std::io;
use std::time::Duration;

use polling::{Events, Poller};

use crate::interest::Directions;
use crate::limits::{EVENTS_PER_WAIT, LONGEST_WAIT};
use crate::slab::Key;

/// The events of one wait. Its buffer is allocated by the first.
#[derive(Debug)]
pub struct Portable(Option<Events>);

impl Portable {
    /// Without events.
    pub fn new() -> Self {
        Portable(None)
    }

    /// See `Selector::wait`.
    pub fn wait(&mut self, poller: &Poller, timeout: Option<Duration>) -> io::Result<()> {
        let events = self.0.get_or_insert_with(|| {
            let capacity = EVENTS_PER_WAIT.try_into().expect("not zero");
            Events::with_capacity(capacity)
        });
        events.clear();
        let timeout = timeout.filter(|timeout| *timeout < LONGEST_WAIT);
        poller.wait(events, timeout).map(drop)
    }

    /// The events of the last wait.
    pub fn events(&self) -> impl Iterator<Item = (Key, Directions)> {
        self.0.iter().flat_map(Events::iter).map(|event| {
            // `poll` says of a descriptor that was closed underneath that it is neither, and says so
            // at once each time that it is armed. Who waits tries, and gets the error.
            let directions = if event.readable || event.writable {
                Directions::new(event.readable, event.writable)
            } else {
                Directions::BOTH
            };
            (Key::from_bits(event.key), directions)
        })
    }
}
