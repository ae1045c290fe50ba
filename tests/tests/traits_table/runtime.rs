//! The runtime and its tasks: the table of `traits.rs` goes on.

use std::cell::Cell;
use std::future::Ready;
use std::rc::Rc;

use tenter::task::{self, TaskId};
use tenter::{
    CancelKind, CancelOnDrop, CancelReason, Canceller, JoinError, JoinHandle, Unobserved,
    UnobservedKind,
};

use super::NotUnpin;

// The runtime and what a thread knows of it.
table! {
    tenter::Runtime => + + +, +;
    tenter::Builder => + + +, -;
    tenter::GuestBuilder => + + +, -;
    tenter::Guest => - - +, -;
    tenter::Turn => + + +, -;
    tenter::Flavor => + + +, +;
    tenter::Handle => + + +, +;
    tenter::EnterGuard<'static> => - - +, +;
    tenter::NotInRuntime => + + +, +;
    tenter::NestedRuntime => + + +, +;
    tenter::Runner => + + +, +;
    tenter::Interrupted => + + +, +;
    tenter::CtrlC => + + +, +;
    tenter::Finished => + + +, +;
    tenter::TimerHandle => + + +, +;
    tenter::from_thread::FromThreadError => + + +, -;
    tenter::from_thread::NotInJob => + + +, +;
    task::JobLimiter => + + +, +;
    tenter::RuntimeMetrics => + + +, +;
    tenter::WorkerMetrics => + + +, +;
    tenter::Histogram => + + +, +;
    tenter::ShutdownReport => + + +, +;
    tenter::LeftTask => + + +, +;
    tenter::DebugOptions => + + +, -;
    tenter::SlowPoll => + + +, +;
    tenter::instrument::TaskEvent<'static> => + + +, +;
    tenter::instrument::ThreadEvent => + + +, +;
    tenter::instrument::TaskEnd => + + +, +;
}

// Tasks: a handle is as movable as the output.
table! {
    JoinHandle<u8> => + + +, +;
    JoinHandle<Cell<u8>> => + + +, +;
    JoinHandle<Rc<u8>> => - - +, +;
    CancelOnDrop<u8> => + + +, +;
    CancelOnDrop<Cell<u8>> => + + +, +;
    CancelOnDrop<Rc<u8>> => - - +, +;
    Canceller => + + +, +;
    CancelReason => + + +, +;
    CancelKind => + + +, +;
    JoinError => + + +, -;
    TaskId => + + +, +;
    Unobserved<'static> => - - +, -;
    UnobservedKind => + + +, +;
    task::Builder => + + +, +;
}

// Tasks to look at, to wait for and to be told of; what they pass on to each other.
table! {
    task::TaskRef => + + +, +;
    task::TaskInfo => + + +, +;
    task::TaskTree => + + +, +;
    task::TaskNode => + + +, +;
    task::TaskWait => + + +, +;
    task::GroupNode => + + +, +;
    task::TaskState => + + +, +;
    task::TaskTable<'static> => + + +, +;
    task::Awaiter<'static> => + + +, +;
    task::WaitingOn => + + +, +;
    task::WaitKind => + + +, +;
    task::CallbackId => + + +, +;
    task::Context => + + +, +;
    task::ContextVar<u8> => + + +, +;
    task::Token<u8> => + + +, +;
    task::ContextScope<u8, Ready<u8>> => + + +;
    task::ContextScope<u8, Ready<Rc<u8>>> => - - +;
    task::ContextScope<u8, NotUnpin> => + + -;
    tenter::Until => + + +, +;
    tenter::Wait<u8> => + + +;
    tenter::Wait<Rc<u8>> => - - +;
    tenter::WaitMut<'static, u8> => + + +;
    tenter::WaitMut<'static, Rc<u8>> => - - +;
    tenter::Waited<u8> => + + +, +;
    tenter::Waited<Rc<u8>> => - - +, +;
    tenter::WaitedMut<u8> => + + +, +;
    tenter::WaitedMut<Rc<u8>> => - - +, +;
}
