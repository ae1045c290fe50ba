//! Tests of the line of sleepers.

use super::*;

fn all_started(workers: usize) -> Idle {
    let idle = Idle::new(workers, 0);
    idle.line.lock().started = workers as u16;
    idle.count(&idle.line.lock());
    idle
}

#[test]
fn threads_are_started_when_nobody_sleeps_and_the_first_claim_brings_a_guard() {
    let idle = Idle::new(3, 0);
    assert_eq!(idle.park(0, false, false), Sleep::Bounded);
    assert_eq!(
        idle.claim(),
        Claim::Worker(Nudge::Wake(0), Some(Nudge::Start(1))),
    );
    assert_eq!(idle.claim(), Claim::Nobody, "one searches");
    assert_eq!(idle.end_search(), SearchEnded::Last);
    assert_eq!(idle.park(1, false, false), Sleep::Bounded);
    assert_eq!(
        idle.claim(),
        Claim::Worker(Nudge::Wake(1), Some(Nudge::Start(2)))
    );
    assert_eq!(idle.look(1), Sleep::Claimed);
    assert_eq!(idle.leave(1, true), Left::Claimed);
    assert_eq!(idle.line.lock().active(), 3);
}

#[test]
fn the_guard_and_the_leader_are_woken_last() {
    let idle = all_started(4);
    assert_eq!(idle.park(0, false, true), Sleep::Bounded);
    assert_eq!(idle.park(1, false, false), Sleep::Bounded);
    assert_eq!(idle.park(2, false, false), Sleep::Unbounded);
    assert_eq!(idle.claim(), Claim::Worker(Nudge::Wake(2), None));
    assert_eq!(idle.end_search(), SearchEnded::Last);
    assert_eq!(
        idle.claim(),
        Claim::Worker(Nudge::Wake(1), None),
        "the leader is bounded"
    );
    assert_eq!(idle.end_search(), SearchEnded::Last);
    assert_eq!(idle.claim(), Claim::Worker(Nudge::Wake(0), None));
}

#[test]
fn from_full_idle_whoever_gets_up_leaves_a_guard_behind() {
    let idle = all_started(2);
    let _ = idle.park(0, false, true);
    let _ = idle.park(1, false, false);
    idle.resign(0);
    idle.resign(1);
    assert_eq!(idle.look(0), Sleep::Unbounded);
    assert_eq!(idle.look(1), Sleep::Unbounded);
    assert_eq!(idle.leave(0, true), Left::Active(Some(Nudge::Wake(1))));
    assert_eq!(idle.look(1), Sleep::Bounded);
    idle.lead(1);
    assert_eq!(idle.look(1), Sleep::Bounded);
    assert_eq!(
        idle.park(0, false, false),
        Sleep::Bounded,
        "a guard beside the leader"
    );
}

#[test]
fn a_claim_that_leaves_only_an_unbounded_leader_nudges_it() {
    let idle = all_started(2);
    let _ = idle.park(0, false, true);
    let _ = idle.park(1, false, false);
    idle.resign(0);
    idle.resign(1);
    assert_eq!(
        idle.claim(),
        Claim::Worker(Nudge::Wake(1), Some(Nudge::Wake(0)))
    );
    assert_eq!(idle.look(0), Sleep::Bounded);
}

#[test]
fn no_more_than_half_search() {
    let idle = all_started(4);
    assert!(idle.begin_search());
    assert!(idle.begin_search());
    assert!(!idle.begin_search());
    assert_eq!(idle.end_search(), SearchEnded::NotLast);
    assert_eq!(idle.end_search(), SearchEnded::Last);
}

#[test]
fn a_refused_thread_is_not_counted_asleep_until_it_is_tried_again() {
    let idle = Idle::new(2, 0);
    let Claim::Worker(Nudge::Start(1), None) = idle.claim() else {
        panic!("the second worker has no thread");
    };
    idle.refused(1, true);
    assert_eq!(idle.claim(), Claim::Nobody);
    assert_eq!(idle.searching(), 0);
    idle.retry_starts();
    assert_eq!(idle.claim(), Claim::Worker(Nudge::Start(1), None));
}

#[test]
fn a_spare_stands_in_for_a_blocked_worker_and_sleeps_when_it_is_back() {
    let idle = Idle::new(1, 1);
    assert_eq!(
        idle.claim(),
        Claim::Nobody,
        "one is active, which is enough"
    );
    idle.block();
    assert!(!idle.is_any_active());
    assert_eq!(idle.claim(), Claim::Worker(Nudge::Start(1), None));
    assert_eq!(idle.end_search(), SearchEnded::Last);
    assert_eq!(idle.claim(), Claim::Nobody);
    idle.unblock();
    let _ = idle.park(1, false, false);
    assert_eq!(idle.claim(), Claim::Nobody, "the first one is active again");
    let _ = idle.park(0, false, false);
    let claimed = idle.claim();
    assert!(
        matches!(claimed, Claim::Worker(Nudge::Wake(_), _)),
        "{claimed:?}"
    );
    assert_eq!(idle.end_search(), SearchEnded::Last);
    assert_eq!(idle.claim(), Claim::Nobody);
}

#[test]
fn of_two_threads_the_one_that_came_is_not_started_again_when_the_other_was_refused() {
    let idle = Idle::new(3, 0);
    let both = Claim::Worker(Nudge::Start(1), Some(Nudge::Start(2)));
    assert_eq!(idle.claim(), both, "one to work, and one to guard");
    idle.refused(1, true);
    assert_eq!(idle.line.lock().active(), 2);
    assert_eq!(idle.claim(), Claim::Nobody);
    idle.retry_starts();
    assert_eq!(idle.claim(), Claim::Worker(Nudge::Start(1), None));
}
