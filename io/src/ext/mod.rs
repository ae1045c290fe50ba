//! What programs do with a stream of bytes, for everything that reads and writes.
//!
//! These futures move through the reader or writer by `&mut`, so none of them outlives it, and none
//! holds a buffer of its own, [`ReadToString`] excepted.

pub use crate::buffered::IntoInnerError;
pub use crate::copy::{Copy, CopyBidirectional, CopyBuf, CopyError, Direction};
pub use crate::ext::buf_read::{AsyncBufReadExt, AtEof, FillBuf, ReadUntil};
pub use crate::ext::chain::Chain;
pub use crate::ext::ends::{Empty, Repeat, Sink};
pub use crate::ext::error::{IncompleteRead, LimitOverrun, NotUtf8};
pub use crate::ext::join::Join;
pub use crate::ext::lines::{Lines, NextLine, NextSegment, Split};
pub use crate::ext::peek::AsyncPeek;
pub use crate::ext::read::{AsyncReadExt, Read, ReadExact, ReadToEnd, ReadToString, ReadVectored};
pub use crate::ext::read_line::ReadLine;
pub use crate::ext::seek::{AsyncSeekExt, Seek};
pub use crate::ext::separator::Separator;
pub use crate::ext::take::Take;
pub use crate::ext::write::{
    AsyncWriteExt, Close, Flush, Write, WriteAll, WriteAllBuf, WriteAllVectored, WriteVectored,
};
pub use crate::split::UnsplitError;

mod buf_read;
mod chain;
pub(crate) mod cursor;
pub(crate) mod ends;
pub(crate) mod error;
pub(crate) mod join;
mod lines;
mod peek;
mod read;
mod read_line;
mod record;
mod seek;
mod separator;
mod take;
pub(crate) mod write;

/// `Debug` by name alone, for what lends or holds the things of others.
macro_rules! opaque_debug {
    ([$($generics:tt)*] $name:ident $($type:tt)*) => {
        impl<$($generics)*> std::fmt::Debug for $name $($type)* {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use opaque_debug;
