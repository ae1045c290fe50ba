//! What programs do with a stream of bytes, for everything that reads and writes.
//!
//! These futures move through the reader or writer by `&mut`, so none of them outlives it, and none
//! holds a buffer of its own.

pub use crate::ext::read::{AsyncReadExt, Read, ReadExact, ReadToEnd};
pub use crate::ext::write::{AsyncWriteExt, Close, Flush, Write, WriteAll};

mod read;
mod write;
