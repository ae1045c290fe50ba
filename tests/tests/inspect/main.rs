//! Looking into a running process: `tenter ps`, `tenter pstree`, and a dump on a signal.
//!
//! Each test is two processes: the program that is looked into is the test itself, started once more. They
//! go on in turns, over pipes.
#![cfg(unix)]

mod faults;
mod folders;
mod looks;
mod signals;
mod support;
