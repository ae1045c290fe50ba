//! Buffers in front of readers and writers.

pub use crate::buffered::reader::BufReader;
pub use crate::buffered::writer::{BufWriter, IntoInnerError};

mod reader;
mod writer;

/// A stream with a buffer for each direction: `BufReader::new(BufWriter::new(stream))`.
pub type BufStream<S> = BufReader<BufWriter<S>>;
