//! Which scopes the future that is polled now is in: a stack of frames, one for each scope whose poll is
//! further up this thread's stack.
//!
//! ```text
//!  thread-local ──► frame of the innermost scope ──► ... ──► frame of the outermost ──► null
//!                   each: the scope's node, if it was made; its deadline; the task it is polled in
//! ```
//!
//! A frame costs two stores. The node behind it is made when something inside asks for it, and with it
//! those of all scopes around it; the outermost hangs below the root of the task, if there is a task.
//!
//! Frames of another task's poll further up the stack (a `block_on` inside a task) are not ours: each frame
//! says in which task it was entered.
//!
//! Invariants:
//! - F1: the pointer is null or points to a frame borrowed by an [`enter`] further up this stack; so does
//!   the `outer` of each frame.

use core::cell::Cell;
use core::ptr;
use core::task::Waker;
use std::sync::{Arc, OnceLock};

use tenter_sync::current::{TaskSlot, slot_address};
use tenter_sync::shim::local;
use tenter_timer::Instant;

use super::node::Node;
use crate::context;
use crate::task::alive::Alive;
use crate::task::waker::lend as lend_waker;

/// A scope whose future is being polled or dropped.
pub struct Frame<'a> {
    outer: Cell<*const Frame<'static>>,
    task: Cell<*const TaskSlot>,
    kind: Kind<'a>,
}

