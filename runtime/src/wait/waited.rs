//! What a wait for several tasks returns.

use crate::task::JoinHandle;

/// What [`wait`](crate::wait()) returns: all handles that it was given, in their order.
#[must_use = "dropping the handles detaches the tasks"]
#[derive(Debug)]
#[non_exhaustive]
pub struct Waited<T> {
    /// Those of tasks that have ended, also if they failed or were cancelled: awaiting them takes no time.
    pub done: Vec<JoinHandle<T>>,
    /// The others.
    pub pending: Vec<JoinHandle<T>>,
    /// Whether the time was up before what was waited for had happened.
    pub timed_out: bool,
}

/// What [`wait_mut`](crate::wait_mut) returns. The other handles stayed where they were.
#[must_use = "dropping the handles loses the outputs"]
#[derive(Debug)]
#[non_exhaustive]
pub struct WaitedMut<T> {
    /// Those of tasks that have ended, in their order.
    pub done: Vec<JoinHandle<T>>,
    /// Whether the time was up before what was waited for had happened.
    pub timed_out: bool,
}
