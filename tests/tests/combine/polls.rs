//! Who is polled, how often, and who is woken.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tenter::{as_completed, gather, race, task};

use crate::support::{Gate, Task};

const MANY: usize = 10_000;

#[test]
fn a20_ten_thousand_members_are_polled_once_and_when_they_are_woken() {
    for task in [Task::foreign(), Task::own()] {
        let gates = Gate::row(MANY, false, |index| 1 + index % 3);
        let mut all = pin!(gather(gates.iter().map(Gate::member)));
        assert!(task.poll(all.as_mut()).is_pending());
        assert!(gates.iter().all(|gate| gate.polls() == 1));
        assert!(task.poll(all.as_mut()).is_pending());
        assert!(
            gates.iter().all(|gate| gate.polls() == 1),
            "nobody was woken"
        );
        assert_eq!(task.wakes(), 0);
        for gate in gates.iter().rev() {
            gate.wake();
        }
        assert_eq!(
            task.wakes(),
            1,
            "the first wake wakes the task, and it is polled for all"
        );
        assert!(task.poll(all.as_mut()).is_pending());
        gates[2].wake();
        gates[2].wake();
        assert!(task.poll(all.as_mut()).is_pending());
        for gate in &gates {
            assert_eq!(
                gate.polls(),
                if gate.index == 2 {
                    3
                } else {
                    (1 + gate.index % 3).min(2)
                }
            );
            gate.wake();
        }
        let Poll::Ready(outputs) = task.poll(all.as_mut()) else {
            panic!("all were woken")
        };
        assert!(outputs.into_iter().eq(0..MANY));
        assert!(
            gates
                .iter()
                .all(|gate| gate.polls() == 1 + gate.index % 3 && gate.drops() == 1)
        );
        assert_eq!(task.wakes(), 3);
    }
}

/// On the runtime, with sleeps of different lengths.
#[tenter::test]
async fn a20_ten_thousand_sleeps_are_polled_twice_each() {
    let polls = std::cell::Cell::new(0);
    let members = (0..MANY).map(|index| {
        let polls = &polls;
        async move {
            let mut sleep = pin!(crate::support::after(index as u64 % 97, index));
            std::future::poll_fn(|cx| {
                polls.set(polls.get() + 1);
                sleep.as_mut().poll(cx)
            })
            .await
        }
    });
    assert!(gather(members).await.into_iter().eq(0..MANY));
    let ready_at_once = MANY.div_ceil(97);
    // And those whose budget was spent came back.
    assert!(polls.get() <= 3 * MANY - ready_at_once, "{}", polls.get());
}

#[test]
fn outputs_come_in_the_order_of_the_wakes() {
    let task = Task::own();
    let gates = Gate::row(5, false, |_| 2);
    let mut outputs = as_completed(gates.iter().map(Gate::member));
    assert!(task.poll(pin!(outputs.next())).is_pending());
    for index in [3, 0, 4, 0, 1] {
        gates[index].wake();
    }
    for index in [3, 0, 4, 1] {
        assert_eq!(
            task.poll(pin!(outputs.next())),
            Poll::Ready(Some((index, index)))
        );
    }
    assert!(task.poll(pin!(outputs.next())).is_pending());
    assert_eq!(task.wakes(), 1);
}

/// A wake during a poll is not lost, and lets the runtime go on first.
#[test]
fn a_member_that_wakes_itself_has_one_turn_in_each_poll() {
    for task in [Task::foreign(), Task::own()] {
        let gates = Gate::row(3, true, |index| [4, 2, 3][index]);
        let mut all = pin!(gather(gates.iter().map(Gate::member)));
        for turn in 1..4 {
            assert!(task.poll(all.as_mut()).is_pending());
            assert_eq!(gates.iter().map(|gate| gate.polls()).max(), Some(turn));
            assert!(task.wakes() >= turn);
        }
        assert_eq!(task.poll(all.as_mut()), Poll::Ready(vec![0, 1, 2]));
        assert_eq!(
            gates.iter().map(|gate| gate.polls()).collect::<Vec<_>>(),
            [4, 2, 3]
        );
    }
}

#[test]
fn a_spent_budget_ends_the_round() {
    let task = Task::own();
    let gates = Gate::row(4, false, |_| 2);
    let mut all = pin!(gather(gates.iter().map(Gate::member)));
    assert!(task.poll_with(0, all.as_mut()).is_pending());
    assert!(gates.iter().all(|gate| gate.polls() == 1), "all have begun");
    gates.iter().for_each(|gate| gate.wake());
    let wakes = task.wakes();
    assert!(task.poll_with(0, all.as_mut()).is_pending());
    assert!(
        gates.iter().all(|gate| gate.polls() == 1),
        "nobody was polled for nothing"
    );
    assert_eq!(task.wakes(), wakes + 1);
    assert!(task.poll_with(1, all.as_mut()).is_ready());
}

/// What is ready costs one operation, so that a loop around it lets go.
#[tenter::test]
async fn a_loop_around_ready_members_does_not_starve_the_others() {
    let other = tenter::spawn(async {});
    let mut rounds = 0;
    while !other.is_finished() {
        match rounds % 3 {
            0 => drop(gather!(async {}, async {}).await),
            1 => drop(gather([async {}]).await),
            _ => drop(race([async {}]).await),
        }
        rounds += 1;
    }
    assert!((1..=200).contains(&rounds), "{rounds}");
}

/// Two members that keep each other busy let a third one and other tasks go on.
#[tenter::test]
async fn members_that_wake_each_other_do_not_starve_anybody() {
    let other = tenter::spawn(async {
        for _ in 0..10 {
            task::yield_now().await;
        }
    });
    let (ping, pong) = tenter_sync::channel::bounded(1);
    let turns = std::cell::Cell::new(0);
    gather!(
        async {
            while !other.is_finished() {
                let _ = ping.send(()).await;
                turns.set(turns.get() + 1);
            }
            drop(ping);
        },
        async { while pong.recv().await.is_ok() {} }
    )
    .await;
    assert!(turns.get() <= 2_000, "{}", turns.get());
}

struct Nested<F>(Pin<Box<F>>);

impl<F: Future> Future for Nested<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(cx)
    }
}

/// A wake goes through each level, to one member of each.
#[test]
fn nested_combinators_poll_only_what_was_woken() {
    let task = Task::own();
    let gates = Gate::row(9, false, |_| 2);
    let rows = gates
        .chunks(3)
        .map(|row| Nested(Box::pin(gather(row.iter().map(Gate::member)))));
    let mut all = pin!(gather(rows));
    assert!(task.poll(all.as_mut()).is_pending());
    for (turn, gate) in gates.iter().enumerate() {
        gate.wake();
        assert_eq!(task.wakes(), turn + 1);
        assert_eq!(task.poll(all.as_mut()).is_ready(), turn == 8);
        assert!(
            gates
                .iter()
                .all(|gate| gate.polls() == if gate.index <= turn { 2 } else { 1 })
        );
    }
}

#[test]
fn who_polls_too_late_is_told() {
    let task = Task::own();
    let mut all = pin!(gather(Gate::row(1, false, |_| 1).iter().map(Gate::member)));
    assert!(task.poll(all.as_mut()).is_ready());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task.poll(all.as_mut())));
    assert!(
        again
            .unwrap_err()
            .downcast_ref::<&str>()
            .is_some_and(|said| said.contains("after it had ended"))
    );
}