/// What kind of scope.
pub enum Kind<'a> {
    /// One whose future is dropped if it is cancelled, and that does what is deferred in it.
    Scope {
        /// Its shared part, once something asked for it.
        node: &'a OnceLock<Arc<Node>>,
        /// Until the node is made. Then the node's own counts.
        deadline: Option<Instant>,
    },
    /// A section that requests from around it do not reach.
    Shield(&'a OnceLock<Arc<Node>>),
    /// The child of a group: no scope itself, for the task is; but deadlines go on there.
    Child(&'a Arc<Node>),
    /// A call that blocks its thread: requests from around it do not reach what another executor polls in
    /// there, for nobody drops that.
    Blocking,
    /// A blocking job, which is no scope: it has ended when it returns.
    Job,
}

local! {
    static FRAME: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

impl<'a> Frame<'a> {
    /// A frame to be entered.
    #[inline]
    pub fn new(kind: Kind<'a>) -> Self {
        Self {
            outer: Cell::new(ptr::null()),
            task: Cell::new(ptr::null()),
            kind,
        }
    }
}

/// Runs `body` inside the scope of `frame`.
#[inline]
pub fn enter<R>(frame: &Frame<'_>, body: impl FnOnce() -> R) -> R {
    // F1: taken away again before the borrow ends, also when `body` panics. The lifetime is erased; it
    // is lent no longer than a call.
    let pointer: *const Frame<'_> = frame;
    frame.task.set(slot_address());
    let _restore = FRAME.with(|top| {
        let outer = top.replace(pointer.cast());
        frame.outer.set(outer);
        Restore(outer)
    });
    body()
}

/// Runs `body`, which may block its thread.
#[inline]
pub fn blocking<R>(body: impl FnOnce() -> R) -> R {
    enter(&Frame::new(Kind::Blocking), body)
}

/// Runs the function of a blocking job.
#[inline]
pub fn job<R>(body: impl FnOnce() -> R) -> R {
    enter(&Frame::new(Kind::Job), body)
}

/// Runs `body` in no scope: what a `block_on` polls is no part of the scope that it blocks.
pub fn apart<R>(body: impl FnOnce() -> R) -> R {
    let outer = FRAME.with(|top| top.replace(ptr::null()));
    let _restore = Restore(outer);
    body()
}

struct Restore(*const Frame<'static>);

impl Drop for Restore {
    #[inline]
    fn drop(&mut self) {
        FRAME.with(|top| top.set(self.0));
    }
}

/// Lends the frame, if it belongs to the poll that asks.
fn lend<'a>(frame: *const Frame<'static>) -> Option<&'a Frame<'static>> {
    // SAFETY: F1: borrowed further up this stack, so it lives at least until the callers here return.
    // Were it left behind after `enter` returned, this would read a dead stack frame.
    let frame = unsafe { frame.as_ref() }?;
    ptr::eq(frame.task.get(), slot_address()).then_some(frame)
}

fn innermost<'a>() -> Option<&'a Frame<'static>> {
    lend(FRAME.with(Cell::get))
}

/// The scope that the caller is in, with its shared part made if need be: the innermost frame's, or the
/// task itself. `None` outside any.
pub fn enclosing() -> Option<Arc<Node>> {
    node_of(innermost())
}

/// The scope that does what is deferred here: a shield is none.
pub fn ending() -> Option<Arc<Node>> {
    let mut frame = innermost();
    while let Some(Frame {
        kind: Kind::Shield(_) | Kind::Blocking,
        outer,
        ..
    }) = frame
    {
        frame = lend(outer.get());
    }
    node_of(frame)
}

fn node_of(frame: Option<&Frame<'static>>) -> Option<Arc<Node>> {
    let Some(frame) = frame else {
        return root();
    };
    let outer = || node_of(lend(frame.outer.get()));
    let (place, deadline, shield) = match &frame.kind {
        Kind::Job => return None,
        Kind::Child(_) | Kind::Blocking => return outer(),
        Kind::Scope { node, deadline } => (node, *deadline, false),
        Kind::Shield(node) => (node, None, true),
    };
    if let Some(node) = place.get() {
        return Some(Arc::clone(node));
    }
    let node = Node::new();
    node.settle(outer().as_ref());
    if deadline.is_some() {
        node.set_deadline(deadline);
    }
    if shield {
        node.set_shield(true);
    }
    Some(Arc::clone(place.get_or_init(|| node)))
}

/// The task that is polled, or whose future is dropped, further up this stack.
pub fn task<'a>() -> Option<Alive<'a>> {
    let task = context::with_current_task(|task| task.map(Alive::pointer))?;
    // SAFETY: it is being polled, or its future dropped, further up this stack.
    Some(unsafe { Alive::new(task) })
}

/// The scope that is the task.
fn root() -> Option<Arc<Node>> {
    let task = task()?;
    // SAFETY: (a) it is alive, as in `task`, and (b) the lent waker is cloned, not dropped.
    let waker = || Waker::clone(&*unsafe { lend_waker(task.pointer()) });
    Some(Arc::clone(task.root_or_insert(waker)))
}

/// The nearest deadline of the scopes that the caller is in; `now`, if one of them is cancelled already.
pub fn nearest_deadline(now: Instant) -> Option<Instant> {
    let mut nearest: Option<Instant> = None;
    // A bound without an end is none.
    let mut add = |own: Option<Instant>| {
        let own = own.filter(|own| *own != Instant::MAX);
        nearest = nearest.into_iter().chain(own).min();
    };
    let mut next = innermost();
    while let Some(frame) = next {
        match &frame.kind {
            Kind::Scope { node, deadline } => match node.get() {
                None => add(*deadline),
                Some(node) => {
                    add(node.own_deadline(now));
                    if node.is_shield() {
                        return nearest;
                    }
                }
            },
            Kind::Shield(_) | Kind::Job => return nearest,
            Kind::Child(group) => add(group.nearest_deadline(now)),
            Kind::Blocking => {}
        }
        next = lend(frame.outer.get());
    }
    if task().is_some_and(|task| task.cancel_requested()) {
        add(Some(now));
    }
    nearest
}

/// Whether a scope around the caller ends now: it is cancelled, or its time is over, and nothing else in it
/// is in progress. A scope whose time is found to be over is cancelled by this look, so that whoever relies
/// on its end is not left behind by somebody who moves the deadline.
pub fn around_ends(now: Instant) -> bool {
    let mut below: Option<&Arc<Node>> = None;
    let mut next = innermost();
    while let Some(frame) = next {
        match &frame.kind {
            Kind::Scope { node, deadline } => match node.get() {
                None if deadline.is_some_and(|it| it <= now) => return true,
                None => {}
                Some(node) => {
                    node.expire(now);
                    if let Some(ends) = node.ends_around(below.map(Arc::as_ref)) {
                        return ends;
                    }
                    below = Some(node);
                }
            },
            Kind::Shield(_) | Kind::Blocking | Kind::Job => return false,
            Kind::Child(group) if group.is_over(now) => return true,
            Kind::Child(_) => {}
        }
        next = lend(frame.outer.get());
    }
    let Some(task) = task() else { return false };
    match task.root() {
        Some(root) => root.ends_around(below.map(Arc::as_ref)) == Some(true),
        None => task.cancel_requested(),
    }
}
