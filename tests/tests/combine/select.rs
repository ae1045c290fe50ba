//! `select!`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::FusedFuture;
use tenter::select;
use tenter::time::now;
use tenter_sync::{Lock, channel};

use crate::support::{Gate, Task, after, ms};

#[tenter::test]
async fn a22_the_first_to_complete_is_chosen() {
    let start = now();
    let chosen = select! {
        wait = after(20, 20) => wait,
        wait = after(10, 10) => wait + 1,
        _ = pending::<()>() => unreachable!("it never ends"),
    };
    assert_eq!((chosen, now() - start), (11, ms(10)));
}

#[tenter::test]
async fn biased_goes_in_the_order_of_the_branches() {
    for _ in 0..50 {
        select! {
            biased;
            _ = pending::<()>() => unreachable!(),
            value = ready(1) => assert_eq!(value, 1),
            _ = ready(2) => panic!("the first that is ready"),
        }
    }
}

/// Also in later rounds, whoever was woken first.
#[test]
fn biased_goes_in_the_order_of_the_branches_when_all_were_woken() {
    let task = Task::own();
    let gates = Gate::row(3, false, |_| 2);
    let [a, b, c] = [0, 1, 2].map(|index: usize| gates[index].member());
    let mut select = pin!(async {
        select! {
            biased;
            index = a => index,
            index = b => index,
            index = c => index,
        }
    });
    assert!(task.poll(select.as_mut()).is_pending());
    gates[2].wake();
    gates[1].wake();
    assert_eq!(task.poll(select), Poll::Ready(1));
}

fn spread(rounds: usize) -> [usize; 4] {
    let mut chosen = [0; 4];
    for _ in 0..rounds {
        let task = Task::own();
        let select = pin!(async {
            select! {
                _ = ready(()) => 0,
                _ = ready(()) => 1,
                _ = ready(()) => 2,
                _ = ready(()) => 3,
            }
        });
        match task.poll(select) {
            Poll::Ready(index) => chosen[index] += 1,
            Poll::Pending => unreachable!("one of them is ready"),
        }
    }
    chosen
}

#[test]
fn unbiased_starves_nobody() {
    let chosen = spread(4_000);
    assert!(
        chosen.iter().all(|times| (800..1_200).contains(times)),
        "{chosen:?}"
    );
}

