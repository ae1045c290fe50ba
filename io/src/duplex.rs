//! A stream in memory.
