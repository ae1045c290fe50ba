//! `staggered`.

use std::cell::RefCell;

use tenter::staggered;
use tenter::time::{Duration, now};

use crate::support::{after, ms};

type Begun = RefCell<Vec<(usize, Duration)>>;

/// Members that fail or succeed after so long, and note when they begin.
fn members<'a>(
    begun: &'a Begun,
    plan: &[(u64, bool)],
) -> Vec<impl Future<Output = Result<usize, String>> + use<'a>> {
    let start = now();
    let member = |(index, &(takes, works)): (usize, &(u64, bool))| async move {
        begun.borrow_mut().push((index, now() - start));
        after(takes, ()).await;
        if works {
            Ok(index)
        } else {
            Err(format!("{index} failed"))
        }
    };
    plan.iter().enumerate().map(member).collect()
}

#[tenter::test]
async fn a27_the_next_begins_after_the_delay() {
    let begun = Begun::default();
    let plan = [(100, true), (100, true), (15, true), (1, true)];
    let start = now();
    let winner = staggered(members(&begun, &plan), ms(10)).await;
    assert_eq!((winner, now() - start), (Ok((3, 3)), ms(31)));
    assert_eq!(
        *begun.borrow(),
        [(0, ms(0)), (1, ms(10)), (2, ms(20)), (3, ms(30))]
    );
}

#[tenter::test]
async fn a27_the_next_begins_when_the_one_before_has_failed() {
    let begun = Begun::default();
    let plan = [(3, false), (50, true), (100, true), (100, true)];
    let winner = staggered(members(&begun, &plan), ms(30)).await;
    assert_eq!(winner, Ok((1, 1)));
    assert_eq!(*begun.borrow(), [(0, ms(0)), (1, ms(3)), (2, ms(33))]);
}

/// The failure of an earlier one begins nothing: the last one still has its time.
#[tenter::test]
async fn a27_only_the_last_one_that_began_counts() {
    let begun = Begun::default();
    let plan = [(12, false), (100, false), (1, true)];
    assert_eq!(staggered(members(&begun, &plan), ms(10)).await, Ok((2, 2)));
    assert_eq!(*begun.borrow(), [(0, ms(0)), (1, ms(10)), (2, ms(20))]);
}

#[tenter::test]
async fn a27_without_a_delay_they_go_one_after_the_other() {
    let begun = Begun::default();
    let plan = [(5, false), (5, false), (5, true), (5, true)];
    let start = now();
    assert_eq!(staggered(members(&begun, &plan), None).await, Ok((2, 2)));
    assert_eq!(now() - start, ms(15));
    assert_eq!(begun.borrow().len(), 3);
}

#[tenter::test]
async fn a27_if_none_succeeds_all_errors_come_in_order() {
    let begun = Begun::default();
    let plan = [(30, false), (1, false), (2, false)];
    let errors = staggered(members(&begun, &plan), ms(10)).await.unwrap_err();
    assert_eq!(errors, ["0 failed", "1 failed", "2 failed"]);
    let nobody = staggered(members(&begun, &[]), ms(10)).await;
    assert_eq!(nobody, Err(vec![]));
}

#[tenter::test]
async fn a27_cancelled_while_it_waits_all_are_dropped() {
    let alive = std::rc::Rc::new(());
    let members = (0..3).map(|_| {
        let alive = std::rc::Rc::clone(&alive);
        async move {
            let _alive = alive;
            std::future::pending::<Result<(), ()>>().await
        }
    });
    let race = staggered(members.collect::<Vec<_>>(), ms(1));
    assert!(tenter::time::timeout(ms(10), race).await.is_err());
    assert_eq!(std::rc::Rc::strong_count(&alive), 1);
}
