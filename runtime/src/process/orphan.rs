//! Children that nobody waits for any more: each is ended as it was asked for, and reaped, without a
//! thread and without a task.
//!
//! An orphan is its own waker. What wakes it lets it take a turn, on the thread that wakes: some
//! system calls that do not block, and code of ours only.
//!
//! ```text
//!  place      Resting(work) ── a wake, the bell ──► Taken ── Waiting ──► Resting(work)
//!                                                     │ ▲                (woken meanwhile: again)
//!                                                     │ └─ a wake: noted
//!                                                     └─ Over ──► Taken for good
//!
//!  work       asked to end, grace runs ── the bell ──► killed ──► ended, reaped: Over
//!                     └──── the driver has ended: killed ────────► on the list of the left: Over
//! ```
//!
//! 1. A turn is taken without the lock: what it does may wake the orphan itself, which is noted and
//!    followed by another turn.
//! 2. The waker in the driver's slot and the bell in the timer's entry keep the orphan, which keeps
//!    both. A driver that ends wakes everybody who waits, so the circle is always broken.
//! 3. The bell ends the grace, whether the time is up or the timers have ended. So the sleep is
//!    polled once.
//! 4. No child is forgotten: whose driver has ended is on the list of the left. The list is tried
//!    whenever a child is started or dropped. What it holds is one descriptor a child.
//!
//! Rejected: a task for each. A runtime would end with tasks that its user never spawned, and
//! another executor has none to offer. Rejected: moving whose driver has ended to the background
//! driver. It would start a thread at the end of each program that leaves a child behind.
//!
//! Tests: `tests/tests/process/drops.rs` (model: `loom-tests/tests/orphan.rs`, with the script of
//! `watch_script.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rustix::process::Signal;
use tenter_sync::current::without_task;
use tenter_sync::planted;
use tenter_sync::shim::{Mutex, global};
use tenter_timer::Sleep;

use super::on_drop::{OnDrop, What};
use super::watch::{Left, Watch};
use crate::signal::SignalKind;

global! {
    /// Children of runtimes that have ended. 4
    static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());
}

/// Reaps those of the left that have ended.
pub fn sweep() {
    if planted!("orphan.swept_outside_of_the_list") {
        let mut left = std::mem::take(&mut *LEFT.lock());
        left.retain_mut(|left| !left.try_reap());
        *LEFT.lock() = left;
        return;
    }
    LEFT.lock().retain_mut(|left| !left.try_reap());
}

/// Takes over a child that was killed and that no driver watches.
pub fn leave(mut left: Left) {
    if !left.try_reap() && !planted!("orphan.left_and_forgotten") {
        LEFT.lock().push(left);
    }
}

/// Takes over a child whose handle was dropped.
pub fn adopt(mut watch: Watch, on_drop: OnDrop) {
    sweep();
    if on_drop.is_group() {
        watch.end_group();
    }
    if !matches!(watch.try_ended(), Ok(None)) {
        return;
    }
    let grace = begin_end(&mut watch, on_drop).and_then(|grace| {
        // A thread for the timer may be refused; then there is no time to give.
        let sleep = catch_unwind(|| Box::pin(tenter_timer::sleep(grace)));
        if sleep.is_err() {
            send(&mut watch, on_drop, Signal::KILL);
        }
        sleep.ok()
    });
    let orphan = Arc::new(Orphan(Mutex::new(Place {
        work: Some(Work {
            watch,
            on_drop,
            grace,
            armed: false,
        }),
        woken: false,
        rang: false,
    })));
    orphan.turn();
}

/// The first step of ending a child. The time after which it is to be killed, if it is not yet.
pub fn begin_end(watch: &mut Watch, on_drop: OnDrop) -> Option<Duration> {
    let (signal, grace) = match on_drop.what {
        What::Detach => return None,
        What::Kill => (None, None),
        What::Ask { signal, grace } => (as_signal(signal), Some(grace)),
    };
    send(watch, on_drop, signal.unwrap_or(Signal::KILL));
    signal.and(grace)
}

