//! Who may run the tasks of a guest next: the baton, and the places where it can be.
//!
//! ```text
//!               begin_turn                  wait                   take
//!   Posted ────────────────► Turn ──────────────────► Handed ────────────────► Waiting
//!    ▲ │ ▲                    │ │                                               │   │
//!    │ │ └──── post ──────────┘ │ finish                                        │   │ recall
//!    │ │                        └──────► Closed ◄──── recall: from Posted,      │   ▼
//!    │ │ lose                                         Handed, Lost, Returned    │ Recalled
//!    │ ▼                                                    ▲                   │   │ arrive
//!    │ Lost ──── resume ──► Posted                          └────────── Returned ◄──┘
//!    └─────────────────────────── arrive ───────────────────────────────────────┘
//! ```
//!
//! The host's thread has the baton in Turn, the helper's in Waiting and Recalled; otherwise it is here. In
//! Posted there is exactly one turn that was given to the poster and was neither run nor dropped.
//!
//! Invariants:
//! - G1: one baton. So turns never overlap, and no second one is posted while one is outstanding.
//! - G2: whoever brings it to Posted posts, once, after it has let go of it, and touches nothing of the
//!   guest's tasks any more.
//! - G3: Closed is final: a turn that comes later finds nothing to do.
//! - G4: a recall waits only for the helper's sleep, which it ends; never for a poster or for the host's loop.
//!
//! # Nobody waits in vain
//!
//! The helper sleeps in two places. In [`take`](Relay::take), on a parker whose token the host leaves after it
//! has changed the stage. And, with the baton, where its errand leads it: there the recall first changes the
//! stage and then interrupts; the helper begins its sleep, or finds the interruption, and only then asks
//! whether it was recalled. Both are tokens, so whichever comes first the other sees it.
//!
//! A wake of a task has nothing to do with any of this: the task is in the inbox before the sleeper is looked
//! for, whichever thread sleeps (`scheduler/inbox.rs`), and in Posted, Turn and Handed nobody does.
//!
//! Rejected: whoever wakes a task posts the turn. The poster is code of the program and would run inside a
//! wake, under whatever locks the waker's caller holds.
//!
//! Tests: below; `loom-tests/tests/guest.rs`.

use core::fmt;

use tenter_sync::parker::Parker;
use tenter_sync::planted;
use tenter_sync::shim::Mutex;

/// Where the baton is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A turn is on its way through the host's loop.
    Posted,
    /// The host's thread runs a turn.
    Turn,
    /// The helper is to take it.
    Handed,
    /// The helper has it.
    Waiting,
    /// The helper has it, and is to bring it back.
    Recalled,
    /// The helper has brought it back.
    Returned,
    /// The host has dropped the turn.
    Lost,
    /// The guest has ended.
    Closed,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    BeginTurn,
    Post,
    Wait,
    Finish,
    Take,
    Arrive,
    Lose,
    Resume,
    Recall,
}

/// `None`: it means nothing there.
fn step(stage: Stage, event: Event) -> Option<Stage> {
    use Event::*;
    use Stage::*;
    Some(match (stage, event) {
        (Posted, BeginTurn) => Turn,
        (Posted, Lose) => Lost,
        (Lost, Resume) => Posted,
        (Turn, Post) => Posted,
        (Turn, Wait) => Handed,
        (Turn, Finish) => Closed,
        (Handed, Take) => Waiting,
        (Waiting, Arrive) => Posted,
        (Recalled, Arrive) => Returned,
        (Waiting, Recall) => Recalled,
        (Posted | Handed | Lost | Returned, Recall) => Closed,
        _ => return None,
    })
}

/// The baton's way between the host's thread and the helper's.
pub struct Relay<B> {
    state: Mutex<State<B>>,
    /// Where the helper sleeps while the baton is not for it.
    helper: Parker,
    /// Where the host's thread sleeps while it recalls.
    host: Parker,
}

struct State<B> {
    stage: Stage,
    /// There in Posted, Handed, Returned and Lost.
    baton: Option<B>,
}

impl<B> State<B> {
    fn step(&mut self, event: Event) -> bool {
        let next = step(self.stage, event);
        self.stage = next.unwrap_or(self.stage);
        next.is_some()
    }

    fn put(&mut self, event: Event, baton: B) {
        let stepped = self.step(event);
        debug_assert!(
            stepped,
            "G1: {event:?} by who has the baton, in {:?}",
            self.stage
        );
        self.baton = Some(baton);
    }
}

impl<B> fmt::Debug for Relay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.state.try_lock().map(|state| state.stage);
        f.debug_struct("Relay").field("stage", &stage).finish()
    }
}

/// What the helper does after it has put the baton down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Arrived {
    /// It posts a turn (G2).
    Post,
    /// It was recalled: nothing.
    Nothing,
}

impl<B> Default for Relay<B> {
    /// In Turn: the caller has the baton.
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                stage: Stage::Turn,
                baton: None,
            }),
            helper: Parker::new(),
            host: Parker::new(),
        }
    }
}

impl<B> Relay<B> {
    /// A posted turn is run. `None`: the guest has ended (G3).
    pub fn begin_turn(&self) -> Option<B> {
        let mut state = self.state.lock();
        if !state.step(Event::BeginTurn) {
            return None;
        }
        state.baton.take()
    }

