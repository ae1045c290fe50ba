//! Those who take items out.

use super::*;

fn one_place<Q: Kind>() -> Shop<Q> {
    Shop::new(Q::bounded(1))
}

fn two_places<Q: Kind>() -> Shop<Q> {
    Shop::new(Q::bounded(2))
}

fn any_number<Q: Kind>() -> Shop<Q> {
    Shop::new(Q::unbounded())
}

fn builds<Q: Kind>() -> [fn() -> Shop<Q>; 3] {
    [two_places, any_number, one_place]
}

fn subjects<Q: Kind>() -> [(&'static str, Make<Q>); 4] {
    [
        ("get", Shop::get),
        ("get_many", Shop::get_many),
        ("next_job", Shop::next_job),
        ("stream", Shop::stream),
    ]
}

/// Two items for two who wait: what one leaves goes to the other, or back to where it was.
#[test]
fn items_come() {
    fn run<Q: Kind>() {
        for build in some::<Q, _, _>(builds(), 2) {
            for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
                scenario(name, build, subject)
                    .other(Shop::get)
                    .event(|shop| shop.put_in(1))
                    .followed_by(|shop| shop.put_in(2))
                    .settled(|shop, seen| {
                        let stats = shop.queue.stats();
                        assert!(stats.getters == 0 || stats.len == 0, "{seen:?} {stats:?}");
                    })
                    .finish(|shop| shop.queue.shutdown())
                    .whole(|shop, seen| {
                        shop.assert_unfinished();
                        shop.assert_order();
                        shop.assert_whole(seen, &[]);
                    })
                    .after_leak(|shop, _| shop.assert_others_whole(2))
                    .run();
            }
        }
    }
    for_all_kinds!(run);
}

/// A shutdown comes between: what was put before it is got or still there.
#[test]
fn items_come_until_it_is_shut() {
    fn run<Q: Kind>() {
        for build in some::<Q, _, _>([any_number, one_place], 1) {
            for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
                scenario(name, build, subject)
                    .other(Shop::get)
                    .event(|shop| shop.put_in(1))
                    .event(|shop| shop.queue.shutdown())
                    .settled(|_, seen| assert_eq!(seen.others, 1))
                    .whole(|shop, seen| shop.assert_whole(seen, &[]))
                    .after_leak(|shop, _| shop.assert_others_whole(1))
                    .run();
            }
        }
    }
    for_all_kinds!(run);
}

/// A shutdown that takes all out.
#[test]
fn items_are_taken_out() {
    fn run<Q: Kind>() {
        for build in some::<Q, _, _>([any_number, one_place], 1) {
            for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
                scenario(name, build, subject)
                    .other(Shop::get)
                    .event(Shop::stop_now)
                    .event(|shop| shop.put_in(1))
                    .settled(|_, seen| assert_eq!(seen.others, 1))
                    .whole(|shop, seen| shop.assert_whole(seen, &[]))
                    .after_leak(|shop, _| shop.assert_others_whole(1))
                    .run();
            }
        }
    }
    for_all_kinds!(run);
}

/// Others wait for the room that the getter makes, or have a slot.
#[test]
fn room_comes_with_the_getter() {
    fn run<Q: Kind>() {
        for (name, subject) in some::<Q, _, _>(subjects::<Q>(), 2) {
            scenario(name, one_place, subject)
                .other(|shop| shop.put(1))
                .other(|shop| shop.put(2))
                .event(Shop::take_one)
                .finish(|shop| {
                    shop.take_one();
                    shop.queue.shutdown();
                })
                .whole(|shop, seen| shop.assert_whole(seen, &[]))
                .after_leak(|shop, _| shop.assert_others_whole(2))
                .run();
            for number in [Some(1), None] {
                scenario(name, one_place, subject)
                    .other(move |shop| shop.with_slot(number))
                    .polled_again()
                    .other(|shop| shop.put(2))
                    .finish(|shop| {
                        shop.queue.shutdown();
                    })
                    .whole(|shop, seen| shop.assert_whole(seen, &[]))
                    .after_leak(|shop, _| shop.assert_others_whole(1))
                    .run();
            }
        }
    }
    for_all_kinds!(run);
}
