//! Schedulers: who runs which task when.
//!
//! | file | what |
//! |---|---|
//! | [`current_thread`] | one thread: the run loop, and the right to it |
//! | [`turn`] | the same loop a stretch at a time, in a loop of another kind |
//! | [`deterministic`] | the same loop on a virtual clock: the jump |
//! | [`choices`] | the decisions of a deterministic run |
//! | [`deadlock`] | what it says when nothing can ever run again |
//! | [`quiet`] | who waits for all others to be blocked |
//! | [`inbox`] | tasks that other threads woke or spawned |
//! | [`run_queue`], [`owned`] | tasks that are ready, and all tasks: one thread at a time |
//! | [`multi_thread`] | many threads that take work from each other |
//! | [`shared`] | a scheduler of whatever flavour, and the references to it |
//! | [`drain`], [`shutdown`] | the end of a runtime: the graceful part, and the rest |
//! | [`late`] | tasks that come after the end |
//! | [`seat`] | where the core is while nobody drives, and who waits for it |
//! | [`parking`] | how the thread sleeps, and how others wake it |

pub mod choices;
#[expect(unsafe_code, reason = "runs and ends tasks")]
pub mod current_thread;
pub mod deadlock;
pub mod deterministic;
pub mod drain;
#[expect(unsafe_code, reason = "an intrusive stack of tasks")]
pub mod inbox;
#[expect(unsafe_code, reason = "ends tasks")]
pub mod late;
pub mod multi_thread;
#[expect(unsafe_code, reason = "an intrusive list of tasks")]
pub mod owned;
pub mod parking;
pub mod quiet;
#[expect(unsafe_code, reason = "an intrusive queue of tasks")]
pub mod run_queue;
pub mod seat;
#[expect(unsafe_code, reason = "a counted pointer")]
pub mod shared;
pub mod shutdown;
pub mod turn;
