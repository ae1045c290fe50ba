//! Buffers in front of readers and writers.
