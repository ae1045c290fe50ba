//! [`OnDrop`]: what becomes of a child that nobody waits for any more.
//!
//! Tests: `tests/tests/process/drops.rs`.

use std::time::Duration;

use crate::signal::SignalKind;

/// What becomes of a child when its [`Child`](super::Child) is dropped before it has ended.
///
/// In every case it is reaped in the background. Its pipes are closed first, so a child that still
/// writes to one on its way out finds nobody there ([`Child::end`](super::Child::end) keeps them open).
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

    const fn of(what: What) -> OnDrop {
        OnDrop { what, group: false }
    }
}
