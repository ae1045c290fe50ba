//! `OnceCell` against a sequential model.

mod support;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::generator::Random;
use support::{Count, poll_with};
use tenter_sync::{OnceCell, SetError};

type Boxed<'a, R> = Pin<Box<dyn Future<Output = R> + 'a>>;

/// How an initialiser of the property test goes on when it is polled again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Order {
    Wait,
    Fail,
    Succeed,
}

/// Goal: the cell behaves as one place, one who is at work, and others who wait; and whenever nobody is
/// at work and somebody waits, one of them has been woken and not polled since.
/// Method: random futures, polls, drops and orders to the initialiser, checked after each step.
#[test]
fn it_agrees_with_a_place_and_one_at_work() {
    struct Get<'a> {
        name: usize,
        future: Boxed<'a, Result<usize, usize>>,
        waker: Waker,
        count: Arc<Count>,
        /// Wakes at its last poll, if it waits.
        waits: Option<usize>,
    }
    let mut outcomes = HashMap::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let cell = OnceCell::new();
        let orders = Rc::new(RefCell::new(HashMap::<usize, Order>::new()));
        let mut at_work: Option<usize> = None;
        let mut value: Option<usize> = None;
        let mut gets: Vec<Get<'_>> = Vec::new();
        for name in 0..120 {
            let at = format!("seed {seed}, step {name}");
            match random.below(20) {
                0..=4 if gets.len() < 40 => {
                    let (waker, count) = Count::new();
                    let (cell, orders) = (&cell, Rc::clone(&orders));
                    let future = Box::pin(async move {
                        cell.get_or_try_init(|| {
                            poll_fn(move |_| match orders.borrow()[&name] {
                                Order::Wait => Poll::Pending,
                                Order::Fail => Poll::Ready(Err(name)),
                                Order::Succeed => Poll::Ready(Ok(name)),
                            })
                        })
                        .await
                        .copied()
                    });
                    gets.push(Get {
                        name,
                        future,
                        waker,
                        count,
                        waits: None,
                    });
                }
                5..=6 if !gets.is_empty() => {
                    let get = gets.swap_remove(random.below(gets.len()));
                    if at_work == Some(get.name) {
                        at_work = None;
                    }
                }
                7 if random.below(40) == 0 => {
                    let expected = match (value, at_work) {
                        (Some(_), _) => Err(SetError::AlreadySet(name)),
                        (None, Some(_)) => Err(SetError::Initializing(name)),
                        (None, None) => Ok(()),
                    };
                    assert_eq!(cell.set(name), expected, "{at}");
                    value = value.or(expected.is_ok().then_some(name));
                }
                _ if !gets.is_empty() => {
                    let index = random.below(gets.len());
                    let get = &mut gets[index];
                    let order = [
                        Order::Wait,
                        Order::Wait,
                        Order::Wait,
                        Order::Fail,
                        Order::Fail,
                        Order::Succeed,
                    ][random.below(if seed % 2 == 0 { 5 } else { 6 })];
                    orders.borrow_mut().insert(get.name, order);
                    let outcome = poll_with(get.future.as_mut(), &get.waker);
                    let works = value.is_none() && at_work.is_none_or(|worker| worker == get.name);
                    let expected = match (value, works, order) {
                        (Some(value), ..) => Poll::Ready(Ok(value)),
                        (None, false, _) | (None, true, Order::Wait) => Poll::Pending,
                        (None, true, Order::Fail) => Poll::Ready(Err(get.name)),
                        (None, true, Order::Succeed) => Poll::Ready(Ok(get.name)),
                    };
                    assert_eq!(outcome, expected, "{at}");
                    get.waits = (outcome.is_pending() && !works).then(|| get.count.get());
                    if works {
                        at_work = outcome.is_pending().then_some(get.name);
                        value = (order == Order::Succeed).then_some(get.name);
                    }
                    *outcomes
                        .entry((works, order, outcome.is_ready()))
                        .or_insert(0) += 1;
                    if outcome.is_ready() {
                        gets.swap_remove(index);
                    }
                }
                _ => {}
            }
            let waiting = || gets.iter().filter_map(|get| Some((get, get.waits?)));
            let woken = waiting()
                .filter(|(get, wakes)| get.count.get() > *wakes)
                .count();
            let stats = cell.stats();
            assert_eq!(stats.is_initializing, at_work.is_some(), "{at}");
            assert_eq!(cell.get().copied(), value, "{at}");
            if value.is_some() {
                assert_eq!(woken, waiting().count(), "{at}: all are woken");
                assert_eq!(stats.waiting, 0, "{at}");
            } else if at_work.is_none() && waiting().count() > 0 {
                assert!(woken > 0, "{at}: somebody is told to try");
            }
            assert!(stats.waiting + woken >= waiting().count(), "{at}");
        }
    }
    assert_eq!(outcomes.len(), 9, "every case took place: {outcomes:?}");
}
