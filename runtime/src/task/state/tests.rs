//! Every row of the table in [`super`], on the pure steps.

use super::*;

const R: usize = ONE_REF;

/// Goal: every row of the drawn table. Method: the pure steps, without threads.
#[test]
fn wake_follows_the_table() {
    use AfterWake::{Nothing, Submit};
    for (from, to, after) in [
        (R, R | SCHEDULED, Submit),
        (R | SCHEDULED, R | SCHEDULED, Nothing),
        (R | RUNNING, R | RUNNING | SCHEDULED, Nothing),
        (R | CLEANING, R | CLEANING | SCHEDULED, Submit),
        (
            R | RUNNING | CLEANING,
            R | RUNNING | CLEANING | SCHEDULED,
            Nothing,
        ),
        (R | COMPLETE, R | COMPLETE, Nothing),
    ] {
        assert_eq!(Word(from).wake(), (Word(to), after), "{:?}", Word(from));
    }
}

#[test]
fn cancel_follows_the_table() {
    use AfterCancel::{Noted, Submit, TooLate};
    for (from, to, after) in [
        (R, R | CANCEL | SCHEDULED, Submit),
        (R | SCHEDULED, R | SCHEDULED | CANCEL, Noted),
        (R | RUNNING, R | RUNNING | CANCEL, Noted),
        (R | CANCEL, R | CANCEL, TooLate),
        (R | RUNNING | CLEANING, R | RUNNING | CLEANING, TooLate),
        (R | CLEANING, R | CLEANING, TooLate),
        (R | COMPLETE, R | COMPLETE, TooLate),
    ] {
        assert_eq!(Word(from).cancel(), (Word(to), after), "{:?}", Word(from));
    }
}

#[test]
fn begin_poll_drops_what_was_cancelled_before_it_ran() {
    assert_eq!(
        Word(R | SCHEDULED).begin_poll(),
        (Word(R | RUNNING), BeginPoll::Poll)
    );
    assert_eq!(
        Word(R | SCHEDULED | CANCEL).begin_poll(),
        (Word(R | RUNNING | CANCEL), BeginPoll::Poll),
        "readiness first"
    );
    assert_eq!(
        Word(R | SCHEDULED | CANCEL | FRESH).begin_poll(),
        (
            Word(R | RUNNING | CANCEL | FRESH | CLEANING),
            BeginPoll::Discard
        )
    );
}

/// Goal: a task whose future is gone is polled for its clean-ups alone, until they are ready.
#[test]
fn clean_ups_follow_the_table() {
    use EndCleanUp::{Release, Requeue};
    let cleaning = R | RUNNING | CLEANING;
    assert_eq!(
        Word(R | SCHEDULED | CANCEL | CLEANING).begin_poll(),
        (Word(cleaning | CANCEL), BeginPoll::CleanUp)
    );
    for (from, yielded, to, after) in [
        (cleaning, false, R | CLEANING, Release),
        (cleaning | FRESH, false, R | CLEANING, Release),
        (cleaning, true, R | CLEANING | SCHEDULED, Requeue),
        (
            cleaning | SCHEDULED,
            false,
            R | CLEANING | SCHEDULED,
            Requeue,
        ),
    ] {
        let step = Word(from).end_clean_up(yielded);
        assert_eq!(step, (Word(to), after), "{:?}", Word(from));
    }
}

#[test]
fn end_poll_follows_the_table() {
    use EndPoll::{Discard, Release, Requeue};
    for (from, shielded, yielded, to, after) in [
        (R | RUNNING | FRESH, false, false, R, Release),
        (
            R | RUNNING | SCHEDULED,
            false,
            false,
            R | SCHEDULED,
            Requeue,
        ),
        (R | RUNNING, false, true, R | SCHEDULED, Requeue),
        (
            R | RUNNING | CANCEL,
            false,
            false,
            R | RUNNING | CANCEL | CLEANING,
            Discard,
        ),
        (
            R | RUNNING | CANCEL,
            false,
            true,
            R | RUNNING | CANCEL | CLEANING,
            Discard,
        ),
        (R | RUNNING | CANCEL, true, false, R | CANCEL, Release),
    ] {
        let step = Word(from).end_poll(shielded, yielded);
        assert_eq!(step, (Word(to), after), "{:?}", Word(from));
    }
}

#[test]
fn the_join_side_follows_the_table() {
    let (register, registered) = Word(R | JOIN).register();
    assert_eq!(
        (register, registered),
        (Word(R | JOIN | JOIN_WAKER), Register::Registered)
    );
    assert_eq!(Word(R | JOIN | COMPLETE).register().1, Register::Complete);
    assert_eq!(register.unregister(), (Word(R | JOIN), Unregister::Owned));
    assert_eq!(
        Word(R | JOIN | JOIN_WAKER | COMPLETE).unregister().1,
        Unregister::Complete
    );
    assert_eq!(register.detach(), (Word(R), Detach::Detached));
    assert_eq!(Word(R | JOIN | COMPLETE).detach().1, Detach::Complete);
}

#[test]
fn finish_tells_whose_the_output_is() {
    for (flags, after) in [
        (0, Finish::DropOutput),
        (JOIN, Finish::LeaveOutput),
        (JOIN | JOIN_WAKER, Finish::WakeJoiner),
    ] {
        let state = State(AtomicUsize::new(R | RUNNING | flags));
        assert_eq!(state.finish(), after);
        assert!(state.load().is_complete());
    }
    let last = State(AtomicUsize::new(R | RUNNING));
    assert!(last.finish_detached());
    let not_last = State(AtomicUsize::new((2 * R) | RUNNING));
    assert!(!not_last.finish_detached());
    assert!(not_last.release());
}

#[test]
fn shutdown_claims_what_sleeps_or_waits_and_nothing_else() {
    for (from, claimed) in [
        (R, Claim::Future),
        (R | SCHEDULED, Claim::Future),
        (R | CLEANING, Claim::CleanUps),
        (R | SCHEDULED | CLEANING, Claim::CleanUps),
        (R | COMPLETE, Claim::Nothing),
        (R | RUNNING, Claim::Nothing),
    ] {
        assert_eq!(State(AtomicUsize::new(from)).claim_for_shutdown(), claimed);
    }
}

#[test]
fn debug_names_the_flags() {
    assert_eq!(
        format!("{:?}", Word(SPAWNED)),
        "SCHEDULED JOIN FRESH refs=2"
    );
}
