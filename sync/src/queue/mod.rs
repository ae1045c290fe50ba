//! Queues: first in first out, last in first out, and smallest first.

#[expect(unsafe_code, reason = "slots that are read by hand")]
mod block;
#[expect(unsafe_code, reason = "blocks that live as long as a slot is claimed")]
pub mod blocks;
mod end;
pub mod heap;
#[expect(unsafe_code, reason = "slots that their stamps guard")]
pub mod ring;
#[expect(unsafe_code, reason = "a value that its stamp guards")]
mod slot;
pub mod stack;
pub mod store;
mod tally;
