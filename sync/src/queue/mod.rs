//! Queues: first in first out, last in first out, and smallest first.

pub mod stack;
pub mod store;
mod tally;
