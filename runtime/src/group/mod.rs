//! Task groups: children that end before their group does.
//!
//! | file | what it is |
//! |---|---|
//! | `core.rs` | who is in the group, and what became of them |
//! | `seat.rs` | a child's place, as the child has it |
//! | `seats.rs` | the places of its children |
//! | `ends.rs` | how its children ended, for `join_next` |
//! | `child.rs` | a child's work: a future, its seat, what its end means |
//! | `run.rs` | the future of a group |
//! | `start.rs` | children that say when they are ready |
//! | `error.rs`, `outcome.rs` | what failed, and how children ended |
//! | `lost.rs` | failures that no group returns |
//! | `task_group.rs` | what users write |

#[expect(unsafe_code, reason = "pins the future of a child")]
mod child;
pub(crate) mod core;
mod ends;
mod error;
mod lost;
mod outcome;
#[expect(unsafe_code, reason = "pins the body of a group")]
mod run;
pub(crate) mod seat;
#[expect(unsafe_code, reason = "addresses of tasks go to other threads")]
mod seats;
mod start;
mod task_group;

pub use self::error::{Failure, GroupError, Panic};
pub use self::outcome::{Ended, TaskOutcome};
pub use self::start::{StartError, Started};
pub use self::task_group::{GroupHandle, NamedChild, TaskGroup, task_group, task_group_with};