/// Sends a signal to whom it concerns. That it is refused, because the child runs as somebody else,
/// changes nothing: it is waited for all the same.
pub fn send(watch: &mut Watch, on_drop: OnDrop, signal: Signal) {
    if !(on_drop.group && watch.send_group(signal).is_ok()) {
        let _ = watch.send(signal);
    }
}

/// The signal of this kind, if it can be sent.
pub fn as_signal(kind: SignalKind) -> Option<Signal> {
    Signal::from_named_raw(kind.as_raw())
}

struct Orphan(Mutex<Place>);

struct Place {
    /// `None` while a turn is taken, and when it is over.
    work: Option<Work>,
    /// During a turn something happened.
    woken: bool,
    /// The grace is over.
    rang: bool,
}

/// What is to be done.
struct Work {
    watch: Watch,
    on_drop: OnDrop,
    /// Until it has passed, the child has time to end by itself.
    grace: Option<Pin<Box<Sleep>>>,
    /// The sleep was polled. 3
    armed: bool,
}

enum Turn {
    Waiting(Work),
    Over,
}

impl Orphan {
    fn turn(self: &Arc<Self>) {
        let Some((mut work, mut rang)) = self.begin() else {
            return;
        };
        loop {
            match without_task(|| work.turn(self, rang)) {
                Turn::Over => return,
                Turn::Waiting(waiting) => match self.rest(waiting) {
                    None => return,
                    Some(again) => (work, rang) = again,
                },
            }
        }
    }

    /// Takes the work, unless somebody has it: then he is told to look again.
    fn begin(&self) -> Option<(Work, bool)> {
        let mut place = self.0.lock();
        match place.work.take() {
            Some(work) => Some((work, place.rang)),
            None => {
                place.woken = !planted!("orphan.woken_in_vain_during_a_turn");
                None
            }
        }
    }

    /// Puts the work down, unless something has happened meanwhile.
    fn rest(&self, work: Work) -> Option<(Work, bool)> {
        let mut place = self.0.lock();
        if std::mem::take(&mut place.woken) {
            return Some((work, place.rang));
        }
        if planted!("orphan.put_down_in_another_section") {
            drop(place);
            place = self.0.lock();
        }
        place.work = Some(work);
        None
    }
}

impl Wake for Orphan {
    fn wake(self: Arc<Self>) {
        self.turn();
    }
}

/// Ends the grace of an orphan.
struct Bell(Arc<Orphan>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !planted!("orphan.rings_like_any_wake") {
            self.0.0.lock().rang = true;
        }
        self.0.turn();
    }
}

impl Work {
    fn turn(mut self, orphan: &Arc<Orphan>, rang: bool) -> Turn {
        let waker = Waker::from(Arc::clone(orphan));
        match self.watch.poll_ended(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(_)) => return Turn::Over,
            Poll::Ready(Err(_)) => {
                // The driver has ended, or the child is not ours any more.
                if self.on_drop.what != What::Detach {
                    send(&mut self.watch, self.on_drop, Signal::KILL);
                }
                if let Some(left) = self.watch.into_left() {
                    leave(left);
                }
                return Turn::Over;
            }
            Poll::Pending => {}
        }
        if let Some(grace) = &mut self.grace {
            let armed = std::mem::replace(&mut self.armed, true);
            if rang || (!armed && rings(grace.as_mut(), orphan)) {
                self.grace = None;
                send(&mut self.watch, self.on_drop, Signal::KILL);
            }
        }
        Turn::Waiting(self)
    }
}

/// Whether the grace is over already; else the bell will ring.
fn rings(grace: Pin<&mut Sleep>, orphan: &Arc<Orphan>) -> bool {
    let bell = Waker::from(Arc::new(Bell(Arc::clone(orphan))));
    let mut cx = Context::from_waker(&bell);
    // Timers that have ended panic, and then there is no time to give.
    let polled = catch_unwind(AssertUnwindSafe(|| grace.poll(&mut cx)));
    !matches!(polled, Ok(Poll::Pending))
}
