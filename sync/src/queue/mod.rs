//! Queues: first in first out, last in first out, and smallest first.

#[expect(unsafe_code, reason = "slots that their stamps guard")]
pub mod ring;
pub mod stack;
pub mod store;
mod tally;
