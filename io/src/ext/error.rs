//! What can be wrong with a stream of bytes, as types that say where the bytes are now.
//!
//! Each travels inside an [`io::Error`], because that is what readers return; its `of` finds it
//! there.
//!
//! Tests: `io/tests/ext.rs`, `io/tests/records.rs`.

use std::fmt;
use std::io;

/// A record is longer than its limit. Nothing of it is lost: its beginning is where the call says,
/// and the rest is still in the reader. The kind is [`InvalidData`](io::ErrorKind::InvalidData).
#[doc(alias = "LimitOverrunError")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitOverrun {
    /// The limit, in bytes without the separator.
    pub limit: usize,
    /// Whether the separator has been seen behind the limit already.
    pub found: bool,
}

impl fmt::Display for LimitOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.found {
            true => "its separator comes later",
            false => "its separator has not come yet",
        };
        write!(
            f,
            "a record is longer than the limit of {} bytes, {separator}; what was read is kept: \
             raise the limit and go on, or take what is there",
            self.limit
        )
    }
}

/// The stream ended in the middle. What was read is in the buffer of the caller. The kind is
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
#[doc(alias = "IncompleteReadError")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompleteRead {
    /// How many bytes were read: so many at the front of the buffer are filled.
    pub read: usize,
    /// How many it should have been; `None` if that was up to a separator.
    pub expected: Option<usize>,
}

impl fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            Some(expected) => {
                write!(
                    f,
                    "the stream ended after {} of {expected} bytes",
                    self.read
                )
            }
            None => write!(
                f,
                "the stream ended after {} bytes, before the separator",
                self.read
            ),
        }
    }
}

/// What should be text is not UTF-8. The kind is [`InvalidData`](io::ErrorKind::InvalidData).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotUtf8 {
    /// The bytes that are not text, where they were taken from the reader. Empty where they are
    /// still in the reader.
    pub bytes: Vec<u8>,
    /// How many bytes at the front were text.
    pub valid: usize,
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what was read is not UTF-8 after {} bytes; it is kept: read bytes instead of text",
            self.valid
        )
    }
}

macro_rules! inside_io_error {
    ($name:ident, $kind:ident) => {
        impl std::error::Error for $name {}

        impl From<$name> for io::Error {
            fn from(error: $name) -> io::Error {
                io::Error::new(io::ErrorKind::$kind, error)
            }
        }

        impl $name {
            /// Finds it in an [`io::Error`].
            pub fn of(error: &io::Error) -> Option<&$name> {
                error.get_ref()?.downcast_ref()
            }
        }
    };
}

inside_io_error!(LimitOverrun, InvalidData);
inside_io_error!(IncompleteRead, UnexpectedEof);
inside_io_error!(NotUtf8, InvalidData);

/// The count that a reader or writer returned, unless it is more than there was room for.
pub(crate) fn checked(count: usize, room: usize) -> io::Result<usize> {
    if count <= room {
        return Ok(count);
    }
    Err(io::Error::other(format!(
        "a reader or writer says that it did {count} bytes of {room}: its implementation is wrong"
    )))
}
