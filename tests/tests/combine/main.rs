//! Several futures at once in one task: `gather`, `race`, `as_completed`, `select!` and the others.

mod allocations;
mod completed;
mod drops;
mod gather;
mod hostile;
mod polls;
mod race;
mod support;
