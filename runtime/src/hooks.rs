//! Functions of the program that a runtime calls at certain moments.

use core::fmt;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::task::error::payload_message;
use crate::task::payload::drop_payload;

/// A function of the program.
pub type Hook = Arc<dyn Fn() + Send + Sync>;

/// The hooks of a runtime.
#[derive(Clone, Default)]
pub struct Hooks {
    pub on_thread_start: Option<Hook>,
    pub on_thread_stop: Option<Hook>,
    pub on_thread_park: Option<Hook>,
    pub on_thread_unpark: Option<Hook>,
}

impl Hooks {
    /// A thread begins to drive.
    pub fn start(&self) {
        call("on_thread_start", self.on_thread_start.as_ref());
    }

    /// A worker begins. Nobody is there to be told of a panic, so it is only reported.
    pub fn start_quietly(&self) {
        call_quietly("on_thread_start", self.on_thread_start.as_ref());
    }

    /// A worker goes to sleep.
    #[inline]
    pub fn park_quietly(&self) {
        call_quietly("on_thread_park", self.on_thread_park.as_ref());
    }

    /// A worker has woken up.
    #[inline]
    pub fn unpark_quietly(&self) {
        call_quietly("on_thread_unpark", self.on_thread_unpark.as_ref());
    }

    /// A thread has stopped driving. Called while unwinding too, so a panic is only reported.
    pub fn stop(&self) {
        call_quietly("on_thread_stop", self.on_thread_stop.as_ref());
    }

    /// A thread goes to sleep.
    #[inline]
    pub fn park(&self) {
        call("on_thread_park", self.on_thread_park.as_ref());
    }

    /// A thread has woken up.
    #[inline]
    pub fn unpark(&self) {
        call("on_thread_unpark", self.on_thread_unpark.as_ref());
    }
}

#[inline]
fn call(name: &str, hook: Option<&Hook>) {
    if let Some(hook) = hook {
        guarded(name, hook);
    }
}

#[inline]
fn call_quietly(name: &str, hook: Option<&Hook>) {
    if let Some(hook) = hook {
        guarded_quietly(name, hook);
    }
}

/// Calls a hook; its panic is printed.
#[cold]
fn guarded_quietly(name: &str, hook: &Hook) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
        let message = message(name, &*payload);
        drop_payload(payload);
        say(&message);
    }
}

/// Tells standard error of something that the program cannot be asked about: all that the runtime reports
/// goes through here.
///
/// Standard error has no buffer. The line is one write with its end, so that nothing is in the middle of it
/// of those who do not take its lock: C code, another process, panic messages of some versions of `std`.
pub fn say(line: &str) {
    let whole = format!("{line}\n");
    // It may be a pipe that nobody reads any more: there is nobody left to tell.
    let _ = io::stderr().lock().write_all(whole.as_bytes());
}

/// Calls a hook; its panic ends the `block_on` that called it, and says which hook it was.
#[cold]
fn guarded(name: &str, hook: &Hook) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
        let message = message(name, &*payload);
        drop_payload(payload);
        panic!("{message}");
    }
}

fn message(name: &str, payload: &(dyn std::any::Any + Send)) -> String {
    format!(
        "tenter: the {name} hook given to the Builder panicked: {}. A hook must not panic; the \
         runtime itself is intact",
        payload_message(payload)
    )
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_thread_start", &self.on_thread_start.is_some())
            .field("on_thread_stop", &self.on_thread_stop.is_some())
            .field("on_thread_park", &self.on_thread_park.is_some())
            .field("on_thread_unpark", &self.on_thread_unpark.is_some())
            .finish()
    }
}
