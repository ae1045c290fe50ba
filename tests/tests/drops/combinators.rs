//! Combinators: the members are dropped with them, once; and an output that waits for its turn is not lost.

use std::time::Duration;

use tenter::{
    AsCompleted, as_completed, gather, gather_settled, map_concurrent, race, race_ok, select,
    staggered, try_gather,
};

use crate::bells::{Bells, Member};
use crate::harness::{Case, case};

async fn fallible(member: Member, fails: fn(usize) -> bool) -> Result<usize, usize> {
    let index = member.await;
    if fails(index) { Err(index) } else { Ok(index) }
}

fn results(
    bells: &Bells,
    fails: fn(usize) -> bool,
) -> Vec<impl Future<Output = Result<usize, usize>> + use<>> {
    let members = bells.members().into_iter();
    members.map(|member| fallible(member, fails)).collect()
}

/// The last bell rings first.
const LAST: usize = 4;

/// A combinator over five bells, which ring one after another, the last one first.
fn of_five<F: Future + 'static>(
    covers: &'static str,
    suspends: usize,
    combine: impl Fn(&Bells) -> F + Copy + Send + 'static,
    check: fn(F::Output),
) -> Case {
    with_order(covers, suspends, combine, check, |n| {
        LAST.wrapping_sub(n - 1)
    })
}

/// The same with the bells in another order.
fn with_order<F: Future + 'static>(
    covers: &'static str,
    suspends: usize,
    combine: impl Fn(&Bells) -> F + Copy + Send + 'static,
    check: fn(F::Output),
    order: fn(usize) -> usize,
) -> Case {
    case(covers, suspends, move |cut| async move {
        let bells = Bells::that_keep_wakers(LAST + 1);
        let ring = |n| bells.ring(order(n));
        let output = cut.pushed(combine(&bells), ring).await;
        bells.all_gone();
        if let Some(output) = output {
            check(output);
        }
    })
}

pub fn cases() -> Vec<Case> {
    let mut cases = gathering();
    cases.extend(racing());
    cases.extend(completing());
    cases
}

fn gathering() -> Vec<Case> {
    vec![
        of_five(
            "combine::gather::gather",
            5,
            |bells| gather(bells.members()),
            |all| {
                assert_eq!(all, [0, 1, 2, 3, 4]);
            },
        ),
        of_five(
            "combine::gather::try_gather",
            3,
            |bells| try_gather(results(bells, |index| index == 2)),
            |all| assert_eq!(all, Err(2)),
        ),
        of_five(
            "combine::gather::gather_settled",
            5,
            |bells| gather_settled(results(bells, |index| index % 2 == 0)),
            |all| assert_eq!(all.len(), 5),
        ),
        with_order(
            "combine::map::map_concurrent",
            3,
            |bells| map_concurrent(bells.members(), 2, |member| member),
            |all| assert_eq!(all, [0, 1, 2, 3, 4]),
            |n| n - 1,
        ),
        of_five(
            "gather!",
            5,
            |bells| {
                let [a, b, c] = [0, 1, 2].map(|index| bells.member(index));
                tenter::gather!(a, b, c, bells.member(3), bells.member(4))
            },
            |all| assert_eq!(all, (0, 1, 2, 3, 4)),
        ),
        of_five(
            "try_gather!",
            2,
            |bells| {
                let mut rest = results(bells, |index| index == 3).into_iter();
                let [a, b] = [(); 2].map(|()| rest.next().expect("there are five"));
                tenter::try_gather!(a, b, try_gather(rest.collect::<Vec<_>>()))
            },
            |all| assert_eq!(all.map(drop), Err(3)),
        ),
    ]
}

fn racing() -> Vec<Case> {
    vec![
        of_five(
            "combine::race::race",
            1,
            |bells| race(bells.members()),
            |first| {
                assert_eq!(first, (LAST, LAST));
            },
        ),
        of_five(
            "combine::race::race_ok",
            3,
            |bells| race_ok(results(bells, |index| index != 2)),
            |first| assert_eq!(first, Ok((2, 2))),
        ),
        with_order(
            "combine::staggered::staggered",
            5,
            |bells| staggered(results(bells, |index| index != 4), None),
            |first| assert_eq!(first, Ok((4, 4))),
            |n| n - 1,
        ),
        of_five(
            "select!",
            2,
            |bells| {
                let [a, b, c] = [0, 3, 1].map(|index| bells.member(index));
                let rest = gather([2, 4].map(|index| bells.member(index)));
                async {
                    select! {
                        1_000 = a => unreachable!("its output is another"),
                        index = b => index,
                        index = c => index,
                        _ = rest => 100,
                    }
                }
            },
            |first| assert_eq!(first, 3),
        ),
    ]
}

fn completing() -> Vec<Case> {
    vec![
        case(
            "combine::completed::AsCompleted::next",
            1,
            |cut| async move {
                let bells = Bells::new(3);
                let mut outputs: AsCompleted<_> = as_completed(bells.members());
                let mut seen = Vec::new();
                for round in 0..3 {
                    let next = cut.pushed(outputs.next(), |_| bells.ring(2 - round)).await;
                    seen.extend(next.flatten());
                }
                bells.ring_all();
                while let Some(index) = outputs.next().await {
                    seen.push(index);
                }
                seen.sort_unstable();
                assert_eq!(seen, [(0, 0), (1, 1), (2, 2)]);
                bells.all_gone();
            },
        )
        .keeps_waker(),
        case(
            "combine::completed::AsCompletedTimeout::next",
            1,
            |cut| async move {
                let bells = Bells::new(2);
                let mut outputs = as_completed(bells.members()).timeout(Duration::MAX);
                let next = cut.pushed(outputs.next(), |_| bells.ring(1)).await;
                let mut seen: Vec<_> = next
                    .map(|next| next.unwrap().unwrap())
                    .into_iter()
                    .collect();
                bells.ring_all();
                while let Some(index) = outputs.next().await {
                    seen.push(index.unwrap());
                }
                seen.sort_unstable();
                assert_eq!(seen, [(0, 0), (1, 1)]);
                bells.all_gone();
            },
        )
        .keeps_waker(),
    ]
}
