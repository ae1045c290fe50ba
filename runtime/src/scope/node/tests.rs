//! The tree of scopes, one operation at a time: the invariants of [`super`] after each.

use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;

use super::*;
use crate::scope::RescheduleError;
use crate::scope::clean_up::CleanUp;
use crate::task::CancelKind;

fn reason() -> CancelReason {
    CancelReason::from("enough")
}

/// N2 and N3, from the parent's side.
fn check(parent: &Arc<Node>, children: &[&Arc<Node>]) {
    let mut counted = 0;
    for child in children {
        let inner = child.inner.lock();
        let link = inner.parent.as_ref();
        let here = link.filter(|link| Arc::ptr_eq(&link.node, parent));
        let counts = child.counts(&inner);
        let place = here.map(|link| link.place);
        drop(inner);
        let above = parent.inner.lock();
        let places: Vec<_> = (0..above.children.len())
            .filter(|place| {
                let child_there = above.children[*place].as_ref().and_then(Weak::upgrade);
                child_there.is_some_and(|it| Arc::ptr_eq(&it, child))
            })
            .collect();
        assert_eq!(places, place.into_iter().collect::<Vec<_>>(), "N3");
        counted += usize::from(place.is_some() && counts);
    }
    assert_eq!(parent.held.load(Ordering::Relaxed), counted, "N2");
}

#[test]
fn every_way_to_hold_counts_once_in_the_parent() {
    let (parent, child) = (Node::new(), Node::new());
    child.settle(Some(&parent));
    check(&parent, &[&child]);
    type Step = fn(&Arc<Node>);
    let steps: [(Step, bool); 12] = [
        (|node| node.raise(), true),
        (|node| node.raise(), true),
        (|node| node.set_holds(true), true),
        (|node| node.set_shield(true), true),
        (|node| node.set_shield(true), true),
        (|node| node.lower(), true),
        (|node| node.set_shield(false), true),
        (|node| node.lower(), true),
        (|node| node.set_shield(true), true),
        (|node| node.set_holds(false), true),
        (|node| node.set_holds(false), true),
        (|node| node.set_shield(false), false),
    ];
    for (number, (step, held)) in steps.into_iter().enumerate() {
        step(&child);
        check(&parent, &[&child]);
        assert_eq!(parent.is_held(), held, "after step {number}");
    }
}

#[test]
fn what_counts_moves_with_its_node_and_goes_with_it() {
    let (top, left, right, child) = (Node::new(), Node::new(), Node::new(), Node::new());
    left.settle(Some(&top));
    right.settle(Some(&top));
    child.raise();
    for parent in [&left, &right, &left, &left, &right] {
        child.settle(Some(parent));
        check(&left, &[&child]);
        check(&right, &[&child]);
        check(&top, &[&left, &right]);
        assert!(top.is_held() && parent.is_held());
    }
    child.settle(None);
    check(&top, &[&left, &right]);
    assert!(!top.is_held());
    child.settle(Some(&left));
    child.leave();
    check(&left, &[&child]);
    check(&top, &[&left, &right]);
    assert!(!top.is_held());
    child.lower();
    child.settle(Some(&left));
    assert!(child.inner.lock().parent.is_none(), "N4");
}

#[test]
fn places_of_children_are_used_again() {
    let parent = Node::new();
    for _ in 0..100 {
        let children = [Node::new(), Node::new(), Node::new()];
        for child in &children {
            child.settle(Some(&parent));
        }
        check(&parent, &[&children[0], &children[1], &children[2]]);
        for child in &children {
            child.leave();
        }
    }
    assert_eq!(parent.inner.lock().children.len(), 3);
}

#[test]
fn a_request_goes_down_and_ends_at_shields() {
    let [top, middle, leaf, shield, behind] = std::array::from_fn(|_| Node::new());
    middle.settle(Some(&top));
    leaf.settle(Some(&middle));
    shield.settle(Some(&middle));
    behind.settle(Some(&shield));
    shield.set_shield(true);
    let token = leaf.token();
    assert!(middle.cancel(&reason()));
    assert!(!middle.cancel(&CancelReason::from("again")), "N1");
    let reached = [&top, &middle, &leaf, &token, &shield, &behind].map(|it| it.reason().is_some());
    assert_eq!(reached, [false, true, true, true, false, false]);
    assert_eq!(leaf.own_reason(), None);
    assert_eq!(token.own_reason(), Some(reason()), "it runs elsewhere");
    shield.set_shield(false);
    assert_eq!(behind.reason(), Some(reason()));
    leaf.leave();
    assert_eq!(leaf.reason(), Some(reason()), "it remembers why it ended");
    let late = Node::new();
    late.settle(Some(&middle));
    assert_eq!(late.token().own_reason(), Some(reason()));
    late.settle(None);
    late.leave();
    assert_eq!(late.reason(), None, "it ended elsewhere");
}

#[test]
fn after_the_end_nothing_is_taken_in() {
    let (parent, node) = (Node::new(), Node::new());
    node.settle(Some(&parent));
    node.set_shield(true);
    node.register(Waker::noop());
    node.leave();
    assert!(!node.cancel(&reason()));
    assert!(node.defer(CleanUp::value(Box::new(()))).is_err());
    node.register(Waker::noop());
    node.set_shield(true);
    node.set_holds(true);
    let inner = node.inner.lock();
    assert!(
        inner.parent.is_none() && inner.waker.is_none() && inner.clean_ups.is_empty(),
        "N4"
    );
    assert!(!inner.shield && !inner.holds);
    drop(inner);
    assert!(!parent.is_held());
}

#[test]
fn a_deadline_is_over_or_moved() {
    let second = Duration::from_secs(1);
    let now = Instant::MAX - 60 * second;
    let node = Node::new();
    assert!(!node.expire(now), "it has none");
    node.set_deadline(Some(now + second));
    assert!(!node.expire(now));
    assert_eq!(node.reschedule(Some(now)), Ok(()));
    assert!(node.expire(now));
    assert_eq!(
        node.own_reason().map(|it| it.kind()),
        Some(CancelKind::Deadline)
    );
    assert_eq!(node.reschedule(None), Err(RescheduleError::Expired));
    node.leave();
    assert_eq!(node.reschedule(None), Err(RescheduleError::Expired));
    let node = Node::new();
    node.cancel(&reason());
    assert!(!node.expire(now));
    assert_eq!(node.reschedule(None), Ok(()));
    node.leave();
    assert_eq!(node.reschedule(None), Err(RescheduleError::Ended));
}

#[test]
fn a_scope_ends_unless_something_else_in_it_is_in_progress() {
    let [top, group, leaf] = std::array::from_fn(|_| Node::new());
    group.settle(Some(&top));
    leaf.settle(Some(&group));
    group.set_holds(true);
    assert!(!leaf.ends_now());
    top.cancel(&reason());
    assert!(leaf.ends_now(), "what is on the way up does not keep it");
    let other = Node::new();
    other.settle(Some(&top));
    other.raise();
    assert!(!leaf.ends_now(), "another one does");
    other.leave();
    assert!(leaf.ends_now());
    group.set_shield(true);
    assert!(!leaf.ends_now(), "and so does a shield");
    assert!(!leaf.is_over(Instant::MAX));
}
