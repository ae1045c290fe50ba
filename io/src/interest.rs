//! What one can wait for: one direction of a source, or a set of directions.

use std::fmt;

use tenter_sync::current::WaitKind;

/// What to wait for, or to try: reading or writing.
///
/// ```
/// use tenter_io::Interest;
/// assert_ne!(Interest::READABLE, Interest::WRITABLE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(Direction);

impl Interest {
    /// There is something to read: data, the end of the stream, an error, or a connection to
    /// accept.
    pub const READABLE: Interest = Interest(Direction::Read);
    /// There is room to write, or writing would fail at once.
    pub const WRITABLE: Interest = Interest(Direction::Write);

    pub(crate) fn direction(self) -> Direction {
        self.0
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Direction::Read => "Interest::READABLE",
            Direction::Write => "Interest::WRITABLE",
        })
    }
}

/// One direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the source.
    Read,
    /// Into the source.
    Write,
}

impl Direction {
    /// How a waiting task notes it.
    pub fn wait_kind(self) -> WaitKind {
        match self {
            Direction::Read => WaitKind::Readable,
            Direction::Write => WaitKind::Writable,
        }
    }
}

/// A set of directions, in two bits; in an event, with a third that says more of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions(u8);

impl Directions {
    /// Neither.
    pub const NONE: Directions = Directions(0);
    /// Reading.
    pub const READ: Directions = Directions(1);
    /// Writing.
    pub const WRITE: Directions = Directions(2);
    /// Both.
    pub const BOTH: Directions = Directions(3);
    /// Beside what is there to read nothing stands that would not be an edge of its own: no end, no
    /// error, no urgent byte. A poller that cannot tell never says so.
    const ONLY_DATA: Directions = Directions(4);

    /// From the two low bits.
    pub const fn from_bits(bits: u8) -> Self {
        Directions(bits & Self::BOTH.0)
    }

    /// As two bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// With these two answers.
    pub fn new(read: bool, write: bool) -> Self {
        Directions(u8::from(read) | u8::from(write) << 1)
    }

    /// The same, from a poller that has seen no end behind the data.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only epoll tells")
    )]
    pub fn with_only_data(self) -> Self {
        self | Self::ONLY_DATA
    }

    /// Whether a read that fills less than its buffer has taken everything that came with the event.
    pub fn is_only_data(self) -> bool {
        self.0 & Self::ONLY_DATA.0 != 0
    }

    /// Whether `direction` is in it.
    pub fn contains(self, direction: Direction) -> bool {
        self.0 & Directions::from(direction).0 != 0
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Direction> for Directions {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Read => Directions::READ,
            Direction::Write => Directions::WRITE,
        }
    }
}

impl std::ops::BitOr for Directions {
    type Output = Directions;

    fn bitor(self, other: Directions) -> Directions {
        Directions(self.0 | other.0)
    }
}

impl std::ops::BitAnd for Directions {
    type Output = Directions;

    fn bitand(self, other: Directions) -> Directions {
        Directions(self.0 & other.0)
    }
}
