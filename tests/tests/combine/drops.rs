//! A combinator that is dropped after each of its polls leaves nothing behind, and nothing twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tenter::{
    as_completed, gather as all_of, gather, gather_settled, map_concurrent, race, race_ok, select,
    staggered, try_gather,
};

use crate::support::{Gate, Member, Task};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;
type Make = fn(&Gates) -> Boxed;
type Gates = Vec<Arc<Gate>>;

async fn fallible(member: Member, fails: fn(usize) -> bool) -> Result<usize, usize> {
    let index = member.await;
    if fails(index) { Err(index) } else { Ok(index) }
}

fn members(gates: &Gates) -> Vec<Member> {
    gates.iter().map(Gate::member).collect()
}

fn results(
    gates: &Gates,
    fails: fn(usize) -> bool,
) -> Vec<impl Future<Output = Result<usize, usize>> + use<>> {
    gates
        .iter()
        .map(|gate| fallible(gate.member(), fails))
        .collect()
}

/// Every combinator, over the members of these gates.
fn combinators() -> Vec<(&'static str, Make)> {
    vec![
        ("gather", |gates| {
            let all = gather(members(gates));
            Box::pin(async { drop(all.await) })
        }),
        ("try_gather", |gates| {
            let all = try_gather(results(gates, |_| false));
            Box::pin(async { assert!(all.await.is_ok()) })
        }),
        ("try_gather that fails", |gates| {
            let all = try_gather(results(gates, |index| index == 2));
            Box::pin(async { assert_eq!(all.await, Err(2)) })
        }),
        ("gather_settled", |gates| {
            let all = gather_settled(results(gates, |index| index % 2 == 0));
            Box::pin(async { drop(all.await) })
        }),
        ("gather!", |gates| {
            let all = tenter::gather!(
                gates[0].member(),
                gates[1].member(),
                all_of(members(&gates[2..].to_vec()))
            );
            Box::pin(async { drop(all.await) })
        }),
        ("try_gather!", |gates| {
            let fails = |index| index == 1;
            let [a, b] = [0, 1].map(|index: usize| fallible(gates[index].member(), fails));
            let rest = try_gather(results(&gates[2..].to_vec(), |_| false));
            let all = tenter::try_gather!(a, b, rest);
            Box::pin(async { assert_eq!(all.await.map(drop), Err(1)) })
        }),
        ("race", |gates| {
            let race = race(members(gates));
            Box::pin(async {
                let _ = race.await;
            })
        }),
        ("race_ok", |gates| {
            let race = race_ok(results(gates, |index| index != 3));
            Box::pin(async { assert_eq!(race.await, Ok((3, 3))) })
        }),
        ("race_ok that fails", |gates| {
            let race = race_ok(results(gates, |_| true));
            Box::pin(async { assert!(race.await.is_err()) })
        }),
        ("map_concurrent", |gates| {
            let rows: Vec<_> = gates
                .chunks(2)
                .map(|row| all_of(members(&row.to_vec())))
                .collect();
            Box::pin(async { drop(map_concurrent(rows, 3, |row| row).await) })
        }),
        ("staggered", |gates| {
            let members = results(gates, |index| index != 4);
            Box::pin(async { assert_eq!(staggered(members, None).await, Ok((4, 4))) })
        }),
        ("select!", |gates| {
            let mut members = members(gates).into_iter();
            let [a, b, c] = [(); 3].map(|()| members.next().expect("there are five at least"));
            let rest = gather(members.collect::<Vec<_>>());
            Box::pin(async {
                // Declared here, so that they are dropped in this order.
                select! {
                    1_000 = a => unreachable!(),
                    _ = b => {}
                    _ = c => {}
                    _ = rest => {}
                }
            })
        }),
        ("as_completed", |gates| {
            let mut outputs = as_completed(members(gates));
            Box::pin(async move { while outputs.next().await.is_some() {} })
        }),
    ]
}

#[test]
fn csall_dropped_after_any_poll_every_member_is_dropped_once() {
    for (name, combinator) in combinators() {
        for (eager, own) in [(false, false), (false, true), (true, false), (true, true)] {
            for polls in 0.. {
                let task = if own { Task::own() } else { Task::foreign() };
                let gates = Gate::row(6, eager, |index| [3, 5, 2, 4, 1, 3][index]);
                let mut future = combinator(&gates);
                let mut ended = false;
                for _ in 0..polls {
                    ended = matches!(task.poll(future.as_mut()), Poll::Ready(()));
                    if ended {
                        break;
                    }
                    gates.iter().rev().for_each(|gate| gate.wake());
                }
                let before = task.wakes();
                drop(future);
                for gate in &gates {
                    assert_eq!(
                        gate.drops(),
                        1,
                        "{name}: {} after {polls} polls",
                        gate.index
                    );
                }
                // Wakers that are kept are of no use, and do no harm.
                assert_eq!(
                    Arc::strong_count(&task.wakes),
                    1,
                    "{name}: the task's waker is kept"
                );
                gates.iter().for_each(|gate| gate.wake());
                assert_eq!(task.wakes(), before, "{name}: woken after its end");
                if ended {
                    break;
                }
                assert!(polls < 100, "{name} does not end");
            }
        }
    }
}

#[test]
fn members_are_dropped_in_order() {
    for (name, combinator) in combinators() {
        let gates = Gate::row(5, false, |_| 9);
        let mut future = combinator(&gates);
        assert!(Task::own().poll(future.as_mut()).is_pending());
        drop(future);
        assert_eq!(*gates[0].log.lock().unwrap(), [0, 1, 2, 3, 4], "{name}");
    }
}
