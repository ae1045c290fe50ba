//! Several futures at once in one task: `gather`, `race`, `as_completed`, `select!` and the others.

mod allocations;
mod completed;
mod drops;
mod gather;
mod hostile;
mod map;
mod polls;
mod race;
mod select;
mod staggered;
mod support;