/// On the deterministic flavour the seed decides, and nothing else.
#[test]
fn unbiased_is_decided_by_the_seed() {
    let run = |seed| {
        let runtime = tenter::Builder::deterministic(seed).build().unwrap();
        runtime.block_on(async {
            let mut chosen = Vec::new();
            for _ in 0..64 {
                select! {
                    _ = ready(()) => chosen.push('a'),
                    _ = ready(()) => chosen.push('b'),
                    _ = ready(()) => chosen.push('c'),
                }
            }
            chosen
        })
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    for branch in ['a', 'b', 'c'] {
        assert!(run(7).contains(&branch));
    }
}

#[tenter::test]
async fn a_pattern_that_does_not_match_puts_its_branch_out() {
    let start = now();
    for _ in 0..10 {
        let chosen = select! {
            Some(value) = ready(None::<u32>) => value,
            Ok(value) = after(5, Err::<u32, _>("no")) => value,
            value @ 7.. = after(10, 8_u32) => value,
        };
        assert_eq!(chosen, 8);
    }
    assert_eq!(now() - start, ms(100));
}

#[tenter::test]
async fn every_pattern_of_a_match_can_be_used() {
    struct Owned {
        name: String,
        number: u32,
    }
    let word = String::from("word");
    select! {
        Owned { mut name, number: 1 | 2 } = ready(Owned { name: word, number: 2 }) => {
            name.push('!');
            assert_eq!(name, "word!");
        }
        else => unreachable!(),
    }
    select! {
        Some(&number) = ready(Some(&5)) => assert_eq!(number, 5),
        else => unreachable!(),
    }
    select! {
        (ref a, ref mut b) = ready((String::new(), String::new())) => {
            b.push('b');
            assert_eq!((a.as_str(), b.as_str()), ("", "b"));
        }
    }
    select! {
        [first, .., last] = ready([1, 2, 3]) => assert_eq!((first, last), (1, 3)),
    }
    select! {
        Ok(boxed) | Err(boxed) = ready(Ok::<_, Box<i32>>(Box::new(1))) => assert_eq!(*boxed, 1),
    }
}

impl std::ops::Deref for Unused {
    type Target = u32;

    fn deref(&self) -> &u32 {
        &self.0
    }
}

struct Unused(u32);

#[tenter::test]
async fn else_runs_when_no_branch_can_be_chosen() {
    let unused = Unused(3);
    let wanted = |on: bool| async move {
        select! {
            Some(value) = ready(None) => value,
            value = pending::<u32>(), if on && *Unused(1) == 0 => value,
            else => 42,
        }
    };
    assert_eq!(
        (wanted(false).await, wanted(true).await, *unused),
        (42, 42, 3)
    );
    let chosen = select! {
        _ = pending::<()>(), if false => 1,
        complete => 2,
    };
    assert_eq!(chosen, 2, "alone, it stands for both");
}

#[tenter::test]
async fn complete_runs_when_all_wanted_branches_have_completed() {
    for (wanted, expected) in [(true, "complete"), (false, "else")] {
        let chosen = select! {
            Some(()) = ready(None), if wanted => "branch",
            Some(()) = after(1, None), if wanted => "branch",
            else => "else",
            complete => "complete",
        };
        assert_eq!(chosen, expected);
    }
}

#[tenter::test]
#[should_panic(expected = "no branch can be chosen")]
async fn without_else_that_is_a_panic() {
    select! {
        Some(()) = ready(None) => {}
    }
}

/// A precondition is evaluated before all futures, and a future also if it is not wanted.
#[tenter::test]
async fn preconditions_come_first_and_then_all_futures() {
    let order = RefCell::new(Vec::new());
    let note = |what: &'static str| order.borrow_mut().push(what);
    let polled = Cell::new(false);
    select! {
        biased;
        _ = { note("a"); async { polled.set(true) } }, if { note("if a"); false } => unreachable!(),
        _ = { note("b"); ready(()) }, if { note("if b"); true } => note("handler"),
    }
    assert_eq!(*order.borrow(), ["if a", "if b", "a", "b", "handler"]);
    assert!(!polled.get());
}

#[tenter::test]
async fn losers_are_dropped_in_order_before_the_handler_runs() {
    let gates = Gate::row(4, false, |index| if index == 2 { 1 } else { 9 });
    let log = Arc::clone(&gates[0].log);
    let winner = select! {
        biased;
        _ = gates[0].member() => unreachable!(),
        _ = gates[1].member() => unreachable!(),
        index = gates[2].member() => (index, log.lock().unwrap().clone()),
        _ = gates[3].member() => unreachable!(),
    };
    assert_eq!(winner, (2, vec![0, 1, 2, 3]));
}

/// The futures borrow mutably what the handlers use.
#[tenter::test]
async fn branches_borrow_and_handlers_have_it_back() {
    async fn push(into: &mut Vec<u64>, value: u64) {
        after(value, ()).await;
        into.push(value);
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        select! {
            () = push(&mut one, 2) => two.push(0),
            () = push(&mut two, 1) => {
                one.push(10);
                two.push(20);
            }
        }
    }
    assert_eq!((one, two), (vec![10; 3], vec![1, 20, 1, 20, 1, 20]));
}

#[tenter::test]
async fn handlers_break_continue_return_and_await() {
    async fn run() -> Result<u32, &'static str> {
        let mut left = 5;
        let value = 'outer: loop {
            select! {
                _ = ready(()), if left > 3 => { left -= 1; continue },
                _ = after(1, ()), if left > 1 => {
                    after(1, ()).await;
                    left -= 1;
                }
                _ = after(3, ()), if left == 1 => break 'outer left + 1,
            }
        };
        select! {
            result = after(1, Err::<(), _>("failed")) => result?,
            _ = pending::<()>() => return Ok(0),
        }
        Ok(value)
    }
    assert_eq!(run().await, Err("failed"));
}

/// A branch by reference is not dropped, and goes on in the next round.
#[tenter::test]
async fn a_branch_by_reference_goes_on() {
    let start = now();
    let mut long = pin!(after(25, 'a'));
    let mut ticks = 0;
    let letter = loop {
        select! {
            letter = &mut long => break letter,
            _ = after(10, ()) => ticks += 1,
        }
    };
    assert_eq!((letter, ticks, now() - start), ('a', 2, ms(25)));
}

/// A temporary in the expression of a future lives as long as the future.
#[tenter::test]
async fn a_temporary_by_reference_lives_long_enough() {
    select! {
        value = &mut ready(String::from("a")) => assert_eq!(value, "a"),
    }
}

struct Once(Option<u32>);

impl Future for Once {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(self.0.take().expect("polled after its end"))
    }
}