    /// More is to be done on the host's thread: the caller posts (G2).
    pub fn post(&self, baton: B) {
        self.state.lock().put(Event::Post, baton);
    }

    /// Nothing is to be done there until the helper has waited.
    pub fn wait(&self, baton: B) {
        self.state.lock().put(Event::Wait, baton);
        if !planted!("guest.hand_without_wake") {
            let _ = self.helper.unpark();
        }
    }

    /// The guest has ended in a turn; the baton is the caller's.
    pub fn finish(&self) {
        let finished = self.state.lock().step(Event::Finish);
        debug_assert!(finished, "by who has the baton");
        let _ = self.helper.unpark();
    }

    /// The helper waits for the baton. `None`: the guest has ended.
    pub fn take(&self) -> Option<B> {
        loop {
            let mut state = self.state.lock();
            if state.step(Event::Take) {
                return state.baton.take();
            }
            if state.stage == Stage::Closed {
                return None;
            }
            drop(state);
            // Why it returned does not matter: the stage is looked at again.
            let _ = self.helper.park(None);
        }
    }

    /// Whether the helper is to bring the baton back.
    pub fn is_recalled(&self) -> bool {
        self.state.lock().stage == Stage::Recalled
    }

    /// The helper has done its errand.
    pub fn arrive(&self, baton: B) -> Arrived {
        let mut state = self.state.lock();
        state.put(Event::Arrive, baton);
        let posted = state.stage == Stage::Posted;
        drop(state);
        if posted {
            return Arrived::Post;
        }
        if !planted!("guest.return_without_wake") {
            let _ = self.host.unpark();
        }
        Arrived::Nothing
    }

    /// The posted turn was dropped.
    pub fn lose(&self) {
        self.state.lock().step(Event::Lose);
    }

    /// Whether the posted turn was dropped.
    pub fn is_lost(&self) -> bool {
        self.state.lock().stage == Stage::Lost
    }

    /// True: the dropped turn is as good as posted, which the caller does (G2).
    pub fn resume(&self) -> bool {
        self.state.lock().step(Event::Resume)
    }

    /// The host ends the guest: no turn runs any more. `None`: it has ended, or a turn is in progress.
    /// `interrupt` ends the sleep of a helper that waits.
    pub fn recall(&self, interrupt: impl Fn()) -> Option<B> {
        loop {
            let mut state = self.state.lock();
            let stepped = state.step(Event::Recall);
            match state.stage {
                Stage::Closed => {
                    let baton = state.baton.take();
                    drop(state);
                    let _ = self.helper.unpark();
                    return baton;
                }
                Stage::Recalled => {
                    drop(state);
                    if stepped && !planted!("guest.recall_without_interrupt") {
                        interrupt();
                    }
                    let _ = self.host.park(None);
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Event::*;
    use super::Stage::*;
    use super::*;

    const STAGES: [Stage; 8] = [
        Posted, Turn, Handed, Waiting, Recalled, Returned, Lost, Closed,
    ];
    const EVENTS: [Event; 9] = [
        BeginTurn, Post, Wait, Finish, Take, Arrive, Lose, Resume, Recall,
    ];

    #[test]
    fn every_event_in_every_stage() {
        let table = [
            (Posted, BeginTurn, Turn),
            (Posted, Lose, Lost),
            (Posted, Recall, Closed),
            (Turn, Post, Posted),
            (Turn, Wait, Handed),
            (Turn, Finish, Closed),
            (Handed, Take, Waiting),
            (Handed, Recall, Closed),
            (Waiting, Arrive, Posted),
            (Waiting, Recall, Recalled),
            (Recalled, Arrive, Returned),
            (Returned, Recall, Closed),
            (Lost, Resume, Posted),
            (Lost, Recall, Closed),
        ];
        for stage in STAGES {
            for event in EVENTS {
                let row = table.iter().find(|row| (row.0, row.1) == (stage, event));
                assert_eq!(
                    step(stage, event),
                    row.map(|row| row.2),
                    "{event:?} in {stage:?}"
                );
            }
        }
    }

    /// Goal: G1. Whoever may act next is one: of host and helper never both have the baton, and it is kept in
    /// every stage in which nobody has it.
    #[test]
    fn the_baton_goes_round() {
        let relay = Relay::default();
        relay.post(7);
        assert_eq!(relay.begin_turn(), Some(7));
        assert_eq!(relay.begin_turn(), None, "no turn is posted");
        relay.wait(7);
        assert_eq!(relay.begin_turn(), None);
        assert_eq!(relay.take(), Some(7));
        assert_eq!(relay.arrive(7), Arrived::Post);
        relay.lose();
        assert!(relay.is_lost());
        assert_eq!(relay.begin_turn(), None);
        assert!(relay.resume() && !relay.resume());
        assert_eq!(relay.recall(|| unreachable!("nobody waits")), Some(7));
        assert_eq!(relay.recall(|| unreachable!("nobody waits")), None);
        assert_eq!(relay.take(), None);
        assert_eq!(relay.begin_turn(), None);
    }
}
