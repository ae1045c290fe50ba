//! [`OnDrop`]: what becomes of a child that nobody waits for any more.
//!
//! Tests: `tests/tests/process/drops.rs`.

use std::time::Duration;

use crate::signal::SignalKind;

/// What becomes of a child when its [`Child`](super::Child) is dropped before it has ended.
///
/// Its standard input is closed first. Then:
///
/// - Dropped in a scope (a task, a timeout, a [`CancelScope`](crate::CancelScope), a group), a child that
///   is to end is a [clean-up](crate::defer_async) of it: a scope that is cancelled, or whose time is over,
///   returns when the child has ended and was reaped. That takes at most the grace, and 5 s more if the
///   system keeps a process that was killed, which is then told of. Where the scope goes on, the runtime
///   waits instead. What the child writes on its way out is read and thrown away;
///   [`Child::end`](super::Child::end) is for who wants it.
/// - Dropped elsewhere, in a thread or by another executor, it is reaped in the background, and so is
///   one that is detached. Its pipes are closed.
///
/// A grace is time of the runtime's clock. A virtual clock does not wait for a real process: there the
/// grace is over as soon as nothing else is to be done.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter::process::OnDrop;
///
/// let patient = OnDrop::terminate().grace(Duration::from_secs(30));
/// # drop(patient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[must_use = "it says what to do, and does nothing"]
pub struct OnDrop {
    pub(super) what: What,
    /// Whether everything in the group of the child is meant.
    pub(super) group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum What {
    #[default]
    Detach,
    Kill,
    Ask {
        signal: SignalKind,
        grace: Duration,
    },
}

/// How long a child that was asked to end may take for it.
const GRACE: Duration = Duration::from_secs(5);

impl OnDrop {
    /// The child goes on. This is the default of [`Command`](super::Command).
    pub const fn detach() -> OnDrop {
        OnDrop::of(What::Detach)
    }

    /// The child is killed (SIGKILL).
    pub const fn kill() -> OnDrop {
        OnDrop::of(What::Kill)
    }

    /// The child gets SIGTERM, and is killed if it has not ended 5 s later.
    #[doc(alias = "deliver_cancel")]
    pub const fn terminate() -> OnDrop {
        OnDrop::signal(SignalKind::terminate())
    }

    /// The child gets a signal, and is killed if it has not ended 5 s later. It is killed at once if
    /// there is no such signal.
    pub const fn signal(signal: SignalKind) -> OnDrop {
        OnDrop::of(What::Ask {
            signal,
            grace: GRACE,
        })
    }

    /// How long a child that was asked to end may take for it before it is killed.
    /// [`Duration::MAX`] is for ever. Changes nothing for a child that is not asked.
    pub const fn grace(mut self, time: Duration) -> OnDrop {
        if let What::Ask { signal, .. } = self.what {
            self.what = What::Ask {
                signal,
                grace: time,
            };
        }
        self
    }

    /// Signals go to everything in the child's group, if it leads one
    /// ([`process_group(0)`](super::Command::process_group)): so the processes that a shell has
    /// started end with it. What is left of the group when the child has ended is killed.
    pub const fn whole_group(mut self) -> OnDrop {
        self.group = true;
        self
    }

    /// Whether everything in the group of the child is to end.
    pub(super) fn is_group(self) -> bool {
        self.group && self.what != What::Detach
    }

    /// The same without any time.
    pub(super) fn killing(self) -> OnDrop {
        let what = What::Kill;
        OnDrop { what, ..self }
    }

    const fn of(what: What) -> OnDrop {
        OnDrop { what, group: false }
    }
}