impl FusedFuture for Once {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

#[tenter::test]
async fn a_fused_future_that_is_over_is_left_out() {
    let (mut one, mut two) = (Once(Some(1)), Once(Some(2)));
    let mut sum = 0;
    loop {
        select! {
            value = &mut one => sum += value,
            value = &mut two => sum += value,
            complete => break,
        }
    }
    assert_eq!(sum, 3);
}

#[tenter::test]
async fn streams_are_merged_until_all_have_ended() {
    let (one, ones) = channel::unbounded();
    let (two, twos) = channel::unbounded();
    for value in 0..100 {
        one.try_send(value).unwrap();
        two.try_send(value).unwrap();
    }
    drop((one, two));
    let mut counts = (0, 0);
    loop {
        select! {
            Ok(_) = ones.recv() => counts.0 += 1,
            Ok(_) = twos.recv() => counts.1 += 1,
            complete => break,
        }
    }
    assert_eq!(counts, (100, 100));
}

#[test]
fn only_woken_branches_are_polled() {
    for task in [Task::own(), Task::foreign()] {
        let gates = Gate::row(3, false, |index| if index == 1 { 4 } else { 9 });
        let [a, b, c] = [0, 1, 2].map(|index: usize| gates[index].member());
        let mut select = Box::pin(async {
            select! {
                index = a => index,
                index = b => index,
                index = c => index,
            }
        });
        for _ in 0..3 {
            assert!(task.poll(select.as_mut()).is_pending());
            assert!(task.poll(select.as_mut()).is_pending());
            gates[1].wake();
            gates[1].wake();
        }
        assert_eq!(task.wakes(), 3);
        assert_eq!(task.poll(select.as_mut()), Poll::Ready(1));
        assert_eq!(
            [0, 1, 2].map(|index: usize| gates[index].polls()),
            [1, 4, 1]
        );
    }
}

/// A task waits twice for one lock, in two branches, and holds it elsewhere.
#[tenter::test]
async fn two_branches_wait_for_one_lock() {
    let lock = Arc::new(Lock::new(0));
    for round in 0..20 {
        let held = lock.lock().await;
        let contender = tenter::spawn({
            let lock = Arc::clone(&lock);
            async move { *lock.lock().await += 1 }
        });
        let mut first = pin!(lock.lock());
        select! {
            biased;
            _ = &mut first => unreachable!("it is held"),
            _ = async { drop(after(1, held).await) } => {}
        }
        // `first` is in line, and is not polled: futurelock, if it kept what it is given.
        let mut second = select! {
            guard = lock.lock() => guard,
            _ = after(1_000, ()) => panic!("futurelock in round {round}"),
        };
        *second += 1;
        drop(second);
        drop(first.await);
        contender.await.unwrap();
    }
    assert_eq!(*lock.lock().await, 40);
}

#[tenter::test]
async fn a_loop_of_ready_branches_does_not_starve_the_others() {
    let other = tenter::spawn(async {});
    let mut rounds = 0;
    while !other.is_finished() {
        select! {
            _ = ready(()) => rounds += 1,
            _ = pending::<()>() => {}
        }
    }
    assert!((1..=200).contains(&rounds), "{rounds}");
}

/// With no budget left, an output is kept for the next poll, and no other is chosen.
#[test]
fn a_chosen_output_is_kept_until_it_is_paid_for() {
    let task = Task::own();
    let mut select = pin!(async {
        select! {
            value = ready(1) => value,
            _ = pending::<()>() => 2,
        }
    });
    assert!(task.poll_with(0, select.as_mut()).is_pending());
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll_with(1, select.as_mut()), Poll::Ready(1));
}

#[tenter::test]
async fn a_panic_of_a_branch_drops_all() {
    let gates = Gate::row(2, false, |_| 9);
    let members = gates.iter().map(Gate::member).collect::<Vec<_>>();
    let task = tenter::spawn(async move {
        let [a, b] = <[_; 2]>::try_from(members).ok().unwrap();
        select! {
            _ = a => {}
            _ = async { tenter::task::yield_now().await; panic!("bad branch") } => {}
            _ = b => {}
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(*gates[0].log.lock().unwrap(), [0, 1]);
}

/// Thirty-two branches, and the last one wins.
#[tenter::test]
async fn many_branches() {
    let chosen = select! {
        _ = pending::<()>() => 0, _ = pending::<()>() => 1, _ = pending::<()>() => 2,
        _ = pending::<()>() => 3, _ = pending::<()>() => 4, _ = pending::<()>() => 5,
        _ = pending::<()>() => 6, _ = pending::<()>() => 7, _ = pending::<()>() => 8,
        _ = pending::<()>() => 9, _ = pending::<()>() => 10, _ = pending::<()>() => 11,
        _ = pending::<()>() => 12, _ = pending::<()>() => 13, _ = pending::<()>() => 14,
        _ = pending::<()>() => 15, _ = pending::<()>() => 16, _ = pending::<()>() => 17,
        _ = pending::<()>() => 18, _ = pending::<()>() => 19, _ = pending::<()>() => 20,
        _ = pending::<()>() => 21, _ = pending::<()>() => 22, _ = pending::<()>() => 23,
        _ = pending::<()>() => 24, _ = pending::<()>() => 25, _ = pending::<()>() => 26,
        _ = pending::<()>() => 27, _ = pending::<()>() => 28, _ = pending::<()>() => 29,
        _ = pending::<()>() => 30, _ = after(1, ()) => 31,
    };
    assert_eq!(chosen, 31);
}

fn is_send<F: Future + Send>(future: F) -> F {
    future
}

/// It can be awaited in a task, and nested.
#[tenter::test(flavor = "multi_thread", workers = 2)]
async fn a_select_is_send_if_its_branches_are() {
    let inner = is_send(async {
        select! {
            value = async { select! { value = ready(1) => value, else => 2 } } => value,
            value = tenter::gather!(pending::<u8>()) => value.0,
        }
    });
    assert_eq!(tenter::spawn(inner).await.unwrap(), 1);
}
