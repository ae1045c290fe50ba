//! Those who put items in, or wait for a place.

use super::*;

fn subjects<Q: Kind>() -> [(&'static str, Make<Q>); 3] {
    [
        ("put", |shop| shop.put(1)),
        ("put_many", |shop| shop.put_many([1, 2])),
        ("reserve", |shop| shop.reserve(1)),
    ]
}

/// Item 0 is in, the subject has 1 and 2, the other one has 3.
fn whole<Q: Kind>(shop: &Shop<Q>, seen: &Seen) {
    shop.assert_whole(seen, &[1, 2]);
    assert!(shop.ledger.has_met(0) && shop.ledger.has_met(3));
}

/// The subject may keep what it wanted to put.
fn after_leak<Q: Kind>(shop: &Shop<Q>, _: &Seen) {
    shop.assert_others_whole(2);
}

#[test]
fn room_comes() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            scenario(name, Shop::full, subject)
                .other(|shop| shop.put(3))
                .event(Shop::take_one)
                .followed_by(Shop::take_one)
                .settled(|shop, seen| {
                    let stats = shop.queue.stats();
                    let is_full = stats.len >= 1;
                    assert!(stats.putters == 0 || is_full, "{seen:?} {stats:?}");
                })
                .finish(|shop| {
                    shop.take_one();
                    shop.take_one();
                })
                .whole(whole)
                .run();
        }
    }
    for_all_kinds!(run);
}

/// Whoever waits when it is shut gets its item back.
#[test]
fn room_comes_until_it_is_shut() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            scenario(name, Shop::full, subject)
                .other(|shop| shop.put(3))
                .event(|shop| shop.queue.shutdown())
                .event(Shop::take_one)
                .settled(|_, seen| assert_eq!(seen.others + seen.broken, 1))
                .whole(whole)
                .after_leak(after_leak)
                .run();
        }
    }
    for_all_kinds!(run);
}

/// A shutdown that takes all out lets joiners go.
#[test]
fn all_is_taken_out() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            scenario(name, Shop::full, subject)
                .other(Shop::join)
                .other(|shop| shop.put(3))
                .event(Shop::stop_now)
                .finish(Shop::stop_now) // again, if a waker panicked before it was done
                .whole(whole)
                .after_leak(after_leak)
                .run();
        }
    }
    for_all_kinds!(run);
}

/// Somebody has the only place, and uses it or gives it back.
#[test]
fn somebody_has_the_place() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            for number in [Some(3), None] {
                scenario(name, || Shop::new(Q::bounded(1)), subject)
                    .other(move |shop| shop.with_slot(number))
                    .polled_again()
                    .event(Shop::take_one)
                    .finish(|shop| shop.close())
                    .whole(|shop, seen| shop.assert_whole(seen, &[1, 2]))
                    .run();
            }
        }
    }
    for_all_kinds!(run);
}

#[test]
fn there_is_always_room() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            scenario(name, || Shop::new(Q::unbounded()), subject)
                .other(Shop::get)
                .event(|shop| shop.queue.shutdown())
                .whole(|shop, seen| shop.assert_whole(seen, &[1, 2]))
                .run();
        }
    }
    for_all_kinds!(run);
}
