//! Those who wait until all is done.

use super::*;

/// Whoever is there when the count touches zero goes, even if more is put before it runs.
#[test]
fn the_count_touches_zero() {
    fn run<Q: Kind>() {
        for build in [Shop::full, || {
            let shop = Shop::new(Q::unbounded());
            shop.put_in(0);
            shop
        }] {
            scenario("join", build, Shop::join)
                .other(Shop::join)
                .event(Shop::work_one)
                .followed_by(|shop| shop.put_in(1))
                .followed_by(Shop::work_one)
                .settled(|shop, seen| {
                    let is_done = shop.queue.stats().unfinished == 0;
                    assert!(!is_done || seen.others + seen.broken == 1, "{seen:?}");
                })
                .finish(|shop| shop.close())
                .whole(|shop, seen| shop.assert_whole(seen, &[]))
                .after_leak(|shop, _| shop.assert_others_whole(0))
                .run();
        }
    }
    for_all_kinds!(run);
}

/// The items are handed to one who waits for them, and are done later.
#[test]
fn a_worker_takes_them() {
    fn run<Q: Kind>() {
        scenario("join", || Shop::new(Q::bounded(1)), Shop::join)
            .other(Shop::next_job)
            .other(Shop::join)
            .event(|shop| shop.put_in(0))
            .finish(|shop| shop.close())
            .whole(|shop, seen| shop.assert_whole(seen, &[]))
            .run();
    }
    for_all_kinds!(run);
}

/// A shutdown alone lets nobody go; one that takes all out does, but for what was taken before.
#[test]
fn it_is_shut() {
    fn run<Q: Kind>() {
        scenario("join", Shop::<Q>::full, Shop::join)
            .other(Shop::join)
            .event(|shop| shop.queue.shutdown())
            .followed_by(Shop::stop_now)
            .event(Shop::work_one)
            .settled(|shop, seen| {
                assert_eq!(seen.others + seen.broken, 1, "{:?}", shop.queue.stats());
            })
            .whole(|shop, seen| {
                let is_stopping = shop.is_stopping.load(Ordering::Relaxed);
                shop.assert_whole_but(seen, |_| is_stopping);
            })
            .run();
    }
    for_all_kinds!(run);
}
