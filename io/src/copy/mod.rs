//! From a reader to a writer, and both ways at once.

pub use crate::copy::bidirectional::{CopyBidirectional, CopyError, Direction, copy_bidirectional};
pub use crate::copy::buffered::{CopyBuf, copy_buf};
pub use crate::copy::one_way::{Copy, copy};

mod bidirectional;
mod buffered;
mod one_way;
mod transfer;
